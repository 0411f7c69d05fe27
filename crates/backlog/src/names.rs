//! Names of the files in a backlog's directory.

/// Held locked by the process that uses the directory. Empty.
pub(crate) const LOCK: &str = "lock";
/// What is acknowledged.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The next checkpoint while it is written; without meaning otherwise.
pub(crate) const CHECKPOINT_NEW: &str = "checkpoint.new";

const SUFFIX: &str = ".segment";
const NUMBER_DIGITS: usize = 20;
const SALT_DIGITS: usize = 16;

/// `00000000000000000007-1f2e3d4c5b6a7988.segment`: number in decimal, salt in hexadecimal. The salt stands in the
/// name too so that a damaged header does not make the records behind it unreadable.
pub(crate) fn segment(number: u64, salt: u64) -> String {
    format!("{number:020}-{salt:016x}{SUFFIX}")
}

/// Number and salt, if `name` is exactly what [`segment`] would write.
pub(crate) fn parse(name: &str) -> Option<(u64, u64)> {
    let (number, salt) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    if number.len() != NUMBER_DIGITS || salt.len() != SALT_DIGITS {
        return None;
    }
    let parsed = (number.parse().ok()?, u64::from_str_radix(salt, 16).ok()?);
    (segment(parsed.0, parsed.1) == name).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_nothing_else_does() {
        for (number, salt) in [(1, 0), (u64::MAX, u64::MAX), (7, 0x1f2e_3d4c_5b6a_7988)] {
            assert_eq!(parse(&segment(number, salt)), Some((number, salt)));
        }
        for foreign in [
            "lock",
            "00000000000000000007.segment",
            "+0000000000000000007-1f2e3d4c5b6a7988.segment",
            "00000000000000000007-1F2E3D4C5B6A7988.segment",
            "99999999999999999999-1f2e3d4c5b6a7988.segment",
            "00000000000000000007-1f2e3d4c5b6a7988.segment.bak",
            "é",
        ] {
            assert_eq!(parse(foreign), None, "{foreign}");
        }
    }
}

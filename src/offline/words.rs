//! Numbers, sizes and times as a person reads them.

use std::time::{Duration, UNIX_EPOCH};

/// The last second that the date's format can say: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
/// More segments than this are counted, not named.
const SEGMENTS_NAMED: usize = 8;

/// `1 copy`, `2 copies`
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `12 B`, `4.2 MiB`
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30_u32), ("MiB", 20), ("KiB", 10)];
    match units.iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// How long ago, in its two largest units: `2d 4h`, `3h 12m`, `45s`. What is to come is `0s`.
pub(super) fn age(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let parts = units.iter().scan(seconds, |rest, (unit, length)| {
        let count = *rest / length;
        *rest %= length;
        Some((count, *unit))
    });
    let parts: Vec<_> = parts.skip_while(|(count, _)| *count == 0).take(2).collect();
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// `Sat, 01 Jun 2024 10:00:00 GMT`
pub(super) fn date(ms: u64) -> String {
    // Times come from files: the format has no year 10000, and its writer panics there.
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs((ms / 1000).min(LAST_SECOND)))
}

/// `segment 3`, `segments 3, 4 and 9 more`
pub(super) fn segments(numbers: &[u64]) -> String {
    let named: Vec<String> = numbers.iter().take(SEGMENTS_NAMED).map(u64::to_string).collect();
    let rest = match numbers.len().saturating_sub(SEGMENTS_NAMED) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!("segment{} {}{rest}", if numbers.len() == 1 { "" } else { "s" }, named.join(", "))
}

/// `the mirrors `a`, `b``, or that there are none.
pub(super) fn listed(names: &[&str], what: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => format!("no {what} at all"),
        1 => format!("the {what} {}", quoted.join(", ")),
        _ => format!("the {what}s {}", quoted.join(", ")),
    }
}

/// A name out of a file system, safe to show on a terminal.
pub(super) fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_never_round_up() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (5 << 29, "2.5 GiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn ages_have_their_two_largest_units() {
        let seconds = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3600, "1h"),
            (3601, "1h"),
            (11_520, "3h 12m"),
            (2 * 86_400 + 4 * 3600 + 5, "2d 4h"),
        ];
        for (ago, text) in seconds {
            assert_eq!(age(1_000_000_999 + ago * 1000, 1_000_000_999), text);
        }
        assert_eq!(age(5, 10), "0s");
    }

    #[test]
    fn any_time_has_a_date() {
        assert_eq!(date(1_717_236_000_123), "Sat, 01 Jun 2024 10:00:00 GMT");
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert!(date(u64::MAX).ends_with("9999 23:59:59 GMT"));
    }

    #[test]
    fn lists_end_somewhere() {
        assert_eq!(segments(&[3]), "segment 3");
        assert_eq!(segments(&[3, 4]), "segments 3, 4");
        assert_eq!(segments(&(1..=10).collect::<Vec<_>>()), "segments 1, 2, 3, 4, 5, 6, 7, 8 and 2 more");
        assert_eq!(listed(&[], "mirror"), "no mirror at all");
        assert_eq!(listed(&["a", "b"], "mirror"), "the mirrors `a`, `b`");
        assert_eq!(shown("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }
}

//! A body size as written on the command line.

use std::fmt;
use std::str::FromStr;

/// Units, longest spelling first so that `KiB` is not read as `B`.
const UNITS: [(&str, usize); 5] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("KB", 1_000), ("MB", 1_000_000), ("B", 1)];

/// A number of bytes that remembers how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: usize,
    label: String,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit, factor) = UNITS
            .iter()
            .find_map(|&(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), unit, factor)))
            .unwrap_or((text, "B", 1));
        let count: usize =
            number.parse().map_err(|_| format!("{text} is no size; try 1KiB, 67KB or 1MiB"))?;
        let bytes = count.checked_mul(factor).filter(|bytes| (1..=100 << 20).contains(bytes));
        let bytes = bytes.ok_or("must be between one byte and 100 MiB, the largest that Mimir takes")?;
        Ok(Self { bytes, label: format!("{count} {unit}") })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes, label) in [
            ("1KiB", 1024, "1 KiB"),
            ("67KB", 67_000, "67 KB"),
            ("1 MiB", 1_048_576, "1 MiB"),
            ("512", 512, "512 B"),
            ("512B", 512, "512 B"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes, size.to_string().as_str()), (bytes, label));
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "0", "KiB", "1.5MiB", "-1", "101MiB", "99999999999999999999", "18446744073709551615MiB"]
        {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}

//! Durations, sizes and shares as text.

use std::time::Duration;

/// The largest duration of the protobuf type: about 10 000 years. Small enough to be added to any clock.
const SECONDS_MAX: u64 = 315_576_000_000;

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadDuration {
    Negative,
    /// A proto duration with another unit than `s`, or none.
    Unit,
    TooLong,
    Native,
}

impl BadDuration {
    pub(crate) fn message(self, text: &str) -> String {
        match self {
            Self::Negative => format!("Invalid duration: Expected positive duration: `{text}`"),
            Self::Unit => format!("`{text}` is not a duration in seconds"),
            Self::TooLong => format!("the duration `{text}` is too long"),
            Self::Native => format!("`{text}` is not a duration"),
        }
    }

    pub(crate) fn help(self, text: &str) -> String {
        match self {
            Self::Unit => match native_duration(text) {
                Ok(value) => format!("Envoy's durations are in seconds: `{}`", proto_text(value)),
                Err(_) => "Envoy's durations are in seconds: `15s`, `0.25s`".to_owned(),
            },
            Self::Negative => "write a duration such as `15s`".to_owned(),
            Self::Native => "write a duration such as `500ms`, `15s`, `5m` or `1h`".to_owned(),
            Self::TooLong => format!("write at most {SECONDS_MAX} seconds"),
        }
    }
}

/// A proto-JSON duration: `15s`, `0.25s`, at most nine decimals.
pub(crate) fn proto_duration(text: &str) -> Result<Duration, BadDuration> {
    let Some(number) = text.strip_suffix('s') else { return Err(BadDuration::Unit) };
    if let Some(positive) = number.strip_prefix('-')
        && seconds(positive).is_some()
    {
        return Err(BadDuration::Negative);
    }
    let value = seconds(number).ok_or(BadDuration::Unit)?;
    bounded(value)
}

/// A duration as the native form writes it, `10m`; the error says what one looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    native_duration(text).map_err(|bad| format!("{}; {}", bad.message(text), bad.help(text)))
}

/// A native duration: one number and one unit, `500ms`, `15s`, `5m`, `1h`, `1.5s`.
pub(crate) fn native_duration(text: &str) -> Result<Duration, BadDuration> {
    let units =
        [("ms", 1_000_000_u64), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];
    let (number, nanos) = units
        .iter()
        .find_map(|(unit, nanos)| text.strip_suffix(unit).map(|number| (number, *nanos)))
        .ok_or(BadDuration::Native)?;
    let value = seconds(number).ok_or(BadDuration::Native)?;
    // As though the number were seconds, then scaled: keeps nine decimals without floating point.
    let scaled = value.as_nanos().checked_mul(u128::from(nanos)).ok_or(BadDuration::TooLong)? / 1_000_000_000;
    let whole = u64::try_from(scaled / 1_000_000_000).map_err(|_| BadDuration::TooLong)?;
    let rest = u32::try_from(scaled % 1_000_000_000).map_err(|_| BadDuration::TooLong)?;
    bounded(Duration::new(whole, rest))
}

fn bounded(value: Duration) -> Result<Duration, BadDuration> {
    if value.as_secs() > SECONDS_MAX { Err(BadDuration::TooLong) } else { Ok(value) }
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    // Saturates, so that a number of 30 digits is "too long" and not "no number".
    let whole = whole.parse().unwrap_or(u64::MAX);
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole, nanos))
}

/// The proto-JSON text of a duration.
pub(crate) fn proto_text(value: Duration) -> String {
    let fraction = format!("{:09}", value.subsec_nanos());
    match fraction.trim_end_matches('0') {
        "" => format!("{}s", value.as_secs()),
        fraction => format!("{}.{fraction}s", value.as_secs()),
    }
}

/// The native text of a duration, in its largest whole unit.
pub(crate) fn native_text(value: Duration) -> String {
    let nanos = value.as_nanos();
    for (unit, size) in
        [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)]
    {
        if nanos != 0 && nanos.is_multiple_of(size) {
            return format!("{}{unit}", nanos / size);
        }
    }
    proto_text(value)
}

/// `512KiB`, `256MiB`, `1GiB`, `1048576`.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)]
        .iter()
        .find_map(|(unit, shift)| text.strip_suffix(unit).map(|number| (number, *shift)))
        .unwrap_or((text, 0));
    let number = number.trim_end();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The text of a size, in its largest whole unit.
pub(crate) fn size_text(value: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if value != 0 && value.trailing_zeros() >= shift {
            return format!("{}{unit}", value >> shift);
        }
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_unit() {
        assert_eq!(proto_duration("0.25s"), Ok(Duration::from_millis(250)));
        assert_eq!(proto_duration("15ms"), Err(BadDuration::Unit));
        assert_eq!(proto_duration("-1s"), Err(BadDuration::Negative));
        assert_eq!(proto_duration(".5s"), Err(BadDuration::Unit));
        assert_eq!(proto_duration("1.0123456789s"), Err(BadDuration::Unit));
        assert_eq!(proto_duration("99999999999999999999999s"), Err(BadDuration::TooLong));
        assert_eq!(native_duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(native_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(native_duration("15"), Err(BadDuration::Native));
        assert_eq!(native_duration("99999999999999999h"), Err(BadDuration::TooLong));
    }

    #[test]
    fn texts_read_back() {
        for nanos in [0, 1, 1_000_000, 250_000_000, 15_000_000_000, 90_000_000_000, 3_600_000_000_000] {
            let value = Duration::from_nanos(nanos);
            assert_eq!(proto_duration(&proto_text(value)), Ok(value));
            assert_eq!(native_duration(&native_text(value)), Ok(value));
        }
        for value in [1, 1023, 1024, 100 << 20, 3 << 30] {
            assert_eq!(size(&size_text(value)), Some(value));
        }
    }
}

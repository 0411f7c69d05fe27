//! What an unquoted scalar means.
//!
//! Envoy reads YAML with the rules of YAML 1.1: `yes`, `on` and `y` are booleans, `0x1F` and `017` numbers. A
//! file must mean the same here, also where that is a trap (`name: no` is an error, not a name).

use std::rc::Rc;

use crate::tree::Value;

/// A number and how it was written.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    /// As written.
    pub(crate) raw: Rc<str>,
    /// Written as an integer. Anything else stays text where text is wanted, as in Envoy.
    pub(crate) integer: bool,
    /// Whole numbers, also those written `8080.0`, up to 2^53.
    pub(crate) whole: Option<i64>,
    /// Any number.
    pub(crate) value: f64,
}

const TRUE: [&str; 4] = ["true", "yes", "on", "y"];
const FALSE: [&str; 4] = ["false", "no", "off", "n"];
/// Above it a double no longer tells neighbours apart; Envoy keeps such numbers as text.
const WHOLE_MAX: i64 = 1 << 53;

/// The value of a plain scalar.
pub(crate) fn resolve(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    if let Some(value) = boolean(text) {
        return Value::Bool(value);
    }
    number(text).map_or_else(|| Value::Text(Rc::from(text)), Value::Number)
}

/// A boolean in lower case, upper case, or with one capital.
fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let tail = text.get(1..)?;
    let one_case = text == lower || text == text.to_ascii_uppercase() || lower.get(1..) == Some(tail);
    if !one_case {
        return None;
    }
    if TRUE.contains(&lower.as_str()) {
        return Some(true);
    }
    FALSE.contains(&lower.as_str()).then_some(false)
}

/// A decimal, octal (`017`) or hexadecimal (`0x1F`) number.
pub(crate) fn number(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(whole) = integer(digits) {
        let whole = if negative { -whole } else { whole };
        #[allow(clippy::cast_precision_loss, reason = "bounded by 2^53, where doubles are exact")]
        return (whole.abs() < WHOLE_MAX).then(|| Number {
            raw: Rc::from(text),
            integer: true,
            whole: Some(whole),
            value: whole as f64,
        });
    }
    if !digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-')) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    Some(Number { raw: Rc::from(text), integer: false, whole: whole(value), value })
}

fn integer(digits: &str) -> Option<i64> {
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-']));
    }
    if !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    match digits.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => i64::from_str_radix(octal, 8).ok(),
        _ => digits.parse().ok(),
    }
}

fn whole(value: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "checked to be a whole number below 2^53")]
    #[allow(clippy::cast_precision_loss, reason = "2^53 is exact")]
    (value.fract() == 0.0 && value.abs() < WHOLE_MAX as f64).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_those_of_yaml_1_1() {
        for text in ["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"] {
            assert!(matches!(resolve(text), Value::Bool(true)), "{text}");
        }
        for text in ["false", "no", "NO", "off", "Off", "n", "N"] {
            assert!(matches!(resolve(text), Value::Bool(false)), "{text}");
        }
        for text in ["tRUE", "yEs", "oN", "nO", "truee", "t", "é"] {
            assert!(matches!(resolve(text), Value::Text(_)), "{text}");
        }
    }

    #[test]
    fn numbers_are_decimal_octal_and_hexadecimal() {
        for (text, expected) in [
            ("8080", 8080),
            ("-1", -1),
            ("+5", 5),
            ("0x1F90", 8080),
            ("017", 15),
            ("0", 0),
            ("08", 8),
            ("8080.0", 8080),
            ("1e3", 1000),
        ] {
            assert_eq!(number(text).and_then(|number| number.whole), Some(expected), "{text}");
        }
        assert_eq!(number("0.5").map(|number| (number.whole, number.value)), Some((None, 0.5)));
        for text in ["1_000", "0x", "0x-1", "1.2.3", "--1", "e5", "9007199254740993", "NaN", ".inf", "", "٣"]
        {
            assert!(number(text).is_none(), "{text}");
        }
    }
}

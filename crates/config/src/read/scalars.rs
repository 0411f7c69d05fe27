//! Scalars in the leniency of proto-JSON: numbers as strings, enums in any case or by number, durations.

use std::time::Duration;

use super::{Field, Style};
use crate::plain::{self, Number};
use crate::tree::Value;
use crate::units;

impl<'a> Field<'a> {
    /// A string.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            Value::Bool(value) => self.refuse(
                "expected a string, found a boolean",
                format!("put it in quotes: YAML reads it as {value}, as Envoy does"),
            ),
            Value::Number(number) if !number.integer => Some(&number.raw),
            Value::Number(_) => self.refuse("expected a string, found a number", "put it in quotes"),
            _ => self.mismatch("a string"),
        }
    }

    /// A string that is not empty.
    pub(crate) fn name(&self) -> Option<&'a str> {
        match self.text()? {
            "" => self.refuse("is empty", "write at least one character"),
            text => Some(text),
        }
    }

    /// A boolean, also as the string `"true"`.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if &**text == "true" => Some(true),
            Value::Text(text) if &**text == "false" => Some(false),
            _ => self.mismatch("true or false"),
        }
    }

    fn number(&self) -> Option<Number> {
        match &self.node.value {
            Value::Number(number) => Some(number.clone()),
            Value::Text(text) => plain::number(text).or_else(|| self.mismatch("a number")),
            _ => self.mismatch("a number"),
        }
    }

    /// A whole number between two bounds, both included.
    pub(crate) fn whole(&self, low: u32, high: u32) -> Option<u32> {
        let number = self.number()?;
        let value = number.whole.and_then(|value| u32::try_from(value).ok());
        match value {
            Some(value) if (low..=high).contains(&value) => Some(value),
            _ => self.refuse(
                format!("`{}` is not a whole number from {low} to {high}", number.raw),
                format!("write a whole number from {low} to {high}"),
            ),
        }
    }

    /// Any whole number that JSON's own can hold.
    pub(crate) fn integer(&self) -> Option<i64> {
        let number = self.number()?;
        number.whole.or_else(|| self.refuse(format!("`{}` is not a whole number", number.raw), ""))
    }

    /// Any finite number.
    pub(crate) fn decimal(&self) -> Option<f64> {
        self.number().map(|number| number.value)
    }

    /// A duration in this field's style; never negative.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let text = match &self.node.value {
            Value::Text(text) => text.to_string(),
            Value::Number(number) if self.style == Style::Native && number.whole == Some(0) => {
                "0s".to_owned()
            }
            Value::Number(number) => {
                return self.refuse(
                    format!("the duration `{}` has no unit", number.raw),
                    format!("write seconds with an s: `{}s`", number.raw),
                );
            }
            _ => return self.mismatch("a duration such as `15s`"),
        };
        let parsed = match self.style {
            Style::Proto => units::proto_duration(&text),
            Style::Native => units::native_duration(&text),
        };
        parsed.or_else(|refused| self.refuse(refused.message(&text), refused.help(&text)).ok_or(())).ok()
    }

    /// A duration of which zero means "off".
    #[allow(
        clippy::option_option,
        reason = "the outer None is an error already reported, the inner one is off"
    )]
    pub(crate) fn duration_or_off(&self) -> Option<Option<Duration>> {
        self.duration().map(|value| Some(value).filter(|value| !value.is_zero()))
    }

    /// A duration that must not be zero.
    pub(crate) fn positive_duration(&self) -> Option<Duration> {
        match self.duration()? {
            Duration::ZERO => self.refuse("must be greater than 0s", "write a duration such as `1s`"),
            value => Some(value),
        }
    }

    /// A size in bytes: a number, or `512KiB`, `256MiB`, `1GiB`. Not zero.
    pub(crate) fn size(&self) -> Option<u64> {
        let help = "write bytes as a number, or with KiB, MiB or GiB: `256MiB`";
        let size = match &self.node.value {
            Value::Number(number) => number.whole.and_then(|value| u64::try_from(value).ok()),
            Value::Text(text) => units::size(text),
            _ => return self.mismatch("a size such as `256MiB`"),
        };
        match size {
            Some(size) if size > 0 => Some(size),
            _ => self.refuse("is not a size", help),
        }
    }

    /// One of an enum's values, by name in any case or by number.
    pub(crate) fn choice<T: Copy>(&self, values: &[(&'static str, u32, T)]) -> Option<T> {
        let found = match &self.node.value {
            Value::Text(text) => values
                .iter()
                .find(|(name, number, _)| name.eq_ignore_ascii_case(text) || **text == *number.to_string()),
            Value::Number(number) => values.iter().find(|value| Some(i64::from(value.1)) == number.whole),
            _ => return self.mismatch("a name"),
        };
        if let Some((_, _, value)) = found {
            return Some(*value);
        }
        let names: Vec<String> = values.iter().map(|(name, ..)| format!("`{name}`")).collect();
        let written = match &self.node.value {
            Value::Text(text) => text.to_string(),
            Value::Number(number) => number.raw.to_string(),
            _ => String::new(),
        };
        let known: Vec<&str> = values.iter().map(|(name, ..)| *name).collect();
        let help = match super::suggest::nearest(&written, &known) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("write one of {}", names.join(", ")),
        };
        self.refuse(format!("unknown value `{written}`"), help)
    }
}

//! Format strings from text: `%REQ(X-SCOPE-ORGID)%`, Envoy's commands with Envoy's messages.
//!
//! What this proxy has no facts for is refused by name, and what nobody knows gets the nearest name.

mod command;
mod time;

use crate::model::{Format, Piece};
use crate::read::Field;

/// Why a text is no format string, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct Wrong {
    message: String,
    help: String,
}

impl Wrong {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// The format string that a field's value is.
pub(crate) fn of(field: &Field<'_>) -> Option<Format> {
    let text = field.text()?;
    parse(text).or_else(|wrong| field.refuse(wrong.message, wrong.help).ok_or(())).ok()
}

/// A text without commands as it is written in a format string.
pub(crate) fn escape(literal: &str) -> String {
    literal.replace('%', "%%")
}

/// Reads a format string.
///
/// # Errors
/// A command that is malformed, unknown, or one that there are no facts for.
pub fn parse(text: &str) -> Result<Format, Wrong> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('%') {
        literal.push_str(head);
        if let Some(after) = tail.strip_prefix('%') {
            literal.push('%');
            rest = after;
            continue;
        }
        let position = text.len() - tail.len() - 1;
        let Some((call, after)) = split(tail) else {
            return Err(Wrong::new(
                format!(
                    "Incorrect configuration: {text}. Couldn't find valid command at position {position}"
                ),
                "a command is written `%NAME%`, `%NAME(PARAMETER)%` or `%NAME(PARAMETER):LENGTH%`; a per cent sign \
                 is written `%%`",
            ));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Command(command::read(&call)?));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(Format { text: text.to_owned(), pieces })
}

/// A command as it is written.
#[derive(Debug, PartialEq, Eq)]
struct Call<'a> {
    name: &'a str,
    /// What stands in parentheses.
    parameter: Option<&'a str>,
    /// What stands after the colon.
    max: Option<usize>,
}

/// The command at the start of a text (its first `%` already read), and what follows it.
fn split(text: &str) -> Option<(Call<'_>, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .filter(|end| *end > 0)?;
    let (name, mut rest) = text.split_at(end);
    let mut parameter = None;
    if let Some(inner) = rest.strip_prefix('(') {
        let (within, after) = inner.split_once(')')?;
        parameter = Some(within);
        rest = after;
    }
    let mut max = None;
    if let Some(number) = rest.strip_prefix(':') {
        let (digits, _) = number.split_once('%')?;
        max = Some(digits.parse().ok()?);
        rest = number.get(digits.len()..)?;
    }
    Some((Call { name, parameter, max }, rest.strip_prefix('%')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text).expect_err(text).message
    }

    #[test]
    fn literals_and_commands_alternate() {
        let format = parse("a%%b %PROTOCOL% 100%%").unwrap();
        assert_eq!(format.pieces.len(), 3);
        assert_eq!(format.pieces.first(), Some(&Piece::Literal("a%b ".to_owned())));
        assert_eq!(format.pieces.last(), Some(&Piece::Literal(" 100%".to_owned())));
        assert_eq!(format.to_string(), "a%%b %PROTOCOL% 100%%");
        assert_eq!(parse("100%%").unwrap().literal(), Some("100%"));
        assert_eq!(parse("").unwrap().literal(), Some(""));
        assert!(parse("%DURATION%").unwrap().single().is_some());
    }

    #[test]
    fn what_envoy_refuses_is_refused_in_its_words() {
        for (text, expected) in [
            ("%NOPE%", "Not supported field in StreamInfo: NOPE"),
            ("%REQ(%", "Incorrect configuration: %REQ(%. Couldn't find valid command at position 0"),
            ("50% off", "Incorrect configuration: 50% off. Couldn't find valid command at position 2"),
            ("100%", "Incorrect configuration: 100%. Couldn't find valid command at position 3"),
            ("%REQ%", "REQ requires parameters"),
            ("%REQ()%", "REQ requires parameters"),
            ("%REQ(a?b?c)%", "More than 1 alternative header specified in token: a?b?c"),
            ("%REQ(a):x%", "Incorrect configuration: %REQ(a):x%. Couldn't find valid command at position 0"),
            ("%PROTOCOL(a)%", "PROTOCOL does not take any parameters or length"),
            ("%PROTOCOL:2%", "PROTOCOL does not take any parameters or length"),
            ("%START_TIME():3%", "START_TIME does not allow length to be specified."),
            ("%req(a)%", "Incorrect configuration: %req(a)%. Couldn't find valid command at position 0"),
        ] {
            assert_eq!(message(text), expected);
        }
    }

    #[test]
    fn what_this_proxy_has_no_facts_for_is_refused_by_name() {
        assert_eq!(
            message("%DYNAMIC_METADATA(a:b)%"),
            "the command `%DYNAMIC_METADATA%` is not supported by this version"
        );
        assert_eq!(parse("%PROTOCL%").unwrap_err().help, "did you mean `%PROTOCOL%`?");
    }
}

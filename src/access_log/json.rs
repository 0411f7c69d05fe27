//! Lines as JSON objects, with Envoy's types and escapes.

use std::borrow::Cow;

use config::model::{Format, JsonValue};

use crate::format::{self, Value, View};

/// One object and a line end. `omit` leaves out what is not known.
pub(super) fn write(out: &mut Vec<u8>, members: &[(String, JsonValue)], omit: bool, view: View<'_>) {
    object(out, members, omit, view);
    out.push(b'\n');
}

fn object(out: &mut Vec<u8>, members: &[(String, JsonValue)], omit: bool, view: View<'_>) {
    out.push(b'{');
    let mut first = true;
    for (name, member) in members {
        let begin = out.len();
        if !first {
            out.push(b',');
        }
        string(out, name.as_bytes());
        out.push(b':');
        if value(out, member, omit, view) || !omit {
            first = false;
        } else {
            out.truncate(begin);
        }
    }
    out.push(b'}');
}

/// Returns whether there is anything in it.
fn value(out: &mut Vec<u8>, value: &JsonValue, omit: bool, view: View<'_>) -> bool {
    match value {
        JsonValue::Object(members) => {
            let begin = out.len();
            object(out, members, omit, view);
            return out.len() - begin > "{}".len();
        }
        JsonValue::List(values) => list(out, values, omit, view),
        JsonValue::Format(format) => return formatted(out, format, omit, view),
        JsonValue::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        JsonValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        JsonValue::Null => {
            out.extend_from_slice(b"null");
            return false;
        }
    }
    true
}

fn list(out: &mut Vec<u8>, values: &[JsonValue], omit: bool, view: View<'_>) {
    out.push(b'[');
    let mut first = true;
    for member in values {
        let begin = out.len();
        if !first {
            out.push(b',');
        }
        if value(out, member, omit, view) || !omit {
            first = false;
        } else {
            out.truncate(begin);
        }
    }
    out.push(b']');
}

fn formatted(out: &mut Vec<u8>, format: &Format, omit: bool, view: View<'_>) -> bool {
    let Some(command) = format.single() else {
        let mut text = Vec::new();
        format::write(&mut text, format, view, if omit { "" } else { "-" });
        string(out, &text);
        return true;
    };
    match view.value(command) {
        Value::Missing => {
            out.extend_from_slice(b"null");
            return false;
        }
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Text(text) => string(out, &text),
    }
    true
}

/// A text in quotes. What is not UTF-8 is escaped byte by byte, and with it everything that JSON would escape.
fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let text: Cow<'_, str> = text.into();
            let quoted = serde_json::Value::String(text.into_owned()).to_string();
            out.extend_from_slice(quoted.as_bytes());
        }
        Err(_) => {
            out.push(b'"');
            for byte in bytes {
                match byte {
                    b' '..=b'~' if !matches!(byte, b'"' | b'\\') => out.push(*byte),
                    _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                }
            }
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Facts;

    fn line(members: &[(&str, JsonValue)], omit: bool) -> String {
        let members: Vec<_> =
            members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let facts = Facts { received: 4, route: Some("r\"1"), ..Facts::default() };
        let view = View { request: None, response: None, trailers: None, facts: &facts };
        let mut out = Vec::new();
        write(&mut out, &members, omit, view);
        String::from_utf8(out).unwrap()
    }

    fn format(text: &str) -> JsonValue {
        JsonValue::Format(config::format(text).unwrap())
    }

    #[test]
    fn single_commands_keep_their_type_and_mixed_texts_are_texts() {
        let members = [
            ("b", format("%BYTES_RECEIVED%")),
            ("l", JsonValue::List(vec![JsonValue::Number(-3), JsonValue::Bool(true), JsonValue::Null])),
            ("m", format("%BYTES_RECEIVED% %UPSTREAM_HOST%")),
            ("n", format("%UPSTREAM_HOST%")),
            ("o", JsonValue::Object(vec![("r".to_owned(), format("%ROUTE_NAME%"))])),
        ];
        assert_eq!(
            line(&members, false),
            "{\"b\":4,\"l\":[-3,true,null],\"m\":\"4 -\",\"n\":null,\"o\":{\"r\":\"r\\\"1\"}}\n"
        );
        assert_eq!(line(&members, true), "{\"b\":4,\"l\":[-3,true],\"m\":\"4 \",\"o\":{\"r\":\"r\\\"1\"}}\n");
    }

    #[test]
    fn what_is_empty_can_be_left_out() {
        let missing = || format("%UPSTREAM_HOST%");
        let members = [
            ("a", missing()),
            ("l", JsonValue::List(vec![missing()])),
            ("o", JsonValue::Object(vec![("x".to_owned(), missing())])),
            ("s", format("")),
        ];
        assert_eq!(line(&members, true), "{\"l\":[],\"s\":\"\"}\n");
    }

    #[test]
    fn no_value_can_end_its_line() {
        let escaped = |bytes: &[u8]| {
            let mut out = Vec::new();
            string(&mut out, bytes);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(escaped("h\u{e9}\t\"\\/\n\u{1}".as_bytes()), "\"h\u{e9}\\t\\\"\\\\/\\n\\u0001\"");
        assert_eq!(escaped(b"a\"b\\c\td\xe9"), "\"a\\u0022b\\u005cc\\u0009d\\u00e9\"");
    }
}

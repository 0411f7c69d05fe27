//! JSON values as YAML a person would write: blocks, with short maps and lists in one line.

use serde_json::{Map, Value};

use crate::plain;

/// Maps and lists that are not longer are written in one line.
const FLOW_MAX: usize = 72;

/// The text of a document, with a final newline.
pub(super) fn print(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) => entries(map, indent, out),
        Value::Array(items) => {
            for item in items {
                out.push_str(&format!("{:indent$}- ", ""));
                element(item, indent + 2, out);
            }
        }
        scalar => out.push_str(&format!("{:indent$}{}\n", "", flow(scalar))),
    }
}

/// An element after its dash: the first line goes on, the others are indented.
fn element(item: &Value, indent: usize, out: &mut String) {
    if let Some(line) = short(item) {
        out.push_str(&line);
        out.push('\n');
        return;
    }
    let mut inner = String::new();
    block(item, indent, &mut inner);
    out.push_str(inner.trim_start_matches(' '));
}

fn entries(map: &Map<String, Value>, indent: usize, out: &mut String) {
    for (key, value) in map {
        let key = text(key);
        match short(value) {
            Some(line) => out.push_str(&format!("{:indent$}{key}: {line}\n", "")),
            None => {
                out.push_str(&format!("{:indent$}{key}:\n", ""));
                block(value, indent + 2, out);
            }
        }
    }
}

/// The value in one line, if it is a scalar or a short map or list of little depth.
fn short(value: &Value) -> Option<String> {
    let nested = match value {
        Value::Object(map) => map.values().any(|value| depth(value) > 1),
        Value::Array(items) => items.iter().any(|value| depth(value) > 0),
        _ => false,
    };
    let line = flow(value);
    let compound = value.is_object() || value.is_array();
    (!compound || (!nested && line.len() <= FLOW_MAX)).then_some(line)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", text(key), flow(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(string) => text(string),
        other => other.to_string(),
    }
}

/// A string, quoted unless it is surely read as the same string.
fn text(string: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | ':' | '-');
    let plain = string.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && string.chars().all(safe)
        && !string.ends_with(':')
        && matches!(plain::resolve(string), crate::tree::Value::Text(_));
    if plain { string.to_owned() } else { quoted(string) }
}

/// A double-quoted string that is valid YAML and JSON.
fn quoted(string: &str) -> String {
    let mut text = String::from("\"");
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_read_back() {
        for string in
            ["a", "no", "5", "", "*", "a: b", "a:", "é\u{7f}\u{85}\n\"\\", "http://[::1]:80", "1.2.3.4", "~"]
        {
            let line = format!("x: {}\n", text(string));
            let node = crate::tree::parse(0, &line).expect("valid YAML");
            let crate::tree::Value::Map(entries) = node.value else { panic!("{line}") };
            match &entries[0].node.value {
                crate::tree::Value::Text(read) => assert_eq!(&**read, string, "{line}"),
                other => panic!("{line} is {other:?}"),
            }
        }
    }
}

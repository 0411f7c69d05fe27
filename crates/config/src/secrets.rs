//! Keeping secrets out of everything that is shown: diagnostics and the document of `/config_dump`.

use serde_json::{Map, Number, Value as Json};

use crate::source::Source;
use crate::tree::{Entry, Node, Value};

/// What stands for a secret in the document.
pub(crate) const REDACTED: &str = "[redacted]";
/// Settings whose value is a secret.
const SETTINGS: [&str; 2] = ["password", "bearer"];
/// Messages whose inline data is a secret: the key of a certificate.
const KEYS: [&str; 2] = ["private_key", "privateKey"];
/// Where a data source keeps its data.
const INLINE: [&str; 4] = ["inline_string", "inlineString", "inline_bytes", "inlineBytes"];
/// Headers whose value is a secret.
const HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "x-api-key"];

/// What holds a header's value, beside its name in `key`.
const VALUES: [&str; 3] = ["value", "raw_value", "rawValue"];
/// Parts of names of headers whose value is most likely a secret.
const WORDS: [&str; 6] = ["api-key", "apikey", "auth", "password", "secret", "token"];

/// Whether the value of a header must not be shown.
pub(crate) fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Names with `_` are settings and not headers: `password_file` holds a path.
    let is_likely =
        || name.contains('-') && !name.contains('_') && WORDS.iter().any(|word| name.contains(word));
    HEADERS.contains(&&*name) || is_likely()
}

/// Whether an entry of a map holds a secret: by its own key, or as the `value` beside a header's name.
fn is_secret(entry: &Entry, siblings: &[Entry]) -> bool {
    let beside = |sibling: &Entry| {
        &*sibling.key == "key" && matches!(&sibling.node.value, Value::Text(name) if is_secret_header(name))
    };
    SETTINGS.contains(&&*entry.key)
        || is_secret_header(&entry.key)
        || (VALUES.contains(&&*entry.key) && siblings.iter().any(beside))
}

/// The document as JSON, secrets replaced.
pub(crate) fn document(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match number.whole {
            Some(whole) => Json::Number(whole.into()),
            None => Number::from_f64(number.value).map_or(Json::Null, Json::Number),
        },
        Value::Text(text) => Json::String(without_userinfo(text)),
        Value::List(items) => Json::Array(items.iter().map(document).collect()),
        Value::Map(entries) => {
            let pairs = entries.iter().map(|entry| {
                // The value of any header may be a secret, and nobody needs it here.
                let is_header = entries.iter().any(|sibling| &*sibling.key == "key");
                let is_value = is_header && VALUES.contains(&&*entry.key);
                let value = if is_value || is_secret(entry, entries) {
                    Json::from(REDACTED)
                } else if KEYS.contains(&&*entry.key) {
                    without_data(document(&entry.node))
                } else {
                    document(&entry.node)
                };
                (entry.key.to_string(), value)
            });
            Json::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// A private key's data source: where it comes from is shown, what it holds is not.
fn without_data(mut source: Json) -> Json {
    match source.as_object_mut() {
        Some(fields) => {
            for name in INLINE {
                if let Some(data) = fields.get_mut(name) {
                    *data = Json::from(REDACTED);
                }
            }
            source
        }
        None => Json::from(REDACTED),
    }
}

fn without_userinfo(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.find('/').map_or(rest, |at| rest.get(..at).unwrap_or(rest));
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://{REDACTED}{}", rest.get(at..).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A private key that is written in place.
fn is_inline_key(entry: &Entry) -> bool {
    let inline = |field: &Entry| INLINE.contains(&&*field.key);
    let written = |node: &Node| matches!(&node.value, Value::Map(fields) if fields.iter().any(inline));
    KEYS.contains(&&*entry.key) && written(&entry.node)
}

/// Hides the secrets of a tree in the text that it came from.
pub(crate) fn hide(node: &Node, source: &mut Source) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| hide(item, source)),
        Value::Map(entries) => {
            for entry in entries {
                if is_secret(entry, entries) || is_inline_key(entry) {
                    source.hide(entry.node.span.start, entry.node.span.end);
                } else {
                    hide(&entry.node, source);
                }
            }
        }
        Value::Text(text) if text.contains("://") && text.contains('@') => {
            source.hide(node.span.start, node.span.end);
        }
        _ => {}
    }
}

/// Hides what may be secret in a text that is not valid YAML, line by line.
pub(crate) fn hide_by_line(source: &mut Source) {
    let mut start = 0;
    let mut spans = Vec::new();
    let mut in_key = false;
    for line in source.shown.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        let words = SETTINGS.iter().chain(&HEADERS).chain(&["://", "inline_bytes", "inlinebytes"]);
        let first = words.filter_map(|word| lower.find(word).map(|at| at + word.len())).min();
        in_key |= lower.contains("begin") && lower.contains("private key");
        if in_key {
            spans.push((start, start + line.trim_end().len()));
            in_key = !lower.contains("end ");
        } else if let Some(at) = first {
            spans.push((start + at, start + line.trim_end().len()));
        }
        start += line.len();
    }
    for (from, to) in spans {
        source.hide(from, to);
    }
}

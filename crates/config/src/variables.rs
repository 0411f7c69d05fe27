//! `${VAR}` and `${VAR:-default}` in values of the native form, and `$$` for a dollar sign.
//!
//! They are put in after the document is parsed, so what a variable holds is never read as YAML: it can neither add a
//! key nor end a quote. An Envoy file has no such thing, and its format strings have meanings of their own.

use std::rc::Rc;

use crate::diag::{Diagnostic, Sink};
use crate::tree::{Entry, Node, Value};

/// All variables together may not add more than this; a document itself has at most 1 MiB.
const BYTES_MAX: usize = 1 << 20;

/// Where values come from: the environment, or a test's own.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process. What is not UTF-8 counts as not set.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The document with its variables filled in. What is wrong with one is reported, and stays as it is written.
pub(crate) fn fill(root: &Node, sink: &Sink, lookup: Lookup<'_>) -> Node {
    Filler { sink, lookup, added: 0 }.node(root, "")
}

struct Filler<'a> {
    sink: &'a Sink,
    lookup: Lookup<'a>,
    added: usize,
}

impl Filler<'_> {
    /// Recursion is safe: the parser bounds the depth.
    fn node(&mut self, node: &Node, path: &str) -> Node {
        let value = match &node.value {
            Value::Text(text) if text.contains('$') => match self.text(text) {
                Ok(filled) => Value::Text(Rc::from(filled)),
                Err((message, help)) => {
                    self.sink.error(Diagnostic::new(node.span, path, message).help(help));
                    node.value.clone()
                }
            },
            Value::List(items) => {
                let items = items.iter().enumerate();
                Value::List(items.map(|(at, item)| self.node(item, &format!("{path}[{at}]"))).collect())
            }
            Value::Map(entries) => Value::Map(entries.iter().map(|entry| self.entry(entry, path)).collect()),
            other => other.clone(),
        };
        Node { span: node.span, value }
    }

    fn entry(&mut self, entry: &Entry, path: &str) -> Entry {
        let dot = if path.is_empty() { "" } else { "." };
        Entry { node: self.node(&entry.node, &format!("{path}{dot}{}", entry.key)), ..entry.clone() }
    }

    /// A text filled in, or what is wrong and the remedy.
    fn text(&mut self, text: &str) -> Result<String, (String, String)> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            filled.push_str(before);
            rest = if let Some(escaped) = after.strip_prefix('$') {
                filled.push('$');
                escaped
            } else if let Some(inside) = after.strip_prefix('{') {
                let Some((reference, tail)) = inside.split_once('}') else {
                    return Err((
                        "`${` has no end".to_owned(),
                        "write `${VAR}`, or `$$` for a dollar sign".to_owned(),
                    ));
                };
                filled.push_str(&self.value(reference)?);
                tail
            } else {
                // A lone dollar sign is one.
                filled.push('$');
                after
            };
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// What stands for `VAR` or `VAR:-default`.
    fn value(&mut self, reference: &str) -> Result<String, (String, String)> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_name(name) {
            let message = format!("`${{{reference}}}` names no variable");
            return Err((
                message,
                "write `${VAR}` or `${VAR:-default}`, or `$$` for a dollar sign".to_owned(),
            ));
        }
        // As in a shell: with `:-`, a variable that is empty is as good as none.
        let set = (self.lookup)(name).filter(|value| default.is_none() || !value.is_empty());
        let value = set.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
            let message = format!("the environment variable `{name}` is not set");
            (message, format!("set it, or write what to use without it: `${{{name}:-...}}`"))
        })?;
        self.added = self.added.saturating_add(value.len());
        if self.added > BYTES_MAX {
            return Err((
                "variables make the document too large".to_owned(),
                "they may add 1 MiB in all".to_owned(),
            ));
        }
        Ok(value)
    }
}

/// A document of the native form whose texts are read as they are here: what looks like a variable is none.
pub(crate) fn escaped(document: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match document {
        Json::String(text) => Json::String(text.replace('$', "$$")),
        Json::Array(items) => Json::Array(items.into_iter().map(escaped).collect()),
        Json::Object(map) => {
            Json::Object(map.into_iter().map(|(key, value)| (key, escaped(value))).collect())
        }
        other => other,
    }
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let lookup = |name: &str| match name {
            "HOST" => Some("mimir".to_owned()),
            "EMPTY" => Some(String::new()),
            "LONG" => Some("x".repeat(BYTES_MAX / 2 + 1)),
            _ => None,
        };
        let sink = Sink::new(Vec::new());
        Filler { sink: &sink, lookup: &lookup, added: 0 }.text(text).map_err(|(message, _)| message)
    }

    #[test]
    fn variables_stand_for_their_values() {
        for (text, expected) in [
            ("http://${HOST}:8080", "http://mimir:8080"),
            ("${HOST}${HOST}", "mimirmimir"),
            ("${NONE:-other}", "other"),
            ("${HOST:-other}", "mimir"),
            ("${EMPTY:-other}", "other"),
            ("${EMPTY}", ""),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b$c}", "a:-b$c"),
            ("$$", "$"),
            ("$${HOST}", "${HOST}"),
            ("a$b $1 $", "a$b $1 $"),
        ] {
            assert_eq!(filled(text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_escaped_is_read_as_it_was() {
        for text in ["$", "$$", "${HOST}", "a$b", "$${"] {
            let escaped = escaped(text.into());
            assert_eq!(filled(escaped.as_str().unwrap_or_default()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("${NONE}", "the environment variable `NONE` is not set"),
            ("${HOST", "`${` has no end"),
            ("${}", "`${}` names no variable"),
            ("${1A}", "`${1A}` names no variable"),
            ("${A-b}", "`${A-b}` names no variable"),
            ("${LONG}${LONG}", "variables make the document too large"),
        ] {
            assert_eq!(filled(text), Err(said.to_owned()), "{text}");
        }
    }
}

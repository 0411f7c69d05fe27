//! Reading maps field by field.
//!
//! An [`Object`] remembers which of its keys were asked for. What is left at [`Object::finish`] is either known
//! to Envoy and not supported here, or a mistake; both are errors with the place and a remedy, so that nothing
//! an operator wrote is ever ignored silently.

mod scalars;
mod suggest;

pub(crate) use suggest::nearest;

use crate::diag::{Diagnostic, Sink};
use crate::source::Span;
use crate::tree::{Entry, Node, Value};

/// How keys and scalars are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Proto-JSON as Envoy reads it: `snake_case` and `camelCase`, durations in seconds only.
    Proto,
    /// The native form: `snake_case`, durations with `ms`, `s`, `m`, `h`.
    Native,
}

/// Fields that Envoy knows and this version does not, with what to say about them.
pub(crate) struct Unsupported {
    /// Separated by blanks.
    names: &'static str,
    /// Under the caret; may be empty.
    why: &'static str,
    /// The remedy.
    help: &'static str,
    message: &'static str,
}

impl Unsupported {
    pub(crate) const fn new(names: &'static str, why: &'static str, help: &'static str) -> Self {
        Self { names, why, help, message: "is not supported by this version" }
    }

    /// Each of them.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.split_ascii_whitespace()
    }

    /// Fields that exist, but elsewhere.
    pub(crate) const fn misplaced(names: &'static str, why: &'static str, help: &'static str) -> Self {
        Self { names, why, help, message: "does not belong here" }
    }
}

/// A value with its path and place.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    pub(crate) sink: &'a Sink,
    /// `static_resources.clusters[0]`
    pub(crate) path: String,
    /// Where its key stands; the value's own place in lists.
    pub(crate) key: Span,
    pub(crate) node: &'a Node,
    pub(crate) style: Style,
}

impl<'a> Field<'a> {
    /// The whole document.
    pub(crate) fn root(sink: &'a Sink, node: &'a Node, style: Style) -> Self {
        Self { sink, path: String::new(), key: node.span, node, style }
    }

    /// Reports an error at the value. Returns `None`, so that a decoder can end with it.
    pub(crate) fn refuse<T>(&self, message: impl Into<Box<str>>, help: impl Into<Box<str>>) -> Option<T> {
        self.sink.error(Diagnostic::new(self.node.span, &self.path, message).help(help));
        None
    }

    /// Reports an error at the key, for what is wrong with the whole field.
    pub(crate) fn refuse_key<T>(
        &self,
        message: impl Into<Box<str>>,
        label: &str,
        help: impl Into<Box<str>>,
    ) -> Option<T> {
        self.sink.error(Diagnostic::new(self.key, &self.path, message).label(label).help(help));
        None
    }

    /// Reports something that is accepted.
    pub(crate) fn warn(&self, message: impl Into<Box<str>>, help: impl Into<Box<str>>) {
        self.sink.warning(Diagnostic::new(self.key, &self.path, message).help(help));
    }

    /// Reports something that is accepted, on one line.
    pub(crate) fn warn_line(&self, message: impl Into<Box<str>>) {
        self.sink.warning(Diagnostic::new(self.key, &self.path, message).brief());
    }

    /// The same in the native form's spelling.
    pub(crate) fn native(&self) -> Self {
        Self { style: Style::Native, ..self.clone() }
    }

    /// The entries of a map, or an error.
    pub(crate) fn entries(&self) -> Option<&'a [Entry]> {
        match &self.node.value {
            Value::Map(entries) => Some(entries),
            _ => self.mismatch("a map"),
        }
    }

    /// Whether the value is a map without entries: what Envoy makes of an absent map.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.node.value, Value::Map(entries) if entries.is_empty())
    }

    /// The value as an object, or an error.
    pub(crate) fn object(&self) -> Option<Object<'a>> {
        let entries = self.entries()?;
        Some(Object { field: self.clone(), entries, used: vec![false; entries.len()], asked: Vec::new() })
    }

    /// The elements of a list. A single value stands for a list of one, as in Envoy.
    pub(crate) fn list(&self) -> Vec<Field<'a>> {
        let items = match &self.node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(self.node),
        };
        let element = |(index, node): (usize, &'a Node)| Field {
            path: format!("{}[{index}]", self.path),
            key: node.span,
            node,
            ..self.clone()
        };
        items.iter().enumerate().map(element).collect()
    }

    /// The path of a field in this map.
    fn child(&self, name: &str) -> String {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match (self.path.as_str(), plain) {
            ("", _) => name.to_owned(),
            (path, true) => format!("{path}.{name}"),
            (path, false) => format!("{path}[\"{name}\"]"),
        }
    }

    /// Reports that the value is of the wrong kind. Says the kind only: the value may be a secret.
    pub(crate) fn mismatch<T>(&self, expected: &str) -> Option<T> {
        self.refuse(format!("expected {expected}, found {}", self.node.kind()), "")
    }
}

/// A map being read.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    pub(crate) field: Field<'a>,
    entries: &'a [Entry],
    used: Vec<bool>,
    asked: Vec<&'static str>,
}

impl<'a> Object<'a> {
    /// The field of this name, in any of its spellings; `None` if it is absent or null.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.asked.push(name);
        let mut found: Option<&'a Entry> = None;
        for (entry, used) in self.entries.iter().zip(&mut self.used) {
            if !self.field.style.names(name, &entry.key) {
                continue;
            }
            *used = true;
            let Some(first) = found.replace(entry) else { continue };
            self.field.sink.error(
                Diagnostic::new(entry.key_span, &self.field.child(name), "stands twice in one map")
                    .label("again here")
                    .other(first.key_span, "first here")
                    .help("keep one of the two spellings"),
            );
        }
        let entry = found.filter(|entry| !matches!(entry.node.value, Value::Null))?;
        Some(self.at(entry, name))
    }

    /// Whether there are fields that nobody asked for yet.
    pub(crate) fn has_left(&self) -> bool {
        self.used.contains(&false)
    }

    /// The `@type` of the message in a field, as written. The field is still to be taken.
    pub(crate) fn type_of(&self, name: &str) -> Option<&'a str> {
        let entry = self.entries.iter().find(|entry| self.field.style.names(name, &entry.key))?;
        let Value::Map(entries) = &entry.node.value else { return None };
        match &entries.iter().find(|entry| &*entry.key == "@type")?.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a key is written exactly so.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| &*entry.key == name)
    }

    /// Whether the field is written and is null: the native form's "none".
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| &*entry.key == name && matches!(entry.node.value, Value::Null))
    }

    /// The field of this name, or an error.
    pub(crate) fn require(&mut self, name: &'static str, help: &str) -> Option<Field<'a>> {
        let found = self.take(name);
        if found.is_none() {
            self.missing(name, help);
        }
        found
    }

    /// Reports that a field is missing.
    pub(crate) fn missing(&self, name: &str, help: &str) {
        let path = self.field.child(name);
        self.field.sink.error(Diagnostic::new(self.field.key, &path, "is missing").help(help));
    }

    /// Every field not asked for yet, in order: for maps whose keys the operator chooses.
    pub(crate) fn rest(&mut self) -> Vec<(&'a str, Field<'a>)> {
        let mut fields = Vec::new();
        for (entry, used) in self.entries.iter().zip(&mut self.used) {
            if !*used {
                *used = true;
                fields.push(entry);
            }
        }
        fields.into_iter().map(|entry| (&*entry.key, self.at(entry, &entry.key))).collect()
    }

    /// Reports every field that nobody asked for.
    pub(crate) fn finish(self, unsupported: &[Unsupported]) {
        for (entry, used) in self.entries.iter().zip(&self.used) {
            if !*used {
                self.leftover(entry, unsupported);
            }
        }
    }

    fn leftover(&self, entry: &'a Entry, unsupported: &[Unsupported]) {
        let style = self.field.style;
        for group in unsupported {
            let Some(name) = group.names().find(|name| style.names(name, &entry.key)) else { continue };
            // An empty list or null is what Envoy makes of an absent field.
            let empty = match &entry.node.value {
                Value::Null => true,
                Value::List(items) => items.is_empty(),
                _ => false,
            };
            if !empty {
                let field = self.at(entry, name);
                field.refuse_key::<()>(group.message, group.why, group.help);
            }
            return;
        }
        if self.field.sink.allow_unknown && style == Style::Proto {
            let field =
                Field { path: self.field.child(&entry.key), key: entry.key_span, ..self.field.clone() };
            return field.warn_line("no such field; it is ignored");
        }
        let others = unsupported.iter().flat_map(Unsupported::names);
        let known: Vec<&str> = self.asked.iter().copied().chain(others).collect();
        let diagnostic = Diagnostic::new(entry.key_span, &self.field.child(&entry.key), "no such field");
        self.field.sink.error(diagnostic.help(suggest::remedy(&entry.key, &self.asked, &known)));
    }

    fn at(&self, entry: &'a Entry, name: &str) -> Field<'a> {
        Field { path: self.field.child(name), key: entry.key_span, node: &entry.node, ..self.field.clone() }
    }
}

impl Style {
    /// Whether a written key stands for a field's name.
    fn names(self, name: &str, written: &str) -> bool {
        name == written || (self == Style::Proto && is_camel(name, written))
    }
}

/// Whether `written` is the lowerCamelCase of `name`.
fn is_camel(name: &str, written: &str) -> bool {
    let mut rest = written.chars();
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
            continue;
        }
        let expected = if upper { c.to_ascii_uppercase() } else { c };
        upper = false;
        if rest.next() != Some(expected) {
            return false;
        }
    }
    rest.next().is_none()
}

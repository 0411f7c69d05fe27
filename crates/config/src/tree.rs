//! Text to a tree of nodes, each with its place.
//!
//! YAML 1.2 syntax (JSON is a part of it) with the scalar rules of Envoy's YAML reader. Built from the
//! parser's events and not from its ready-made tree, because only events allow bounds *before* memory is
//! spent (depth, alias copies) and tell quoted scalars from plain ones.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::diag::Diagnostic;
use crate::plain::{self, Number};
use crate::source::{Locator, Span};

/// Nesting of lists and maps. Envoy's own deepest path is under 30.
const DEPTH_MAX: usize = 64;
/// Bytes that anchors and aliases may copy: a node counts 64, plus its text.
const ALIAS_BYTES_MAX: usize = 4 << 20;
/// What a node counts as, apart from its text.
const NODE_BYTES: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(Rc<str>),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Rc<str>,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

impl Node {
    /// `a map`, `a string`: for "expected ..., found ...".
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Levels of lists and maps; 0 for a scalar. Recursion is safe: [`DEPTH_MAX`] holds for every node.
    fn height(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Node::height).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.node.height()).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn weight(&self) -> usize {
        NODE_BYTES
            + match &self.value {
                Value::Text(text) => text.len(),
                Value::List(items) => items.iter().map(Node::weight).sum(),
                Value::Map(entries) => entries.iter().map(|e| e.key.len() + e.node.weight()).sum(),
                _ => 0,
            }
    }
}

/// Reads one document.
///
/// # Errors
/// The first thing that is wrong with the syntax, the nesting, the aliases or the number of documents.
pub(crate) fn parse(source: usize, text: &str) -> Result<Node, Diagnostic> {
    let mut builder = Builder {
        source,
        locator: Locator::new(text),
        stack: Vec::new(),
        anchors: HashMap::new(),
        copied: 0,
        root: None,
    };
    let mut documents = 0;
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, place) = next.map_err(|error| builder.syntax(&error))?;
        let span = builder.span(place);
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                return Err(Diagnostic::new(span, "", "the file holds more than one YAML document")
                    .label("the second document starts here")
                    .help("keep one document; use one file for each proxy"));
            }
        }
        if matches!(event, Event::StreamEnd) {
            break;
        }
        builder.event(event, span)?;
    }
    builder.root.ok_or_else(|| {
        Diagnostic::new(
            Span { source, start: 0, end: 0 },
            "",
            "Unable to convert YAML as JSON: the file is empty",
        )
        .help("write an Envoy bootstrap (`static_resources:`) or the native form (`primary:`, `mirrors:`)")
    })
}

/// A list or map that is not closed yet.
enum Open {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<Rc<str>, Span>, key: Option<(Rc<str>, Span)> },
}

struct Frame {
    open: Open,
    start: Span,
    anchor: usize,
}

struct Builder<'t> {
    source: usize,
    locator: Locator<'t>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    copied: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    fn span(&mut self, place: saphyr_parser::Span) -> Span {
        let start = self.locator.byte(place.start.line(), place.start.col());
        let end = self.locator.byte(place.end.line(), place.end.col()).max(start);
        Span { source: self.source, start, end }
    }

    fn syntax(&mut self, error: &ScanError) -> Diagnostic {
        let at = self.locator.byte(error.marker().line(), error.marker().col());
        let span = Span { source: self.source, start: at, end: at };
        Diagnostic::new(span, "", format!("this is not valid YAML: {}", error.info()))
            .help("check the indentation and the quotes just before this place")
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.wants_key() {
                    return self.key(Rc::from(text.as_ref()), span);
                }
                let value = scalar(&text, style, tag.as_deref(), span)?;
                self.anchored(Node { span, value }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(Open::List(Vec::new()), span, anchor),
            Event::MappingStart(anchor, _) => {
                let map = Open::Map { entries: Vec::new(), seen: HashMap::new(), key: None };
                self.open(map, span, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => self.alias(id, span),
            _ => Ok(()),
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { open: Open::Map { key: None, .. }, .. }))
    }

    fn open(&mut self, open: Open, span: Span, anchor: usize) -> Result<(), Diagnostic> {
        if self.wants_key() {
            return Err(complex_key(span));
        }
        if self.stack.len() >= DEPTH_MAX {
            return Err(Diagnostic::new(span, "", format!("nested more than {DEPTH_MAX} levels deep"))
                .help("no setting stands so deep; check the indentation"));
        }
        self.stack.push(Frame { open, start: span, anchor });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Diagnostic> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.open {
            Open::List(items) => Value::List(items),
            Open::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node { span: Span { end: span.end.max(frame.start.end), ..frame.start }, value };
        self.anchored(node, frame.anchor)
    }

    fn anchored(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if anchor != 0 {
            self.budget(&node, node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Diagnostic> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(Diagnostic::new(span, "", "this alias refers to a value that it is a part of")
                .help("write the value out"));
        };
        if self.wants_key() {
            let Value::Text(text) = node.value else { return Err(complex_key(span)) };
            return self.key(text, span);
        }
        if self.stack.len() + node.height() > DEPTH_MAX {
            return Err(Diagnostic::new(span, "", format!("aliases nest more than {DEPTH_MAX} levels deep"))
                .help("write the value out"));
        }
        self.budget(&node, span)?;
        self.add(node)
    }

    fn budget(&mut self, node: &Node, span: Span) -> Result<(), Diagnostic> {
        self.copied += node.weight();
        if self.copied > ALIAS_BYTES_MAX {
            return Err(Diagnostic::new(span, "", "aliases make the document too large")
                .help("write the values out; aliases may copy 4 MiB in all"));
        }
        Ok(())
    }

    fn key(&mut self, text: Rc<str>, span: Span) -> Result<(), Diagnostic> {
        if let Some(Frame { open: Open::Map { seen, key, .. }, .. }) = self.stack.last_mut() {
            if let Some(first) = seen.insert(text.clone(), span) {
                return Err(Diagnostic::new(span, "", format!("`{text}` stands twice in one map"))
                    .label("again here")
                    .other(first, "first here")
                    .help("keep one of the two"));
            }
            *key = Some((text, span));
        }
        Ok(())
    }

    fn add(&mut self, node: Node) -> Result<(), Diagnostic> {
        match self.stack.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map { entries, key, .. }) => {
                let Some((key, key_span)) = key.take() else { return Err(complex_key(node.span)) };
                entries.push(Entry { key, key_span, node });
            }
        }
        Ok(())
    }
}

fn complex_key(span: Span) -> Diagnostic {
    Diagnostic::new(span, "", "a list or map cannot be a key").help("quote the key if it is meant as text")
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Value, Diagnostic> {
    match tag {
        None if style == ScalarStyle::Plain => Ok(plain::resolve(text)),
        None => Ok(Value::Text(Rc::from(text))),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(Value::Text(Rc::from(text))),
        Some(tag) if tag.is_yaml_core_schema() => Ok(plain::resolve(text)),
        Some(tag) => {
            Err(Diagnostic::new(span, "", format!("the tag `{}{}` is not known", tag.handle, tag.suffix))
                .help("remove the tag"))
        }
    }
}

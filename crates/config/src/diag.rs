//! Diagnostics: collected while decoding, rendered once at the end.
//!
//! Decoding goes on after an error, so that one run names everything that is wrong. Whoever finds an error
//! reports it to the [`Sink`] and returns `None`; nobody builds messages with positions by hand.

use std::cell::RefCell;
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::source::{Source, Span};

/// More diagnostics than this are counted, not shown: a wrong indentation can cause hundreds.
const SHOWN_MAX: usize = 12;
/// More warnings than this are counted, not shown.
const WARNINGS_MAX: usize = 32;

/// Why a configuration was refused: everything that is wrong with it, ready to be printed.
///
/// `Display` is the whole text (several lines for each diagnostic, no colour, no final newline). Secrets in the
/// lines shown are replaced by stars.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{rendered}")]
pub struct ConfigError {
    first: String,
    rendered: String,
}

impl ConfigError {
    /// The first diagnostic on one line: `file:line:column: field.path: what is wrong`.
    #[must_use]
    pub fn first_line(&self) -> &str {
        &self.first
    }

    /// An error that has no place in any text.
    pub(crate) fn plain(message: &str, help: &str) -> Self {
        let first = message.to_owned();
        let mut report = vec![Group::with_title(Level::ERROR.primary_title(message))];
        if !help.is_empty() {
            report = vec![
                Group::with_title(Level::ERROR.primary_title(message)).element(Level::HELP.message(help)),
            ];
        }
        Self { first, rendered: Renderer::plain().render(&report) }
    }
}

/// One thing to tell the operator.
#[derive(Debug, Clone)]
pub(crate) struct Diagnostic {
    pub(crate) span: Span,
    /// `static_resources.clusters[0].type`; empty for the whole document.
    pub(crate) path: Box<str>,
    pub(crate) message: Box<str>,
    /// Under the caret.
    pub(crate) label: Box<str>,
    /// What to do about it.
    pub(crate) help: Box<str>,
    /// Another place that explains this one.
    pub(crate) other: Option<Box<(Span, String)>>,
    /// One line, without the text around it.
    brief: bool,
}

impl Diagnostic {
    pub(crate) fn new(span: Span, path: &str, message: impl Into<Box<str>>) -> Self {
        Self {
            span,
            path: path.into(),
            message: message.into(),
            label: Box::default(),
            help: Box::default(),
            other: None,
            brief: false,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<Box<str>>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = help.into();
        self
    }

    pub(crate) fn other(mut self, span: Span, label: impl Into<String>) -> Self {
        self.other = Some(Box::new((span, label.into())));
        self
    }

    pub(crate) fn brief(mut self) -> Self {
        self.brief = true;
        self
    }

    /// `path: message`, or one sentence if the message is what the path does.
    fn title(&self) -> String {
        const VERBS: [&str; 5] = ["is ", "has ", "must ", "stands ", "does "];
        let sentence = VERBS.iter().any(|verb| self.message.starts_with(verb));
        let text = match (&*self.path, sentence) {
            ("", _) => self.message.to_string(),
            (path, true) => format!("{path} {}", self.message),
            (path, false) => format!("{path}: {}", self.message),
        };
        text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    }
}

/// Collects diagnostics, and knows the texts that they point into.
pub(crate) struct Sink {
    pub(crate) sources: Vec<Source>,
    /// Unknown fields of an Envoy file are no errors.
    pub(crate) allow_unknown: bool,
    errors: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("errors", &self.errors.borrow().len()).finish_non_exhaustive()
    }
}

impl Sink {
    pub(crate) fn new(sources: Vec<Source>) -> Self {
        Self { sources, allow_unknown: false, errors: RefCell::default(), warnings: RefCell::default() }
    }

    pub(crate) fn allowing_unknown(sources: Vec<Source>) -> Self {
        Self { allow_unknown: true, ..Self::new(sources) }
    }

    pub(crate) fn error(&self, diagnostic: Diagnostic) {
        self.errors.borrow_mut().push(diagnostic);
    }

    pub(crate) fn warning(&self, diagnostic: Diagnostic) {
        self.warnings.borrow_mut().push(diagnostic);
    }

    pub(crate) fn failed(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// All warnings, rendered.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.warnings.borrow();
        let mut rendered: Vec<String> =
            warnings.iter().take(WARNINGS_MAX).map(|warning| self.render(warning, Level::WARNING)).collect();
        if warnings.len() > WARNINGS_MAX {
            rendered.push(format!("warning: {} more warnings are not shown", warnings.len() - WARNINGS_MAX));
        }
        rendered
    }

    /// All errors, in the order of the text.
    pub(crate) fn into_error(self) -> ConfigError {
        let mut errors = self.errors.take();
        errors.sort_by_key(|error| (error.span.source, error.span.start));
        let first = errors.first().map_or_else(String::new, |error| self.line(error));
        let mut blocks: Vec<String> =
            errors.iter().take(SHOWN_MAX).map(|error| self.render(error, Level::ERROR)).collect();
        if errors.len() > SHOWN_MAX {
            blocks.push(format!("error: {} more errors are not shown", errors.len() - SHOWN_MAX));
        }
        ConfigError { first, rendered: blocks.join("\n\n") }
    }

    fn line(&self, diagnostic: &Diagnostic) -> String {
        let title = diagnostic.title();
        let Some(source) = self.sources.get(diagnostic.span.source) else { return title };
        let (line, column) = source.position(diagnostic.span.start);
        format!("{}:{line}:{column}: {title}", source.origin)
    }

    fn render(&self, diagnostic: &Diagnostic, level: Level<'_>) -> String {
        if diagnostic.brief {
            return format!("warning: {}", self.line(diagnostic));
        }
        let title = diagnostic.title();
        let mut group = Group::with_title(level.primary_title(title.as_str()));
        if let Some(snippet) = self.snippet(diagnostic) {
            group = group.element(snippet);
        }
        if !diagnostic.help.is_empty() {
            group = group.element(Level::HELP.message(&*diagnostic.help));
        }
        let rendered = Renderer::plain().render(&[group]);
        rendered.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    fn snippet<'s>(
        &'s self,
        diagnostic: &'s Diagnostic,
    ) -> Option<Snippet<'s, annotate_snippets::Annotation<'s>>> {
        let source = self.sources.get(diagnostic.span.source)?;
        let primary = AnnotationKind::Primary.span(source.first_line(diagnostic.span));
        let primary = if diagnostic.label.is_empty() { primary } else { primary.label(&*diagnostic.label) };
        let mut snippet =
            Snippet::source(source.shown.as_str()).path(source.origin.as_str()).annotation(primary);
        if let Some((span, label)) = diagnostic.other.as_deref()
            && span.source == diagnostic.span.source
        {
            snippet = snippet
                .annotation(AnnotationKind::Context.span(source.first_line(*span)).label(label.as_str()));
        }
        Some(snippet)
    }
}

//! Texts that a configuration came from, and places in them.
//!
//! A place is a range of bytes in one of the sources. The parser counts in lines and characters; the renderer
//! and everything else here counts in bytes, so the conversion happens once, in [`Locator`].

use std::ops::Range;

/// A range of bytes in one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// Index into the sink's sources.
    pub(crate) source: usize,
    /// First byte.
    pub(crate) start: usize,
    /// The byte after the last.
    pub(crate) end: usize,
}

/// One text with its name.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file's path as given, `--config-yaml` or `command line`.
    pub(crate) origin: String,
    /// What diagnostics may show: same length as the text, secrets replaced by stars.
    pub(crate) shown: String,
}

impl Source {
    /// Line and column (both from 1, columns in characters) of a byte.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.shown.get(..offset).unwrap_or(&self.shown);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_start..).map_or(0, |head| head.chars().count()) + 1;
        (line, column)
    }

    /// The part of a range that lies on its first line, without the blanks and comma after it: what a caret
    /// should stand under when a whole map is meant.
    pub(crate) fn first_line(&self, span: Span) -> Range<usize> {
        let length = self.shown.len();
        let start = floor(&self.shown, span.start.min(length));
        let end = floor(&self.shown, span.end.clamp(start, length));
        let text = self.shown.get(start..end).unwrap_or_default();
        let line = text.split(['\n', '\r']).next().unwrap_or_default().trim_end();
        start..start + line.len()
    }

    /// Replaces the characters of a range by stars, keeping every offset valid.
    pub(crate) fn hide(&mut self, start: usize, end: usize) {
        let start = floor(&self.shown, start);
        let end = floor(&self.shown, end);
        let Some(secret) = self.shown.get(start..end) else { return };
        let stars: String = secret
            .chars()
            .flat_map(|c| {
                let mark = if c == '\n' || c == '\r' { c } else { '*' };
                std::iter::repeat_n(mark, c.len_utf8())
            })
            .collect();
        self.shown.replace_range(start..end, &stars);
    }
}

/// The character boundary at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Turns the parser's (line, column) into bytes.
///
/// Places come nearly in order, so the last answer is where the next search starts: one long line of JSON
/// costs one walk, not one walk a token.
pub(crate) struct Locator<'t> {
    text: &'t str,
    lines: Vec<usize>,
    last: (usize, usize, usize),
}

impl<'t> Locator<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let mut lines = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let crlf = *byte == b'\r' && bytes.get(at + 1) == Some(&b'\n');
            if *byte == b'\n' || (*byte == b'\r' && !crlf) {
                lines.push(at + 1);
            }
        }
        Self { text, lines, last: (0, 0, 0) }
    }

    /// The byte at a line (from 1) and column (from 0, in characters).
    pub(crate) fn byte(&mut self, line: usize, column: usize) -> usize {
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let (last_line, last_column, last_byte) = self.last;
        let (column_from, from) =
            if last_line == line && last_column <= column { (last_column, last_byte) } else { (0, start) };
        let rest = self.text.get(from..).unwrap_or_default();
        let skipped = rest.char_indices().nth(column - column_from).map_or(rest.len(), |(at, _)| at);
        let byte = from + skipped;
        self.last = (line, column, byte);
        byte
    }
}

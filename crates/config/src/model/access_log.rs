//! Access logs: which requests get a line, what it says, and where it goes.

use std::path::PathBuf;

use http::HeaderName;

use super::{Format, Fraction};

/// One access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Where lines go.
    pub sink: LogSink,
    /// What they say.
    pub line: LogLine,
    /// What is not known is left out of lines, instead of standing there as a dash or null.
    pub omit_empty: bool,
    /// Which requests get one; all without.
    pub filter: Option<LogFilter>,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogSink {
    /// Appended to this file, which is created if it is not there.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// The format's own line end is the line's.
    Text(Format),
    /// One object a line.
    Json(Vec<(String, JsonValue)>),
}

/// A value in a JSON line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonValue {
    /// In the order of the names.
    Object(Vec<(String, JsonValue)>),
    /// As written.
    List(Vec<JsonValue>),
    /// A format that is a single command keeps its type: numbers stay numbers, what is not known is null.
    Format(Format),
    /// Numbers that fit 32 bits; others are texts, as in Envoy.
    Number(i32),
    /// `true`, `false`
    Bool(bool),
    /// `null`
    Null,
}

/// Which requests get a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFilter {
    /// By the answer's status.
    Status(Comparison),
    /// By the duration in milliseconds.
    Duration(Comparison),
    /// All: this proxy answers no health checks itself.
    NotHealthCheck,
    /// Any of these flags, by their short names; any flag at all if none is named.
    Flags(Vec<String>),
    /// A share of them.
    Share(Fraction),
    /// By a header of the request.
    Header(HeaderFilter),
    /// All of these.
    And(Vec<LogFilter>),
    /// Any of these.
    Or(Vec<LogFilter>),
}

/// A number and how a value is compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// How.
    pub operator: Operator,
    /// With what.
    pub value: u32,
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `EQ`
    Equal,
    /// `GE`
    GreaterOrEqual,
    /// `LE`
    LessOrEqual,
    /// `NE`
    NotEqual,
}

/// A header of the request and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFilter {
    /// Its name.
    pub name: HeaderName,
    /// What its value must be.
    pub test: HeaderFilterTest,
    /// The other way round.
    pub invert: bool,
}

/// What a header's value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderFilterTest {
    /// There, or not.
    Present(bool),
    /// Exactly this.
    Exact(String),
    /// Beginning so.
    Prefix(String),
    /// Ending so.
    Suffix(String),
    /// With this in it.
    Contains(String),
}

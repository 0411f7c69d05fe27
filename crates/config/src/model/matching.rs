//! Which requests a route takes.

use http::HeaderName;

use super::{Fraction, Pattern};

/// Everything that must be true of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteMatch {
    /// Its path, query excluded.
    pub path: PathMatch,
    /// Whether the path's letters count as written (`case_sensitive`; not for expressions). Default true.
    pub case_sensitive: bool,
    /// All of them.
    pub headers: Vec<HeaderMatch>,
    /// All of them.
    pub query: Vec<QueryMatch>,
    /// gRPC requests only.
    pub grpc: bool,
    /// Only this share of the requests, by the same random number as mirror policies.
    pub fraction: Option<Fraction>,
}

impl RouteMatch {
    /// By the path alone.
    #[must_use]
    pub fn of(path: PathMatch) -> Self {
        Self {
            path,
            case_sensitive: true,
            headers: Vec::new(),
            query: Vec::new(),
            grpc: false,
            fraction: None,
        }
    }
}

/// How a route matches a request path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// The path begins so.
    Prefix(String),
    /// The path is exactly so.
    Path(String),
    /// The path is so, or goes on with a slash.
    SeparatedPrefix(String),
    /// The whole path matches.
    Regex(Pattern),
}

/// How a text is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringMatch {
    /// With what.
    pub test: StringTest,
    /// ASCII letters in any case. Expressions have their own `(?i)`.
    pub ignore_case: bool,
}

/// What a text is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StringTest {
    /// It is so.
    Exact(String),
    /// It begins so.
    Prefix(String),
    /// It ends so.
    Suffix(String),
    /// It contains this.
    Contains(String),
    /// All of it matches.
    Regex(Pattern),
}

/// What is demanded of one header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Of which.
    pub subject: Subject,
    /// What.
    pub test: HeaderTest,
    /// The contrary: no value matches. A header that is not there still fails a test of its value.
    pub invert: bool,
    /// A header that is not there counts as empty.
    pub missing_as_empty: bool,
}

/// A header, or what HTTP/2 calls a pseudo-header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// `:method`
    Method,
    /// `:path`, with its query.
    Path,
    /// `:authority`, `host`
    Authority,
    /// `:scheme`
    Scheme,
    /// Any other. Of several values one that matches is enough.
    Header(HeaderName),
}

/// What is demanded of a header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderTest {
    /// Whether it is there.
    Present(bool),
    /// Its text.
    Text(StringMatch),
    /// A whole number from `start`, below `end`.
    Range {
        /// Included.
        start: i64,
        /// Excluded.
        end: i64,
    },
}

/// What is demanded of one query parameter, of which the first value counts, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryMatch {
    /// Its name.
    pub name: String,
    /// What.
    pub test: QueryTest,
}

/// What is demanded of a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryTest {
    /// Whether it is there.
    Present(bool),
    /// Its text.
    Text(StringMatch),
}

//! Changes to the headers of requests and answers, as routes and what stands above them ask for.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::Format;

/// What one level (route configuration, virtual host, route) changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteHeaders {
    /// `request_headers_to_add`, `request_headers_to_remove`: before the request goes to the primary and to mirrors.
    pub request: HeaderChanges,
    /// `response_headers_to_add`, `response_headers_to_remove`.
    pub response: HeaderChanges,
}

impl RouteHeaders {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty()
    }

    /// The levels that change something, in the order in which they are applied: by default the route's first.
    #[must_use]
    pub fn in_order(levels: [&Arc<Self>; 3], most_specific_wins: bool) -> Vec<Arc<Self>> {
        let changing = levels.into_iter().filter(|level| !level.is_empty()).cloned();
        if most_specific_wins { changing.rev().collect() } else { changing.collect() }
    }
}

/// Changes to the headers of one message: first all removals, then the values are worked out, then overwriting ones are
/// set and the others added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderChanges {
    /// Names of which all values go.
    pub remove: Vec<HeaderName>,
    /// In this order.
    pub add: Vec<AddedHeader>,
}

impl HeaderChanges {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }
}

/// A header to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedHeader {
    /// Its name.
    pub name: HeaderName,
    /// Its value.
    pub value: AddedValue,
    /// What becomes of values that are there already.
    pub action: AppendAction,
    /// Whether it is added with an empty value, too.
    pub keep_empty: bool,
}

/// The value of a header to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedValue {
    /// Always this.
    Literal(HeaderValue),
    /// Worked out for each message; what is missing counts as empty.
    Format(Format),
}

/// How an added header meets values that are there already (Envoy's `append_action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendAction {
    /// Adds one more value.
    Append,
    /// Adds it unless the name is there.
    AddIfAbsent,
    /// Replaces all values of the name, or adds it.
    Overwrite,
    /// Replaces all values of the name; does nothing if it is not there.
    OverwriteIfPresent,
}

//! Routing: which requests go where, and which copies are made of them.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::{Action, AddedHeader, Forward, RouteHeaders, RouteMatch};

/// Routes of a set of domains.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// Its name in messages.
    pub name: String,
    /// The `Host` values it serves. No domain stands in two virtual hosts of one listener.
    pub domains: Vec<Domain>,
    /// First match wins.
    pub routes: Vec<Route>,
    /// What is changed in the headers of all its routes.
    pub headers: Arc<RouteHeaders>,
}

/// One entry of `domains`, lower case, as in Envoy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Domain {
    /// `*`
    Any,
    /// `mimir.example`, with its port if one was written.
    Exact(String),
    /// `*.example` or `*-x.example`: what must follow the star (`.example`); the star stands for one or more characters.
    Suffix(String),
    /// `mimir.*`: what must stand before the star (`mimir.`); the star stands for one or more characters.
    Prefix(String),
}

/// A match and what to do with it.
#[derive(Debug, Clone)]
pub struct Route {
    /// `name`, may be empty.
    pub name: String,
    /// Which requests.
    pub matches: RouteMatch,
    /// What becomes of them.
    pub action: Action,
    /// What the route itself changes in headers.
    pub headers: Arc<RouteHeaders>,
    /// What is changed in the headers of its requests: by the route and by the levels above it, in this order.
    pub levels: Vec<Arc<RouteHeaders>>,
}

impl Route {
    /// Where its requests go, if it does not answer them itself.
    #[must_use]
    pub fn forward(&self) -> Option<&Forward> {
        match &self.action {
            Action::Forward(forward) => Some(forward),
            Action::Respond(_) | Action::Redirect(_) => None,
        }
    }
}

/// One copy of a route's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorPolicy {
    /// Index into [`Config::mirrors`](super::Config::mirrors).
    pub mirror: usize,
    /// Which share of the requests.
    pub fraction: Fraction,
    /// The copy's `Host`.
    pub host: CopyHost,
    /// Applied to the copy's headers in this order, when it is sent.
    pub headers: Vec<HeaderMutation>,
}

/// A share of requests. `numerator >= denominator` is all of them, `numerator == 0` none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    /// How many ...
    pub numerator: u32,
    /// ... of how many: 100, 10 000 or 1 000 000 (Envoy's FractionalPercent).
    pub denominator: u32,
}

impl Fraction {
    /// Every request.
    pub const ALL: Self = Self { numerator: 100, denominator: 100 };

    /// Whether a request with this random number is chosen. One number per request, so that fractions with the same
    /// denominator nest: a 10 % mirror sees a subset of a 30 % mirror, as in Envoy.
    #[must_use]
    pub fn chooses(self, random: u64) -> bool {
        self.denominator != 0 && random % u64::from(self.denominator) < u64::from(self.numerator)
    }
}

/// The copy's `Host` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyHost {
    /// The client's, with `-shadow` after the name and before the port (Envoy's default).
    ShadowSuffix,
    /// The client's, as received (`disable_shadow_host_suffix_append`).
    Same,
    /// This one (`host_rewrite_literal`; the native form's host and port of the mirror's URL).
    Literal(HeaderValue),
}

/// One change to a copy's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderMutation {
    /// Replaces all values of the name, or adds it.
    Set(HeaderName, HeaderValue),
    /// Adds one more value.
    Append(HeaderName, HeaderValue),
    /// Adds it unless the name is there.
    AddIfAbsent(HeaderName, HeaderValue),
    /// Replaces all values of the name; does nothing if it is not there.
    OverwriteIfPresent(HeaderName, HeaderValue),
    /// Removes all values of the name.
    Remove(HeaderName),
    /// Adds a header whose value is worked out for each copy, or may be empty.
    Added(AddedHeader),
}

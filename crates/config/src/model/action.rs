//! What a route does with its requests.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use super::{MirrorPolicy, Replacement, RetryPolicy};

/// What a route does with its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// They go to a cluster, and copies to mirrors.
    Forward(Box<Forward>),
    /// They are answered here.
    Respond(DirectResponse),
    /// They are sent elsewhere.
    Redirect(Redirect),
}

/// A primary, and the copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Index into [`Config::clusters`](super::Config::clusters): the primary.
    pub cluster: usize,
    /// From the end of the request to the end of the answer; `None` is off. Envoy default 15 s.
    pub timeout: Option<Duration>,
    /// Longest silence within one request or answer.
    pub idle: Idle,
    /// Copies to send.
    pub mirrors: Vec<MirrorPolicy>,
    /// What becomes of the path, for the primary and for copies.
    pub path: PathRewrite,
    /// What becomes of `Host`.
    pub host: HostRewrite,
    /// The host before is appended to `x-forwarded-host`.
    pub append_x_forwarded_host: bool,
    /// When the primary is asked again.
    pub retry: Option<RetryPolicy>,
    /// `x-envoy-attempt-count` tells the primary the number of the attempt, ...
    pub attempt_count_in_request: bool,
    /// ... and the client how many there were.
    pub attempt_count_in_response: bool,
}

impl Forward {
    /// Everything to one cluster, with nothing changed.
    #[must_use]
    pub fn to(cluster: usize, timeout: Option<Duration>, mirrors: Vec<MirrorPolicy>) -> Self {
        Self {
            cluster,
            timeout,
            idle: Idle::Inherited,
            mirrors,
            path: PathRewrite::None,
            host: HostRewrite::None,
            append_x_forwarded_host: false,
            retry: None,
            attempt_count_in_request: false,
            attempt_count_in_response: false,
        }
    }
}

/// A route's `idle_timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// The connection manager's `stream_idle_timeout`.
    Inherited,
    /// For ever.
    Off,
    /// This long.
    After(Duration),
}

/// What becomes of a path. The query stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRewrite {
    /// Nothing.
    None,
    /// What the route matched is replaced: its prefix, or the whole path.
    Prefix(String),
    /// Every match is replaced.
    Regex(Replacement),
}

/// What becomes of `Host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRewrite {
    /// Nothing.
    None,
    /// This one.
    Literal(HeaderValue),
    /// The value of a header of the request, if it has one.
    Header(HeaderName),
    /// The path, with every match replaced.
    PathRegex(Replacement),
    /// The name of the primary's endpoint, if it has one. Copies keep the client's.
    Endpoint(Option<HeaderValue>),
}

/// An answer of the proxy's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Vec<u8>,
}

/// An answer that sends the client elsewhere. What is `None` stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Its status: 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// With its port, if it has one.
    pub host: Option<String>,
    /// Replaces the port.
    pub port: Option<u32>,
    /// The path.
    pub path: RedirectPath,
    /// The query is left out.
    pub strip_query: bool,
}

/// The path of a redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectPath {
    /// This one; a query of its own replaces the request's.
    To(String),
    /// The request's, rewritten.
    Rewritten(PathRewrite),
}

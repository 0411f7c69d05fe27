//! Answers of the proxy's own, with Envoy's statuses and words (measured on Envoy 1.40).
//!
//! Contract C4: for transport trouble these are 5xx only, since a remote-write client drops data on a 4xx for good.

use bytes::Bytes;
use config::model::{DirectResponse, Redirect, RouteMatch};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::redirect;
use crate::format::Flags;
use crate::upstream::Failure;

/// Why the proxy answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalReply {
    /// No virtual host or no route.
    NoRoute,
    /// No `Host`.
    MissingHost,
    /// More than one `Host`, or one that is no host.
    BadHost,
    /// A target that is no origin's resource.
    BadTarget,
    /// A transfer coding other than chunked.
    UnknownTransferCoding,
    /// HTTP/1.0.
    OldVersion,
    /// A header name with `_`, where these are to be rejected.
    Underscore,
    /// A head of more than `max_request_headers_kb`.
    HeadersTooLarge,
    /// A route's rewrite made a path of nothing that could be sent.
    BadRewrite,
    /// `Upgrade` (WebSocket).
    Upgrade,
    /// The primary could not be asked or did not answer.
    Upstream(Failure),
    /// It was asked more than once, the last time with this result.
    UpstreamAgain(Failure),
    /// The route's timeout.
    Timeout,
    /// The request stopped arriving; never on a write path.
    Stalled,
    /// The request took longer than `request_timeout`; never on a write path.
    TooSlow,
    /// The answer stayed away for longer than `stream_idle_timeout`, on a route without timeout.
    Idle,
}

const RESET: &str = "upstream connect error or disconnect/reset before headers. reset reason: ";

impl LocalReply {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::MissingHost | Self::BadHost | Self::BadTarget | Self::Underscore => StatusCode::BAD_REQUEST,
            Self::UnknownTransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::OldVersion => StatusCode::UPGRADE_REQUIRED,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BadRewrite => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Upgrade => StatusCode::FORBIDDEN,
            Self::UpstreamAgain(failure) => Self::Upstream(failure).status(),
            Self::Upstream(Failure::PerTryTimeout) | Self::Timeout | Self::Idle => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Upstream(Failure::Protocol) => StatusCode::BAD_GATEWAY,
            Self::Upstream(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Stalled | Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The response flags and the details that Envoy's access log has for it.
    pub(crate) fn why(self) -> (Flags, &'static str) {
        const NONE: Flags = Flags::NONE;
        match self {
            Self::NoRoute => (Flags::NO_ROUTE, "route_not_found"),
            Self::MissingHost => (NONE, "missing_host_header"),
            Self::BadHost => (Flags::DOWNSTREAM_PROTOCOL, "http.invalid_authority"),
            Self::BadTarget => (Flags::DOWNSTREAM_PROTOCOL, "http1.invalid_url"),
            Self::Underscore => (Flags::DOWNSTREAM_PROTOCOL, "http1.unexpected_underscore"),
            Self::UnknownTransferCoding => (Flags::DOWNSTREAM_PROTOCOL, "http1.invalid_transfer_encoding"),
            Self::OldVersion => (NONE, "low_version"),
            Self::HeadersTooLarge => (Flags::DOWNSTREAM_PROTOCOL, "http1.headers_too_large"),
            Self::BadRewrite => (NONE, "bad_path_rewrite"),
            Self::Upgrade => (NONE, "upgrade_failed"),
            Self::Upstream(Failure::NoEndpoint) => (Flags::NO_HEALTHY_UPSTREAM, "no_healthy_upstream"),
            Self::Upstream(Failure::Connect) => (
                Flags::CONNECTION_FAILURE,
                "upstream_reset_before_response_started{remote_connection_failure}",
            ),
            Self::Upstream(Failure::ConnectTimeout) => {
                (Flags::CONNECTION_FAILURE, "upstream_reset_before_response_started{connection_timeout}")
            }
            Self::Upstream(Failure::Overflow) => {
                (Flags::UPSTREAM_OVERFLOW, "upstream_reset_before_response_started{overflow}")
            }
            Self::Upstream(Failure::Closed) => (
                Flags::CONNECTION_TERMINATION,
                "upstream_reset_before_response_started{connection_termination}",
            ),
            Self::Upstream(Failure::Reset) => {
                (Flags::UPSTREAM_RESET, "upstream_reset_before_response_started{remote_reset}")
            }
            Self::Upstream(Failure::Refused) => {
                (Flags::UPSTREAM_RESET, "upstream_reset_before_response_started{remote_refused_stream_reset}")
            }
            Self::Upstream(Failure::Protocol) => {
                (Flags::UPSTREAM_PROTOCOL, "upstream_reset_before_response_started{protocol_error}")
            }
            Self::UpstreamAgain(failure) => Self::Upstream(failure).why(),
            Self::Upstream(Failure::PerTryTimeout) => (Flags::UPSTREAM_TIMEOUT, "upstream_per_try_timeout"),
            Self::Timeout => (Flags::UPSTREAM_TIMEOUT, "response_timeout"),
            Self::Stalled | Self::Idle => (Flags::STREAM_IDLE, "stream_idle_timeout"),
            Self::TooSlow => (NONE, "request_overall_timeout"),
        }
    }

    fn body(self) -> String {
        match self {
            Self::NoRoute | Self::MissingHost | Self::Upgrade => String::new(),
            Self::BadHost | Self::BadTarget | Self::Underscore => "Bad Request".to_owned(),
            Self::UnknownTransferCoding => "Not Implemented".to_owned(),
            Self::BadRewrite => "the route rewrites this path to something that is no path".to_owned(),
            Self::OldVersion => "Upgrade Required".to_owned(),
            Self::HeadersTooLarge => "Request Header Fields Too Large".to_owned(),
            Self::Upstream(Failure::NoEndpoint) => "no healthy upstream".to_owned(),
            Self::Upstream(Failure::Connect) => format!("{RESET}remote connection failure"),
            Self::Upstream(Failure::ConnectTimeout) => format!("{RESET}connection timeout"),
            Self::Upstream(Failure::Closed) => format!("{RESET}connection termination"),
            Self::Upstream(Failure::Overflow) => format!("{RESET}overflow"),
            Self::Upstream(Failure::Reset) => format!("{RESET}remote reset"),
            Self::Upstream(Failure::Refused) => format!("{RESET}remote refused stream reset"),
            Self::Upstream(Failure::Protocol) => format!("{RESET}protocol error"),
            Self::UpstreamAgain(failure) => {
                let once = Self::Upstream(failure).body();
                once.replacen("reset reason:", "retried and the latest reset reason:", 1)
            }
            Self::Upstream(Failure::PerTryTimeout) | Self::Timeout => "upstream request timeout".to_owned(),
            Self::Stalled | Self::Idle => "stream timeout".to_owned(),
            Self::TooSlow => "request timeout".to_owned(),
        }
    }

    /// Whether the client is told that a circuit breaker refused it (`x-envoy-overloaded`).
    pub(crate) fn is_overload(self) -> bool {
        matches!(self, Self::Upstream(Failure::Overflow) | Self::UpstreamAgain(Failure::Overflow))
    }

    /// The answer without the headers that every answer gets. `close` where the request was not read to its end.
    pub(crate) fn response(self, close: bool, date: &HeaderValue) -> Response<Bytes> {
        own(self.status(), Bytes::from(self.body()), close, date)
    }
}

/// The answer that a route gives by itself.
pub(crate) fn direct(answer: &DirectResponse, close: bool, date: &HeaderValue) -> Response<Bytes> {
    own(answer.status, Bytes::copy_from_slice(&answer.body), close, date)
}

/// The answer that sends the client elsewhere.
pub(crate) fn redirect(
    answer: &Redirect,
    matches: &RouteMatch,
    head: &Parts,
    close: bool,
    date: &HeaderValue,
) -> Response<Bytes> {
    let mut response = own(answer.status, Bytes::new(), close, date);
    if let Some(location) = redirect::location(answer, matches, head) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn own(status: StatusCode, body: Bytes, close: bool, date: &HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(body.clone());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if !body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    headers.insert(HeaderName::from_static("date"), date.clone());
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

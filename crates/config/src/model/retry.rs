//! When a primary is asked again.

use std::time::Duration;

use http::StatusCode;

use super::HeaderMatch;

/// Envoy's RetryPolicy, of requests to the primary. Copies have rules of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// What is worth another attempt.
    pub on: RetryOn,
    /// Attempts after the first. Envoy default 1.
    pub retries: u32,
    /// One attempt's time, counted from the end of the request; `None` leaves it to the route's timeout.
    pub per_try_timeout: Option<Duration>,
    /// Statuses that `retriable-status-codes` means.
    pub statuses: Vec<StatusCode>,
    /// Headers of an answer that `retriable-headers` means, any of them.
    pub answer_headers: Vec<HeaderMatch>,
    /// Where it is not empty: only requests with one of these headers are repeated.
    pub request_headers: Vec<HeaderMatch>,
    /// The first pause is a random time up to this. Envoy default 25 ms.
    pub backoff_base: Duration,
    /// Pauses double up to this. Envoy default ten times the base.
    pub backoff_max: Duration,
    /// How often another endpoint is looked for than those that failed (`previous_hosts`); 0 takes what comes.
    pub other_endpoint: u32,
}

/// Envoy's `retry_on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "a set of conditions, each with a name of its own")]
pub struct RetryOn {
    /// `5xx`: an answer of 500 or more, or none.
    pub server_error: bool,
    /// `gateway-error`: 502, 503, 504, or no answer.
    pub gateway_error: bool,
    /// `reset`: no answer.
    pub reset: bool,
    /// `reset-before-request`: no answer, and nothing was sent.
    pub reset_before_request: bool,
    /// `connect-failure`: no connection.
    pub connect_failure: bool,
    /// `refused-stream`: HTTP/2's REFUSED_STREAM.
    pub refused_stream: bool,
    /// `retriable-4xx`: 409.
    pub conflict: bool,
    /// `retriable-status-codes`.
    pub statuses: bool,
    /// `retriable-headers`.
    pub headers: bool,
    /// `cancelled`, of gRPC.
    pub cancelled: bool,
    /// `deadline-exceeded`, of gRPC.
    pub deadline_exceeded: bool,
    /// `internal`, of gRPC.
    pub internal: bool,
    /// `resource-exhausted`, of gRPC.
    pub resource_exhausted: bool,
    /// `unavailable`, of gRPC.
    pub unavailable: bool,
    /// `envoy-ratelimited`: an answer with `x-envoy-ratelimited`, which no other condition repeats.
    pub rate_limited: bool,
}

impl RetryOn {
    /// Each condition by Envoy's name.
    #[must_use]
    pub fn named(mut self) -> [(&'static str, bool); 15] {
        self.slots().map(|(name, set)| (name, *set))
    }

    /// The values of `grpc-status` that are worth another attempt.
    pub fn grpc(self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("1", self.cancelled),
            ("4", self.deadline_exceeded),
            ("13", self.internal),
            ("8", self.resource_exhausted),
            ("14", self.unavailable),
        ];
        all.into_iter().filter(|(_, wanted)| *wanted).map(|(status, _)| status)
    }

    /// Adds the condition of this name; `false` if there is none.
    pub fn add(&mut self, name: &str) -> bool {
        let found = self.slots().into_iter().find(|(known, _)| *known == name);
        found.map(|(_, set)| *set = true).is_some()
    }

    fn slots(&mut self) -> [(&'static str, &mut bool); 15] {
        [
            ("5xx", &mut self.server_error),
            ("gateway-error", &mut self.gateway_error),
            ("reset", &mut self.reset),
            ("reset-before-request", &mut self.reset_before_request),
            ("connect-failure", &mut self.connect_failure),
            ("refused-stream", &mut self.refused_stream),
            ("retriable-4xx", &mut self.conflict),
            ("retriable-status-codes", &mut self.statuses),
            ("retriable-headers", &mut self.headers),
            ("cancelled", &mut self.cancelled),
            ("deadline-exceeded", &mut self.deadline_exceeded),
            ("internal", &mut self.internal),
            ("resource-exhausted", &mut self.resource_exhausted),
            ("unavailable", &mut self.unavailable),
            ("envoy-ratelimited", &mut self.rate_limited),
        ]
    }
}

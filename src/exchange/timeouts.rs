//! How long the parts of an exchange may take.

use std::time::Duration;

use config::model::{Forward, HttpManager, Idle};

/// `None` is for ever.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timeouts {
    /// Silence while the request arrives or the answer is awaited.
    pub(super) idle: Option<Duration>,
    /// The whole request.
    pub(super) request: Option<Duration>,
    /// From the end of the request to the end of the answer.
    pub(super) route: Option<Duration>,
}

impl Timeouts {
    /// `route` is the route's timeout, or what a caller inside asks for.
    pub(super) fn of(http: &HttpManager, forward: &Forward, route: Option<Duration>) -> Self {
        let idle = match forward.idle {
            Idle::Inherited => http.stream_idle_timeout,
            Idle::Off => None,
            Idle::After(time) => Some(time),
        };
        Self { idle, request: http.request_timeout, route }
    }
}

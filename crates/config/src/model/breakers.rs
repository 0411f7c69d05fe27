//! Circuit breakers.

/// Thresholds of a cluster, for the whole process, of priority `DEFAULT`: no route has another. `None` is what the
/// file does not say: without a limit here, and a default of Envoy's there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Breakers {
    /// Connections. Envoy default 1024.
    pub max_connections: Option<u32>,
    /// Requests that wait for a connection. Envoy default 1024.
    pub max_pending_requests: Option<u32>,
    /// Requests in progress. Envoy default 1024.
    pub max_requests: Option<u32>,
    /// Retries in progress. Envoy default 3; here 3 on each worker.
    pub max_retries: Option<u32>,
    /// Whether what is left of each is shown.
    pub track_remaining: bool,
}

impl Breakers {
    /// What those write who want no limit.
    pub const UNLIMITED: u32 = u32::MAX;
}

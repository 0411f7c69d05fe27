//! Circuit breakers.

/// Thresholds of a cluster, for the whole process. Those of priority `DEFAULT`: no route has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breakers {
    /// Connections. Envoy default 1024.
    pub max_connections: u32,
    /// Requests that wait for a connection. Envoy default 1024.
    pub max_pending_requests: u32,
    /// Requests in progress. Envoy default 1024.
    pub max_requests: u32,
    /// Retries in progress. Envoy default 3.
    pub max_retries: u32,
    /// Whether what is left of each is shown.
    pub track_remaining: bool,
}

impl Default for Breakers {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
            track_remaining: false,
        }
    }
}

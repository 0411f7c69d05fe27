//! The HTTP connection manager: limits and time-outs.

use std::sync::Arc;
use std::time::Duration;

use super::{AccessLog, ClientHttp, Conventions, RouteHeaders, TargetRules, VirtualHost};

/// Envoy's HTTP connection manager, as far as it is supported.
#[derive(Debug, Clone)]
pub struct HttpManager {
    /// Prefix of its statistics (`http.<stat_prefix>.`).
    pub stat_prefix: String,
    /// Headers the proxy adds and removes of its own accord.
    pub conventions: Conventions,
    /// `route_config.name`.
    pub route_config: String,
    /// Searched by domain; first match in the order exact, suffix, prefix, `*` (Envoy's order).
    pub virtual_hosts: Vec<VirtualHost>,
    /// What `route_config` changes in the headers of all routes.
    pub headers: Arc<RouteHeaders>,
    /// `most_specific_header_mutations_wins`: routes change headers last, not first.
    pub most_specific_headers_win: bool,
    /// One line for each request.
    pub access_logs: Vec<AccessLog>,
    /// Longest silence within one request or answer; `None` is off. Envoy default 5 min.
    pub stream_idle_timeout: Option<Duration>,
    /// Longest time for a whole request to arrive; `None` is off (Envoy default).
    pub request_timeout: Option<Duration>,
    /// Longest time for a request's headers to arrive; `None` is off (Envoy default).
    pub request_headers_timeout: Option<Duration>,
    /// How long a client connection without requests is kept; `None` is for ever. Envoy default 1 h.
    pub idle_timeout: Option<Duration>,
    /// Largest request head in KiB; Envoy default 60.
    pub max_request_headers_kb: u32,
    /// Protocols and connections of clients.
    pub protocols: ClientHttp,
    /// What is made of a request's target before a route is looked for.
    pub targets: TargetRules,
}

//! The HTTP connection manager: limits, time-outs and the headers the proxy itself touches.

use std::sync::Arc;
use std::time::Duration;

use super::{AccessLog, ClientHttp, ForwardClientCert, RouteHeaders, TargetRules, VirtualHost};

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

/// Which headers the proxy itself touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conventions {
    /// The native form: nothing is added, only hop-by-hop headers are removed.
    None,
    /// As Envoy does from the same file.
    Envoy(EnvoyConventions),
}

/// Envoy's own header changes (defaults of its HTTP connection manager).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvoyConventions {
    /// `server_name`, default `envoy`: overwrites the answer's `server`.
    pub server_name: String,
    /// `generate_request_id`, default true.
    pub generate_request_id: bool,
    /// `use_remote_address`, default false: the client's address is appended to `x-forwarded-for`.
    pub use_remote_address: bool,
    /// Router's `suppress_envoy_headers`, default false.
    pub suppress_envoy_headers: bool,
    /// What becomes of `x-forwarded-client-cert`.
    pub client_cert: ForwardClientCert,
}

impl Default for EnvoyConventions {
    fn default() -> Self {
        Self {
            server_name: "envoy".to_owned(),
            generate_request_id: true,
            use_remote_address: false,
            suppress_envoy_headers: false,
            client_cert: ForwardClientCert::Sanitize,
        }
    }
}

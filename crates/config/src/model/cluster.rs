//! Clusters: groups of endpoints, how these become addresses, and how one is chosen.

use std::net::IpAddr;
use std::time::Duration;

use super::{Balancing, Breakers, ClusterTls, Dns, Health, TcpKeepalive, UpstreamHttp};

/// A group of endpoints.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Unique; label of its statistics.
    pub name: String,
    /// How its endpoints become addresses.
    pub discovery: Discovery,
    /// At least none: an empty cluster answers 503.
    pub endpoints: Vec<Endpoint>,
    /// Longest time for a connection to be established, TLS included. Envoy default 5 s.
    pub connect_timeout: Duration,
    /// How its endpoints are spoken to.
    pub http: UpstreamHttp,
    /// How an endpoint is chosen for a request or a copy.
    pub balancing: Balancing,
    /// Which endpoints count as healthy.
    pub health: Health,
    /// Circuit breakers; `None` is without limits, as in the native form.
    pub breakers: Option<Breakers>,
    /// Options of its sockets.
    pub sockets: Sockets,
    /// How its connections are secured; `None` is plain TCP.
    pub tls: Option<ClusterTls>,
}

impl Cluster {
    /// A cluster with everything else at the defaults of the native form.
    #[must_use]
    pub fn new(
        name: String,
        discovery: Discovery,
        endpoints: Vec<Endpoint>,
        connect_timeout: Duration,
    ) -> Self {
        Self {
            name,
            discovery,
            endpoints,
            connect_timeout,
            http: UpstreamHttp::default(),
            balancing: Balancing::default(),
            health: Health::default(),
            breakers: None,
            sockets: Sockets::default(),
            tls: None,
        }
    }
}

/// How a cluster's endpoints become addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// Every endpoint is an IP address.
    Static,
    /// Names are resolved again and again.
    Dns(Dns),
}

/// One endpoint of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An address or a name.
    pub host: Host,
    /// TCP port, not 0.
    pub port: u16,
    /// `load_balancing_weight`, from 1 (the default).
    pub weight: u32,
    /// What `health_status` says.
    pub health: EndpointHealth,
    /// `hostname`, where it is written: the name for `auto_host_rewrite`.
    pub hostname: Option<String>,
    /// Where health checks go, where that is another port.
    pub check_port: Option<u16>,
    /// `disable_active_health_check`: it is never probed and counts as healthy.
    pub unchecked: bool,
}

impl Endpoint {
    /// An endpoint with the defaults of everything but its place.
    #[must_use]
    pub fn new(host: Host, port: u16) -> Self {
        Self {
            host,
            port,
            weight: 1,
            health: EndpointHealth::Healthy,
            hostname: None,
            check_port: None,
            unchecked: false,
        }
    }
}

/// Envoy's `health_status` of an endpoint, as far as it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndpointHealth {
    /// `UNKNOWN`, `HEALTHY`.
    #[default]
    Healthy,
    /// `UNHEALTHY`, `DRAINING`, `TIMEOUT`: used only in a panic.
    Unhealthy,
}

/// An address or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Needs no resolution.
    Ip(IpAddr),
    /// Resolved by the system's resolver.
    Name(String),
}

/// Options of a cluster's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sockets {
    /// `upstream_connection_options.tcp_keepalive`; `None` is this program's own.
    pub keepalive: Option<TcpKeepalive>,
    /// `upstream_bind_config.source_address`.
    pub source: Option<std::net::SocketAddr>,
}

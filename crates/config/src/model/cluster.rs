//! Clusters: groups of endpoints and how these become addresses.

use std::net::IpAddr;
use std::time::Duration;

use super::UpstreamHttp;

/// A group of endpoints.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Unique; label of its statistics.
    pub name: String,
    /// How its endpoints become addresses.
    pub discovery: Discovery,
    /// At least none: an empty cluster answers 503.
    pub endpoints: Vec<Endpoint>,
    /// Longest time for a TCP connection to be established. Envoy default 5 s.
    pub connect_timeout: Duration,
    /// How its endpoints are spoken to.
    pub http: UpstreamHttp,
}

/// How a cluster's endpoints become addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// Every endpoint is an IP address.
    Static,
    /// Every address that a name resolves to is an endpoint; resolved again and again.
    StrictDns {
        /// Time between two resolutions. Envoy default 5 s.
        refresh: Duration,
        /// Which address families are asked for.
        family: LookupFamily,
    },
}

/// Envoy's `dns_lookup_family`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LookupFamily {
    /// IPv6, and IPv4 if there is none (Envoy's default).
    #[default]
    Auto,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
    /// IPv4, and IPv6 if there is none.
    V4Preferred,
    /// Both.
    All,
}

/// One endpoint of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An address or a name.
    pub host: Host,
    /// TCP port, not 0.
    pub port: u16,
}

/// An address or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Needs no resolution.
    Ip(IpAddr),
    /// Resolved by the system's resolver.
    Name(String),
}

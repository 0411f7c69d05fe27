//! How names become addresses.

use std::net::SocketAddr;
use std::time::Duration;

/// A cluster's DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// `LOGICAL_DNS`, `all_addresses_in_single_endpoint`: the name is one endpoint, and a new connection goes to the
    /// first address of the newest answer. Otherwise (`STRICT_DNS`) every address is an endpoint.
    pub logical: bool,
    /// Time between two resolutions. Envoy default 5 s.
    pub refresh: Duration,
    /// `dns_failure_refresh_rate`: time until the next attempt after a failed one, doubling with jitter from the first
    /// value to the second. `None`: as after a success.
    pub failure_refresh: Option<(Duration, Duration)>,
    /// `respect_dns_ttl`: an answer's time to live takes the place of `refresh`.
    pub respect_ttl: bool,
    /// `dns_min_refresh_rate`: no time to live is shorter. Default 1 s.
    pub min_refresh: Duration,
    /// `dns_jitter`: up to so much is added at random to each interval.
    pub jitter: Duration,
    /// Which address families are asked for.
    pub family: LookupFamily,
    /// Who is asked.
    pub resolver: Resolver,
}

impl Dns {
    /// Envoy's defaults, as `STRICT_DNS`.
    #[must_use]
    pub fn strict(refresh: Duration) -> Self {
        Self {
            logical: false,
            refresh,
            failure_refresh: None,
            respect_ttl: false,
            min_refresh: Duration::from_secs(1),
            jitter: Duration::ZERO,
            family: LookupFamily::Auto,
            resolver: Resolver::System,
        }
    }
}

/// Who is asked for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolver {
    /// The system: `getaddrinfo`, or, where the time to live counts, the servers of `/etc/resolv.conf`.
    System,
    /// These servers.
    Servers {
        /// At least one; asked in this order.
        servers: Vec<SocketAddr>,
        /// Over TCP only.
        tcp: bool,
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

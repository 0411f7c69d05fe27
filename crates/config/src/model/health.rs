//! Health checks.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

/// Which endpoints of a cluster count as healthy, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The active check, if there is one.
    pub check: Option<HealthCheck>,
    /// `healthy_panic_threshold` in per cent: with fewer healthy endpoints, all are used. Envoy default 50; 0 never.
    pub panic_threshold: u8,
    /// `ignore_health_on_host_removal`: an address that leaves DNS leaves at once. Otherwise a healthy one stays until a
    /// check fails.
    pub ignore_on_removal: bool,
    /// `close_connections_on_host_health_failure`.
    pub close_on_failure: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self { check: None, panic_threshold: 50, ignore_on_removal: false, close_on_failure: false }
    }
}

/// An active health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Part of its statistics' names; empty for none.
    pub name: String,
    /// What is asked.
    pub probe: Probe,
    /// Longest time of one attempt.
    pub timeout: Duration,
    /// Between two attempts while the endpoint is healthy.
    pub interval: Duration,
    /// After a failure that does not make a healthy endpoint unhealthy yet. Default `unhealthy_interval`.
    pub unhealthy_edge_interval: Option<Duration>,
    /// While it is unhealthy. Default `interval`.
    pub unhealthy_interval: Option<Duration>,
    /// After a success that does not make an unhealthy one healthy yet. Default `interval`.
    pub healthy_edge_interval: Option<Duration>,
    /// While the cluster has never been sent a request. Default 60 s.
    pub no_traffic_interval: Duration,
    /// The same for endpoints that are healthy. Default `no_traffic_interval`.
    pub no_traffic_healthy_interval: Option<Duration>,
    /// Up to so much before the first attempt, at random.
    pub initial_jitter: Duration,
    /// Up to so much is added to each interval, at random.
    pub interval_jitter: Duration,
    /// The same in per cent of the interval.
    pub interval_jitter_percent: u32,
    /// Failures in a row that make an endpoint unhealthy.
    pub unhealthy_threshold: u32,
    /// Successes in a row that make it healthy again; the first attempt of all counts alone.
    pub healthy_threshold: u32,
    /// Whether one connection serves all attempts. Default true.
    pub reuse_connection: bool,
}

/// What a health check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// An HTTP/1.1 request.
    Http(HttpProbe),
    /// A connection.
    Tcp,
}

/// `http_health_check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProbe {
    /// `GET` unless written.
    pub method: Method,
    /// Path, with its query if it has one.
    pub path: HeaderValue,
    /// `Host`; the cluster's name where it is not written.
    pub host: Option<HeaderValue>,
    /// Added to the request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Statuses of a healthy endpoint. Default 200 alone.
    pub expected: Vec<RangeInclusive<u16>>,
    /// Statuses that count towards `unhealthy_threshold`; others make an endpoint unhealthy at once.
    pub retriable: Vec<RangeInclusive<u16>>,
}

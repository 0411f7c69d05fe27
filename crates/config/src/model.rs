//! The one configuration model: ready-to-use values, nothing that still needs parsing.
//!
//! Indices stand for references (`Route::cluster` is an index into [`Config::clusters`]); the decoder
//! guarantees that they are in range.

mod mirror;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{HeaderName, HeaderValue};

pub use mirror::{Backlog, Delivery, Mirror, Order, Requests, Sync, When};

/// A whole configuration, checked: every index below is in range, every name is unique in its kind.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to call this configuration in messages: the file's path as given, or `command line`.
    pub origin: String,
    /// Who this proxy says it is (`/server_info`).
    pub node: Node,
    /// The admin listener; absent when the file configures none.
    pub admin: Option<Admin>,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Groups of upstream endpoints, primaries and mirrors alike.
    pub clusters: Vec<Cluster>,
    /// Destinations of copies. Each names the cluster that receives them; one per mirrored cluster.
    pub mirrors: Vec<Mirror>,
    /// Accepted, but worth a line in the log (rendered, several lines each).
    pub warnings: Vec<String>,
    /// The document as the operator wrote it, as JSON with secrets replaced, for `/config_dump`.
    pub document: serde_json::Value,
}

/// Envoy's `node` message, reported and otherwise unused.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// `node.id`.
    pub id: String,
    /// `node.cluster`.
    pub cluster: String,
    /// `node.locality.zone`.
    pub zone: String,
}

/// The admin listener.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it binds.
    pub address: SocketAddr,
}

/// One listening socket with its HTTP connection manager.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Unique; defaults to the address.
    pub name: String,
    /// Where it binds.
    pub address: SocketAddr,
    /// What is done with its requests.
    pub http: HttpManager,
}

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
}

impl Default for EnvoyConventions {
    fn default() -> Self {
        Self {
            server_name: "envoy".to_owned(),
            generate_request_id: true,
            use_remote_address: false,
            suppress_envoy_headers: false,
        }
    }
}

/// Routes of a set of domains.
#[derive(Debug, Clone)]
pub struct VirtualHost {
    /// Its name in messages.
    pub name: String,
    /// The `Host` values it serves. No domain stands in two virtual hosts of one listener.
    pub domains: Vec<Domain>,
    /// First match wins.
    pub routes: Vec<Route>,
}

/// One entry of `domains`, lower case, as in Envoy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Domain {
    /// `*`
    Any,
    /// `mimir.example`, with its port if one was written.
    Exact(String),
    /// `*.example` or `*-x.example`: what must follow the star (`.example`); the star stands for one or more characters.
    Suffix(String),
    /// `mimir.*`: what must stand before the star (`mimir.`); the star stands for one or more characters.
    Prefix(String),
}

/// A match and what to do with it.
#[derive(Debug, Clone)]
pub struct Route {
    /// `name`, may be empty.
    pub name: String,
    /// Which request paths (query excluded).
    pub path: PathMatch,
    /// Index into [`Config::clusters`]: the primary.
    pub cluster: usize,
    /// From the end of the request to the end of the answer; `None` is off. Envoy default 15 s.
    pub timeout: Option<Duration>,
    /// Copies to send.
    pub mirrors: Vec<MirrorPolicy>,
}

/// How a route matches a request path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// The path begins so.
    Prefix(String),
    /// The path is exactly so.
    Path(String),
}

/// One copy of a route's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorPolicy {
    /// Index into [`Config::mirrors`].
    pub mirror: usize,
    /// Which share of the requests.
    pub fraction: Fraction,
    /// The copy's `Host`.
    pub host: CopyHost,
    /// Applied to the copy's headers in this order, when it is sent.
    pub headers: Vec<HeaderMutation>,
}

/// A share of requests. `numerator >= denominator` is all of them, `numerator == 0` none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    /// How many ...
    pub numerator: u32,
    /// ... of how many: 100, 10 000 or 1 000 000 (Envoy's FractionalPercent).
    pub denominator: u32,
}

impl Fraction {
    /// Every request.
    pub const ALL: Self = Self { numerator: 100, denominator: 100 };

    /// Whether a request with this random number is chosen. One number per request, so that fractions with the same
    /// denominator nest: a 10 % mirror sees a subset of a 30 % mirror, as in Envoy.
    #[must_use]
    pub fn chooses(self, random: u64) -> bool {
        self.denominator != 0 && random % u64::from(self.denominator) < u64::from(self.numerator)
    }
}

/// The copy's `Host` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyHost {
    /// The client's, with `-shadow` after the name and before the port (Envoy's default).
    ShadowSuffix,
    /// The client's, as received (`disable_shadow_host_suffix_append`).
    Same,
    /// This one (`host_rewrite_literal`; the native form's host and port of the mirror's URL).
    Literal(HeaderValue),
}

/// One change to a copy's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderMutation {
    /// Replaces all values of the name, or adds it.
    Set(HeaderName, HeaderValue),
    /// Adds one more value.
    Append(HeaderName, HeaderValue),
    /// Adds it unless the name is there.
    AddIfAbsent(HeaderName, HeaderValue),
    /// Replaces all values of the name; does nothing if it is not there.
    OverwriteIfPresent(HeaderName, HeaderValue),
    /// Removes all values of the name.
    Remove(HeaderName),
}

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

//! Protocols: HTTP/1.1 and HTTP/2, as clients speak them and as clusters are spoken to.

use std::time::Duration;

use http::HeaderValue;

/// How a cluster's endpoints are spoken to. Copies are sent in HTTP/1.1 whatever stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamHttp {
    /// Which version.
    pub version: UpstreamVersion,
    /// Where it is HTTP/1.1.
    pub http1: UpstreamHttp1,
    /// Where it is HTTP/2.
    pub http2: Http2,
    /// How long a connection and how much of it is used.
    pub connections: ConnectionLimits,
    /// How long a connection without requests is kept; `None` is for ever. Default 60 s, since dskit (Mimir) closes
    /// its side after 2 min.
    pub idle_timeout: Option<Duration>,
}

impl Default for UpstreamHttp {
    fn default() -> Self {
        Self {
            version: UpstreamVersion::Http1,
            http1: UpstreamHttp1::default(),
            http2: Http2::to_cluster(),
            connections: ConnectionLimits::default(),
            idle_timeout: Some(Duration::from_secs(60)),
        }
    }
}

/// Which version of HTTP a cluster is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamVersion {
    /// HTTP/1.1 (the default).
    Http1,
    /// HTTP/2; with prior knowledge where the connection is not TLS.
    Http2,
    /// The one that the client of the request speaks.
    AsClient,
    /// What TLS negotiates (ALPN), HTTP/2 preferred.
    Negotiated,
}

/// HTTP/1.1 to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpstreamHttp1 {
    /// Header names are written `Like-This` (`header_key_format: { proper_case_words: {} }`).
    pub title_case: bool,
}

/// HTTP/2, to clients or to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http2 {
    /// Streams of one connection at the same time. Default 100.
    pub max_concurrent_streams: u32,
    /// Flow control window of a stream, in bytes. Default 128 KiB, so that a write of Prometheus' default size, 67 KB,
    /// needs no leave on its way; to a cluster, whose answers to writes are empty, 64 KiB.
    pub stream_window: u32,
    /// Flow control window of a connection, in bytes. Default 512 KiB; to a cluster, what all streams' windows add up
    /// to, so that clients that do not read hold up no other's answer.
    pub connection_window: u32,
    /// Pings that find out whether the peer is still there; `None` is off (the default).
    pub keepalive: Option<Keepalive>,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 100,
            stream_window: 128 << 10,
            connection_window: 512 << 10,
            keepalive: None,
        }
    }
}

impl Http2 {
    /// The defaults towards a cluster.
    #[must_use]
    pub fn to_cluster() -> Self {
        let (default, stream_window) = (Self::default(), 64 << 10);
        let connection_window = stream_window * default.max_concurrent_streams;
        Self { stream_window, connection_window, ..default }
    }

    /// Most streams of one connection; a larger number is lowered to this one.
    pub const STREAMS_MAX: u32 = 1024;
    /// Largest window of a stream (Envoy's default); a larger one is lowered to this one.
    pub const STREAM_WINDOW_MAX: u32 = 16 << 20;
    /// Largest window of a connection (Envoy's default); a larger one is lowered to this one.
    pub const CONNECTION_WINDOW_MAX: u32 = 24 << 20;
}

/// `connection_keepalive` of HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Time between two pings.
    pub interval: Duration,
    /// A ping without an answer for this long ends the connection.
    pub timeout: Duration,
}

/// How long a connection and how much of it is used, so that what balances connections gets to balance again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionLimits {
    /// A connection this old gets no new requests and ends after those in progress; `None` is off (the default).
    pub max_duration: Option<Duration>,
    /// The same after so many requests; `None` is off (the default).
    pub max_requests: Option<u32>,
}

/// How clients are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHttp {
    /// Which versions of HTTP clients may speak.
    pub codec: Codec,
    /// HTTP/1.
    pub http1: ClientHttp1,
    /// HTTP/2.
    pub http2: Http2,
    /// How long a connection and how much of it is used.
    pub connections: ConnectionLimits,
    /// Most headers of a request. Envoy default 100.
    pub max_headers: u32,
    /// What is done with header names that contain `_`.
    pub underscores: Underscores,
}

impl Default for ClientHttp {
    fn default() -> Self {
        Self {
            codec: Codec::Auto,
            http1: ClientHttp1::default(),
            http2: Http2::default(),
            connections: ConnectionLimits::default(),
            max_headers: 100,
            underscores: Underscores::Allow,
        }
    }
}

/// HCM `codec_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// By ALPN, else by the connection's first bytes (the default).
    Auto,
    /// HTTP/1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
}

/// HTTP/1 of clients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientHttp1 {
    /// Header names of answers are written `Like-This` (`header_key_format: { proper_case_words: {} }`).
    pub title_case: bool,
    /// HTTP/1.0 is served (`accept_http_10`).
    pub http_10: bool,
    /// `Host` of HTTP/1.0 requests that have none.
    pub default_host: Option<HeaderValue>,
}

/// HCM `headers_with_underscores_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Underscores {
    /// They are passed on (the default).
    Allow,
    /// The request is refused with 400.
    Reject,
    /// They are left out.
    Drop,
}

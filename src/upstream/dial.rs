//! Opens a connection, for requests and for copies alike. The function is all that the two share.

use std::net::SocketAddr;
use std::time::Duration;

use config::model::Sockets;

use crate::sockets;
use crate::stats::tls::TlsStats;
use crate::tls::client::Offer;
use crate::tls::{Stream, Transport};

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialError {
    /// Refused, unreachable, no descriptor left ...
    Failed,
    /// Not established in time.
    Timeout,
    /// The TLS handshake failed; why is counted and logged.
    Tls,
}

/// What a connection shall be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Longest time until it is established, TLS included.
    pub(crate) timeout: Duration,
    /// Asked of the kernel in bytes; without it the kernel chooses.
    pub(crate) send_buffer: Option<usize>,
    pub(crate) sockets: &'a Sockets,
    pub(crate) tls: &'a Transport,
    /// The `Host` of the request, for clusters that are asked for it by that name.
    pub(crate) host: Option<&'a str>,
    /// HTTP/2 will be spoken: TLS offers it.
    pub(crate) http2: bool,
    /// Where its handshake counts.
    pub(crate) stats: Option<&'a TlsStats>,
}

/// Connects to `address`.
pub(crate) async fn dial(address: SocketAddr, wanted: Wanted<'_>) -> Result<Stream, DialError> {
    let connected = tokio::time::timeout(wanted.timeout, establish(address, wanted)).await;
    connected.map_err(|_| DialError::Timeout)?
}

async fn establish(address: SocketAddr, wanted: Wanted<'_>) -> Result<Stream, DialError> {
    let connected = sockets::connect(address, wanted.sockets, wanted.send_buffer).await;
    let stream = connected.map_err(|error| {
        tracing::debug!(%address, %error, "cannot connect");
        DialError::Failed
    })?;
    let Some(tls) = wanted.tls.client() else { return Ok(Stream::Plain(stream)) };
    let offer = Offer { host: wanted.host, http2: wanted.http2, stats: wanted.stats };
    let secured = tls.connect(stream, address.ip(), offer).await;
    secured.map_err(|error| {
        tracing::debug!(%address, %error, "the TLS handshake failed");
        DialError::Tls
    })
}

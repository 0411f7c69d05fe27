//! Opens a TCP connection, for requests and for copies alike. The function is all that the two share.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

/// After this much silence the kernel asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialError {
    /// Refused, unreachable, no descriptor left ...
    Failed,
    /// Not established in time.
    Timeout,
}

/// Connects within `timeout`. `send_buffer` is asked of the kernel in bytes; without it the kernel chooses.
pub(crate) async fn dial(
    address: SocketAddr,
    timeout: Duration,
    send_buffer: Option<usize>,
) -> Result<TcpStream, DialError> {
    let connected = tokio::time::timeout(timeout, connect(address, send_buffer)).await;
    connected.map_err(|_| DialError::Timeout)?.map_err(|error| {
        tracing::debug!(%address, %error, "cannot connect");
        DialError::Failed
    })
}

async fn connect(address: SocketAddr, send_buffer: Option<usize>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(bytes) = send_buffer {
        socket.set_send_buffer_size(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

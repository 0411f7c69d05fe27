//! Opens a TCP connection, for requests and for copies alike. The function is all that the two share.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

/// After this much silence the kernel asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum DialError {
    /// Refused, unreachable, no descriptor left ...
    Failed(io::Error),
    /// Not established in time.
    Timeout,
}

/// Connects within `timeout`. `send_buffer` is asked of the kernel in bytes; without it the kernel chooses.
pub(crate) async fn dial(
    address: SocketAddr,
    timeout: Duration,
    send_buffer: Option<usize>,
) -> Result<TcpStream, DialError> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(DialError::Failed)?;
    if let Some(bytes) = send_buffer {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        socket.set_send_buffer_size(bytes).map_err(DialError::Failed)?;
    }
    let connected = tokio::time::timeout(timeout, socket.connect(address)).await;
    let stream = connected.map_err(|_| DialError::Timeout)?.map_err(DialError::Failed)?;
    stream.set_nodelay(true).map_err(DialError::Failed)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(DialError::Failed)?;
    Ok(stream)
}

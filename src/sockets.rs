//! What is asked of the kernel for a connection: where it comes from, and how its silence is probed. Requests, copies
//! and health checks connect by the same function, so that a cluster sees them all come from one address.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use config::model::{Sockets, TcpKeepalive};
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

/// Of connections to clusters that say nothing about it: after this much silence the kernel asks whether the peer is
/// still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Connects to `address`. `send_buffer` in bytes; without it the kernel chooses.
pub(crate) async fn connect(
    address: SocketAddr,
    options: &Sockets,
    send_buffer: Option<usize>,
) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(bytes) = send_buffer {
        socket.set_send_buffer_size(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    if let Some(source) = options.source {
        socket.bind(source)?;
    }
    let own = TcpKeepalive { probes: None, time: Some(KEEPALIVE), interval: Some(KEEPALIVE) };
    keep_alive(&SockRef::from(&socket), options.keepalive.unwrap_or(own))?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Has the kernel probe silent peers. As in Envoy, a 0 anywhere means not at all.
pub(crate) fn keep_alive(socket: &SockRef<'_>, options: TcpKeepalive) -> io::Result<()> {
    let TcpKeepalive { probes, time, interval } = options;
    if probes == Some(0) || time == Some(Duration::ZERO) || interval == Some(Duration::ZERO) {
        return Ok(());
    }
    let mut keepalive = socket2::TcpKeepalive::new();
    if let Some(probes) = probes {
        keepalive = keepalive.with_retries(probes);
    }
    if let Some(time) = time {
        keepalive = keepalive.with_time(time);
    }
    if let Some(interval) = interval {
        keepalive = keepalive.with_interval(interval);
    }
    socket.set_tcp_keepalive(&keepalive)
}

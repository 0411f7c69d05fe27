//! How a listener's sockets are made.

use std::net::SocketAddr;
use std::time::Duration;

/// Options of a listener's sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerSocket {
    /// Further addresses that the listener binds to (`additional_addresses`).
    pub additional: Vec<SocketAddr>,
    /// Connections that may wait to be accepted (`tcp_backlog_size`); `None` is the program's own default.
    pub backlog: Option<u32>,
    /// Probes of silent client connections (`tcp_keepalive`); `None` sends none.
    pub keepalive: Option<TcpKeepalive>,
    /// The address need not be the machine's yet (`freebind`).
    pub freebind: bool,
}

/// TCP keepalive; `None` leaves a value to the system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// Probes without an answer before the connection counts as dead.
    pub probes: Option<u32>,
    /// Silence before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

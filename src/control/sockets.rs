//! The listening sockets: all there before anything else is started, so that a start that cannot succeed changes nothing.
//!
//! A socket is taken from the process before this one, or from systemd, if one of them has it; otherwise it is bound.

use std::io;
use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use config::model::{Config, ListenerSocket};

use crate::server::accept;

/// Every listening socket.
pub(super) struct Sockets {
    /// With the index of their listener, which may have several.
    pub(super) listeners: Vec<(usize, TcpListener)>,
    pub(super) admin: Option<TcpListener>,
}

impl Sockets {
    /// `passed` are sockets of others, by the address that they were bound to.
    pub(super) fn open(config: &Config, mut passed: Vec<(SocketAddr, TcpListener)>) -> anyhow::Result<Self> {
        let mut open = |address, options: &ListenerSocket| {
            let opened = match take(&mut passed, address) {
                Some(socket) => accept::adopt(socket, options),
                None => accept::bind(address, options),
            };
            opened.with_context(|| format!("cannot bind '{address}'"))
        };
        let mut listeners = Vec::new();
        for (index, listener) in config.listeners.iter().enumerate() {
            for address in listener.addresses() {
                listeners.push((index, open(address, &listener.socket)?));
            }
        }
        let plain = ListenerSocket::default();
        let admin = config.admin.as_ref().map(|admin| open(admin.address, &plain)).transpose()?;
        for (address, _) in passed {
            tracing::warn!(%address, "a socket was passed that no listener has; it is closed");
        }
        Ok(Self { listeners, admin })
    }

    /// Where the listeners really are, each by its first address: port 0 let the system choose.
    pub(super) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let mut addresses = Vec::new();
        for (index, socket) in &self.listeners {
            if *index == addresses.len() {
                addresses.push(socket.local_addr()?);
            }
        }
        Ok(addresses)
    }

    /// The same sockets once more, by configured address, for a process that takes over.
    pub(super) fn copies(&self, config: &Config) -> io::Result<Vec<(SocketAddr, TcpListener)>> {
        let addresses = config.listeners.iter().flat_map(|listener| listener.addresses());
        let listeners = addresses.zip(self.listeners.iter().map(|(_, socket)| socket));
        let admin = config.admin.as_ref().map(|admin| admin.address).into_iter().zip(&self.admin);
        listeners.chain(admin).map(|(address, socket)| Ok((address, socket.try_clone()?))).collect()
    }
}

/// The sockets that systemd passed to this process (`LISTEN_FDS`).
pub(super) fn from_systemd() -> anyhow::Result<Vec<(SocketAddr, TcpListener)>> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let socket =
            passed.take_tcp_listener(index).context("a socket that systemd passed is no TCP listener")?;
        if let Some(socket) = socket {
            socket.set_nonblocking(true)?;
            sockets.push((socket.local_addr()?, socket));
        }
    }
    Ok(sockets)
}

fn take(passed: &mut Vec<(SocketAddr, TcpListener)>, wanted: SocketAddr) -> Option<TcpListener> {
    // A port of systemd's without an address is `[::]`, which takes IPv4 too.
    let alike = |address: SocketAddr| {
        address.port() == wanted.port() && address.ip().is_unspecified() && wanted.ip().is_unspecified()
    };
    let exact = passed.iter().position(|(address, _)| *address == wanted);
    let found = exact.or_else(|| passed.iter().position(|(address, _)| alike(*address)))?;
    Some(passed.swap_remove(found).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passed_socket_is_taken_by_its_address() {
        let socket = || TcpListener::bind("127.0.0.1:0").unwrap();
        let named = |text: &str| (text.parse::<SocketAddr>().unwrap(), socket());
        let mut passed = vec![named("[::]:9900"), named("127.0.0.1:9901"), named("127.0.0.1:0")];
        let mut take = |text: &str| take(&mut passed, text.parse().unwrap()).is_some();
        assert!(!take("10.0.0.1:9901"));
        assert!(take("127.0.0.1:9901") && !take("127.0.0.1:9901"));
        assert!(take("0.0.0.0:9900"));
        assert!(take("127.0.0.1:0"));
    }
}

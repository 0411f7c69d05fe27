//! The listening sockets: all bound before anything else is started, so that a start that cannot succeed changes nothing.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use config::model::Config;

use crate::server::accept;

/// Every listening socket, bound before anything else is started.
pub(super) struct Sockets {
    /// By listener.
    pub(super) listeners: Vec<TcpListener>,
    pub(super) admin: Option<TcpListener>,
}

impl Sockets {
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let bind = |address| accept::bind(address).with_context(|| format!("cannot bind '{address}'"));
        let listeners = config.listeners.iter().map(|listener| bind(listener.address));
        Ok(Self {
            listeners: listeners.collect::<anyhow::Result<_>>()?,
            admin: config.admin.as_ref().map(|admin| bind(admin.address)).transpose()?,
        })
    }

    /// Where the listeners really are: port 0 let the system choose.
    pub(super) fn addresses(&self) -> std::io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }
}

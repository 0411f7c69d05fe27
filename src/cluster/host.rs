//! One endpoint as one worker sees it: where it is, and what is counted for it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::{Flags, Id, Member};
use crate::stats::host::HostStats;

/// One worker's view of an endpoint. Lives as long as the endpoint is a member, and as its connections.
#[derive(Debug)]
pub(crate) struct Host {
    pub(super) id: Id,
    address: Cell<SocketAddr>,
    health: Cell<Flags>,
    /// The name that it has in the configuration; empty for an address.
    #[allow(dead_code, reason = "what `auto_host_rewrite` puts into a request's Host")]
    pub(crate) hostname: Arc<str>,
    pub(super) weight: u32,
    pub(crate) stats: Arc<HostStats>,
}

impl Host {
    pub(super) fn new(member: &Member, stats: Arc<HostStats>) -> Rc<Self> {
        Rc::new(Self {
            id: member.id,
            address: Cell::new(member.address),
            health: Cell::new(member.health),
            hostname: Arc::clone(&member.hostname),
            weight: member.weight,
            stats,
        })
    }

    /// Takes what can change while it stays the same endpoint.
    pub(super) fn update(&self, member: &Member) {
        self.address.set(member.address);
        self.health.set(member.health);
    }

    /// Where a new connection goes.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.get()
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.health.get().is_healthy()
    }
}

/// A connection to an endpoint, from the moment it is established; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Connected(Rc<Host>);

impl Connected {
    pub(crate) fn to(host: &Rc<Host>) -> Self {
        host.stats.cx_active.inc();
        Self(Rc::clone(host))
    }

    pub(crate) fn host(&self) -> &Rc<Host> {
        &self.0
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.stats.cx_active.dec();
    }
}

/// A request for which an endpoint has been chosen; in progress until it is dropped.
#[derive(Debug)]
pub(crate) struct Asked {
    host: Rc<Host>,
    answered: bool,
}

impl Asked {
    pub(crate) fn of(host: &Rc<Host>) -> Self {
        host.stats.rq_active.inc();
        Self { host: Rc::clone(host), answered: false }
    }

    /// The head of its answer has come, or it is clear that there will be none.
    pub(crate) fn answered(&mut self, status: Option<u16>) {
        self.answered = true;
        match status {
            Some(status) if status < 500 => self.host.stats.rq_success.inc(),
            _ => self.host.stats.rq_error.inc(),
        }
    }
}

impl Asked {
    /// A circuit breaker refused it: the endpoint has no part in that.
    pub(crate) fn refused(&mut self) {
        self.answered = true;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.host.stats.rq_active.dec();
        // Nobody waits any longer, and nothing had come.
        if !self.answered {
            self.host.stats.rq_timeout.inc();
            self.host.stats.rq_error.inc();
        }
    }
}

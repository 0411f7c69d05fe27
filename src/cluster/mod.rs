//! Clusters, process-wide: which addresses their endpoints have, which of them are healthy, and which is next.
//!
//! The control thread resolves names ([`discovery`]), checks endpoints ([`health`]) and publishes the members of each cluster. Each worker keeps its
//! own [`Endpoints`], told of a change by a message, so that choosing one touches nothing shared ([`balancer`]).

mod balancer;
pub(crate) mod breakers;
pub(crate) mod discovery;
mod dns;
mod endpoints;
pub(crate) mod health;
mod host;
mod lookup;

use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use endpoints::Endpoints;
pub(crate) use host::{Asked, Connected, Host};

pub(crate) use crate::stats::host::Id;

/// The members of a cluster as published by the control thread.
pub(crate) type Members = Arc<[Member]>;

/// One endpoint that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: Id,
    /// Where new connections go.
    pub(crate) address: SocketAddr,
    /// The name that it has in the configuration; empty for an address.
    pub(crate) hostname: Arc<str>,
    pub(crate) weight: u32,
    pub(crate) health: Flags,
    /// Where its health is checked; `None`: it is not.
    pub(crate) check: Option<SocketAddr>,
}

/// How it stands with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    /// The configuration says so.
    pub(crate) configured: bool,
    /// Its health checks fail, or none has passed yet.
    pub(crate) checked: bool,
    /// DNS does not name it any more; it stays as long as its checks pass. No reason not to be healthy.
    pub(crate) leaving: bool,
}

impl Flags {
    /// No reason stands against it.
    pub(crate) fn is_healthy(self) -> bool {
        !self.configured && !self.checked
    }
}

#[cfg(any(test, fuzzing))]
impl Member {
    /// A healthy one without a name.
    pub(crate) fn at(address: &str) -> Self {
        #[allow(clippy::expect_used, reason = "addresses of tests")]
        let address: SocketAddr = address.parse().expect("an address");
        let id = Id::Address(address);
        Self { id, address, hostname: Arc::from(""), weight: 1, health: Flags::default(), check: None }
    }
}

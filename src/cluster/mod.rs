//! Clusters, process-wide: which addresses their endpoints have.
//!
//! The control thread resolves names ([`discovery`]) and publishes addresses; each worker keeps its own
//! [`Endpoints`], told of a change by a message, so that choosing an address touches nothing shared.

pub(crate) mod discovery;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

/// The addresses of a cluster as published by the control thread.
pub(crate) type Addresses = Arc<[SocketAddr]>;

/// One worker's view of a cluster's addresses, with its round robin.
#[derive(Debug)]
pub(crate) struct Endpoints {
    addresses: RefCell<Addresses>,
    next: Cell<usize>,
}

impl Endpoints {
    /// Starts at a random address, so that workers do not march in step.
    pub(crate) fn new(addresses: Addresses) -> Rc<Self> {
        Rc::new(Self { addresses: RefCell::new(addresses), next: Cell::new(fastrand::usize(..1 << 16)) })
    }

    /// The next address in turn; `None` while the cluster has none.
    pub(crate) fn pick(&self) -> Option<SocketAddr> {
        let addresses = self.addresses.borrow();
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        addresses.get(turn.checked_rem(addresses.len())?).copied()
    }

    pub(crate) fn contains(&self, address: SocketAddr) -> bool {
        self.addresses.borrow().contains(&address)
    }

    /// Takes every change that the control thread publishes. Ends with the publisher.
    pub(crate) async fn follow(self: Rc<Self>, mut published: watch::Receiver<Addresses>) {
        while published.changed().await.is_ok() {
            let addresses = Arc::clone(&published.borrow_and_update());
            *self.addresses.borrow_mut() = addresses;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_turns_and_none_is_none() {
        let addresses: Addresses =
            ["127.0.0.1:1", "127.0.0.1:2"].iter().map(|text| text.parse().unwrap()).collect();
        let endpoints = Endpoints::new(Arc::clone(&addresses));
        let picked: Vec<_> = (0..4).filter_map(|_| endpoints.pick()).collect();
        assert_eq!(picked[0], picked[2]);
        assert_eq!(picked[1], picked[3]);
        assert_ne!(picked[0], picked[1]);
        assert_eq!(Endpoints::new(Arc::from([])).pick(), None);
    }
}

//! How connections end: who closed, and whether a request was in progress.

use super::counter::Counter;

/// Envoy's `*_cx_destroy_*`. One thread writes.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    local: Counter,
    local_active: Counter,
    remote: Counter,
    remote_active: Counter,
}

impl Ends {
    /// A connection has ended. `by_peer`: the other side closed first. `active`: in the middle of a request.
    pub(crate) fn count(&self, by_peer: bool, active: bool) {
        let (all, with_request) =
            if by_peer { (&self.remote, &self.remote_active) } else { (&self.local, &self.local_active) };
        all.inc();
        if active {
            with_request.inc();
        }
    }

    pub(crate) fn local(&self) -> u64 {
        self.local.get()
    }

    pub(crate) fn local_active(&self) -> u64 {
        self.local_active.get()
    }

    pub(crate) fn remote(&self) -> u64 {
        self.remote.get()
    }

    pub(crate) fn remote_active(&self) -> u64 {
        self.remote_active.get()
    }
}

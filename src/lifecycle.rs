//! What the whole process may know about its own state. Written by the control thread, read by all.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Which processes can take over from each other (`--hot-restart-version`).
pub(crate) const HOT_RESTART_VERSION: &str = "1.0";

/// The place of this process in a line of processes that took over from each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generation {
    /// Another process can take over from this one.
    pub(crate) followed: bool,
    /// `--restart-epoch`.
    pub(crate) epoch: u32,
    /// The how many-th it is, from 1.
    pub(crate) number: u32,
    /// When the first of the line started, in milliseconds since 1970.
    pub(crate) first_start_ms: u64,
}

/// Flags of the process, with Envoy's meaning.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    /// Listeners are open: `/ready` answers `LIVE`.
    live: AtomicBool,
    /// `POST /healthcheck/fail`, or a drain before exit: `/ready` answers 503 `DRAINING` and answers to clients
    /// carry `connection: close`, so that load balancers and clients go elsewhere.
    failing: AtomicBool,
    /// Listeners close soon: answers to clients carry `connection: close`, while `/ready` stays as it is.
    closing: AtomicBool,
    /// Workers that have no clients any more, after another process has taken over.
    without_clients: AtomicUsize,
}

impl Lifecycle {
    pub(crate) fn set_live(&self) {
        self.live.store(true, Relaxed);
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Relaxed)
    }

    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Relaxed);
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Relaxed)
    }

    pub(crate) fn set_closing(&self) {
        self.closing.store(true, Relaxed);
    }

    /// Whether clients are asked to connect elsewhere.
    pub(crate) fn asks_to_leave(&self) -> bool {
        self.is_failing() || self.closing.load(Relaxed)
    }

    /// A worker says, once, that it has no clients any more and will have none.
    pub(crate) fn count_without_clients(&self) {
        self.without_clients.fetch_add(1, Relaxed);
    }

    pub(crate) fn without_clients(&self) -> usize {
        self.without_clients.load(Relaxed)
    }

    /// Envoy's name of the state, as in `/ready` and `/server_info`.
    pub(crate) fn name(&self) -> &'static str {
        match (self.is_live(), self.is_failing()) {
            (_, true) => "DRAINING",
            (true, false) => "LIVE",
            (false, false) => "INITIALIZING",
        }
    }
}

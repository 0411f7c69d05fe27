//! What the whole process may know about its own state. Written by the control thread, read by all.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

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

    /// Envoy's name of the state, as in `/ready` and `/server_info`.
    pub(crate) fn name(&self) -> &'static str {
        match (self.is_live(), self.is_failing()) {
            (_, true) => "DRAINING",
            (true, false) => "LIVE",
            (false, false) => "INITIALIZING",
        }
    }
}

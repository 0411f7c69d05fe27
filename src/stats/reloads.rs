//! Reloads of the configuration: counted over the life of the process, while every other counter belongs to one
//! configuration.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Written by whichever thread starts a configuration.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    applied: AtomicU64,
    refused: AtomicU64,
    /// Of these, how many have come since the last one that was applied.
    refused_since: AtomicU64,
    /// When the configuration in force was taken, in milliseconds since 1970.
    in_force_since_ms: AtomicU64,
}

impl Reloads {
    /// The first configuration is in force.
    pub(crate) fn begin(&self, now_ms: u64) {
        self.in_force_since_ms.store(now_ms, Relaxed);
    }

    /// A later one is.
    pub(crate) fn count_applied(&self, now_ms: u64) {
        self.applied.fetch_add(1, Relaxed);
        self.refused_since.store(0, Relaxed);
        self.begin(now_ms);
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
        self.refused_since.fetch_add(1, Relaxed);
    }

    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Whether what is in force is what was last asked for.
    pub(crate) fn last_was_applied(&self) -> bool {
        self.refused_since.load(Relaxed) == 0
    }

    pub(crate) fn in_force_since_ms(&self) -> u64 {
        self.in_force_since_ms.load(Relaxed)
    }
}

//! Envoy's `filesystem.*`: what becomes of lines of access logs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::counter::Counter;
use crate::limits::LOG_BYTES;

/// The counters are the log thread's; the two numbers below are everybody's, and touched only where a log is configured.
#[derive(Debug, Default)]
pub(crate) struct FileStats {
    pub(crate) write_buffered: Counter,
    pub(crate) write_completed: Counter,
    pub(crate) write_failed: Counter,
    pub(crate) flushed_by_timer: Counter,
    pub(crate) reopen_failed: Counter,
    /// Bytes of lines that are not written yet.
    waiting: AtomicU64,
    /// Lines for which there was no room.
    dropped: AtomicU64,
}

impl FileStats {
    /// Room for a line of so many bytes; `false` if there is none.
    pub(crate) fn reserve(&self, bytes: u64) -> bool {
        if self.waiting.fetch_add(bytes, Relaxed) + bytes <= LOG_BYTES {
            return true;
        }
        self.release(bytes);
        false
    }

    pub(crate) fn release(&self, bytes: u64) {
        self.waiting.fetch_sub(bytes, Relaxed);
    }

    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

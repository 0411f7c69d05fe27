//! What is counted of one mirror's backlog. Its thread alone writes.

use super::counter::{Counter, Gauge};

/// Gauges are refreshed about once a second.
#[derive(Debug, Default)]
pub(crate) struct BacklogStats {
    /// 1 while the backlog is open, 0 while copies are in memory only.
    pub(crate) open: Gauge,
    /// Bytes of its files.
    pub(crate) disk_bytes: Gauge,
    /// Copies in it that have no outcome.
    pub(crate) records: Gauge,
    pub(crate) segments: Gauge,
    /// When the first of those copies arrived, in milliseconds since 1970; 0 when there is none.
    pub(crate) oldest_arrival_ms: Gauge,
    /// Unfinished copies that are to be appended again: refused by the disk, or in doubt after a sync that failed.
    pub(crate) to_append_again: Gauge,
    /// Appended copies; what was appended again counts again.
    pub(crate) appended_records: Counter,
    /// Their payloads.
    pub(crate) appended_bytes: Counter,
    /// Times that the disk, or the bound on its use, refused copies.
    pub(crate) append_failures: Counter,
    /// Syncs and checkpoints that failed.
    pub(crate) sync_failures: Counter,
    /// Damaged places found when the backlog was opened (but for the tail that a crash tears off), and records found
    /// damaged when they were read.
    pub(crate) damaged_records: Counter,
    /// Segments given up after a sync that failed.
    pub(crate) abandoned_segments: Counter,
    /// Records that a failed sync put in doubt.
    pub(crate) doubtful_records: Counter,
    /// Let go because they were older than `max_age`.
    pub(crate) expired_by_age: Counter,
    /// Let go to make room.
    pub(crate) expired_by_size: Counter,
    /// Let go because an operator said so.
    pub(crate) skipped: Counter,
}

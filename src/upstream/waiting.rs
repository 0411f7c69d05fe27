//! Requests that wait for a connection, for the statistics.

use super::io::Counters;
use crate::cluster::Host;

/// A request without a connection, for the gauges. Dropped before its end it was given up.
pub(super) struct Waiting<'a> {
    counters: &'a Counters,
    host: &'a Host,
    over: bool,
}

impl<'a> Waiting<'a> {
    pub(super) fn begin(counters: &'a Counters, host: &'a Host) -> Self {
        counters.get().inspect(|stats| {
            stats.rq_pending_total.inc();
            stats.rq_pending_active.inc();
        });
        host.stats.rq_pending_active.inc();
        Self { counters, host, over: false }
    }

    /// There is a connection, or there will be none.
    pub(super) fn end(mut self) {
        self.over = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.host.stats.rq_pending_active.dec();
        self.counters.get().inspect(|stats| {
            stats.rq_pending_active.dec();
            if !self.over {
                stats.rq_cancelled.inc();
            }
        });
    }
}

//! Answers of a cluster, by status, with their time.

use super::counter::Counter;
use super::histogram::Histogram;

/// Answers with their time.
#[derive(Debug, Default)]
pub(crate) struct AnswerStats {
    by_status: ByStatus,
    /// From the request's first byte to the end of its answer.
    pub(crate) time: Histogram,
}

impl AnswerStats {
    pub(crate) fn count(&self, status: u16) {
        self.by_status.count(status);
    }

    /// The statuses seen, with their counts.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        self.by_status.statuses()
    }
}

/// Answers by status.
#[derive(Debug)]
pub(crate) struct ByStatus {
    /// Index = status - 100, for 100 to 599; includes answers made locally, as in Envoy.
    counts: Box<[Counter]>,
}

impl Default for ByStatus {
    fn default() -> Self {
        Self { counts: (0..500).map(|_| Counter::default()).collect() }
    }
}

impl ByStatus {
    pub(crate) fn count(&self, status: u16) {
        if let Some(counter) = self.counts.get(usize::from(status.wrapping_sub(100))) {
            counter.inc();
        }
    }

    /// The statuses seen, with their counts.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        (100u16..).zip(self.counts.iter()).map(|(status, n)| (status, n.get())).filter(|&(_, n)| n > 0)
    }
}

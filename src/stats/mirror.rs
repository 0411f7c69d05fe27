//! What is counted of one mirror, and how a copy can end. The rules of the ledger are `mirror::ledger`'s.

use super::counter::{Counter, Gauge};
use super::histogram::Histogram;

/// How a copy ended. One counter each; [`Outcome::labels`] gives the metric's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The mirror took it (2xx).
    Delivered,
    /// 202 on a write path: the mirror's HA tracker follows the other replica.
    Deduplicated,
    /// 2xx, but the answer says that some data points were refused (OTLP partial success).
    Partial,
    /// A verdict on the data: out of order.
    RejectedOutOfOrder,
    /// A verdict on the data: older than the mirror accepts.
    RejectedTooOld,
    /// A verdict on the data: same timestamp, other value.
    RejectedDuplicate,
    /// A verdict on the data: one of the tenant's limits.
    RejectedLimit,
    /// Any other 400, 409, 413, 415, 422.
    RejectedOther,
    /// 401, 403, 407: the mirror's door.
    FailedUnauthorized,
    /// Other 3xx and 4xx that are no verdict on the data.
    FailedClientError,
    /// 429.
    FailedRateLimited,
    /// 5xx.
    FailedServerError,
    /// No answer in time: the mirror may or may not have it.
    FailedTimeout,
    /// The connection could not be made.
    FailedConnect,
    /// The connection was not made in time.
    FailedConnectTimeout,
    /// The mirror has no address (DNS).
    FailedNoEndpoint,
    /// The connection closed before an answer.
    FailedReset,
    /// What came back is no HTTP/1.1 answer.
    FailedProtocol,
    /// No bytes left in the mirror's buffer.
    DroppedBufferFull,
    /// Too many copies held.
    DroppedTooManyCopies,
    /// Larger than `max_request`.
    DroppedTooLarge,
    /// Still waiting when the process had to leave.
    DroppedShutdown,
    /// Waited longer than `max_age`.
    Expired,
}

impl Outcome {
    /// Every outcome, in the order of the counters.
    pub(crate) const ALL: [Self; 23] = [
        Self::Delivered,
        Self::Deduplicated,
        Self::Partial,
        Self::RejectedOutOfOrder,
        Self::RejectedTooOld,
        Self::RejectedDuplicate,
        Self::RejectedLimit,
        Self::RejectedOther,
        Self::FailedUnauthorized,
        Self::FailedClientError,
        Self::FailedRateLimited,
        Self::FailedServerError,
        Self::FailedTimeout,
        Self::FailedConnect,
        Self::FailedConnectTimeout,
        Self::FailedNoEndpoint,
        Self::FailedReset,
        Self::FailedProtocol,
        Self::DroppedBufferFull,
        Self::DroppedTooManyCopies,
        Self::DroppedTooLarge,
        Self::DroppedShutdown,
        Self::Expired,
    ];

    /// The labels `outcome` and `reason` of `mimir_mirror_requests_total`.
    pub(crate) fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Delivered => ("delivered", ""),
            Self::Deduplicated => ("deduplicated", ""),
            Self::Partial => ("partial", ""),
            Self::RejectedOutOfOrder => ("rejected", "out_of_order"),
            Self::RejectedTooOld => ("rejected", "too_old"),
            Self::RejectedDuplicate => ("rejected", "duplicate"),
            Self::RejectedLimit => ("rejected", "limit"),
            Self::RejectedOther => ("rejected", "other"),
            Self::FailedUnauthorized => ("failed", "unauthorized"),
            Self::FailedClientError => ("failed", "http_4xx"),
            Self::FailedRateLimited => ("failed", "rate_limited"),
            Self::FailedServerError => ("failed", "http_5xx"),
            Self::FailedTimeout => ("failed", "unknown_outcome"),
            Self::FailedConnect => ("failed", "connect_failed"),
            Self::FailedConnectTimeout => ("failed", "connect_timeout"),
            Self::FailedNoEndpoint => ("failed", "no_endpoint"),
            Self::FailedReset => ("failed", "reset"),
            Self::FailedProtocol => ("failed", "protocol"),
            Self::DroppedBufferFull => ("dropped", "buffer_full"),
            Self::DroppedTooManyCopies => ("dropped", "too_many_copies"),
            Self::DroppedTooLarge => ("dropped", "too_large"),
            Self::DroppedShutdown => ("dropped", "shutdown"),
            Self::Expired => ("expired", ""),
        }
    }
}

/// One worker's counters of one mirror.
#[derive(Debug, Default)]
pub(crate) struct MirrorStats {
    /// Complete requests that were to be copied.
    pub(crate) received: Counter,
    /// By [`Outcome`].
    outcomes: [Counter; Outcome::ALL.len()],
    /// Copies without an outcome: waiting or in flight.
    pub(crate) pending: Gauge,
    /// Budget bytes those copies, and the requests still arriving, hold.
    pub(crate) pending_bytes: Gauge,
    /// Age of the oldest pending copy in milliseconds, refreshed about once a second.
    pub(crate) lag_ms: Gauge,
    /// Requests whose client left before they were complete: no copy, outside the sum.
    pub(crate) incomplete: Counter,
    /// Requests that are never copied (not a write, destructive, gRPC): outside the sum.
    pub(crate) excluded: Counter,
    /// Requests that the mirror's percentage left out: outside the sum.
    pub(crate) not_chosen: Counter,
    /// Tokens that went without an outcome. Always 0, or we have a bug.
    pub(crate) lost_tokens: Counter,
    /// Connections open to this mirror.
    pub(crate) connections: Gauge,
    /// From the copy's first byte to its outcome.
    pub(crate) duration: Histogram,
}

impl MirrorStats {
    pub(crate) fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome as usize).map_or(0, Counter::get)
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        if let Some(counter) = self.outcomes.get(outcome as usize) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c7_the_order_of_all_is_the_order_of_the_counters() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
    }

    #[test]
    fn c7_labels_are_distinct() {
        let labels: std::collections::HashSet<_> = Outcome::ALL.into_iter().map(Outcome::labels).collect();
        assert_eq!(labels.len(), Outcome::ALL.len());
    }
}

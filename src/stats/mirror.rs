//! What is counted of one mirror, and how a copy can end. The rules of the ledger are `mirror::ledger`'s.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::counter::{Counter, Gauge};
use super::histogram::Histogram;
use super::pairs::Pairs;
use super::tenants::Met;

/// How a copy ended. One counter each; [`Outcome::labels`] gives the metric's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Waited longer than `max_age`, or the backlog's.
    Expired,
    /// The oldest of a full backlog.
    ExpiredSize,
    /// An operator had the mirror skip to now.
    ExpiredSkipped,
    /// Out of order or a duplicate, of a copy that the mirror may have taken before: another attempt, or sent again
    /// after a restart.
    Repeated,
    /// Its bytes in the backlog are damaged.
    FailedDamaged,
    /// The TLS handshake failed.
    FailedTls,
}

impl Outcome {
    /// Every outcome, in the order of the counters.
    pub(crate) const ALL: [Self; 28] = [
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
        Self::ExpiredSize,
        Self::ExpiredSkipped,
        Self::Repeated,
        Self::FailedDamaged,
        Self::FailedTls,
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
            Self::Expired => ("expired", "age"),
            Self::ExpiredSize => ("expired", "size"),
            Self::ExpiredSkipped => ("expired", "skipped"),
            Self::Repeated => ("repeated", ""),
            Self::FailedDamaged => ("failed", "damaged"),
            Self::FailedTls => ("failed", "tls"),
        }
    }
}

impl Outcome {
    /// Whether the mirror took the copy or judged what is in it.
    pub(crate) fn is_answer(self) -> bool {
        matches!(
            self,
            Self::Delivered
                | Self::Deduplicated
                | Self::Partial
                | Self::RejectedOutOfOrder
                | Self::RejectedTooOld
                | Self::RejectedDuplicate
                | Self::RejectedLimit
                | Self::RejectedOther
                | Self::Repeated
        )
    }

    /// Both in one word: `rejected/too_old`.
    pub(crate) fn name(self) -> String {
        match self.labels() {
            (outcome, "") => outcome.to_owned(),
            (outcome, reason) => format!("{outcome}/{reason}"),
        }
    }
}

/// How a copy that is kept in order came to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// Nothing trailed when it arrived.
    Direct,
    /// It waited for what trailed; nothing was read.
    Waited,
    /// Its body was read to find out what it has to wait for.
    Read,
}

impl Path {
    /// Every path, in the order of the counters.
    pub(crate) const ALL: [Self; 3] = [Self::Direct, Self::Waited, Self::Read];

    /// The label `path` of `mimir_mirror_ordered_total`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Waited => "waited",
            Self::Read => "read",
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
    /// Copies found in the backlog at the start.
    pub(crate) recovered: Counter,
    /// 1 once they are counted: the backlog was opened.
    pub(crate) recovery_known: Gauge,
    /// Copies of this worker without an outcome: waiting or in flight.
    pub(crate) pending: Gauge,
    /// Copies handed to durable delivery.
    pub(crate) handed: Counter,
    /// Copies that left durable delivery with an outcome.
    pub(crate) settled: Counter,
    /// Attempts after a copy's first.
    pub(crate) retries: Counter,
    /// Answers that could not wait until their copy was in the backlog.
    pub(crate) late_answers: Counter,
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
    /// Requests that were not copied because the primary did not take them (`when: answered`): outside the sum.
    pub(crate) not_answered: Counter,
    /// Tokens that went without an outcome. Always 0, or we have a bug.
    pub(crate) lost_tokens: Counter,
    /// Connections open to this mirror.
    pub(crate) connections: Gauge,
    /// Copies of writes by how their order let them go; see [`Path`].
    ordered: [Counter; Path::ALL.len()],
    /// From the copy's first byte to the end of its attempt.
    pub(crate) duration: Histogram,
    /// Copies by what the primary and the mirror answered.
    pub(crate) pairs: Pairs,
    /// Samples that the primary said it has written, of requests with a copy.
    pub(crate) written_primary: Counter,
    /// Samples that the mirror said it has written.
    pub(crate) written_secondary: Counter,
    /// The tenants that this thread has met.
    pub(crate) tenants: Met,
    /// What the mirror said last, by outcome.
    said: Mutex<Said>,
}

/// The first words of the mirror's last refusal of each kind.
pub(crate) type Said = BTreeMap<Outcome, Words>;

/// A refusal in the mirror's own words.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// `None` if it did not answer.
    pub(crate) status: Option<u16>,
    pub(crate) text: String,
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.status {
            Some(status) if self.text.is_empty() => write!(f, "{status}"),
            Some(status) => write!(f, "{status} {:?}", self.text),
            None => f.write_str("no answer"),
        }
    }
}

/// Refusals of one kind closer together than this are not kept, so that a storm of them costs nothing.
const SAID_EVERY_MS: u64 = 1000;
/// Bytes of a refusal that are kept.
const WORDS_MAX: usize = 300;

impl MirrorStats {
    pub(crate) fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome as usize).map_or(0, Counter::get)
    }

    pub(crate) fn ordered(&self, path: Path) -> u64 {
        self.ordered.get(path as usize).map_or(0, Counter::get)
    }

    pub(crate) fn count_ordered(&self, path: Path) {
        if let Some(counter) = self.ordered.get(path as usize) {
            counter.inc();
        }
    }

    /// Copies handed to durable delivery, or found in its backlog, less those with an outcome. Of one thread this is no
    /// number yet: only the sum over all threads is.
    pub(crate) fn kept(&self) -> u64 {
        self.handed.get().wrapping_add(self.recovered.get()).wrapping_sub(self.settled.get())
    }

    /// The mirror refused a copy or did not answer: keeps its words. Never waits.
    pub(crate) fn hear(&self, outcome: Outcome, status: Option<u16>, body: &[u8]) {
        let fine = matches!(outcome, Outcome::Delivered | Outcome::Deduplicated);
        if fine {
            return;
        }
        let Ok(mut said) = self.said.try_lock() else { return };
        let at_ms = unix_ms();
        let recent = |words: &Words| at_ms.saturating_sub(words.at_ms) < SAID_EVERY_MS;
        if said.get(&outcome).is_some_and(recent) {
            return;
        }
        let body = body.get(..WORDS_MAX.min(body.len())).unwrap_or_default();
        let text = String::from_utf8_lossy(body).trim().to_owned();
        said.insert(outcome, Words { at_ms, status, text });
    }

    /// The mirror's last refusal of each kind, as this thread heard it.
    pub(crate) fn said(&self) -> Said {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        if let Some(counter) = self.outcomes.get(outcome as usize) {
            counter.inc();
        }
    }
}

/// Now, in milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The same by a clock that goes on evenly from what it was at first: steps of the wall clock are no time that passes.
/// For ages, of which a copy may end.
pub(crate) fn even_unix_ms() -> u64 {
    static FIRST: LazyLock<(u64, Instant)> = LazyLock::new(|| (unix_ms(), Instant::now()));
    let (then, at) = *FIRST;
    then.saturating_add(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
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

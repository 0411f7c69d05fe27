//! Whether a primary is well, since when, and if not, why.
//!
//! It is not if it has no endpoint to go to, or if more than one in a hundred of its answers of the last minute was a
//! 5xx, those that the proxy gave in its place included: what senders have to repeat.

use config::model::Cluster;
use serde_json::{Value, json};

use super::history::{Column, History, rounded};
use super::latency::Latency;
use crate::admin::View;
use crate::admin::collect::Answers;
use crate::limits::{STATUS_FAILURE_MOMENTS, STATUS_RATE_MOMENTS};

static COLUMNS: [Column; 4] = [
    Column::Rate("requests_per_second"),
    Column::Rate("failed_per_second"),
    Column::Level("p50_ms"),
    Column::Level("p99_ms"),
];
const REQUESTS: usize = 0;
const FAILED: usize = 1;

/// Of all answers, the share that may fail while a primary is well.
const FAILURES: f64 = 0.01;

/// Of all answers, the share that fails where a primary is out of service.
const OUTAGE: f64 = 0.5;

/// Why a primary is not well.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Why {
    NoEndpoint,
    NoHealthyEndpoint(u64),
    RecentFailures { failed: f64, requests: f64 },
}

impl Why {
    fn judge(endpoints: u64, healthy: u64, failed: f64, requests: f64) -> Option<Self> {
        if endpoints == 0 {
            Some(Self::NoEndpoint)
        } else if healthy == 0 {
            Some(Self::NoHealthyEndpoint(endpoints))
        } else if failed > requests * FAILURES {
            Some(Self::RecentFailures { failed, requests })
        } else {
            None
        }
    }

    fn is_outage(self) -> bool {
        match self {
            Self::NoEndpoint | Self::NoHealthyEndpoint(_) => true,
            Self::RecentFailures { failed, requests } => failed > requests * OUTAGE,
        }
    }

    fn json(self) -> Value {
        let (reason, meaning) = match self {
            Self::NoEndpoint => ("no_endpoint", "Its name has no address: ask DNS.".to_owned()),
            Self::NoHealthyEndpoint(n) => {
                ("no_healthy_endpoint", format!("All of its {n} endpoints fail their health checks."))
            }
            Self::RecentFailures { failed, requests } => (
                "recent_failures",
                format!("{failed} of {requests} answers of the last minute were 5xx; senders repeat these."),
            ),
        };
        json!({"reason": reason, "meaning": meaning})
    }
}

/// One primary, as seen so far.
#[derive(Debug)]
pub(super) struct Primary {
    cluster: usize,
    requests: u64,
    failed: u64,
    latency: Latency,
    pub(super) history: History,
    why: Option<Why>,
    since_ms: u64,
}

impl Primary {
    pub(super) fn new(cluster: usize, started_ms: u64) -> Self {
        Self {
            cluster,
            requests: 0,
            failed: 0,
            latency: Latency::default(),
            history: History::of(&COLUMNS),
            why: None,
            since_ms: started_ms,
        }
    }

    /// Reads its counters and judges.
    pub(super) fn look(&mut self, view: &View, at_ms: u64, seconds: f64) {
        let answers = Answers::of(view, self.cluster).external;
        let (requests, failed) = (answers.count(100..600), answers.count(500..600));
        let added = [requests.saturating_sub(self.requests), failed.saturating_sub(self.failed)];
        (self.requests, self.failed) = (requests, failed);
        let [p50, p99] = self.latency.see(answers.time);
        let [more, more_failed] = added.map(|n| n as f64);
        self.history.push(at_ms, seconds, Box::new([more, more_failed, p50, p99]));

        let recent = |column| self.history.added(column, STATUS_FAILURE_MOMENTS).0;
        let [endpoints, healthy] = endpoints(view, self.cluster);
        let why = Why::judge(endpoints, healthy, recent(FAILED), recent(REQUESTS));
        if why.is_some() != self.why.is_some() {
            self.since_ms = at_ms;
        }
        self.why = why;
    }

    pub(super) fn is_well(&self) -> bool {
        self.why.is_none()
    }

    /// Whether requests had better go elsewhere: it has no endpoint, or most answers of the last minute failed.
    pub(super) fn is_out(&self) -> bool {
        self.why.is_some_and(Why::is_outage)
    }

    pub(super) fn json(&self, view: &View, cluster: &Cluster) -> Value {
        let answers = Answers::of(view, self.cluster).external;
        let [endpoints, healthy] = endpoints(view, self.cluster);
        let classes =
            (1..6u16).map(|class| (format!("{class}xx"), answers.count(class * 100..class * 100 + 100)));
        let rate = |column| self.history.rate(column, STATUS_RATE_MOMENTS);
        let (recent, seconds) = self.history.added(FAILED, STATUS_FAILURE_MOMENTS);
        json!({
            "name": cluster.name,
            "well": self.why.is_none(),
            "since_ms": self.since_ms,
            "why": self.why.map(Why::json).into_iter().collect::<Vec<_>>(),
            "endpoints": {"total": endpoints, "healthy": healthy},
            "requests_per_second": rate(REQUESTS),
            "failed_per_second": rate(FAILED),
            "recent_failures": {"answers": recent, "seconds": rounded(seconds)},
            "latency_ms": self.latency.json(),
            "answers": classes.filter(|(_, n)| *n > 0).collect::<std::collections::BTreeMap<_, _>>(),
        })
    }
}

/// All, and those that count as healthy.
fn endpoints(view: &View, cluster: usize) -> [u64; 2] {
    let stats = view.stats.control.clusters.get(cluster);
    stats.map_or([0, 0], |stats| [stats.membership_total.get(), stats.membership_healthy.get()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_is_well_unless_it_has_no_endpoint_or_fails() {
        assert_eq!(Why::judge(1, 1, 0.0, 0.0), None);
        assert_eq!(Why::judge(1, 1, 1.0, 100.0), None);
        assert_eq!(Why::judge(0, 0, 0.0, 0.0), Some(Why::NoEndpoint));
        assert_eq!(Why::judge(2, 0, 0.0, 0.0), Some(Why::NoHealthyEndpoint(2)));
        let failing = Why::judge(1, 1, 2.0, 100.0);
        assert_eq!(failing, Some(Why::RecentFailures { failed: 2.0, requests: 100.0 }));
        assert!(!failing.is_some_and(Why::is_outage));
        assert!(Why::judge(1, 1, 51.0, 100.0).is_some_and(Why::is_outage) && Why::NoEndpoint.is_outage());
        let json = failing.map(Why::json).unwrap_or_default();
        assert_eq!(json["meaning"], "2 of 100 answers of the last minute were 5xx; senders repeat these.");
    }
}

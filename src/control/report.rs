//! Says in the log what is lost, without logging on anyone's path: reads the counters once a second and writes a line
//! when something was lost, at most one in ten seconds for each mirror.

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::model::Config;

use crate::stats::Stats;
use crate::stats::mirror::Outcome;
use crate::stats::sums::{joined, listed};

/// How often the counters are read.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Shortest time between two lines about the same mirror or cluster.
const QUIET: Duration = Duration::from_secs(10);

/// What was already said.
pub(super) struct Reporter {
    config: Arc<Config>,
    stats: Arc<Stats>,
    mirrors: Vec<Said>,
    clusters: Vec<Said>,
}

#[derive(Debug, Clone, Default)]
struct Said {
    counts: Vec<u64>,
    at: Option<Instant>,
}

impl Said {
    /// What was added since the last line, if it is time for another.
    fn news(&mut self, counts: Vec<u64>) -> Option<Vec<u64>> {
        self.counts.resize(counts.len(), 0);
        if self.at.is_some_and(|at| at.elapsed() < QUIET) || self.counts == counts {
            return None;
        }
        let news = counts.iter().zip(&self.counts).map(|(now, before)| now - before).collect();
        self.counts = counts;
        self.at = Some(Instant::now());
        Some(news)
    }
}

/// Outcomes that an operator should hear of: everything but success.
fn losses() -> impl Iterator<Item = Outcome> {
    let fine = [Outcome::Delivered, Outcome::Deduplicated];
    Outcome::ALL.into_iter().filter(move |outcome| !fine.contains(outcome))
}

impl Reporter {
    pub(super) fn new(config: Arc<Config>, stats: Arc<Stats>) -> Self {
        let mirrors = vec![Said::default(); config.mirrors.len()];
        let clusters = vec![Said::default(); config.clusters.len()];
        Self { config, stats, mirrors, clusters }
    }

    /// Reads the counters and says what is new.
    pub(super) fn look(&mut self) {
        for (index, mirror) in self.config.mirrors.iter().enumerate() {
            let sums = self.stats.mirror(index);
            let counts = losses().map(|outcome| sums.outcome(outcome)).collect();
            let Some(news) = self.mirrors.get_mut(index).and_then(|said| said.news(counts)) else { continue };
            tracing::warn!(
                mirror = mirror.name,
                copies = listed(losses().zip(news)),
                "copies were lost or refused"
            );
        }
        for (index, cluster) in self.config.clusters.iter().enumerate() {
            // A mirror's failures are in its ledger above.
            if self.config.mirrors.iter().any(|mirror| mirror.cluster == index) {
                continue;
            }
            let count = |of: fn(&crate::stats::ClusterStats) -> u64| -> u64 {
                self.stats.threads().filter_map(|worker| worker.clusters.get(index)).map(of).sum()
            };
            let counts = vec![
                count(|stats| stats.cx_connect_fail.get()),
                count(|stats| stats.cx_connect_timeout.get()),
                count(|stats| stats.cx_none_healthy.get()),
                count(|stats| stats.rq_timeout.get()),
                count(|stats| stats.rq_rx_reset.get()),
            ];
            let Some(news) = self.clusters.get_mut(index).and_then(|said| said.news(counts)) else {
                continue;
            };
            let names = ["connect_failed", "connect_timeout", "no_endpoint", "timeout", "reset"];
            let requests = joined(names.into_iter().zip(news).map(|(name, n)| (name.to_owned(), n)));
            tracing::warn!(cluster = cluster.name, requests, "requests to the primary failed");
        }
    }

    /// The ledger, once, at the end.
    pub(super) fn conclude(&self) {
        for (index, mirror) in self.config.mirrors.iter().enumerate() {
            let sums = self.stats.mirror(index);
            let (received, copies) = (sums.sum(|m| m.received.get()), sums.outcomes_text());
            tracing::info!(mirror = mirror.name, received, copies, "the mirror's ledger");
        }
        tracing::info!("exiting");
    }
}

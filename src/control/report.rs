//! Says in the log what is lost or held up, without logging on anyone's path: reads the counters once a second and
//! writes a line when something was lost, at most one in ten seconds for each mirror, with the mirror's own words.

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::model::{Config, Delivery};

use super::held_up::{HeldUp, News};
use crate::mirror::send::pace::Pace;
use crate::stats::Stats;
use crate::stats::mirror::Outcome;
use crate::stats::sums::{MirrorSums, joined, listed};

/// How often the counters are read.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Shortest time between two lines about the same mirror or cluster.
const QUIET: Duration = Duration::from_secs(10);
/// Kinds of refusals that a line quotes.
const QUOTED: usize = 3;

/// What was already said.
pub(super) struct Reporter {
    config: Arc<Config>,
    stats: Arc<Stats>,
    mirrors: Vec<Said>,
    clusters: Vec<Said>,
    paces: Vec<Arc<Pace>>,
    /// By mirror.
    held_up: Vec<HeldUp>,
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
    let fine = [Outcome::Delivered, Outcome::Deduplicated, Outcome::Repeated];
    Outcome::ALL.into_iter().filter(move |outcome| !fine.contains(outcome))
}

impl Reporter {
    pub(super) fn new(config: Arc<Config>, stats: Arc<Stats>, paces: Vec<Arc<Pace>>) -> Self {
        let mirrors = vec![Said::default(); config.mirrors.len()];
        let clusters = vec![Said::default(); config.clusters.len()];
        let held_up = vec![HeldUp::default(); config.mirrors.len()];
        Self { config, stats, mirrors, clusters, paces, held_up }
    }

    /// Reads the counters and says what is new.
    pub(super) fn look(&mut self) {
        self.losses();
        self.held_up();
        self.primaries();
    }

    fn losses(&mut self) {
        for (index, (mirror, said)) in self.config.mirrors.iter().zip(&mut self.mirrors).enumerate() {
            let sums = self.stats.mirror(index);
            let counts = losses().map(|outcome| sums.outcome(outcome)).collect();
            let Some(news) = said.news(counts) else { continue };
            let news: Vec<_> = losses().zip(news).filter(|(_, n)| *n > 0).collect();
            tracing::warn!(
                mirror = mirror.name,
                copies = listed(news.iter().copied()),
                said = quoted(sums, |outcome| news.iter().any(|(new, _)| *new == outcome)),
                "copies were lost or refused"
            );
        }
    }

    /// Durable copies are not lost while their mirror takes none.
    fn held_up(&mut self) {
        let mirrors = self.config.mirrors.iter().zip(&self.paces).zip(&mut self.held_up).enumerate();
        for (index, ((mirror, pace), held_up)) in mirrors {
            if mirror.delivery == Delivery::Memory {
                continue;
            }
            let (sums, name) = (self.stats.mirror(index), &mirror.name);
            let pending = sums.pending();
            // A pause is what the operator wanted.
            let waits = pending > 0 && !pace.is_held();
            let answered = Outcome::ALL.into_iter().filter(|outcome| outcome.is_answer());
            let answered = answered.map(|outcome| sums.outcome(outcome)).sum();
            match held_up.look(waits, answered, Instant::now()) {
                Some(News::Nothing(long)) => tracing::warn!(
                    mirror = name,
                    pending,
                    since_seconds = long.as_secs(),
                    said = quoted(sums, |outcome| !outcome.is_answer()),
                    "the mirror takes no copies; they wait"
                ),
                Some(News::Again) => {
                    tracing::info!(mirror = name, pending, "the mirror takes copies again");
                }
                None => {}
            }
        }
    }

    fn primaries(&mut self) {
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
                count(|stats| stats.rq_broken.get()),
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
    }
}

/// The mirror's last words about such outcomes, newest first: `rejected/too_old: 400 "..."`.
fn quoted(sums: MirrorSums<'_>, of: impl Fn(Outcome) -> bool) -> String {
    let mut said: Vec<_> = sums.said().into_iter().filter(|(outcome, _)| of(*outcome)).collect();
    said.sort_unstable_by_key(|(_, words)| std::cmp::Reverse(words.at_ms));
    let said = said.iter().take(QUOTED).map(|(outcome, words)| format!("{}: {words}", outcome.name()));
    said.collect::<Vec<_>>().join(", ")
}

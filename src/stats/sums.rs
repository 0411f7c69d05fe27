//! What the threads' counters of one mirror come to.

use std::fmt::Write;

use super::Stats;
use super::backlog::BacklogStats;
use super::mirror::{MirrorStats, Outcome, Said, Words, even_unix_ms};
use super::tenants::{self, TenantSum};

/// One mirror over all threads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MirrorSums<'a> {
    pub(super) stats: &'a Stats,
    pub(super) index: usize,
}

impl<'a> MirrorSums<'a> {
    /// Each thread's counters.
    pub(crate) fn threads(self) -> impl Iterator<Item = &'a MirrorStats> {
        self.stats.threads().filter_map(move |thread| thread.mirrors.get(self.index))
    }

    /// The sum of something.
    pub(crate) fn sum(self, read: impl Fn(&MirrorStats) -> u64) -> u64 {
        let n = self.threads().map(read).fold(0, u64::wrapping_add);
        // What is kept is known by the sum only; counters read in full flight may disagree for a moment.
        if n > u64::MAX / 2 { 0 } else { n }
    }

    pub(crate) fn outcome(self, outcome: Outcome) -> u64 {
        self.sum(|mirror| mirror.outcome(outcome))
    }

    /// Copies without an outcome.
    pub(crate) fn pending(self) -> u64 {
        self.sum(|mirror| mirror.pending.get().wrapping_add(mirror.kept()))
    }

    /// Every outcome there was, with its number: `delivered=12 failed/reset=1`.
    pub(crate) fn outcomes_text(self) -> String {
        listed(Outcome::ALL.into_iter().map(|outcome| (outcome, self.outcome(outcome))))
    }

    /// Of its backlog, if it has one.
    pub(crate) fn backlog(self) -> Option<&'a BacklogStats> {
        self.stats.backlogs.get(self.index)?.as_deref()
    }

    /// Age of the oldest copy in the backlog in milliseconds; 0 if there is none.
    pub(crate) fn backlog_age_ms(self) -> u64 {
        match self.backlog().map_or(0, |backlog| backlog.oldest_arrival_ms.get()) {
            0 => 0,
            oldest => even_unix_ms().saturating_sub(oldest),
        }
    }

    /// Age of the oldest copy without an outcome in milliseconds.
    pub(crate) fn lag_ms(self) -> u64 {
        let ages = self.threads().map(|mirror| mirror.lag_ms.get());
        ages.chain([self.backlog_age_ms()]).max().unwrap_or_default()
    }

    /// What becomes of each tenant's copies.
    pub(crate) fn tenants(self) -> Vec<TenantSum> {
        tenants::sums(self.threads().map(|mirror| &mirror.tenants))
    }

    /// The mirror's last refusal.
    pub(crate) fn last_refusal(self) -> Option<(Outcome, Words)> {
        self.said().into_iter().max_by_key(|(_, words)| words.at_ms)
    }

    /// The mirror's last refusal of each kind.
    pub(crate) fn said(self) -> Said {
        let mut newest = Said::new();
        for (outcome, words) in self.threads().flat_map(MirrorStats::said) {
            let known = newest.entry(outcome).or_insert_with(|| words.clone());
            if known.at_ms < words.at_ms {
                *known = words;
            }
        }
        newest
    }
}

/// Those that are not 0: `failed/reset=3 rejected/too_old=1`.
pub(crate) fn listed(counts: impl Iterator<Item = (Outcome, u64)>) -> String {
    joined(counts.map(|(outcome, n)| (outcome.name(), n)))
}

/// The same for any names.
pub(crate) fn joined(counts: impl Iterator<Item = (String, u64)>) -> String {
    let mut text = String::new();
    for (name, n) in counts.filter(|&(_, n)| n > 0) {
        let space = if text.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{space}{name}={n}");
    }
    text
}

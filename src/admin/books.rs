//! What the admin thread remembers between two readings: where the counters stood when an operator reset them, and
//! what the distributions gained in the last interval.
//!
//! Each counter has one writer, so nobody else can set it back. `POST /reset_counters` notes its value instead, and
//! what readers see under Envoy's names is the difference. Our own metrics are never reset: the ledger must add up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::collect::{Kind, Metrics, Value};
use crate::stats::histogram::HistogramSum;

/// Used by the admin thread alone; the lock is never waited for.
#[derive(Debug, Default)]
pub(crate) struct Books(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    /// By text name: the value at the last reset.
    bases: HashMap<String, u64>,
    /// By text name: the distribution at the end of the last interval.
    before: HashMap<String, HistogramSum>,
    intervals: Intervals,
}

/// What the distributions gained in the last interval, by text name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Intervals(HashMap<String, HistogramSum>);

impl Intervals {
    /// Empty for a distribution that gained nothing, or that is new.
    pub(crate) fn of(&self, name: &str) -> HistogramSum {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counters go on from 0, for readers of Envoy's names.
    pub(crate) fn reset(&self, metrics: &Metrics) {
        let counters = metrics
            .families()
            .filter(|(name, family)| family.kind == Kind::Counter && name.starts_with("envoy_"));
        let bases =
            counters.flat_map(|(_, family)| &family.samples).filter_map(|sample| match sample.value {
                Value::Number(n) => Some((sample.text.clone(), n)),
                Value::Durations(_) => None,
            });
        self.pages().bases = bases.collect();
    }

    /// Notes in each sample from where its reader counts.
    pub(crate) fn rebase(&self, metrics: &mut Metrics) {
        let pages = self.pages();
        if pages.bases.is_empty() {
            return;
        }
        for sample in metrics.samples_mut() {
            sample.base = pages.bases.get(&sample.text).copied().unwrap_or_default();
        }
    }

    /// An interval ends (`stats_flush_interval`).
    pub(crate) fn turn(&self, metrics: &Metrics) {
        let mut pages = self.pages();
        let mut before = HashMap::new();
        let mut gained = HashMap::new();
        for sample in metrics.families().flat_map(|(_, family)| &family.samples) {
            let (Value::Durations(sum), false) = (&sample.value, sample.text.is_empty()) else { continue };
            let last = pages.before.remove(&sample.text).unwrap_or_default();
            gained.insert(sample.text.clone(), sum.since(&last));
            before.insert(sample.text.clone(), sum.clone());
        }
        pages.before = before;
        pages.intervals = Intervals(gained);
    }

    /// A copy of the last interval.
    pub(crate) fn intervals(&self) -> Intervals {
        self.pages().intervals.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::admin::collect::collect;
    use crate::admin::fixture;

    #[test]
    fn after_a_reset_counters_go_on_from_zero_and_gauges_stay() {
        let view = fixture::busy().view;
        view.books.reset(&collect(&view));
        view.stats.workers[0].http[0].rq_total.add(2);
        let mut metrics = collect(&view);
        view.books.rebase(&mut metrics);
        let number = |text: &str| {
            let mut all = metrics.families().flat_map(|(_, family)| &family.samples);
            all.find(|sample| sample.text == text).and_then(|sample| sample.number())
        };
        assert_eq!(number("http.ingress.downstream_rq_total"), Some(2));
        assert_eq!(number("cluster.primary.upstream_rq_200"), Some(0));
        assert_eq!(number("cluster.primary.membership_total"), Some(1));
        assert_eq!(number("mirror.a \"quoted\" name.received"), Some(5));
    }

    #[test]
    fn an_interval_holds_what_came_since_the_one_before() {
        let view = fixture::busy().view;
        let name = "http.ingress.downstream_rq_time";
        let record = |ms| view.stats.workers[0].http[0].rq_time.record(Duration::from_millis(ms));
        record(1);
        view.books.turn(&collect(&view));
        assert_eq!(view.books.intervals().of(name).count(), 1);
        record(5);
        record(6);
        assert_eq!(view.books.intervals().of(name).count(), 1);
        view.books.turn(&collect(&view));
        assert_eq!(view.books.intervals().of(name).count(), 2);
        view.books.turn(&collect(&view));
        assert_eq!(view.books.intervals().of(name).count(), 0);
    }
}

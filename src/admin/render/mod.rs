//! [`Metrics`] as Envoy's text, as its JSON, and in Prometheus' text format.
//!
//! A [`Page`] is what all three read: the numbers, which of them are wanted, and what is remembered of the last
//! interval. Nothing here knows a single metric.

mod json;
mod prometheus;
mod text;

pub(crate) use json::json;
pub(crate) use prometheus::prometheus;
pub(crate) use text::{html, text};

use super::books::Intervals;
use super::collect::{Family, Metrics, Sample, Value};
use crate::stats::histogram::{BOUNDS_MS, HistogramSum};

/// The quantiles Envoy reports, in percent.
const QUANTILES: [f64; 10] = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 100.0];

/// How distributions are shown (`histogram_buckets`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buckets {
    /// Quantiles.
    Summary,
    /// How many values lie at or below each bound.
    Cumulative,
    /// How many values lie between each bound and the one before.
    Disjoint,
    /// Every bin, and the quantiles.
    Detailed,
}

/// What is to be shown.
pub(crate) struct Page<'a> {
    pub(crate) metrics: &'a Metrics,
    /// Whether a sample of a family is wanted.
    pub(crate) wanted: &'a dyn Fn(&str, &Family, &Sample) -> bool,
    pub(crate) intervals: &'a Intervals,
    pub(crate) buckets: Buckets,
}

/// A distribution with its names and its last interval.
struct Shown<'a> {
    name: &'a str,
    sum: &'a HistogramSum,
    interval: HistogramSum,
}

impl<'a> Page<'a> {
    /// The wanted numbers that have a text name, sorted by it.
    fn numbers(&self) -> Vec<(&'a str, u64)> {
        let mut found: Vec<_> = self.samples().filter_map(|s| Some((s.text.as_str(), s.number()?))).collect();
        found.sort_unstable_by_key(|(name, _)| *name);
        found
    }

    /// The wanted distributions that have a text name, sorted by it.
    fn distributions(&self) -> Vec<Shown<'a>> {
        let shown = |sample: &'a Sample| match &sample.value {
            Value::Durations(sum) => {
                Some(Shown { name: &sample.text, sum, interval: self.intervals.of(&sample.text) })
            }
            Value::Number(_) => None,
        };
        let mut found: Vec<_> = self.samples().filter_map(shown).collect();
        found.sort_unstable_by_key(|shown| shown.name);
        found
    }

    fn samples(&self) -> impl Iterator<Item = &'a Sample> {
        let is_wanted = self.wanted;
        self.metrics.families().flat_map(move |(name, family)| {
            let wanted = move |s: &&Sample| !s.text.is_empty() && is_wanted(name, family, s);
            family.samples.iter().filter(wanted)
        })
    }
}

/// Counts by bound, cumulative or each for itself.
fn counts(sum: &HistogramSum, buckets: Buckets) -> [u64; BOUNDS_MS.len()] {
    let cumulative = sum.cumulative();
    if buckets != Buckets::Disjoint {
        return cumulative;
    }
    let mut before = 0;
    cumulative.map(|n| n - std::mem::replace(&mut before, n))
}

/// To a tenth of a microsecond, below which nothing was measured.
fn rounded(ms: f64) -> f64 {
    (ms * 10_000.0).round() / 10_000.0
}

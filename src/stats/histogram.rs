//! Distributions: durations, and a few plain numbers, in bins of two decimal digits.
//!
//! Each decade has 90 bins, so a quantile is right to a hundredth or better; Envoy keeps its histograms alike. The
//! buckets that Prometheus gets have Envoy's default bounds, each of which is also the bound of a bin, so that
//! dashboards made for Envoy read ours. Recording is two counter increments of the recording thread; see `counter.rs`.

use std::sync::OnceLock;
use std::time::Duration;

use super::counter::Counter;

/// Upper bounds in milliseconds; the last bucket is everything above (`+Inf`).
pub(crate) const BOUNDS_MS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// 10 to this many microseconds end the first bin, which takes everything below.
const FIRST_DECADE: u32 = 2;
/// Decades that are divided: from 0.1 ms to 10^7 ms, almost three hours.
const DECADES: u32 = 8;
/// Bins of a decade.
const PER_DECADE: usize = 90;
/// The first, the decades', and the one for what is longer than all.
const BINS: usize = 2 + DECADES as usize * PER_DECADE;

/// The bin of a number of microseconds. A bin holds its upper bound, as Prometheus' buckets do.
fn bin(us: u64) -> usize {
    let below = us.saturating_sub(1);
    let Some(decade) = below.checked_ilog10().filter(|decade| *decade >= FIRST_DECADE) else { return 0 };
    let digits = (below / 10u64.pow(decade - 1)) as usize;
    (1 + (decade - FIRST_DECADE) as usize * PER_DECADE + (digits - 10)).min(BINS - 1)
}

/// Lower bound and width of a bin, in milliseconds.
fn bounds(bin: usize) -> (f64, f64) {
    let Some(at) = bin.checked_sub(1) else { return (0.0, 0.1) };
    let width = 10f64.powi((at / PER_DECADE) as i32 - 2);
    (((at % PER_DECADE) as f64 + 10.0) * width, width)
}

/// One thread's part of a distribution.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// Made for the first value: most clusters of a large file are never asked for most of what is measured.
    bins: OnceLock<Box<[Counter]>>,
    sum_us: Counter,
}

impl Histogram {
    pub(crate) fn record(&self, elapsed: Duration) {
        self.record_us(elapsed.as_micros() as u64);
    }

    /// Records a plain number, such as the requests of a connection.
    pub(crate) fn record_number(&self, number: u64) {
        self.record_us(number.saturating_mul(1000));
    }

    fn record_us(&self, us: u64) {
        let bins = self.bins.get_or_init(|| (0..BINS).map(|_| Counter::default()).collect());
        if let Some(counter) = bins.get(bin(us)) {
            counter.inc();
        }
        self.sum_us.add(us);
    }

    /// Adds this thread's numbers to a sum.
    pub(crate) fn add_to(&self, sum: &mut HistogramSum) {
        let Some(bins) = self.bins.get() else { return };
        sum.bins.resize(BINS, 0);
        for (total, counter) in sum.bins.iter_mut().zip(bins) {
            *total += counter.get();
        }
        sum.sum_us += self.sum_us.get();
    }
}

/// A distribution over all threads.
#[derive(Debug, Default, Clone)]
pub(crate) struct HistogramSum {
    /// By bin; empty as long as nothing was added.
    bins: Vec<u64>,
    sum_us: u64,
}

impl HistogramSum {
    pub(crate) fn count(&self) -> u64 {
        self.bins.iter().sum()
    }

    /// All values together, in milliseconds (or as plain numbers).
    pub(crate) fn sum_ms(&self) -> f64 {
        self.sum_us as f64 / 1000.0
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if other.bins.is_empty() {
            return;
        }
        self.bins.resize(BINS, 0);
        self.bins.iter_mut().zip(&other.bins).for_each(|(own, other)| *own += other);
        self.sum_us += other.sum_us;
    }

    /// What was recorded since `earlier`, a former state of the same distribution.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = earlier.bins.iter().copied().chain(std::iter::repeat(0));
        Self {
            bins: self.bins.iter().zip(before).map(|(now, before)| now.saturating_sub(before)).collect(),
            sum_us: self.sum_us.saturating_sub(earlier.sum_us),
        }
    }

    /// How many values lie within each of [`BOUNDS_MS`], those of the smaller bounds included.
    pub(crate) fn cumulative(&self) -> [u64; BOUNDS_MS.len()] {
        BOUNDS_MS.map(|bound| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "bounds are whole microseconds"
            )]
            let last = bin((bound * 1000.0) as u64);
            self.bins.iter().take(last + 1).sum()
        })
    }

    /// The bins with something in them: lower bound and width in milliseconds, and how much.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        self.bins.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, n)| {
            let (lower, width) = bounds(at);
            (lower, width, *n)
        })
    }

    /// The value in milliseconds below which `quantile` (0 to 1) of the values lie, interpolated in its bin.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let wanted = quantile * self.count() as f64;
        let mut below = 0.0;
        let mut last = None;
        for (lower, width, n) in self.filled() {
            let n = n as f64;
            if below + n >= wanted {
                return Some(lower + width * ((wanted - below) / n).clamp(0.0, 1.0));
            }
            below += n;
            last = Some(lower + width);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[Duration]) -> HistogramSum {
        let histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        let mut sum = HistogramSum::default();
        histogram.add_to(&mut sum);
        sum
    }

    #[test]
    fn a_duration_lands_in_the_bucket_that_holds_its_bound() {
        let sum = of(&[500, 501, 7_200_000_000].map(Duration::from_micros));
        let cumulative = sum.cumulative();
        assert_eq!((cumulative[0], cumulative[1], cumulative[18]), (1, 2, 2));
        assert_eq!(sum.count(), 3);
    }

    #[test]
    fn every_bound_of_a_bucket_is_one_of_a_bin() {
        for bound in BOUNDS_MS {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "bounds are whole microseconds"
            )]
            let us = (bound * 1000.0) as u64;
            let (lower, width) = bounds(bin(us));
            assert!((lower + width - bound).abs() < bound * 1e-9, "{bound}: {lower} + {width}");
            assert_eq!(bin(us) + 1, bin(us + 1), "{bound}");
        }
    }

    #[test]
    fn a_value_lies_within_its_bin_and_the_longest_in_the_last() {
        for us in [0, 1, 99, 100, 101, 999, 1000, 1001, 12_345, 99_999, 100_000, 123_456_789, 9_999_999_999] {
            let (lower, width) = bounds(bin(us));
            let ms = us as f64 / 1000.0;
            assert!(lower <= ms && ms <= lower + width + 1e-9, "{us}: {lower} {width}");
        }
        assert_eq!(bin(u64::MAX), BINS - 1);
        assert_eq!(bin(9_999_999_999), BINS - 2);
    }

    #[test]
    fn quantiles_are_interpolated_and_absent_without_data() {
        assert_eq!(HistogramSum::default().quantile_ms(0.5), None);
        let sum = of(&[Duration::from_millis(41), Duration::from_millis(42)]);
        assert_eq!(sum.quantile_ms(0.0), Some(40.0));
        assert_eq!(sum.quantile_ms(0.5), Some(41.0));
        assert_eq!(sum.quantile_ms(1.0), Some(42.0));
    }

    #[test]
    fn an_interval_is_a_difference() {
        let before = of(&[Duration::from_millis(1)]);
        let after = of(&[1, 1, 7].map(Duration::from_millis));
        let interval = after.since(&before);
        assert_eq!((interval.count(), interval.sum_ms()), (2, 8.0));
        assert_eq!(after.since(&HistogramSum::default()).count(), 3);
        assert_eq!(interval.filled().map(|(_, _, n)| n).collect::<Vec<_>>(), [1, 1]);
    }
}

//! Durations in Envoy's default buckets.
//!
//! The bucket bounds are Envoy's (milliseconds), so that dashboards made for Envoy read ours. Recording is two
//! counter increments of the recording thread; see `counter.rs`.

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

/// One worker's durations.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [Counter; BOUNDS_MS.len() + 1],
    sum_us: Counter,
}

impl Histogram {
    pub(crate) fn record(&self, elapsed: Duration) {
        let us = elapsed.as_micros() as u64;
        let ms = us as f64 / 1000.0;
        let at = BOUNDS_MS.iter().position(|&bound| ms <= bound).unwrap_or(BOUNDS_MS.len());
        if let Some(bucket) = self.buckets.get(at) {
            bucket.inc();
        }
        self.sum_us.add(us);
    }

    /// Adds this worker's numbers to a sum.
    pub(crate) fn add_to(&self, sum: &mut HistogramSum) {
        for (total, bucket) in sum.buckets.iter_mut().zip(&self.buckets) {
            *total += bucket.get();
        }
        sum.sum_us += self.sum_us.get();
    }
}

/// Durations summed over the workers. Buckets are disjoint, not cumulative; the last one is `+Inf`.
#[derive(Debug, Default, Clone)]
pub(crate) struct HistogramSum {
    pub(crate) buckets: [u64; BOUNDS_MS.len() + 1],
    pub(crate) sum_us: u64,
}

impl HistogramSum {
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The value in milliseconds below which `quantile` (0 to 1) of the durations lie, interpolated in its bucket.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = quantile * count as f64;
        let mut below = 0.0;
        let mut lower = 0.0;
        for (&n, &upper) in self.buckets.iter().zip(&BOUNDS_MS) {
            let n = n as f64;
            if n > 0.0 && below + n >= wanted {
                return Some(lower + (upper - lower) * ((wanted - below) / n).clamp(0.0, 1.0));
            }
            below += n;
            lower = upper;
        }
        Some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lands_in_the_bucket_that_holds_its_bound() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_micros(500));
        histogram.record(Duration::from_micros(501));
        histogram.record(Duration::from_secs(7200));
        let mut sum = HistogramSum::default();
        histogram.add_to(&mut sum);
        assert_eq!((sum.buckets[0], sum.buckets[1], sum.buckets[19]), (1, 1, 1));
        assert_eq!(sum.count(), 3);
    }

    #[test]
    fn quantiles_are_interpolated_and_absent_without_data() {
        assert_eq!(HistogramSum::default().quantile_ms(0.5), None);
        let mut sum = HistogramSum::default();
        sum.buckets[2] = 4;
        assert_eq!(sum.quantile_ms(0.5), Some(3.0));
        assert_eq!(sum.quantile_ms(1.0), Some(5.0));
    }
}

//! Quantiles of the last seconds and of the last minutes, out of a distribution that only ever grows.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::history::rounded;
use crate::limits::{STATUS_MARK_MOMENTS, STATUS_MARKS};
use crate::stats::histogram::HistogramSum;

/// One distribution, as it stood at former moments.
#[derive(Debug, Default)]
pub(super) struct Latency {
    moments: usize,
    now: HistogramSum,
    /// The oldest is where the last minutes begin.
    marks: VecDeque<HistogramSum>,
}

impl Latency {
    /// Takes the present state; returns the quantiles of what was added since the one before.
    pub(super) fn see(&mut self, now: HistogramSum) -> [f64; 2] {
        if self.moments.is_multiple_of(STATUS_MARK_MOMENTS) {
            if self.marks.len() == STATUS_MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back(now.clone());
        }
        self.moments += 1;
        let added = now.since(&self.now);
        self.now = now;
        QUANTILES.map(|quantile| added.quantile_ms(quantile).unwrap_or(f64::NAN))
    }

    /// Of the last minutes.
    pub(super) fn json(&self) -> Value {
        let recent = self.marks.front().map(|mark| self.now.since(mark)).unwrap_or_default();
        let [p50, p99] = QUANTILES.map(|quantile| recent.quantile_ms(quantile).map(rounded));
        json!({"p50": p50, "p99": p99, "count": recent.count()})
    }
}

const QUANTILES: [f64; 2] = [0.5, 0.99];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stats::histogram::Histogram;

    #[test]
    fn quantiles_are_of_what_was_added() {
        let histogram = Histogram::default();
        let mut latency = Latency::default();
        let mut see = |ms: &[u64]| {
            ms.iter().for_each(|ms| histogram.record(Duration::from_millis(*ms)));
            let mut sum = HistogramSum::default();
            histogram.add_to(&mut sum);
            (latency.see(sum), latency.json())
        };
        assert!(see(&[]).0.iter().all(|value| value.is_nan()));
        assert_eq!(see(&[10, 20, 30]).1["count"], 3);
        let ([p50, p99], all) = see(&[40]);
        assert!((39.0..=40.0).contains(&p50) && (39.0..=40.0).contains(&p99), "{p50} {p99}");
        assert_eq!(all["count"], 4);
        for _ in 0..STATUS_MARKS * STATUS_MARK_MOMENTS {
            see(&[]);
        }
        assert_eq!(see(&[]).1, json!({"p50": null, "p99": null, "count": 0}));
    }
}

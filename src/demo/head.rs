//! What one cluster holds, by the rules of a TSDB head: the samples of a series come in the order of their time.
//!
//! Of each series it keeps the newest sample, the number of samples and a checksum over all of them, so that a
//! demo may run for days; the samples themselves are not kept.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use remote_write::{Label, Sample, TimeSeries, WriteRequest};

/// What can be compared of one series. Ordered, so that two clusters' series can be sorted and merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeriesDigest {
    /// A hash of the label set, the same in every cluster.
    pub(super) fingerprint: u64,
    /// How many samples were taken in.
    pub(super) samples: u64,
    /// A sum over all samples' hashes: independent of the order they came in.
    pub(super) checksum: u64,
}

/// The sums over all series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) series: usize,
    pub(super) samples: u64,
    pub(super) checksum: u64,
}

/// Why a request was refused, in whole or in part; the text names Mimir's own error ids.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Rejection {
    #[error(
        "a newer sample of this series is already here (err-mimir-sample-out-of-order): time {timestamp}, series {series}"
    )]
    OutOfOrder { timestamp: i64, series: String },
    #[error(
        "another value for this time is already here (err-mimir-sample-duplicate-timestamp): time {timestamp}, series {series}"
    )]
    Duplicate { timestamp: i64, series: String },
    #[error("the series has no metric name (err-mimir-missing-metric-name): {series}")]
    NoName { series: String },
    #[error("the series has a label twice (err-mimir-duplicate-label-names): {series}")]
    LabelTwice { series: String },
}

/// One cluster's series.
#[derive(Default)]
pub(super) struct Head {
    places: HashMap<Box<[u8]>, usize>,
    digests: Vec<SeriesDigest>,
    newest: Vec<Sample>,
    totals: Totals,
    /// The last label set as bytes: kept for its memory.
    key: Vec<u8>,
}

impl Head {
    /// Takes in a request.
    ///
    /// # Errors
    /// The first thing refused. As in Mimir, what is valid in the same request is taken in nevertheless.
    pub(super) fn append(&mut self, request: &WriteRequest) -> Result<(), Rejection> {
        let mut first = Ok(());
        for series in &request.timeseries {
            let outcome = self.append_series(series);
            if first.is_ok() {
                first = outcome;
            }
        }
        first
    }

    /// The sums over all series.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Every series, in the order of their first arrival.
    pub(super) fn digests(&self) -> Vec<SeriesDigest> {
        self.digests.clone()
    }

    fn append_series(&mut self, series: &TimeSeries) -> Result<(), Rejection> {
        let mut labels: Vec<&Label> = series.labels.iter().collect();
        labels.sort_unstable();
        let text = || format_labels(&labels);
        if !labels.iter().any(|label| label.name == "__name__" && !label.value.is_empty()) {
            return Err(Rejection::NoName { series: text() });
        }
        if !labels.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Rejection::LabelTwice { series: text() });
        }
        let place = self.place(&labels);
        let mut first = Ok(());
        for sample in &series.samples {
            let outcome = self.append_sample(place, *sample, &text);
            if first.is_ok() {
                first = outcome;
            }
        }
        first
    }

    fn place(&mut self, labels: &[&Label]) -> usize {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        for label in labels {
            // 0xff occurs in no UTF-8 text, so no two label sets give the same bytes.
            for part in [label.name.as_bytes(), &[0xff], label.value.as_bytes(), &[0xff]] {
                key.extend_from_slice(part);
            }
        }
        let place = self.places.get(key.as_slice()).copied().unwrap_or_else(|| self.add(&key));
        self.key = key;
        place
    }

    fn add(&mut self, key: &[u8]) -> usize {
        let place = self.digests.len();
        self.places.insert(key.into(), place);
        self.digests.push(SeriesDigest { fingerprint: hash(&key), samples: 0, checksum: 0 });
        self.newest.push(Sample { value: 0.0, timestamp: i64::MIN });
        self.totals.series += 1;
        place
    }

    fn append_sample(
        &mut self,
        place: usize,
        sample: Sample,
        series: &dyn Fn() -> String,
    ) -> Result<(), Rejection> {
        let (Some(newest), Some(digest)) = (self.newest.get_mut(place), self.digests.get_mut(place)) else {
            return Ok(());
        };
        let timestamp = sample.timestamp;
        if digest.samples > 0 && timestamp < newest.timestamp {
            return Err(Rejection::OutOfOrder { timestamp, series: series() });
        }
        if digest.samples > 0 && timestamp == newest.timestamp {
            // The same sample again is what a sender's retry brings: not an error and not a second sample.
            let same = sample.value.to_bits() == newest.value.to_bits();
            return if same { Ok(()) } else { Err(Rejection::Duplicate { timestamp, series: series() }) };
        }
        *newest = sample;
        let checksum = hash(&(digest.fingerprint, timestamp, sample.value.to_bits()));
        digest.samples += 1;
        digest.checksum = digest.checksum.wrapping_add(checksum);
        self.totals.samples += 1;
        self.totals.checksum = self.totals.checksum.wrapping_add(checksum);
        Ok(())
    }
}

/// The standard hasher with its fixed keys: two heads give the same series the same number.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn format_labels(labels: &[&Label]) -> String {
    let pairs: Vec<String> = labels.iter().map(|label| format!("{}={:?}", label.name, label.value)).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(labels: &[(&str, &str)], samples: &[(f64, i64)]) -> TimeSeries {
        TimeSeries {
            labels: labels.iter().map(|&(n, v)| Label { name: n.into(), value: v.into() }).collect(),
            samples: samples.iter().map(|&(value, timestamp)| Sample { value, timestamp }).collect(),
            exemplars: Vec::new(),
        }
    }

    fn request(timeseries: Vec<TimeSeries>) -> WriteRequest {
        WriteRequest { timeseries, metadata: Vec::new() }
    }

    const UP: &[(&str, &str)] = &[("__name__", "up"), ("job", "a")];

    #[test]
    fn the_same_sample_again_is_taken_but_counted_once() {
        let mut head = Head::default();
        for _ in 0..3 {
            assert_eq!(head.append(&request(vec![series(UP, &[(1.0, 10)])])), Ok(()));
        }
        assert_eq!((head.totals().series, head.totals().samples), (1, 1));
    }

    #[test]
    fn an_older_sample_is_refused_and_the_rest_of_the_request_is_taken() {
        let mut head = Head::default();
        head.append(&request(vec![series(UP, &[(1.0, 10)])])).unwrap();
        let other: &[(&str, &str)] = &[("__name__", "up"), ("job", "b")];
        let refused =
            head.append(&request(vec![series(UP, &[(1.0, 9), (2.0, 11)]), series(other, &[(5.0, 3)])]));
        assert!(matches!(refused, Err(Rejection::OutOfOrder { timestamp: 9, .. })), "{refused:?}");
        assert_eq!((head.totals().series, head.totals().samples), (2, 3));
    }

    #[test]
    fn another_value_for_the_same_time_is_refused() {
        let mut head = Head::default();
        head.append(&request(vec![series(UP, &[(1.0, 10)])])).unwrap();
        let refused = head.append(&request(vec![series(UP, &[(2.0, 10)])])).unwrap_err();
        assert!(refused.to_string().contains("err-mimir-sample-duplicate-timestamp"));
        assert!(refused.to_string().contains(r#"{__name__="up",job="a"}"#), "{refused}");
    }

    #[test]
    fn label_sets_without_a_name_or_with_one_twice_are_refused() {
        let mut head = Head::default();
        let refused = head.append(&request(vec![series(&[("job", "a")], &[(1.0, 1)])]));
        assert!(matches!(refused, Err(Rejection::NoName { .. })));
        let twice = [("__name__", "up"), ("job", "a"), ("job", "b")];
        assert!(matches!(
            head.append(&request(vec![series(&twice, &[])])),
            Err(Rejection::LabelTwice { .. })
        ));
        assert_eq!(head.totals(), Totals::default());
    }

    #[test]
    fn the_checksum_depends_on_the_samples_and_not_on_their_order_among_series() {
        let b: &[(&str, &str)] = &[("job", "b"), ("__name__", "up")];
        let sorted: &[(&str, &str)] = &[("__name__", "up"), ("job", "b")];
        let fill = |all: Vec<TimeSeries>| {
            let mut head = Head::default();
            head.append(&request(all)).unwrap();
            head.totals()
        };
        let one = fill(vec![series(UP, &[(1.0, 1), (2.0, 2)]), series(b, &[(3.0, 1)])]);
        assert_eq!(one, fill(vec![series(sorted, &[(3.0, 1)]), series(UP, &[(1.0, 1), (2.0, 2)])]));
        // The same numbers, but two values changed places between the series.
        assert_ne!(one, fill(vec![series(UP, &[(3.0, 1), (2.0, 2)]), series(b, &[(1.0, 1)])]));
    }
}

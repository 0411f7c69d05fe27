//! Requests as random objects, and what their sets ought to be.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use remote_write::{Exemplar, Label, Sample, TimeSeries, WriteRequest};

/// A label set as receivers store it: sorted, without empty values.
pub(crate) type Name = Vec<(String, String)>;

/// Strings that are easily confused with each other, and now and then a long one.
fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ab]{0,3}",
        1 => "[a-zé\u{0}]{4,40}",
        1 => "[ab]{126,130}",
    ]
}

fn label() -> impl Strategy<Value = Label> {
    (string(), string()).prop_map(|(name, value)| Label { name, value })
}

fn sample() -> impl Strategy<Value = Sample> {
    (any::<f64>(), any::<i64>()).prop_map(|(value, timestamp)| Sample { value, timestamp })
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    (vec(label(), 0..2), any::<f64>(), any::<i64>()).prop_map(|(labels, value, timestamp)| Exemplar {
        labels,
        value,
        timestamp,
    })
}

/// A series with few labels out of few, so that two of them are often the same.
fn series() -> impl Strategy<Value = TimeSeries> {
    (vec(label(), 0..4), vec(sample(), 0..3), vec(exemplar(), 0..2))
        .prop_map(|(labels, samples, exemplars)| TimeSeries { labels, samples, exemplars })
}

pub(crate) fn request() -> impl Strategy<Value = WriteRequest> {
    vec(series(), 0..30).prop_map(|timeseries| WriteRequest { timeseries, metadata: Vec::new() })
}

fn name(series: &TimeSeries) -> Name {
    let kept = series.labels.iter().filter(|label| !label.value.is_empty());
    let mut name: Name = kept.map(|label| (label.name.clone(), label.value.clone())).collect();
    name.sort();
    name
}

/// The series that a request brings something for.
pub(crate) fn names(request: &WriteRequest) -> BTreeSet<Name> {
    let bringing = request.timeseries.iter().filter(|s| !s.samples.is_empty() || !s.exemplars.is_empty());
    bringing.map(name).collect()
}

//! The protobuf messages of remote write 2.0, derived by hand like those of 1.0.
//!
//! Field numbers and types are those of `io/prometheus/write/v2/types.proto` in Prometheus' `prompb`. What is not
//! modelled, reading skips: a histogram's buckets and thresholds, and start timestamps (field 6 of a series in the
//! first drafts, field 3 of a sample since).

use std::collections::HashMap;

use crate::message::{Label, Sample, WriteRequest};

/// The body of one push. Its strings stand once, in a table to which everything else refers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    /// The table. Its first entry is the empty string.
    #[prost(string, repeated, tag = "4")]
    pub symbols: Vec<String>,
    /// The series with their new samples. One series may stand here several times.
    #[prost(message, repeated, tag = "5")]
    pub timeseries: Vec<TimeSeries>,
}

/// One series: its labels, and samples in the order of their timestamps.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TimeSeries {
    /// Places in the table, names and values in turn.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    /// Samples, or else `histograms`: a series has the one or the other.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Native histograms.
    #[prost(message, repeated, tag = "3")]
    pub histograms: Vec<Histogram>,
    /// Pointers to traces.
    #[prost(message, repeated, tag = "4")]
    pub exemplars: Vec<Exemplar>,
    /// What the series' metric means.
    #[prost(message, optional, tag = "5")]
    pub metadata: Option<Metadata>,
}

/// A native histogram as far as its totals.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Histogram {
    /// Observations.
    #[prost(uint64, tag = "1")]
    pub count_int: u64,
    /// Sum of the observations.
    #[prost(double, tag = "3")]
    pub sum: f64,
    /// The layout of the buckets.
    #[prost(sint32, tag = "4")]
    pub schema: i32,
    /// Milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "15")]
    pub timestamp: i64,
}

/// One example behind a sample, usually a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Exemplar {
    /// Places of the exemplar's own labels in the table, names and values in turn.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    /// The observed value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

/// What is known about a series' metric.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Metadata {
    /// The kind of metric. Its numbers are those of [`MetricType`](crate::MetricType).
    #[prost(enumeration = "crate::MetricType", tag = "1")]
    pub r#type: i32,
    /// Place of the help text in the table.
    #[prost(uint32, tag = "3")]
    pub help_ref: u32,
    /// Place of the unit in the table.
    #[prost(uint32, tag = "4")]
    pub unit_ref: u32,
}

impl Request {
    /// The series of a 1.0 request in the form of 2.0. Its metadata is left behind: 1.0 knows it by family, 2.0 by
    /// series.
    #[must_use]
    pub fn from_v1(request: &WriteRequest) -> Self {
        let mut table = Table::default();
        table.place("");
        let timeseries = request.timeseries.iter().map(|series| TimeSeries {
            labels_refs: table.places(&series.labels),
            samples: series.samples.clone(),
            histograms: Vec::new(),
            exemplars: (series.exemplars.iter())
                .map(|exemplar| Exemplar {
                    labels_refs: table.places(&exemplar.labels),
                    value: exemplar.value,
                    timestamp: exemplar.timestamp,
                })
                .collect(),
            metadata: None,
        });
        let timeseries = timeseries.collect();
        Self { symbols: table.symbols, timeseries }
    }
}

/// The table while it is filled.
#[derive(Default)]
struct Table<'a> {
    symbols: Vec<String>,
    places: HashMap<&'a str, u32>,
}

impl<'a> Table<'a> {
    fn place(&mut self, string: &'a str) -> u32 {
        let next = u32::try_from(self.symbols.len()).unwrap_or(u32::MAX);
        *self.places.entry(string).or_insert_with(|| {
            self.symbols.push(string.to_owned());
            next
        })
    }

    fn places(&mut self, labels: &'a [Label]) -> Vec<u32> {
        labels.iter().flat_map(|label| [self.place(&label.name), self.place(&label.value)]).collect()
    }
}

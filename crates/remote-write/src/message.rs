//! The protobuf messages of remote write 1.0, derived by hand so that no build needs `protoc`.
//!
//! Field numbers and types are those of `remote.proto` and `types.proto` in Prometheus' `prompb`. Native
//! histograms (field 4 of a series) came later than the 1.0 text and are not modelled: reading skips them.

/// The body of one push: what a sender has collected since its last one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteRequest {
    /// The series with their new samples. One series may stand here several times.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
    /// What metrics mean. Prometheus sends these in requests of their own, about once a minute.
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<MetricMetadata>,
}

/// One series: the label set that names it, and samples in the order of their timestamps.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TimeSeries {
    /// Sorted by name, no name twice, `__name__` among them: the specification's rule, not checked here.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Prometheus sends one sample a series and request; the format allows any number.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Pointers to traces. Off by default in Prometheus.
    #[prost(message, repeated, tag = "3")]
    pub exemplars: Vec<Exemplar>,
}

/// One name and value of a label set.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Message)]
pub struct Label {
    /// The label's name, e.g. `namespace`.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The label's value, any UTF-8.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// One value at one time.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Sample {
    /// The value. A series that has ended carries the stale marker, a NaN of its own bit pattern.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// One example behind a sample, usually a trace.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Exemplar {
    /// The exemplar's own labels, e.g. `trace_id`.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// The observed value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

/// What is known about one metric family.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct MetricMetadata {
    /// A [`MetricType`] as its number.
    #[prost(enumeration = "MetricType", tag = "1")]
    pub r#type: i32,
    /// The family's name, without suffixes such as `_bucket`.
    #[prost(string, tag = "2")]
    pub metric_family_name: String,
    /// The family's help text.
    #[prost(string, tag = "4")]
    pub help: String,
    /// The family's unit, often empty.
    #[prost(string, tag = "5")]
    pub unit: String,
}

/// The kinds of metric families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum MetricType {
    /// The exposition did not say.
    Unknown = 0,
    /// Only rises, but for restarts.
    Counter = 1,
    /// Rises and falls.
    Gauge = 2,
    /// Cumulative buckets, a sum and a count.
    Histogram = 3,
    /// A histogram whose buckets are not cumulative over time.
    Gaugehistogram = 4,
    /// Quantiles, a sum and a count.
    Summary = 5,
    /// A constant 1 whose labels carry the information.
    Info = 6,
    /// One of several named states.
    Stateset = 7,
}

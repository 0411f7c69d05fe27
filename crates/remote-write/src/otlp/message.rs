//! The messages. See the module above.

/// The body of one push, `ExportMetricsServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExportRequest {
    /// What was collected, by resource.
    #[prost(message, repeated, tag = "1")]
    pub resource_metrics: Vec<ResourceMetrics>,
}

/// The metrics of one resource.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ResourceMetrics {
    /// Whose they are.
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    /// The metrics, by what measured them.
    #[prost(message, repeated, tag = "2")]
    pub scope_metrics: Vec<ScopeMetrics>,
}

/// What is observed: a process, a node.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Resource {
    /// What is known of it.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// The metrics that one library measured.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ScopeMetrics {
    /// The metrics.
    #[prost(message, repeated, tag = "2")]
    pub metrics: Vec<Metric>,
}

/// One metric with its points.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Metric {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its points.
    #[prost(oneof = "Data", tags = "5, 7, 9, 10, 11")]
    pub data: Option<Data>,
}

/// Points by the kind of their metric.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Data {
    /// What goes up and down.
    #[prost(message, tag = "5")]
    Gauge(Numbers),
    /// What adds up. Its temporality is not modelled.
    #[prost(message, tag = "7")]
    Sum(Numbers),
    /// Explicit buckets.
    #[prost(message, tag = "9")]
    Histogram(Histograms),
    /// Exponential buckets.
    #[prost(message, tag = "10")]
    ExponentialHistogram(ExponentialHistograms),
    /// Quantiles.
    #[prost(message, tag = "11")]
    Summary(Summaries),
}

/// Points of a gauge or a sum.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Numbers {
    /// The points.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<NumberPoint>,
}

/// Points of a histogram.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Histograms {
    /// The points.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<HistogramPoint>,
}

/// Points of an exponential histogram.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExponentialHistograms {
    /// The points.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<ExponentialHistogramPoint>,
}

/// Points of a summary.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Summaries {
    /// The points.
    #[prost(message, repeated, tag = "1")]
    pub data_points: Vec<SummaryPoint>,
}

/// One number of one series.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NumberPoint {
    /// What tells the metric's series apart.
    #[prost(message, repeated, tag = "7")]
    pub attributes: Vec<KeyValue>,
    /// Nanoseconds since 1970-01-01 UTC.
    #[prost(fixed64, tag = "3")]
    pub time_unix_nano: u64,
    /// The number.
    #[prost(double, optional, tag = "4")]
    pub as_double: Option<f64>,
}

/// One histogram, as far as its count.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HistogramPoint {
    /// What tells the metric's series apart.
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    /// Nanoseconds since 1970-01-01 UTC.
    #[prost(fixed64, tag = "3")]
    pub time_unix_nano: u64,
    /// Observations.
    #[prost(fixed64, tag = "4")]
    pub count: u64,
}

/// One exponential histogram, as far as its count.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExponentialHistogramPoint {
    /// What tells the metric's series apart.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
    /// Nanoseconds since 1970-01-01 UTC.
    #[prost(fixed64, tag = "3")]
    pub time_unix_nano: u64,
    /// Observations.
    #[prost(fixed64, tag = "4")]
    pub count: u64,
}

/// One summary, as far as its count.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SummaryPoint {
    /// What tells the metric's series apart.
    #[prost(message, repeated, tag = "7")]
    pub attributes: Vec<KeyValue>,
    /// Nanoseconds since 1970-01-01 UTC.
    #[prost(fixed64, tag = "3")]
    pub time_unix_nano: u64,
    /// Observations.
    #[prost(fixed64, tag = "4")]
    pub count: u64,
}

/// An attribute.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValue {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

impl KeyValue {
    /// An attribute whose value is a text.
    #[must_use]
    pub fn text(key: &str, value: &str) -> Self {
        let value = Some(Value::Text(value.to_owned()));
        Self { key: key.to_owned(), value: Some(AnyValue { value }) }
    }

    /// Its value, if that is a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self.value.as_ref()?.value.as_ref()? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A value of any kind, or of none.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AnyValue {
    /// The value.
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub value: Option<Value>,
}

/// The kinds of values.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Value {
    /// Text.
    #[prost(string, tag = "1")]
    Text(String),
    /// True or false.
    #[prost(bool, tag = "2")]
    Bool(bool),
    /// A whole number.
    #[prost(int64, tag = "3")]
    Int(i64),
    /// A number.
    #[prost(double, tag = "4")]
    Double(f64),
    /// Values, which may be lists in turn.
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    /// Attributes, whose values may be lists in turn.
    #[prost(message, tag = "6")]
    Map(KeyValueList),
    /// Bytes.
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

/// A list of values.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ArrayValue {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<AnyValue>,
}

/// A list of attributes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValueList {
    /// The attributes.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<KeyValue>,
}

//! The protobuf messages of an OTLP metrics push, derived by hand like those of remote write, and what Prometheus
//! makes of them.
//!
//! Field numbers and types are those of `opentelemetry/proto/metrics/v1/metrics.proto` and its neighbours in
//! [opentelemetry-proto]. What is not modelled (units, scopes, exemplars, buckets, flags), reading skips.
//!
//! [`from_v1`] and [`to_v1`] are the two directions of the translation that Mimir and Prometheus share: a resource's
//! `service.namespace/service.name` is `job`, its `service.instance.id` is `instance`, a metric's name is `__name__`
//! and a point's attributes are the other labels. Metric names are left as they are.
//!
//! [opentelemetry-proto]: https://github.com/open-telemetry/opentelemetry-proto

use prost::Message as _;

use crate::gzip;
use crate::message::{Label, Sample, TimeSeries, WriteRequest};

mod message;

pub use message::*;

/// The path of an OTLP push in Mimir.
pub const PATH: &str = "/otlp/v1/metrics";
/// The resource attributes that become `job` and `instance`.
pub const SERVICE_NAMESPACE: &str = "service.namespace";
/// See [`SERVICE_NAMESPACE`].
pub const SERVICE_NAME: &str = "service.name";
/// See [`SERVICE_NAMESPACE`].
pub const SERVICE_INSTANCE: &str = "service.instance.id";

/// The headers of a push as the OpenTelemetry collector sends it by default, names in lower case.
pub const HEADERS: [(&str, &str); 2] =
    [("content-encoding", "gzip"), ("content-type", "application/x-protobuf")];

/// Writes a request as the body that belongs to [`HEADERS`].
#[must_use]
pub fn encode(request: &ExportRequest) -> Vec<u8> {
    gzip::compress(&encode_plain(request))
}

/// Writes a request as the body of a push without `content-encoding`.
#[must_use]
pub fn encode_plain(request: &ExportRequest) -> Vec<u8> {
    request.encode_to_vec()
}

/// Reads a body, compressed or not; `limit` bounds its uncompressed bytes. None if it is no OTLP push.
#[must_use]
pub fn decode(body: &[u8], content_encoding: Option<&str>, limit: usize) -> Option<ExportRequest> {
    let mut message = Vec::new();
    match content_encoding {
        None => message.extend_from_slice(body),
        Some("gzip") => gzip::decompress(body, limit, &mut message).ok()?,
        Some(_) => return None,
    }
    ExportRequest::decode(message.as_slice()).ok()
}

/// The samples of a request as gauges, in one resource for each `job` and `instance`.
#[must_use]
pub fn from_v1(request: &WriteRequest) -> ExportRequest {
    let mut resources: Vec<((&str, &str), Vec<Metric>)> = Vec::new();
    for series in &request.timeseries {
        let target = (value(series, "job"), value(series, "instance"));
        let metric = metric(series);
        match resources.iter_mut().find(|(known, _)| *known == target) {
            Some((_, metrics)) => metrics.push(metric),
            None => resources.push((target, vec![metric])),
        }
    }
    let resource_metrics = resources.into_iter().map(|((job, instance), metrics)| {
        let attributes = vec![KeyValue::text(SERVICE_NAME, job), KeyValue::text(SERVICE_INSTANCE, instance)];
        ResourceMetrics {
            resource: Some(Resource { attributes }),
            scope_metrics: vec![ScopeMetrics { metrics }],
        }
    });
    ExportRequest { resource_metrics: resource_metrics.collect() }
}

fn metric(series: &TimeSeries) -> Metric {
    let own = |label: &&Label| !["__name__", "job", "instance"].contains(&label.name.as_str());
    let attributes: Vec<KeyValue> =
        series.labels.iter().filter(own).map(|label| KeyValue::text(&label.name, &label.value)).collect();
    let points = series.samples.iter().map(|sample| NumberPoint {
        attributes: attributes.clone(),
        time_unix_nano: sample.timestamp.unsigned_abs() * 1_000_000,
        as_double: Some(sample.value),
    });
    let data = Data::Gauge(Numbers { data_points: points.collect() });
    Metric { name: value(series, "__name__").to_owned(), data: Some(data) }
}

fn value<'a>(series: &'a TimeSeries, name: &str) -> &'a str {
    let label = series.labels.iter().find(|label| label.name == name);
    label.map(|label| label.value.as_str()).unwrap_or_default()
}

/// The samples of a request's gauges and sums, each in a series of its own, labels sorted.
#[must_use]
pub fn to_v1(request: &ExportRequest) -> WriteRequest {
    let mut timeseries = Vec::new();
    for one in &request.resource_metrics {
        let target = one.resource.as_ref().map(target).unwrap_or_default();
        for metric in one.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let points = match &metric.data {
                Some(Data::Gauge(numbers) | Data::Sum(numbers)) => numbers.data_points.as_slice(),
                _ => &[],
            };
            timeseries.extend(points.iter().map(|point| series(&target, &metric.name, point)));
        }
    }
    WriteRequest { timeseries, metadata: Vec::new() }
}

fn target(resource: &Resource) -> Vec<Label> {
    let text = |key: &str| resource.attributes.iter().find(|one| one.key == key).and_then(KeyValue::as_text);
    let job = match (text(SERVICE_NAMESPACE), text(SERVICE_NAME)) {
        (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        (None, name) => name.map(str::to_owned),
        (Some(_), None) => None,
    };
    let instance = text(SERVICE_INSTANCE).map(str::to_owned);
    let labels = [("job", job), ("instance", instance)];
    labels
        .into_iter()
        .filter_map(|(name, value)| Some(Label { name: name.to_owned(), value: value? }))
        .collect()
}

fn series(target: &[Label], name: &str, point: &NumberPoint) -> TimeSeries {
    let own = point
        .attributes
        .iter()
        .filter_map(|one| Some(Label { name: one.key.clone(), value: one.as_text()?.to_owned() }));
    let name = Label { name: "__name__".to_owned(), value: name.to_owned() };
    let mut labels: Vec<Label> = own.chain(target.iter().cloned()).chain([name]).collect();
    labels.sort();
    let timestamp = i64::try_from(point.time_unix_nano / 1_000_000).unwrap_or(i64::MAX);
    let samples = vec![Sample { value: point.as_double.unwrap_or_default(), timestamp }];
    TimeSeries { labels, samples, exemplars: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::Generator;

    #[test]
    fn samples_survive_the_way_there_and_back() {
        let request = Generator::new(1, 0, 300).batch(700, 1_760_000_000_000);
        let body = encode(&from_v1(&request));
        let mut expected: Vec<TimeSeries> = request.timeseries;
        let mut read = to_v1(&decode(&body, Some("gzip"), 1 << 20).expect("its own body")).timeseries;
        let order = |series: &TimeSeries| (series.labels.clone(), series.samples[0].timestamp);
        expected.sort_by_key(order);
        read.sort_by_key(order);
        assert_eq!(read, expected);
        assert_eq!(decode(&body, None, 1 << 20), None);
    }
}

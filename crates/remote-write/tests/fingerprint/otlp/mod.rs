//! Fingerprints of OTLP pushes: bodies that a receiver may put into one series have sets that meet.

mod bodies;
mod hostile;
mod model;
mod spelling;
mod targets;

use remote_write::fingerprint::otlp_series;
use remote_write::otlp::{
    AnyValue, Data, ExportRequest, HEADERS, KeyValue, Metric, NumberPoint, Numbers, Resource,
    ResourceMetrics, ScopeMetrics, Value,
};

use crate::{Set, checked, scratch};

/// Reads an uncompressed message.
fn otlp(message: &[u8]) -> Set {
    let mut out = vec![1, 2, 3];
    let series = otlp_series(message, HEADERS[1].1, None, &mut scratch(), &mut out);
    checked(series, out)
}

/// Whether copies with these sets would go side by side.
fn apart(left: &Set, right: &Set) -> bool {
    match (left, right) {
        (Ok(left), Ok(right)) => left.iter().all(|one| !right.contains(one)),
        _ => false,
    }
}

fn attribute(key: &str, value: Option<Value>) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value }) }
}

fn texts(attributes: &[(&str, &str)]) -> Vec<KeyValue> {
    attributes.iter().map(|(key, value)| KeyValue::text(key, value)).collect()
}

/// One gauge with one point.
fn gauge(attributes: Vec<KeyValue>) -> Metric {
    let point = NumberPoint { attributes, time_unix_nano: 1, as_double: Some(1.0) };
    Metric { name: "up".into(), data: Some(Data::Gauge(Numbers { data_points: vec![point] })) }
}

/// The metrics of one resource, which has these attributes.
fn of_resource(attributes: Vec<KeyValue>, metrics: Vec<Metric>) -> ResourceMetrics {
    ResourceMetrics { resource: Some(Resource { attributes }), scope_metrics: vec![ScopeMetrics { metrics }] }
}

fn push(resource_metrics: Vec<ResourceMetrics>) -> ExportRequest {
    ExportRequest { resource_metrics }
}

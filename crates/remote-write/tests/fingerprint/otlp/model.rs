//! Random pushes, and the targets that receivers of different tastes put their points into.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use remote_write::otlp::{
    ArrayValue, Data, ExponentialHistogramPoint, ExponentialHistograms, ExportRequest, HistogramPoint,
    Histograms, KeyValue, Metric, NumberPoint, Numbers, Resource, ResourceMetrics, ScopeMetrics, Summaries,
    SummaryPoint, Value,
};

use super::attribute;

/// `job` and `instance` of a series; empty where it has none.
pub(super) type Target = (String, String);

/// Few values, so that two of them often make one label; nearly always a text.
fn value() -> impl Strategy<Value = Option<Value>> {
    let text = prop::sample::select(&["a", "b", "a/b", "/a", "b/a/b", "/", "5"][..]);
    prop_oneof![
        60 => text.prop_map(|text| Some(Value::Text(text.into()))),
        3 => Just(Some(Value::Text(String::new()))),
        1 => Just(Some(Value::Int(5))),
        1 => Just(Some(Value::Bool(true))),
        1 => Just(Some(Value::Bytes(b"a".into()))),
        1 => Just(Some(Value::Array(ArrayValue { values: vec![] }))),
        1 => Just(None),
    ]
}

/// Attributes of these keys, each there as often as its weight says; now and then one of them twice.
fn attributes(keys: &'static [(&'static str, f64)]) -> impl Strategy<Value = Vec<KeyValue>> {
    let each: Vec<_> = (keys.iter().chain(keys))
        .enumerate()
        .map(|(place, (key, weight))| {
            let weight = if place < keys.len() { *weight } else { 0.01 };
            option::weighted(weight, value().prop_map(|value| attribute(key, value)))
        })
        .collect();
    each.prop_map(|all| all.into_iter().flatten().collect::<Vec<_>>()).prop_shuffle()
}

fn of_point() -> impl Strategy<Value = Vec<KeyValue>> {
    attributes(&[
        ("job", 0.2),
        ("instance", 0.2),
        ("service.name", 0.1),
        ("le", 0.3),
        ("_job", 0.1),
        ("Job", 0.1),
        ("key_job", 0.1),
    ])
}

fn of_resource() -> impl Strategy<Value = Vec<KeyValue>> {
    attributes(&[
        ("service.name", 0.8),
        ("service.namespace", 0.3),
        ("service.instance.id", 0.7),
        ("job", 0.05),
        ("instance", 0.05),
        ("host", 0.3),
        ("service_name", 0.1),
    ])
}

fn data() -> impl Strategy<Value = Data> {
    let number = || {
        vec(of_point().prop_map(|attributes| NumberPoint { attributes, ..Default::default() }), 0..3)
            .prop_map(|data_points| Numbers { data_points })
    };
    let histogram = of_point().prop_map(|attributes| HistogramPoint { attributes, ..Default::default() });
    let exponential =
        of_point().prop_map(|attributes| ExponentialHistogramPoint { attributes, ..Default::default() });
    let summary = of_point().prop_map(|attributes| SummaryPoint { attributes, ..Default::default() });
    prop_oneof![
        number().prop_map(Data::Gauge),
        number().prop_map(Data::Sum),
        vec(histogram, 0..3).prop_map(|data_points| Data::Histogram(Histograms { data_points })),
        vec(exponential, 0..3)
            .prop_map(|data_points| Data::ExponentialHistogram(ExponentialHistograms { data_points })),
        vec(summary, 0..3).prop_map(|data_points| Data::Summary(Summaries { data_points })),
    ]
}

fn scope() -> impl Strategy<Value = ScopeMetrics> {
    let metric = option::weighted(0.9, data()).prop_map(|data| Metric { name: "up".into(), data });
    vec(metric, 0..3).prop_map(|metrics| ScopeMetrics { metrics })
}

pub(super) fn request() -> impl Strategy<Value = ExportRequest> {
    let resource = option::weighted(0.9, of_resource().prop_map(|attributes| Resource { attributes }));
    let one = (resource, vec(scope(), 0..3))
        .prop_map(|(resource, scope_metrics)| ResourceMetrics { resource, scope_metrics });
    vec(one, 0..3).prop_map(|resource_metrics| ExportRequest { resource_metrics })
}

/// What receivers may differ in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiver {
    /// Of attributes that are there twice, the first counts.
    first: bool,
    /// An empty namespace is one.
    slash: bool,
    /// Resource attributes become labels.
    promotes: bool,
    /// An empty attribute is one.
    empty: bool,
}

impl Receiver {
    /// Every combination.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..16).map(|bits| Self {
            first: bits & 1 > 0,
            slash: bits & 2 > 0,
            promotes: bits & 4 > 0,
            empty: bits & 8 > 0,
        })
    }

    fn get(self, attributes: &[KeyValue], key: &str) -> Option<String> {
        let mut found = attributes
            .iter()
            .filter(|one| one.key == key)
            .map(|one| text(one.value.as_ref().and_then(|v| v.value.as_ref())));
        let found = if self.first { found.next() } else { found.next_back() };
        found.filter(|text| self.empty || !text.is_empty())
    }

    /// A label that several attributes claim has all of their values.
    fn claimed(self, attributes: &[KeyValue], key: &str) -> Option<String> {
        let all: Vec<String> = (attributes.iter().filter(|one| one.key == key))
            .map(|one| text(one.value.as_ref().and_then(|value| value.value.as_ref())))
            .collect();
        (!all.is_empty()).then(|| all.join(";"))
    }

    fn target(self, resource: &[KeyValue], point: &[KeyValue], promotes: bool) -> Target {
        let label = |own: Option<String>, key| {
            let promoted = || promotes.then(|| self.get(resource, key)).flatten();
            own.or_else(|| self.claimed(point, key)).or_else(promoted).unwrap_or_default()
        };
        let job =
            self.get(resource, "service.name").map(|name| match self.get(resource, "service.namespace") {
                Some(namespace) if self.slash || !namespace.is_empty() => format!("{namespace}/{name}"),
                _ => name,
            });
        (label(job, "job"), label(self.get(resource, "service.instance.id"), "instance"))
    }

    /// The targets of all series that a push brings.
    pub(super) fn targets(self, request: &ExportRequest) -> BTreeSet<Target> {
        let mut targets = BTreeSet::new();
        for one in &request.resource_metrics {
            let resource = one.resource.as_ref().map(|resource| &resource.attributes[..]).unwrap_or_default();
            // `target_info`, whose labels are the resource's attributes.
            targets.insert(self.target(resource, resource, false));
            for metric in one.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                for point in metric.data.iter().flat_map(points) {
                    targets.insert(self.target(resource, point, self.promotes));
                }
            }
        }
        targets
    }
}

/// The attributes of each point.
fn points(data: &Data) -> Vec<&[KeyValue]> {
    match data {
        Data::Gauge(all) | Data::Sum(all) => {
            all.data_points.iter().map(|point| &point.attributes[..]).collect()
        }
        Data::Histogram(all) => all.data_points.iter().map(|point| &point.attributes[..]).collect(),
        Data::ExponentialHistogram(all) => {
            all.data_points.iter().map(|point| &point.attributes[..]).collect()
        }
        Data::Summary(all) => all.data_points.iter().map(|point| &point.attributes[..]).collect(),
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Int(value)) => value.to_string(),
        Some(Value::Double(value)) => value.to_string(),
        Some(Value::Bytes(_)) => "YQ==".into(),
        Some(Value::Array(_)) => "[]".into(),
        Some(Value::Map(_)) => "{}".into(),
    }
}

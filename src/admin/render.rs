//! [`Metrics`] as Envoy's text, as its JSON, and in Prometheus' text format.

use std::fmt::Write;

use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use serde_json::json;

use super::collect::{Family, Kind, Metrics, Sample, Unit, Value};
use crate::stats::histogram::{BOUNDS_MS, HistogramSum};

/// The quantiles Envoy reports, in percent.
const QUANTILES: [f64; 10] = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 100.0];

/// `/stats`: one line for each number, sorted by name; histograms last.
pub(crate) fn text(metrics: &Metrics, wanted: &dyn Fn(&str, &Family, &Sample) -> bool) -> String {
    let (numbers, histograms) = by_text_name(metrics, wanted);
    let mut out = String::new();
    for (name, value) in numbers {
        let _ = writeln!(out, "{name}: {value}");
    }
    for (name, sum) in histograms {
        let _ = writeln!(out, "{name}: {}", summary(sum));
    }
    out
}

/// `/stats?format=json`, in the order of [`text`].
pub(crate) fn json(metrics: &Metrics, wanted: &dyn Fn(&str, &Family, &Sample) -> bool) -> serde_json::Value {
    let (numbers, histograms) = by_text_name(metrics, wanted);
    let mut stats: Vec<_> =
        numbers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    if !histograms.is_empty() {
        let computed: Vec<_> =
            histograms.iter().map(|(name, sum)| json!({"name": name, "values": quantiles(sum)})).collect();
        stats.push(json!({
            "histograms": {"supported_quantiles": QUANTILES.map(short), "computed_quantiles": computed}
        }));
    }
    json!({"stats": stats})
}

/// `/stats/prometheus`: families sorted by name.
///
/// # Errors
///
/// Only if a family breaks the format's rules (it has no samples or no name), which the filter prevents.
pub(crate) fn prometheus(
    metrics: &Metrics,
    wanted: &dyn Fn(&str, &Family, &Sample) -> bool,
) -> prometheus::Result<String> {
    let mut out = String::new();
    for (name, family) in metrics.families() {
        let samples: Vec<_> = family.samples.iter().filter(|sample| wanted(name, family, sample)).collect();
        if !samples.is_empty() {
            TextEncoder::new().encode_utf8(&[proto_family(name, family, &samples)], &mut out)?;
        }
    }
    Ok(out)
}

type Lines<'a, T> = Vec<(&'a str, T)>;

/// The wanted samples that have a text name, sorted by it.
fn by_text_name<'a>(
    metrics: &'a Metrics,
    wanted: &dyn Fn(&str, &Family, &Sample) -> bool,
) -> (Lines<'a, u64>, Lines<'a, &'a HistogramSum>) {
    let mut numbers = Vec::new();
    let mut histograms = Vec::new();
    for (name, family) in metrics.families() {
        for sample in family.samples.iter().filter(|s| !s.text.is_empty() && wanted(name, family, s)) {
            match &sample.value {
                Value::Number(n) => numbers.push((sample.text.as_str(), *n)),
                Value::Durations(sum) => histograms.push((sample.text.as_str(), sum)),
            }
        }
    }
    numbers.sort_unstable_by_key(|(name, _)| *name);
    histograms.sort_unstable_by_key(|(name, _)| *name);
    (numbers, histograms)
}

/// Envoy prints each quantile of the last interval and since the start; intervals are not kept here.
fn summary(sum: &HistogramSum) -> String {
    if sum.count() == 0 {
        return "No recorded values".to_owned();
    }
    let value =
        |q: f64| sum.quantile_ms(q / 100.0).map_or_else(|| "nan".to_owned(), |v| rounded(v).to_string());
    QUANTILES.map(|q| format!("P{q}(nan,{})", value(q))).join(" ")
}

fn quantiles(sum: &HistogramSum) -> Vec<serde_json::Value> {
    let value =
        |q: f64| json!({"cumulative": sum.quantile_ms(q / 100.0).map(rounded).map(short), "interval": null});
    QUANTILES.map(value).into()
}

/// To microseconds: that is how durations are measured.
fn rounded(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

/// `25`, not `25.0`, as Envoy prints numbers in JSON.
fn short(number: f64) -> serde_json::Value {
    #[allow(clippy::cast_possible_truncation, reason = "the cast is checked by the comparison")]
    let whole = number as i64;
    #[allow(clippy::cast_precision_loss, reason = "the cast is checked by the comparison")]
    if whole as f64 == number { json!(whole) } else { json!(number) }
}

fn proto_family(name: &str, family: &Family, samples: &[&Sample]) -> MetricFamily {
    let mut proto = MetricFamily::default();
    proto.set_name(name.to_owned());
    proto.set_help(family.help.to_owned());
    proto.set_field_type(match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    proto.set_metric(samples.iter().map(|sample| proto_metric(family, sample)).collect());
    proto
}

fn proto_metric(family: &Family, sample: &Sample) -> Metric {
    let labels = sample.labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.clone());
        pair
    });
    let mut metric = Metric::from_label(labels.collect());
    // Dividing keeps 0.005 exact where multiplying by 0.001 would not.
    let divisor = match family.unit {
        Unit::Kept => 1.0,
        Unit::Seconds => 1000.0,
    };
    match (&sample.value, family.kind) {
        (Value::Durations(sum), _) => metric.set_histogram(proto_histogram(sum, divisor)),
        (Value::Number(n), Kind::Counter) => {
            let mut counter = Counter::default();
            counter.set_value(*n as f64 / divisor);
            metric.set_counter(counter);
        }
        (Value::Number(n), _) => {
            let mut gauge = Gauge::default();
            gauge.set_value(*n as f64 / divisor);
            metric.set_gauge(gauge);
        }
    }
    metric
}

/// Cumulative buckets; the encoder adds `+Inf` from the count.
fn proto_histogram(sum: &HistogramSum, divisor: f64) -> Histogram {
    let mut below = 0;
    let buckets = BOUNDS_MS.iter().zip(&sum.buckets).map(|(bound, n)| {
        below += n;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound / divisor);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(sum.count());
    histogram.set_sample_sum(sum.sum_us as f64 / 1000.0 / divisor);
    histogram
}

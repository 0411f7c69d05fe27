//! Prometheus' text format, line by line as Envoy writes it: `{}` after a name without labels, counters before
//! gauges before histograms, no `HELP` where there is none to give.

use std::fmt::Write;

use super::{BOUNDS_MS, Buckets, Page, QUANTILES, rounded};
use crate::admin::collect::{Family, Kind, Labels, Sample, Unit, Value};
use crate::stats::histogram::HistogramSum;

/// `/stats/prometheus`: families by kind, then by name; samples by the name they have in the text form.
pub(crate) fn prometheus(page: &Page<'_>) -> String {
    let mut out = String::new();
    for kind in [Kind::Counter, Kind::Gauge, Kind::Histogram] {
        for (name, family) in page.metrics.families().filter(|(_, family)| family.kind == kind) {
            let wanted = |sample: &&Sample| (page.wanted)(name, family, sample);
            let mut samples: Vec<_> = family.samples.iter().filter(wanted).collect();
            samples.sort_by_key(|sample| &sample.text);
            if !samples.is_empty() {
                write_family(&mut out, name, family, &samples, page.buckets);
            }
        }
    }
    out
}

fn write_family(out: &mut String, name: &str, family: &Family, samples: &[&Sample], buckets: Buckets) {
    if !family.help.is_empty() {
        let _ = writeln!(out, "# HELP {name} {}", family.help.replace('\\', r"\\").replace('\n', r"\n"));
    }
    let kind = match (family.kind, buckets) {
        (Kind::Counter, _) => "counter",
        (Kind::Gauge, _) => "gauge",
        (Kind::Histogram, Buckets::Summary) => "summary",
        (Kind::Histogram, _) => "histogram",
    };
    let _ = writeln!(out, "# TYPE {name} {kind}");
    // Dividing keeps 0.005 exact where multiplying by 0.001 would not.
    let divisor = match family.unit {
        Unit::Kept => 1.0,
        Unit::Seconds => 1000.0,
    };
    for sample in samples {
        let labels = labels(&sample.labels);
        match &sample.value {
            Value::Number(_) => {
                let n = sample.number().unwrap_or_default() as f64 / divisor;
                let _ = writeln!(out, "{name}{{{labels}}} {n}");
            }
            Value::Durations(sum) => write_distribution(out, name, &labels, sum, divisor, buckets),
        }
    }
}

fn write_distribution(
    out: &mut String,
    name: &str,
    labels: &str,
    sum: &HistogramSum,
    divisor: f64,
    buckets: Buckets,
) {
    let comma = if labels.is_empty() { "" } else { "," };
    let count = sum.count();
    if buckets == Buckets::Summary {
        for quantile in QUANTILES {
            let value = rounded(sum.quantile_ms(quantile / 100.0).unwrap_or_default()) / divisor;
            // 99.9 / 100 is not 0.999; in whole thousandths it is.
            let quantile = (quantile * 10.0).round() / 1000.0;
            let _ = writeln!(out, "{name}{{{labels}{comma}quantile=\"{quantile}\"}} {value}");
        }
    } else {
        for (bound, n) in BOUNDS_MS.iter().zip(sum.cumulative()) {
            let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{}\"}} {n}", bound / divisor);
        }
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
    }
    let _ = writeln!(out, "{name}_sum{{{labels}}} {}", sum.sum_ms() / divisor);
    let _ = writeln!(out, "{name}_count{{{labels}}} {count}");
}

fn labels(labels: &Labels) -> String {
    let escaped = |value: &str| value.replace('\\', r"\\").replace('\n', r"\n").replace('"', "\\\"");
    let each: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    each.join(",")
}

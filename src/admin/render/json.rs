//! `/stats?format=json`, in the order of the text.

use serde_json::{Value, json as value};

use super::{BOUNDS_MS, Buckets, Page, QUANTILES, Shown, counts, rounded};
use crate::stats::histogram::HistogramSum;

/// `{"stats": [{"name", "value"}, ..., {"histograms": ...}]}`.
pub(crate) fn json(page: &Page<'_>) -> Value {
    let numbers = page.numbers();
    let mut stats: Vec<_> = numbers.iter().map(|(name, n)| value!({"name": name, "value": n})).collect();
    let distributions = page.distributions();
    if !distributions.is_empty() {
        stats.push(value!({"histograms": histograms(&distributions, page.buckets)}));
    }
    value!({"stats": stats})
}

fn histograms(shown: &[Shown<'_>], buckets: Buckets) -> Value {
    let each = |one: fn(&Shown<'_>) -> Value| shown.iter().map(one).collect::<Vec<_>>();
    match buckets {
        Buckets::Summary => value!({
            "supported_quantiles": QUANTILES.map(short),
            "computed_quantiles": each(|s| value!({"name": s.name, "values": quantiles(s)})),
        }),
        Buckets::Cumulative => each(|s| by_bound(s, Buckets::Cumulative)).into(),
        Buckets::Disjoint => each(|s| by_bound(s, Buckets::Disjoint)).into(),
        Buckets::Detailed => value!({
            "supported_percentiles": QUANTILES.map(short),
            "details": each(|s| value!({
                "name": s.name,
                "totals": bins(s.sum),
                "intervals": bins(&s.interval),
                "percentiles": quantiles(s),
            })),
        }),
    }
}

fn by_bound(shown: &Shown<'_>, buckets: Buckets) -> Value {
    let all = counts(&shown.interval, buckets).into_iter().zip(counts(shown.sum, buckets));
    let bounds = BOUNDS_MS.iter().zip(all);
    let one = |(bound, (interval, cumulative)): (&f64, (u64, u64))| value!({"upper_bound": short(*bound), "interval": interval, "cumulative": cumulative});
    value!({"name": shown.name, "buckets": bounds.map(one).collect::<Vec<_>>()})
}

fn quantiles(shown: &Shown<'_>) -> Vec<Value> {
    let at = |sum: &HistogramSum, q: f64| sum.quantile_ms(q / 100.0).map(rounded).map(short);
    QUANTILES.map(|q| value!({"cumulative": at(shown.sum, q), "interval": at(&shown.interval, q)})).into()
}

fn bins(sum: &HistogramSum) -> Vec<Value> {
    let one = |(lower, width, n)| value!({"lower_bound": short(rounded(lower)), "width": short(rounded(width)), "count": n});
    sum.filled().map(one).collect()
}

/// `25`, not `25.0`, as Envoy prints numbers in JSON.
fn short(number: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "the cast is checked by the comparison")]
    let whole = number as i64;
    #[allow(clippy::cast_precision_loss, reason = "the cast is checked by the comparison")]
    if whole as f64 == number { value!(whole) } else { value!(number) }
}

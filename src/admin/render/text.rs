//! `/stats` as text: one line for each number, then the distributions. `format=html` shows the same in a browser.

use std::fmt::Write;

use super::{BOUNDS_MS, Buckets, Page, QUANTILES, Shown, counts, rounded};
use crate::stats::histogram::HistogramSum;

/// `name: value`, sorted by name; distributions last, each with its last interval and since the start.
pub(crate) fn text(page: &Page<'_>) -> String {
    let mut out = String::new();
    for (name, value) in page.numbers() {
        let _ = writeln!(out, "{name}: {value}");
    }
    for shown in page.distributions() {
        let _ = writeln!(out, "{}:{}", shown.name, distribution(&shown, page.buckets));
    }
    out
}

/// The text form as a page. `refresh`: it loads itself again, as Envoy's `active-html` follows the numbers.
pub(crate) fn html(page: &Page<'_>, refresh: bool) -> String {
    let refresh = if refresh { "<meta http-equiv=\"refresh\" content=\"5\">\n" } else { "" };
    let body = text(page).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{refresh}<title>statistics</title>\n\
         </head>\n<body>\n<pre>\n{body}</pre>\n</body>\n</html>\n"
    )
}

fn distribution(shown: &Shown<'_>, buckets: Buckets) -> String {
    if shown.sum.count() == 0 {
        return " No recorded values".to_owned();
    }
    match buckets {
        Buckets::Summary => format!(" {}", summary(shown)),
        Buckets::Cumulative | Buckets::Disjoint => {
            let all = counts(shown.sum, buckets).into_iter().zip(counts(&shown.interval, buckets));
            let bounds = BOUNDS_MS.iter().zip(all);
            bounds.map(|(bound, (all, last))| format!(" B{}({last},{all})", short(*bound))).collect()
        }
        Buckets::Detailed => format!(
            "\n  totals={}\n  intervals={}\n  summary={}",
            bins(shown.sum),
            bins(&shown.interval),
            summary(shown)
        ),
    }
}

/// `P50(last interval,since the start)`.
fn summary(shown: &Shown<'_>) -> String {
    let value = |sum: &HistogramSum, q: f64| {
        sum.quantile_ms(q / 100.0).map_or_else(|| "nan".to_owned(), |v| rounded(v).to_string())
    };
    let each = QUANTILES.map(|q| format!("P{q}({},{})", value(&shown.interval, q), value(shown.sum, q)));
    each.join(" ")
}

/// `lower,width:count`.
fn bins(sum: &HistogramSum) -> String {
    let each: Vec<_> =
        sum.filled().map(|(lower, width, n)| format!("{},{}:{n}", rounded(lower), rounded(width))).collect();
    each.join(", ")
}

/// As C++ prints it: more than six digits become `1.8e+06`.
fn short(bound: f64) -> String {
    if bound < 1e6 { bound.to_string() } else { format!("{}e+06", bound / 1e6) }
}

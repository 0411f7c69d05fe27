//! Connection managers: Envoy's `http.<stat_prefix>.*`, of the listeners and of the admin listener.

use super::{Kind, Labels, Metrics, never, sanitized, sum};
use crate::admin::View;
use crate::stats::HttpStats;
use crate::stats::histogram::{Histogram, HistogramSum};

pub(super) const PREFIX: &str = "envoy_http_conn_manager_prefix";
pub(super) const CLASS: &str = "envoy_response_code_class";

/// Name after `http.<stat_prefix>.`, kind, and what it is.
type Row = (&'static str, Kind, fn(&HttpStats) -> u64);

/// How a number is read.
pub(super) type Read<'a> = &'a dyn Fn(&HttpStats) -> u64;

/// Numbers.
const ROWS: &[Row] = &[
    ("downstream_cx_total", Kind::Counter, |s| s.cx_total.get()),
    ("downstream_cx_active", Kind::Gauge, |s| s.cx_active.get()),
    ("downstream_cx_destroy", Kind::Counter, |s| s.cx_destroy.get()),
    ("downstream_cx_destroy_active_rq", Kind::Counter, |s| {
        s.cx_ends.local_active() + s.cx_ends.remote_active()
    }),
    ("downstream_cx_destroy_local", Kind::Counter, |s| s.cx_ends.local()),
    ("downstream_cx_destroy_local_active_rq", Kind::Counter, |s| s.cx_ends.local_active()),
    ("downstream_cx_destroy_remote", Kind::Counter, |s| s.cx_ends.remote()),
    ("downstream_cx_destroy_remote_active_rq", Kind::Counter, |s| s.cx_ends.remote_active()),
    ("downstream_cx_drain_close", Kind::Counter, |s| s.cx_drain_close.get()),
    ("downstream_cx_idle_timeout", Kind::Counter, |s| s.cx_idle_timeout.get()),
    ("downstream_cx_max_duration_reached", Kind::Counter, |s| s.cx_max_duration_reached.get()),
    ("downstream_cx_max_requests_reached", Kind::Counter, |s| s.cx_max_requests_reached.get()),
    ("downstream_cx_http1_total", Kind::Counter, |s| s.cx_http1_total.get()),
    ("downstream_cx_http1_active", Kind::Gauge, |s| s.cx_http1_active.get()),
    ("downstream_cx_http2_total", Kind::Counter, |s| s.cx_http2_total.get()),
    ("downstream_cx_http2_active", Kind::Gauge, |s| s.cx_http2_active.get()),
    ("downstream_cx_ssl_total", Kind::Counter, |s| s.tls.cx_total.get()),
    ("downstream_cx_ssl_active", Kind::Gauge, |s| s.tls.cx_active.get()),
    ("downstream_cx_protocol_error", Kind::Counter, |s| s.cx_protocol_error.get()),
    ("downstream_cx_rx_bytes_total", Kind::Counter, |s| s.cx_rx_bytes_total.get()),
    ("downstream_cx_tx_bytes_total", Kind::Counter, |s| s.cx_tx_bytes_total.get()),
    ("downstream_rq_total", Kind::Counter, |s| s.rq_total.get()),
    ("downstream_rq_http1_total", Kind::Counter, |s| s.rq_http1_total.get()),
    ("downstream_rq_http2_total", Kind::Counter, |s| s.rq_http2_total.get()),
    ("downstream_rq_active", Kind::Gauge, |s| s.rq_active.get()),
    ("downstream_rq_completed", Kind::Counter, |s| s.rq_completed.get()),
    ("downstream_rq_timeout", Kind::Counter, |s| s.rq_timeout.get()),
    ("downstream_rq_idle_timeout", Kind::Counter, |s| s.rq_idle_timeout.get()),
    ("downstream_rq_header_timeout", Kind::Counter, |s| s.rq_header_timeout.get()),
    ("downstream_rq_rx_reset", Kind::Counter, |s| s.rq_rx_reset.get()),
    ("downstream_rq_too_many_premature_resets", Kind::Counter, |s| s.rq_too_many_premature_resets.get()),
];

/// Numbers of the router, which the admin listener has not.
const ROUTER: &[Row] = &[
    ("no_route", Kind::Counter, |s| s.no_route.get()),
    ("rq_direct_response", Kind::Counter, |s| s.rq_direct_response.get()),
    ("rq_total", Kind::Counter, |s| s.rq_total.get()),
];

/// Name after `http.<stat_prefix>.`, Prometheus' name, and where it is.
type Time = (&'static str, &'static str, fn(&HttpStats) -> &Histogram);

/// Distributions.
const TIMES: &[Time] = &[
    ("downstream_rq_time", "envoy_http_downstream_rq_time", |s| &s.rq_time),
    ("downstream_cx_length_ms", "envoy_http_downstream_cx_length_ms", |s| &s.cx_length),
];

pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    for (index, listener) in view.config.listeners.iter().enumerate() {
        let prefix = sanitized(&listener.http.stat_prefix);
        let number = |read: Read<'_>| sum(view, |worker| worker.http.get(index).map(read));
        let time = |read: fn(&HttpStats) -> &Histogram| {
            let mut time = HistogramSum::default();
            let all = view.stats.threads().filter_map(|worker| worker.http.get(index));
            all.for_each(|http| read(http).add_to(&mut time));
            time
        };
        put(&prefix, &number, &time, metrics);
        let labels = || -> Labels { vec![(PREFIX, prefix.clone())] };
        put_rows(ROUTER, &prefix, &number, metrics);
        never::router(&prefix, &labels, metrics);
    }
    if view.config.admin.is_some() {
        let admin = &view.stats.admin;
        let time = |read: fn(&HttpStats) -> &Histogram| {
            let mut time = HistogramSum::default();
            read(admin).add_to(&mut time);
            time
        };
        put("admin", &|read| read(admin), &time, metrics);
    }
}

/// Answers by class, 1 to 5.
pub(super) fn class(http: &HttpStats, class: usize) -> u64 {
    http.rq_by_class.get(class - 1).map_or(0, |n| n.get())
}

fn put_rows(rows: &[Row], prefix: &str, number: &dyn Fn(Read<'_>) -> u64, metrics: &mut Metrics) {
    for (name, kind, read) in rows {
        let (text, labels) = (format!("http.{prefix}.{name}"), vec![(PREFIX, prefix.to_owned())]);
        metrics.envoy(format!("envoy_http_{name}"), *kind, text, labels, number(read));
    }
}

fn put(
    prefix: &str,
    number: &dyn Fn(Read<'_>) -> u64,
    time: &dyn Fn(fn(&HttpStats) -> &Histogram) -> HistogramSum,
    metrics: &mut Metrics,
) {
    let labels = || -> Labels { vec![(PREFIX, prefix.to_owned())] };
    put_rows(ROWS, prefix, number, metrics);
    for digit in 1..=5 {
        let text = format!("http.{prefix}.downstream_rq_{digit}xx");
        let labels = [vec![(CLASS, digit.to_string())], labels()].concat();
        let n = number(&|http| class(http, digit));
        metrics.envoy("envoy_http_downstream_rq_xx", Kind::Counter, text, labels, n);
    }
    for (name, family, read) in TIMES {
        metrics.envoy_time(family, format!("http.{prefix}.{name}"), labels(), time(*read));
    }
    never::http(prefix, &labels, metrics);
}

//! Listeners: Envoy's `http.<stat_prefix>.*` and `listener.<address>.*`.

use super::{Kind, Labels, Metrics, Unit, Value, sanitized, sum};
use crate::admin::View;
use crate::stats::HttpStats;
use crate::stats::histogram::HistogramSum;

const PREFIX: &str = "envoy_http_conn_manager_prefix";
const ADDRESS: &str = "envoy_listener_address";
const CLASS: &str = "envoy_response_code_class";

type Row = (&'static str, Kind, fn(&HttpStats) -> u64);

/// `http.<stat_prefix>.<name>`.
const HTTP: [Row; 19] = [
    ("downstream_cx_total", Kind::Counter, |s| s.cx_total.get()),
    ("downstream_cx_active", Kind::Gauge, |s| s.cx_active.get()),
    ("downstream_cx_destroy", Kind::Counter, |s| s.cx_destroy.get()),
    ("downstream_cx_idle_timeout", Kind::Counter, |s| s.cx_idle_timeout.get()),
    ("downstream_cx_http1_total", Kind::Counter, |s| s.cx_http1_total.get()),
    ("downstream_cx_http2_total", Kind::Counter, |s| s.cx_http2_total.get()),
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
    ("downstream_rq_rx_reset", Kind::Counter, |s| s.rq_rx_reset.get()),
    ("no_route", Kind::Counter, |s| s.no_route.get()),
    ("rq_total", Kind::Counter, |s| s.rq_total.get()),
];

/// `listener.<address>.<name>`, as far as workers count it.
const LISTENER: [Row; 2] = [
    ("downstream_cx_active", Kind::Gauge, |s| s.cx_active.get()),
    ("downstream_cx_destroy", Kind::Counter, |s| s.cx_destroy.get()),
];

pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    for (index, listener) in view.config.listeners.iter().enumerate() {
        let bound = view.listening.get(index).copied().unwrap_or(listener.address);
        let one = One {
            view,
            index,
            prefix: sanitized(&listener.http.stat_prefix),
            address: sanitized(&bound.to_string()),
        };
        one.http(metrics);
        one.listener(metrics);
        one.ours(&listener.name, metrics);
    }
}

/// One listener.
struct One<'a> {
    view: &'a View,
    index: usize,
    prefix: String,
    address: String,
}

impl One<'_> {
    fn sum(&self, read: impl Fn(&HttpStats) -> u64) -> u64 {
        sum(self.view, |worker| worker.http.get(self.index).map(&read))
    }

    fn class(&self, class: usize) -> u64 {
        self.sum(|http| http.rq_by_class.get(class).map_or(0, |n| n.get()))
    }

    fn prefix(&self) -> Labels {
        vec![(PREFIX, self.prefix.clone())]
    }

    fn address(&self) -> Labels {
        vec![(ADDRESS, self.address.clone())]
    }

    fn http(&self, metrics: &mut Metrics) {
        let prefix = &self.prefix;
        for (name, kind, read) in HTTP {
            let text = format!("http.{prefix}.{name}");
            metrics.envoy(format!("envoy_http_{name}"), kind, text, self.prefix(), self.sum(read));
        }
        for class in 0..5 {
            let digit = class + 1;
            let text = format!("http.{prefix}.downstream_rq_{digit}xx");
            let labels = vec![(CLASS, digit.to_string()), (PREFIX, prefix.clone())];
            metrics.envoy("envoy_http_downstream_rq_xx", Kind::Counter, text, labels, self.class(class));
        }
        let mut time = HistogramSum::default();
        for http in self.view.stats.threads().filter_map(|worker| worker.http.get(self.index)) {
            http.rq_time.add_to(&mut time);
        }
        let text = format!("http.{prefix}.downstream_rq_time");
        metrics.envoy_time("envoy_http_downstream_rq_time", text, self.prefix(), time);
    }

    fn listener(&self, metrics: &mut Metrics) {
        let (prefix, address) = (&self.prefix, &self.address);
        for (name, kind, read) in LISTENER {
            let text = format!("listener.{address}.{name}");
            metrics.envoy(format!("envoy_listener_{name}"), kind, text, self.address(), self.sum(read));
        }
        if let Some(accept) = self.view.stats.control.listeners.get(self.index) {
            for (name, n) in [
                ("downstream_cx_total", accept.accepted.get()),
                ("downstream_cx_overflow", accept.overflow.get()),
            ] {
                let text = format!("listener.{address}.{name}");
                metrics.envoy(format!("envoy_listener_{name}"), Kind::Counter, text, self.address(), n);
            }
        }
        let both = || vec![(PREFIX, prefix.clone()), (ADDRESS, address.clone())];
        for class in 0..5 {
            let digit = class + 1;
            let text = format!("listener.{address}.http.{prefix}.downstream_rq_{digit}xx");
            let labels = [vec![(CLASS, digit.to_string())], both()].concat();
            metrics.envoy(
                "envoy_listener_http_downstream_rq_xx",
                Kind::Counter,
                text,
                labels,
                self.class(class),
            );
        }
        let text = format!("listener.{address}.http.{prefix}.downstream_rq_completed");
        let completed = self.sum(|http| http.rq_completed.get());
        metrics.envoy("envoy_listener_http_downstream_rq_completed", Kind::Counter, text, both(), completed);
    }

    fn ours(&self, name: &str, metrics: &mut Metrics) {
        metrics
            .family(
                "mimir_mirror_trailers_dropped_total".into(),
                Kind::Counter,
                Unit::Kept,
                "Requests and answers whose trailers were not announced and so could not be passed on.",
            )
            .push(
                format!("listener.{}.trailers_dropped", self.address),
                vec![("listener", name.to_owned())],
                Value::Number(self.sum(|http| http.trailers_dropped.get())),
            );
    }
}

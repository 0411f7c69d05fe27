//! Listeners: Envoy's `listener.<address>.*`, of the configured ones and of the admin listener.

use super::http::{CLASS, PREFIX, Read, class};
use super::{Kind, Labels, Metrics, Unit, Value, never, sanitized, sum, tls};
use crate::admin::View;
use crate::stats::HttpStats;
use crate::stats::histogram::HistogramSum;

const ADDRESS: &str = "envoy_listener_address";
const WORKER: &str = "envoy_worker_id";

/// Name after `listener.<address>.`, kind, and what it is.
type Row = (&'static str, Kind, fn(&HttpStats) -> u64);

/// What workers count.
const ROWS: &[Row] = &[
    ("downstream_cx_active", Kind::Gauge, |s| s.cx_active.get()),
    ("downstream_cx_destroy", Kind::Counter, |s| s.cx_destroy.get()),
    ("downstream_cx_transport_socket_connect_timeout", Kind::Counter, |s| s.tls.timeout.get()),
    ("no_filter_chain_match", Kind::Counter, |s| s.tls.no_filter_chain_match.get()),
];

/// What each worker counts, after `worker_<number>.`
const BY_WORKER: &[Row] = &[
    ("downstream_cx_active", Kind::Gauge, |s| s.cx_active.get()),
    ("downstream_cx_total", Kind::Counter, |s| s.cx_total.get()),
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
        one.connections(metrics);
        one.accepting(metrics);
        one.workers(metrics);
        one.answers(metrics);
        one.ours(&listener.name, metrics);
        if listener.tls.is_some() {
            let (text, labels) = (format!("listener.{}", one.address), one.labels());
            tls::Of { view, place: tls::Place::Listener(index), text, labels }.collect(metrics);
        }
    }
    if view.config.admin.is_some() {
        admin(&view.stats.admin, metrics);
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

    fn labels(&self) -> Labels {
        vec![(ADDRESS, self.address.clone())]
    }

    fn connections(&self, metrics: &mut Metrics) {
        let address = &self.address;
        for (name, kind, read) in ROWS {
            let text = format!("listener.{address}.{name}");
            metrics.envoy(format!("envoy_listener_{name}"), *kind, text, self.labels(), self.sum(read));
        }
        let mut length = HistogramSum::default();
        let all = self.view.stats.threads().filter_map(|worker| worker.http.get(self.index));
        all.for_each(|http| http.cx_length.add_to(&mut length));
        let text = format!("listener.{address}.downstream_cx_length_ms");
        metrics.envoy_time("envoy_listener_downstream_cx_length_ms", text, self.labels(), length);
        never::listener(address, &|| self.labels(), metrics);
    }

    fn accepting(&self, metrics: &mut Metrics) {
        let Some(accept) = self.view.stats.control.listeners.get(self.index) else { return };
        for (name, n) in [
            ("downstream_cx_total", accept.accepted.get()),
            ("downstream_cx_overflow", accept.overflow.get()),
            ("downstream_global_cx_overflow", accept.global_overflow.get()),
        ] {
            let text = format!("listener.{}.{name}", self.address);
            metrics.envoy(format!("envoy_listener_{name}"), Kind::Counter, text, self.labels(), n);
        }
    }

    fn workers(&self, metrics: &mut Metrics) {
        for (number, worker) in self.view.stats.workers.iter().enumerate() {
            let Some(http) = worker.http.get(self.index) else { continue };
            for (name, kind, read) in BY_WORKER {
                let text = format!("listener.{}.worker_{number}.{name}", self.address);
                let labels = [vec![(WORKER, number.to_string())], self.labels()].concat();
                metrics.envoy(format!("envoy_listener_worker_{name}"), *kind, text, labels, read(http));
            }
        }
    }

    fn answers(&self, metrics: &mut Metrics) {
        let labels = || [vec![(PREFIX, self.prefix.clone())], self.labels()].concat();
        let text = format!("listener.{}.http.{}", self.address, self.prefix);
        put_answers("envoy_listener_http", &text, &labels, &|read| self.sum(read), metrics);
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

fn put_answers(
    family: &str,
    text: &str,
    labels: &dyn Fn() -> Labels,
    number: &dyn Fn(Read<'_>) -> u64,
    metrics: &mut Metrics,
) {
    for digit in 1..=5 {
        let text = format!("{text}.downstream_rq_{digit}xx");
        let labels = [vec![(CLASS, digit.to_string())], labels()].concat();
        let n = number(&|http| class(http, digit));
        metrics.envoy(format!("{family}_downstream_rq_xx"), Kind::Counter, text, labels, n);
    }
    let text = format!("{text}.downstream_rq_completed");
    let completed = number(&|http| http.rq_completed.get());
    metrics.envoy(format!("{family}_downstream_rq_completed"), Kind::Counter, text, labels(), completed);
}

/// `listener.admin.*`: the name is part of the metric's, as Envoy has it.
fn admin(http: &HttpStats, metrics: &mut Metrics) {
    let mut put = |name: &str, kind, n| {
        let family = format!("envoy_listener_admin_{}", name.replace('.', "_"));
        metrics.envoy(family, kind, format!("listener.admin.{name}"), Vec::new(), n);
    };
    put("downstream_cx_destroy", Kind::Counter, http.cx_destroy.get());
    for scope in ["", "main_thread."] {
        put(&format!("{scope}downstream_cx_total"), Kind::Counter, http.cx_total.get());
        put(&format!("{scope}downstream_cx_active"), Kind::Gauge, http.cx_active.get());
    }
    let mut length = HistogramSum::default();
    http.cx_length.add_to(&mut length);
    let (name, family) =
        ("listener.admin.downstream_cx_length_ms", "envoy_listener_admin_downstream_cx_length_ms");
    metrics.envoy_time(family, name.to_owned(), Vec::new(), length);
    never::admin_listener(metrics);
    let labels = || -> Labels { vec![(PREFIX, "admin".to_owned())] };
    put_answers(
        "envoy_listener_admin_http",
        "listener.admin.http.admin",
        &labels,
        &|read| read(http),
        metrics,
    );
}

//! Clusters: Envoy's `cluster.<name>.*`.

use config::model::Discovery;

use super::by_status::Answers;
use super::{Kind, Labels, Metrics, never, sanitized, sum, tls};
use crate::admin::View;
use crate::cluster::breakers::Breakers;
use crate::stats::histogram::{Histogram, HistogramSum};
use crate::stats::{ClusterStats, DiscoveryStats, Http2Stats};

pub(super) const CLUSTER: &str = "envoy_cluster_name";

type Row<S> = (&'static str, Kind, fn(&S) -> u64);

/// `cluster.<name>.<row>`, written by the workers.
const ROWS: &[Row<ClusterStats>] = &[
    ("upstream_cx_total", Kind::Counter, |s| s.cx_total.get()),
    ("upstream_cx_active", Kind::Gauge, |s| s.cx_active.get()),
    ("upstream_cx_connect_fail", Kind::Counter, |s| s.cx_connect_fail.get()),
    ("upstream_cx_connect_timeout", Kind::Counter, |s| s.cx_connect_timeout.get()),
    ("upstream_cx_http1_total", Kind::Counter, |s| s.cx_http1_total.get()),
    ("upstream_cx_destroy", Kind::Counter, |s| s.cx_ends.local() + s.cx_ends.remote()),
    ("upstream_cx_destroy_local", Kind::Counter, |s| s.cx_ends.local()),
    ("upstream_cx_destroy_remote", Kind::Counter, |s| s.cx_ends.remote()),
    ("upstream_cx_destroy_with_active_rq", Kind::Counter, |s| {
        s.cx_ends.local_active() + s.cx_ends.remote_active()
    }),
    ("upstream_cx_destroy_local_with_active_rq", Kind::Counter, |s| s.cx_ends.local_active()),
    ("upstream_cx_destroy_remote_with_active_rq", Kind::Counter, |s| s.cx_ends.remote_active()),
    ("upstream_cx_none_healthy", Kind::Counter, |s| s.cx_none_healthy.get()),
    ("upstream_cx_idle_timeout", Kind::Counter, |s| s.cx_idle_timeout.get()),
    ("upstream_cx_http2_total", Kind::Counter, |s| s.cx_http2_total.get()),
    ("upstream_cx_max_duration_reached", Kind::Counter, |s| s.cx_max_duration_reached.get()),
    ("upstream_cx_max_requests", Kind::Counter, |s| s.cx_max_requests.get()),
    ("upstream_cx_rx_bytes_total", Kind::Counter, |s| s.cx_rx_bytes_total.get()),
    ("upstream_cx_tx_bytes_total", Kind::Counter, |s| s.cx_tx_bytes_total.get()),
    ("upstream_rq_total", Kind::Counter, |s| s.rq_total.get()),
    ("upstream_rq_active", Kind::Gauge, |s| s.rq_active.get()),
    ("upstream_rq_pending_total", Kind::Counter, |s| s.rq_pending_total.get()),
    ("upstream_rq_pending_active", Kind::Gauge, |s| s.rq_pending_active.get()),
    ("upstream_rq_pending_failure_eject", Kind::Counter, |s| s.rq_pending_failure_eject.get()),
    ("upstream_rq_cancelled", Kind::Counter, |s| s.rq_cancelled.get()),
    ("upstream_cx_overflow", Kind::Counter, |s| s.cx_overflow.get()),
    ("upstream_rq_pending_overflow", Kind::Counter, |s| s.rq_pending_overflow.get()),
    ("upstream_rq_active_overflow", Kind::Counter, |s| s.rq_active_overflow.get()),
    ("upstream_cx_protocol_error", Kind::Counter, |s| s.cx_protocol_error.get()),
    ("upstream_rq_timeout", Kind::Counter, |s| s.rq_timeout.get()),
    ("upstream_rq_rx_reset", Kind::Counter, |s| s.rq_rx_reset.get()),
    ("upstream_rq_tx_reset", Kind::Counter, |s| s.rq_tx_reset.get()),
    ("upstream_rq_retry", Kind::Counter, |s| s.rq_retry.get()),
    ("lb_healthy_panic", Kind::Counter, |s| s.lb_healthy_panic.get()),
    ("upstream_rq_retry_backoff_exponential", Kind::Counter, |s| s.rq_retry_backoff_exponential.get()),
    ("upstream_rq_retry_success", Kind::Counter, |s| s.rq_retry_success.get()),
    ("upstream_rq_retry_limit_exceeded", Kind::Counter, |s| s.rq_retry_limit_exceeded.get()),
    ("upstream_rq_retry_overflow", Kind::Counter, |s| s.rq_retry_overflow.get()),
    ("upstream_rq_per_try_timeout", Kind::Counter, |s| s.rq_per_try_timeout.get()),
    ("retry_or_shadow_abandoned", Kind::Counter, |s| s.retry_or_shadow_abandoned.get()),
];

/// `cluster.<name>.http2.<row>`, of clusters that have spoken it.
const HTTP2: &[Row<Http2Stats>] = &[
    ("streams_active", Kind::Gauge, |s| s.streams_active.get()),
    ("rx_reset", Kind::Counter, |s| s.rx_reset.get()),
    ("tx_reset", Kind::Counter, |s| s.tx_reset.get()),
];

/// `cluster.<name>.<row>`, written by the control thread.
const DISCOVERY: &[Row<DiscoveryStats>] = &[
    ("update_attempt", Kind::Counter, |s| s.update_attempt.get()),
    ("update_success", Kind::Counter, |s| s.update_success.get()),
    ("update_failure", Kind::Counter, |s| s.update_failure.get()),
    ("update_empty", Kind::Counter, |s| s.update_empty.get()),
    ("update_no_rebuild", Kind::Counter, |s| s.update_no_rebuild.get()),
    ("membership_change", Kind::Counter, |s| s.membership_change.get()),
    ("membership_total", Kind::Gauge, |s| s.membership_total.get()),
    ("membership_healthy", Kind::Gauge, |s| s.membership_healthy.get()),
];

/// `cluster.<name>.health_check.<row>`, of clusters that have one.
const CHECKS: &[Row<DiscoveryStats>] = &[
    ("attempt", Kind::Counter, |s| s.check_attempt.get()),
    ("success", Kind::Counter, |s| s.check_success.get()),
    ("failure", Kind::Counter, |s| s.check_failure.get()),
    ("network_failure", Kind::Counter, |s| s.check_network_failure.get()),
    // What answers to requests say of health is not heard, and nothing is degraded.
    ("passive_failure", Kind::Counter, |_| 0),
    ("verify_cluster", Kind::Counter, |_| 0),
    ("healthy", Kind::Gauge, |s| s.check_healthy.get()),
    ("degraded", Kind::Gauge, |_| 0),
];

/// Name after `cluster.<name>.`, Prometheus' name, and where it is.
type Time = (&'static str, &'static str, fn(&ClusterStats) -> &Histogram);

/// Distributions, written by the workers.
const TIMES: &[Time] = &[
    ("upstream_cx_connect_ms", "envoy_cluster_upstream_cx_connect_ms", |s| &s.cx_connect),
    ("upstream_cx_length_ms", "envoy_cluster_upstream_cx_length_ms", |s| &s.cx_length),
    ("upstream_rq_per_cx", "envoy_cluster_upstream_rq_per_cx", |s| &s.rq_per_cx),
];

pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    for (index, cluster) in view.config.clusters.iter().enumerate() {
        let name = sanitized(&cluster.name);
        let labels = || vec![(CLUSTER, name.clone())];
        for (row, kind, read) in ROWS {
            let n = sum(view, |worker| worker.clusters.get(index).map(read));
            metrics.envoy(
                format!("envoy_cluster_{row}"),
                *kind,
                format!("cluster.{name}.{row}"),
                labels(),
                n,
            );
        }
        if let Some(discovery) = view.stats.control.clusters.get(index) {
            // Addresses that stand in the file are not looked up, and so there is nothing to update.
            let is_fixed = matches!(cluster.discovery, Discovery::Static);
            for (row, kind, read) in DISCOVERY {
                let text = format!("cluster.{name}.{row}");
                let n = if is_fixed && row.starts_with("update_") { 0 } else { read(discovery) };
                metrics.envoy(format!("envoy_cluster_{row}"), *kind, text, labels(), n);
            }
            if let Some(check) = &cluster.health.check {
                checks(&check.name, &name, discovery, metrics);
            }
        }
        for (row, family, read) in TIMES {
            let mut time = HistogramSum::default();
            let all = view.stats.threads().filter_map(|worker| worker.clusters.get(index));
            all.for_each(|cluster| read(cluster).add_to(&mut time));
            metrics.envoy_time(family, format!("cluster.{name}.{row}"), labels(), time);
        }
        if cluster.tls.is_some() {
            let (text, labels) = (format!("cluster.{name}"), labels());
            tls::Of { view, place: tls::Place::Cluster(index), text, labels }.collect(metrics);
        }
        if let Some(Some(breakers)) = view.breakers.get(index) {
            self::breakers(breakers, &name, &labels, metrics);
        }
        never::cluster(&name, &labels, metrics);
        http2(view, index, &name, &labels, metrics);
        Answers::of(view, index).collect(&name, metrics);
    }
}

fn checks(check: &str, cluster: &str, stats: &DiscoveryStats, metrics: &mut Metrics) {
    let check = sanitized(check);
    let named = Some(("envoy_health_check_name", check.clone())).filter(|_| !check.is_empty());
    let part = if check.is_empty() { String::new() } else { format!("name.{check}.") };
    for (row, kind, read) in CHECKS {
        let text = format!("cluster.{cluster}.health_check.{part}{row}");
        let labels = named.iter().cloned().chain([(CLUSTER, cluster.to_owned())]).collect();
        metrics.envoy(format!("envoy_cluster_health_check_{row}"), *kind, text, labels, read(stats));
    }
}

/// From the first connection that spoke HTTP/2 on, as in Envoy.
fn http2(view: &View, index: usize, cluster: &str, labels: &impl Fn() -> Labels, metrics: &mut Metrics) {
    let of = |read: &dyn Fn(&ClusterStats) -> u64| sum(view, |worker| worker.clusters.get(index).map(read));
    if of(&|stats| stats.cx_http2_total.get()) == 0 {
        return;
    }
    for (row, kind, read) in HTTP2 {
        let text = format!("cluster.{cluster}.http2.{row}");
        let family = format!("envoy_cluster_http2_{row}");
        metrics.envoy(family, *kind, text, labels(), of(&|stats| read(&stats.http2)));
    }
    never::http2(cluster, labels, metrics);
}

/// How much of the thresholds is in use.
fn breakers(breakers: &Breakers, cluster: &str, labels: &impl Fn() -> Labels, metrics: &mut Metrics) {
    let mut gauge = |name: &str, value: u64| {
        let text = format!("cluster.{cluster}.circuit_breakers.default.{name}");
        let family = format!("envoy_cluster_circuit_breakers_default_{name}");
        metrics.envoy(family, Kind::Gauge, text, labels(), value);
    };
    for (open, remaining, threshold) in [
        ("cx_open", "remaining_cx", &breakers.connections),
        ("rq_pending_open", "remaining_pending", &breakers.pending),
        ("rq_open", "remaining_rq", &breakers.requests),
        ("rq_retry_open", "remaining_retries", &breakers.retries),
    ] {
        gauge(open, u64::from(threshold.is_open()));
        if let Some(left) = threshold.left().filter(|_| breakers.track_remaining) {
            gauge(remaining, u64::from(left));
        }
    }
}

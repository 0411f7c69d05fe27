//! The process: Envoy's `server.*` and the managers' totals, and the build.

use super::{Kind, Metrics, Unit, Value, sum};
use crate::admin::{View, certs, memory};
use crate::stats::histogram::HistogramSum;

pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    let mut gauge = |text: &str, n: u64| {
        let name = format!("envoy_{}", text.replace('.', "_"));
        metrics.envoy(name, Kind::Gauge, text.to_owned(), Vec::new(), n);
    };
    let lifecycle = &view.lifecycle;
    gauge("server.live", u64::from(lifecycle.is_live() && !lifecycle.is_failing()));
    gauge("server.state", state(lifecycle.name()));
    gauge("server.uptime", view.stats.started.elapsed().as_secs());
    gauge("server.hot_restart_epoch", view.generation.epoch.into());
    if view.generation.followed {
        gauge("server.hot_restart_generation", view.generation.number.into());
    }
    gauge("server.concurrency", view.stats.workers.len() as u64);
    let connections = sum(view, |worker| Some(worker.http.iter().map(|http| http.cx_active.get()).sum()));
    gauge("server.total_connections", connections);
    if let Some(memory) = memory::Memory::read() {
        gauge("server.memory_allocated", memory.anonymous);
        gauge("server.memory_heap_size", memory.heap);
        gauge("server.memory_physical_size", memory.resident);
    }
    let (clusters, listeners) = (view.config.clusters.len() as u64, view.config.listeners.len() as u64);
    let workers = view.stats.workers.len() as u64;
    gauge("server.version", view.config.process.stats_server_version.unwrap_or_else(version));
    let layers = &view.config.process.runtime;
    let keys: std::collections::HashSet<_> =
        layers.iter().flat_map(|layer| &layer.entries).map(|(key, _)| key).collect();
    gauge("runtime.num_layers", layers.len() as u64);
    gauge("runtime.num_keys", keys.len() as u64);
    gauge("server.days_until_first_cert_expiring", certs::days_until_first_expires(view));
    gauge("cluster_manager.active_clusters", clusters);
    gauge("listener_manager.total_listeners_active", listeners);
    gauge("listener_manager.workers_started", u64::from(lifecycle.is_live()));
    let mut counter = |text: &str, n: u64| {
        let name = format!("envoy_{}", text.replace('.', "_"));
        metrics.envoy(name, Kind::Counter, text.to_owned(), Vec::new(), n);
    };
    counter("cluster_manager.cluster_added", clusters);
    counter("listener_manager.listener_added", listeners);
    counter("listener_manager.listener_create_success", listeners * workers);
    inflated(clusters, workers, metrics);
    let mut start = HistogramSum::default();
    view.stats.control.initialization.add_to(&mut start);
    metrics.envoy_time(
        "envoy_server_initialization_time_ms",
        "server.initialization_time_ms".to_owned(),
        Vec::new(),
        start,
    );
    build(metrics);
}

/// Every worker has all clusters from its start.
fn inflated(clusters: u64, workers: u64, metrics: &mut Metrics) {
    for number in 0..workers {
        let text = format!("thread_local_cluster_manager.worker_{number}.clusters_inflated");
        let labels = vec![("envoy_worker_id", number.to_string())];
        let family = "envoy_thread_local_cluster_manager_worker_clusters_inflated";
        metrics.envoy(family, Kind::Gauge, text, labels, clusters);
    }
}

/// Envoy's `server.version` is made of the commit; ours of the release, so that it can be compared.
fn version() -> u64 {
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
        + number(env!("CARGO_PKG_VERSION_MINOR")) * 1000
        + number(env!("CARGO_PKG_VERSION_PATCH"))
}

/// Envoy's number of a state (`envoy.admin.v3.ServerInfo.State`).
fn state(name: &str) -> u64 {
    match name {
        "LIVE" => 0,
        "DRAINING" => 1,
        "PRE_INITIALIZING" => 2,
        _ => 3,
    }
}

fn build(metrics: &mut Metrics) {
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("os", std::env::consts::OS),
        ("arch", std::env::consts::ARCH),
        ("profile", if cfg!(debug_assertions) { "debug" } else { "release" }),
    ];
    metrics
        .family(
            "mimir_mirror_build_info".into(),
            Kind::Gauge,
            Unit::Kept,
            "Which mimir-mirror this is; the value is always 1.",
        )
        .push(String::new(), labels.map(|(name, value)| (name, value.to_owned())).into(), Value::Number(1));
}

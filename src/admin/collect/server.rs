//! The process: Envoy's `server.*` and the managers' totals, and the build.

use super::{Kind, Metrics, Unit, Value, sum};
use crate::admin::{View, memory};

pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    let mut gauge = |text: &str, n: u64| {
        let name = format!("envoy_{}", text.replace('.', "_"));
        metrics.envoy(name, Kind::Gauge, text.to_owned(), Vec::new(), n);
    };
    let lifecycle = &view.lifecycle;
    gauge("server.live", u64::from(lifecycle.is_live() && !lifecycle.is_failing()));
    gauge("server.state", state(lifecycle.name()));
    gauge("server.uptime", view.stats.started.elapsed().as_secs());
    gauge("server.concurrency", view.stats.workers.len() as u64);
    let connections = sum(view, |worker| Some(worker.http.iter().map(|http| http.cx_active.get()).sum()));
    gauge("server.total_connections", connections);
    if let Some(memory) = memory::Memory::read() {
        gauge("server.memory_allocated", memory.anonymous);
        gauge("server.memory_heap_size", memory.data);
        gauge("server.memory_physical_size", memory.resident);
    }
    gauge("cluster_manager.active_clusters", view.config.clusters.len() as u64);
    gauge("listener_manager.total_listeners_active", view.config.listeners.len() as u64);
    build(metrics);
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

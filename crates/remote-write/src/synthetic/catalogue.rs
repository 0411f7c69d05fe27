//! What a scraped pod exposes: metric families of the kinds that fill a Kubernetes cluster's Prometheus.

use super::random::mix;
use crate::message::Label;

/// How a series moves from one scrape to the next.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A whole number that only rises.
    Counter,
    /// Seconds, or another fraction, that only rise.
    Total,
    /// A multiple of 4096 that wanders.
    Bytes,
    /// A small whole number that seldom changes.
    Level,
}

/// One series of a pod: what is added to the labels that all series of the pod share.
pub(super) struct Template {
    pub(super) metric: &'static str,
    pub(super) labels: Vec<(&'static str, &'static str)>,
    pub(super) kind: Kind,
}

impl Template {
    /// The value at one round of scrapes. `series` is a number of the series' own.
    pub(super) fn value(&self, series: u64, round: u64) -> f64 {
        let own = mix(series);
        let now = mix(own ^ round);
        // A third of a real cluster's counters stand still: buckets that nothing falls into, errors that do not occur.
        let moving = if own.is_multiple_of(3) { 0 } else { round };
        let number = match self.kind {
            Kind::Counter => own % 900_000_000_000 + moving * (own % 400) + now % 97 * moving.min(1),
            Kind::Total => {
                return ((own % 9_000_000_000 + moving * 1_000 + now % 997 * moving.min(1)) as f64) / 1e3;
            }
            Kind::Bytes => (own % 4_000_000 + now % 200 * moving.min(1)) * 4_096,
            Kind::Level => own % 5,
        };
        number as f64
    }
}

/// The workloads that pods belong to: namespace, name, port.
pub(super) const WORKLOADS: [(&str, &str, &str); 8] = [
    ("payments", "ledger", "8080"),
    ("checkout", "worker", "9090"),
    ("identity", "sessions", "8081"),
    ("search", "indexer", "2112"),
    ("ingress", "ingress-nginx", "10254"),
    ("messaging", "kafka", "9308"),
    ("monitoring", "node-exporter", "9100"),
    ("storage", "postgres", "9187"),
];

const BUCKETS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
const HANDLERS: [&str; 5] = ["/orders", "/orders/{id}", "/customers", "/healthz", "/metrics"];
const METHODS: [(&str, &str); 2] = [("GET", "200"), ("POST", "201")];

/// Families with one series a pod, as the container runtime, Go's client library and the scrape itself expose them.
const SINGLE: [(&str, Kind); 49] = [
    ("container_cpu_cfs_periods_total", Kind::Counter),
    ("container_cpu_cfs_throttled_periods_total", Kind::Counter),
    ("container_cpu_cfs_throttled_seconds_total", Kind::Total),
    ("container_cpu_usage_seconds_total", Kind::Total),
    ("container_file_descriptors", Kind::Level),
    ("container_fs_reads_bytes_total", Kind::Counter),
    ("container_fs_usage_bytes", Kind::Bytes),
    ("container_fs_writes_bytes_total", Kind::Counter),
    ("container_last_seen", Kind::Counter),
    ("container_memory_cache", Kind::Bytes),
    ("container_memory_failures_total", Kind::Counter),
    ("container_memory_mapped_file", Kind::Bytes),
    ("container_memory_rss", Kind::Bytes),
    ("container_memory_usage_bytes", Kind::Bytes),
    ("container_memory_working_set_bytes", Kind::Bytes),
    ("container_network_receive_bytes_total", Kind::Counter),
    ("container_network_receive_packets_total", Kind::Counter),
    ("container_network_transmit_bytes_total", Kind::Counter),
    ("container_network_transmit_packets_total", Kind::Counter),
    ("container_spec_memory_limit_bytes", Kind::Bytes),
    ("container_start_time_seconds", Kind::Total),
    ("container_threads", Kind::Level),
    ("go_gc_duration_seconds_count", Kind::Counter),
    ("go_gc_duration_seconds_sum", Kind::Total),
    ("go_goroutines", Kind::Level),
    ("go_memstats_alloc_bytes", Kind::Bytes),
    ("go_memstats_alloc_bytes_total", Kind::Counter),
    ("go_memstats_frees_total", Kind::Counter),
    ("go_memstats_heap_alloc_bytes", Kind::Bytes),
    ("go_memstats_heap_idle_bytes", Kind::Bytes),
    ("go_memstats_heap_inuse_bytes", Kind::Bytes),
    ("go_memstats_heap_objects", Kind::Counter),
    ("go_memstats_heap_sys_bytes", Kind::Bytes),
    ("go_memstats_last_gc_time_seconds", Kind::Total),
    ("go_memstats_mallocs_total", Kind::Counter),
    ("go_memstats_next_gc_bytes", Kind::Bytes),
    ("go_memstats_stack_inuse_bytes", Kind::Bytes),
    ("go_memstats_sys_bytes", Kind::Bytes),
    ("go_threads", Kind::Level),
    ("process_cpu_seconds_total", Kind::Total),
    ("process_network_receive_bytes_total", Kind::Counter),
    ("process_network_transmit_bytes_total", Kind::Counter),
    ("process_open_fds", Kind::Level),
    ("process_resident_memory_bytes", Kind::Bytes),
    ("process_start_time_seconds", Kind::Total),
    ("process_virtual_memory_bytes", Kind::Bytes),
    ("scrape_duration_seconds", Kind::Total),
    ("scrape_samples_scraped", Kind::Level),
    ("up", Kind::Level),
];

/// Every series that one pod exposes, in the order of a scrape.
pub(super) fn templates() -> Vec<Template> {
    let mut all: Vec<Template> =
        SINGLE.iter().map(|&(metric, kind)| Template { metric, labels: Vec::new(), kind }).collect();
    for handler in HANDLERS {
        for (method, code) in METHODS {
            let labels = vec![("code", code), ("handler", handler), ("method", method)];
            for le in BUCKETS {
                let labels = [labels.as_slice(), &[("le", le)]].concat();
                let metric = "http_request_seconds_bucket";
                all.push(Template { metric, labels, kind: Kind::Counter });
            }
            for (metric, kind) in [
                ("http_request_seconds_count", Kind::Counter),
                ("http_request_seconds_sum", Kind::Total),
                ("http_requests_total", Kind::Counter),
            ] {
                all.push(Template { metric, labels: labels.clone(), kind });
            }
        }
    }
    all
}

/// The labels that all series of one pod share.
pub(super) fn pod_labels(pod: u64, suffix: &str) -> Vec<Label> {
    let place = usize::try_from(pod % WORKLOADS.len() as u64).unwrap_or_default();
    let (namespace, name, port) = WORKLOADS.get(place).copied().unwrap_or(("default", "app", "8080"));
    let address = mix(pod);
    let instance = format!("10.{}.{}.{}:{port}", address % 64, (address >> 8) % 256, (address >> 16) % 256);
    [
        ("cluster", "prod-eu-west"),
        ("container", "app"),
        ("instance", &instance),
        ("job", name),
        ("namespace", namespace),
        ("pod", &format!("{name}-{suffix}")),
    ]
    .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
    .into()
}

//! What is counted. Enters: increments from the thread that owns the counters. Leaves: sums, when someone reads.
//!
//! Each worker has a [`WorkerStats`] of its own that it alone writes; the control thread writes [`ControlStats`].
//! Nothing here takes a lock. Names and shapes for readers (Envoy's and ours) are the admin room's business.

pub(crate) mod answers;
pub(crate) mod backlog;
pub(crate) mod counter;
pub(crate) mod ends;
pub(crate) mod files;
pub(crate) mod histogram;
pub(crate) mod host;
pub(crate) mod mirror;
pub(crate) mod pairs;
pub(crate) mod reloads;
pub(crate) mod sums;
pub(crate) mod tenants;
pub(crate) mod tls;

use std::sync::Arc;
use std::time::Instant;

use config::model::{Config, Delivery, Mirror};

use answers::{AnswerStats, ByStatus};
use backlog::BacklogStats;
use counter::{Counter, Gauge};
use ends::Ends;
use histogram::Histogram;
use host::Hosts;
use mirror::MirrorStats;
use sums::MirrorSums;
use tls::TlsStats;

/// Everything that can be read, for the admin thread and the control thread.
#[derive(Debug)]
pub(crate) struct Stats {
    /// One for each worker.
    pub(crate) workers: Vec<Arc<WorkerStats>>,
    /// By mirror: of its delivery thread, if it has one.
    pub(crate) deliveries: Vec<Option<Arc<WorkerStats>>>,
    /// By mirror: of its backlog, if it has one.
    pub(crate) backlogs: Vec<Option<Arc<BacklogStats>>>,
    /// Of access logs.
    pub(crate) files: Arc<files::FileStats>,
    /// Written by the control thread.
    pub(crate) control: Arc<ControlStats>,
    /// Of the admin listener, whose thread alone writes.
    pub(crate) admin: Arc<HttpStats>,
    /// When the process started.
    pub(crate) started: Instant,
}

impl Stats {
    /// All at zero.
    pub(crate) fn new(config: &Config, workers: usize) -> Self {
        let is_durable = |mirror: &Mirror| matches!(mirror.delivery, Delivery::Durable(_));
        let each = config.mirrors.iter().map(is_durable);
        Self {
            workers: (0..workers).map(|_| Arc::new(WorkerStats::new(config))).collect(),
            deliveries: each.clone().map(|yes| yes.then(|| Arc::new(WorkerStats::new(config)))).collect(),
            backlogs: each.map(|yes| yes.then(Arc::default)).collect(),
            files: Arc::default(),
            control: Arc::new(ControlStats::new(config)),
            admin: Arc::default(),
            started: Instant::now(),
        }
    }

    /// One mirror over all threads.
    pub(crate) fn mirror(&self, index: usize) -> MirrorSums<'_> {
        MirrorSums { stats: self, index }
    }

    /// Of every thread that serves requests or sends copies.
    pub(crate) fn threads(&self) -> impl Iterator<Item = &Arc<WorkerStats>> + Clone {
        self.workers.iter().chain(self.deliveries.iter().flatten())
    }
}

/// One worker's counters. Index = index in the configuration.
#[derive(Debug)]
pub(crate) struct WorkerStats {
    /// By listener.
    pub(crate) http: Vec<HttpStats>,
    /// By cluster.
    pub(crate) clusters: Vec<ClusterStats>,
    /// By mirror.
    pub(crate) mirrors: Vec<MirrorStats>,
}

impl WorkerStats {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            http: config.listeners.iter().map(|_| HttpStats::default()).collect(),
            clusters: config.clusters.iter().map(|_| ClusterStats::default()).collect(),
            mirrors: config.mirrors.iter().map(|_| MirrorStats::default()).collect(),
        }
    }

    /// Open client connections.
    pub(crate) fn connections(&self) -> u64 {
        self.http.iter().map(|http| http.cx_active.get()).sum()
    }

    /// How busy this worker is: open client connections plus requests in progress.
    pub(crate) fn load(&self) -> u64 {
        self.http.iter().map(|http| http.cx_active.get() + http.rq_active.get()).sum()
    }
}

/// Envoy's `http.<stat_prefix>.*` (and `listener.<address>.*`) of one listener.
#[derive(Debug, Default)]
pub(crate) struct HttpStats {
    pub(crate) cx_total: Counter,
    pub(crate) cx_active: Gauge,
    pub(crate) cx_destroy: Counter,
    /// Connections the proxy closed because the client was idle, or stalled in a request's head or in reading.
    pub(crate) cx_idle_timeout: Counter,
    /// Connections that reached `max_connection_duration`, and `max_requests_per_connection`.
    pub(crate) cx_max_duration_reached: Counter,
    pub(crate) cx_max_requests_reached: Counter,
    /// Who closed them.
    pub(crate) cx_ends: Ends,
    /// From the accept to the close.
    pub(crate) cx_length: Histogram,
    /// Connections closed after an answer that asked the client to connect elsewhere.
    pub(crate) cx_drain_close: Counter,
    pub(crate) cx_http1_total: Counter,
    pub(crate) cx_http1_active: Gauge,
    pub(crate) cx_http2_total: Counter,
    pub(crate) cx_http2_active: Gauge,
    pub(crate) cx_protocol_error: Counter,
    pub(crate) cx_rx_bytes_total: Counter,
    pub(crate) cx_tx_bytes_total: Counter,
    pub(crate) rq_total: Counter,
    pub(crate) rq_http1_total: Counter,
    pub(crate) rq_http2_total: Counter,
    pub(crate) rq_active: Gauge,
    /// Answers by class: 1xx to 5xx.
    pub(crate) rq_by_class: [Counter; 5],
    pub(crate) rq_completed: Counter,
    pub(crate) rq_timeout: Counter,
    pub(crate) rq_idle_timeout: Counter,
    /// Heads that did not arrive in time.
    pub(crate) rq_header_timeout: Counter,
    /// The client went away before its request or answer was complete.
    pub(crate) rq_rx_reset: Counter,
    /// Connections closed because their client opened streams only to reset them.
    pub(crate) rq_too_many_premature_resets: Counter,
    pub(crate) no_route: Counter,
    /// Answered by a route itself, or redirected by it.
    pub(crate) rq_direct_response: Counter,
    /// Trailers that were not announced and so could not be passed on.
    pub(crate) trailers_dropped: Counter,
    /// From the request's head to the end of its answer.
    pub(crate) rq_time: Histogram,
    pub(crate) tls: TlsStats,
}

/// Envoy's `cluster.<name>.*`.
#[derive(Debug, Default)]
pub(crate) struct ClusterStats {
    pub(crate) cx_total: Counter,
    pub(crate) cx_active: Gauge,
    pub(crate) cx_connect_fail: Counter,
    pub(crate) cx_connect_timeout: Counter,
    /// From the dial to the established connection.
    pub(crate) cx_connect: Histogram,
    pub(crate) cx_http1_total: Counter,
    /// Who closed them.
    pub(crate) cx_ends: Ends,
    /// From the established connection to its close.
    pub(crate) cx_length: Histogram,
    /// Requests that a connection has carried by its close.
    pub(crate) rq_per_cx: Histogram,
    pub(crate) cx_none_healthy: Counter,
    pub(crate) cx_idle_timeout: Counter,
    pub(crate) cx_http2_total: Counter,
    /// Connections that were given up after `max_connection_duration`, and after `max_requests_per_connection`.
    pub(crate) cx_max_duration_reached: Counter,
    pub(crate) cx_max_requests: Counter,
    pub(crate) cx_rx_bytes_total: Counter,
    pub(crate) cx_tx_bytes_total: Counter,
    /// Requests that got a connection.
    pub(crate) rq_total: Counter,
    pub(crate) rq_active: Gauge,
    pub(crate) rq_pending_total: Counter,
    pub(crate) rq_pending_active: Gauge,
    /// Requests that waited for a connection which could not be made.
    pub(crate) rq_pending_failure_eject: Counter,
    /// Requests that were given up while they waited for a connection.
    pub(crate) rq_cancelled: Counter,
    /// Requests for which a further connection would have been one too many.
    pub(crate) cx_overflow: Counter,
    /// Requests refused because too many wait for a connection, ...
    pub(crate) rq_pending_overflow: Counter,
    /// ... or too many are in progress.
    pub(crate) rq_active_overflow: Counter,
    /// Answers that are no HTTP.
    pub(crate) cx_protocol_error: Counter,
    pub(crate) rq_timeout: Counter,
    /// Streams that the server reset, and that we did (HTTP/2).
    pub(crate) rq_rx_reset: Counter,
    pub(crate) rq_tx_reset: Counter,
    /// Requests whose connection or stream ended before their answer did, for the log.
    pub(crate) rq_broken: Counter,
    pub(crate) http2: Http2Stats,
    /// Repeated on a fresh connection because the reused one was dead.
    pub(crate) rq_retry: Counter,
    /// Pauses before an attempt after the first.
    pub(crate) rq_retry_backoff_exponential: Counter,
    /// Requests that an attempt after the first brought to their end.
    pub(crate) rq_retry_success: Counter,
    /// Requests whose attempts were used up.
    pub(crate) rq_retry_limit_exceeded: Counter,
    /// Not repeated, because too many were being repeated.
    pub(crate) rq_retry_overflow: Counter,
    /// Attempts that took longer than `per_try_timeout`.
    pub(crate) rq_per_try_timeout: Counter,
    /// Bodies that were too large to be kept for another attempt.
    pub(crate) retry_or_shadow_abandoned: Counter,
    /// An endpoint was chosen among all because too few were healthy.
    pub(crate) lb_healthy_panic: Counter,
    /// By endpoint.
    pub(crate) hosts: Hosts,
    /// Requests of clients.
    pub(crate) external: AnswerStats,
    /// Copies.
    pub(crate) internal: AnswerStats,
    /// Answers that no client gets, because their request is sent again.
    pub(crate) retried: ByStatus,
    pub(crate) tls: TlsStats,
}

/// Envoy's `cluster.<name>.http2.*`, as far as it is known outside of the HTTP library.
#[derive(Debug, Default)]
pub(crate) struct Http2Stats {
    pub(crate) streams_active: Gauge,
    /// Resets of streams that came, refusals among them, and that went out.
    pub(crate) rx_reset: Counter,
    pub(crate) tx_reset: Counter,
}

/// What the control thread counts.
#[derive(Debug)]
pub(crate) struct ControlStats {
    /// By cluster.
    pub(crate) clusters: Vec<DiscoveryStats>,
    /// By listener: connections accepted, and pauses because descriptors or connections ran out.
    pub(crate) listeners: Vec<AcceptStats>,
    /// From the process' start until its listeners were open.
    pub(crate) initialization: Histogram,
    /// Listeners and clusters that were given new certificates, and that could not be.
    pub(crate) certificates_renewed: Counter,
    pub(crate) certificates_refused: Counter,
}

impl ControlStats {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            clusters: config.clusters.iter().map(|_| DiscoveryStats::default()).collect(),
            listeners: config.listeners.iter().map(|_| AcceptStats::default()).collect(),
            initialization: Histogram::default(),
            certificates_renewed: Counter::default(),
            certificates_refused: Counter::default(),
        }
    }
}

/// Envoy's `cluster.<name>.update_*`, `membership_*` and `health_check.*`.
#[derive(Debug, Default)]
pub(crate) struct DiscoveryStats {
    pub(crate) update_attempt: Counter,
    pub(crate) update_success: Counter,
    pub(crate) update_failure: Counter,
    pub(crate) update_empty: Counter,
    /// Answers that changed nothing.
    pub(crate) update_no_rebuild: Counter,
    pub(crate) membership_change: Counter,
    pub(crate) membership_total: Gauge,
    pub(crate) membership_healthy: Gauge,
    pub(crate) check_attempt: Counter,
    pub(crate) check_success: Counter,
    /// Network failures among them.
    pub(crate) check_failure: Counter,
    pub(crate) check_network_failure: Counter,
    /// Endpoints that pass their checks.
    pub(crate) check_healthy: Gauge,
}

/// Envoy's `listener.<address>.downstream_cx_*`, as far as the acceptor sees it.
#[derive(Debug, Default)]
pub(crate) struct AcceptStats {
    pub(crate) accepted: Counter,
    /// Accepting paused: no descriptors left (EMFILE, ENFILE) or the connection limit reached.
    pub(crate) overflow: Counter,
    /// Connections closed at once, because the configured bound of client connections was reached.
    pub(crate) global_overflow: Counter,
}

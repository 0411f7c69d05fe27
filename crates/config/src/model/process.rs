//! Settings of the process as a whole: its bounds, and how its statistics are told.

use std::time::Duration;

/// Envoy's default `stats_flush_interval`.
const FLUSH: Duration = Duration::from_secs(5);

/// What is said once for all listeners and clusters.
#[derive(Debug, Clone)]
pub struct Process {
    /// Most client connections at the same time; further ones are closed at once. `None`: as many as there are
    /// descriptors for. (`global_downstream_max_connections`, of the overload manager or of a runtime layer.)
    pub client_connections: Option<u64>,
    /// The length of the intervals that `/stats` shows of distributions.
    pub stats_flush_interval: Duration,
    /// Every reading of `/stats` ends an interval, too.
    pub stats_flush_on_admin: bool,
    /// Labels that every metric of Envoy's gets, in the order of the file (`stats_config.stats_tags` with a
    /// `fixed_value`).
    pub stats_tags: Vec<(String, String)>,
    /// What `server.version` says instead of the release.
    pub stats_server_version: Option<u64>,
    /// Runtime layers, the later ones first in force, as `/runtime` shows them.
    pub runtime: Vec<RuntimeLayer>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            client_connections: None,
            stats_flush_interval: FLUSH,
            stats_flush_on_admin: false,
            stats_tags: Vec::new(),
            stats_server_version: None,
            runtime: Vec::new(),
        }
    }
}

/// A static layer of `layered_runtime`.
#[derive(Debug, Clone)]
pub struct RuntimeLayer {
    /// `name`.
    pub name: String,
    /// Keys with dots between their parts, and values as text.
    pub entries: Vec<(String, String)>,
}

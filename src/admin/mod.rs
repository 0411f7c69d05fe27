//! The admin listener.
//!
//! Enters: HTTP requests of operators and scrapers. Leaves: reports read from the statistics, and typed
//! [`Command`]s for the control thread. Runs on a thread of its own: a scrape never delays a request.

mod absent;
mod access;
mod answer;
mod books;
mod certs;
pub(crate) mod client;
mod clusters;
mod collect;
mod commands;
mod config_dump;
pub(crate) mod endpoints;
#[cfg(test)]
mod fixture;
mod logging;
mod memory;
mod mirrors;
mod page;
mod query;
mod render;
mod server;
mod server_info;
mod stats;
mod status;
#[cfg(test)]
mod tests;
mod thresholds;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use books::Books;
use status::Watch;

use crate::cluster::Members;
use crate::cluster::breakers::Breakers;
use crate::lifecycle::{Generation, Lifecycle};
use crate::log::Loggers;
use crate::mirror::send::pace::Pace;
use crate::stats::Stats;
use crate::stats::reloads::Reloads;

pub(crate) use access::is_exposed;
pub(crate) use server::spawn;
pub(crate) use status::words;

/// What an operator may ask of the process. The control thread decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// `POST /quitquitquit`: drain, then exit 0.
    Quit,
    /// `POST /healthcheck/fail`.
    FailHealthCheck,
    /// `POST /healthcheck/ok`.
    PassHealthCheck,
    /// `POST /reopen_logs`: open log files again.
    ReopenLogs,
    /// `POST /drain_listeners`: ask clients to leave and stop accepting; with `graceful`, after the drain time.
    DrainListeners {
        /// `?graceful`
        graceful: bool,
        /// `?skip_exit`: the listeners stay open.
        skip_exit: bool,
    },
    /// `POST /mirrors/pause` and `/mirrors/resume`: nothing is sent to a mirror, until it goes on.
    Hold {
        /// Its index.
        mirror: usize,
        /// Whether nothing may be sent.
        held: bool,
    },
    /// `POST /mirrors/skip`: lets go of all copies that wait for a mirror.
    Skip {
        /// Its index.
        mirror: usize,
    },
}

/// What the admin thread may see.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// The configuration in force.
    pub(crate) config: Arc<config::model::Config>,
    /// All counters.
    pub(crate) stats: Arc<Stats>,
    /// State of the process.
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// The members each cluster has now. Index = cluster.
    pub(crate) endpoints: Vec<tokio::sync::watch::Receiver<Members>>,
    /// The circuit breakers of each cluster that has some. Index = cluster.
    pub(crate) breakers: Vec<Option<Arc<Breakers>>>,
    /// How fast each mirror is sent to. Index = mirror.
    pub(crate) paces: Vec<Arc<Pace>>,
    /// Where the listeners really bound (port 0 resolved). Index = listener.
    pub(crate) listening: Vec<std::net::SocketAddr>,
    /// How its clients' TLS ends, if they have any.
    pub(crate) materials: tokio::sync::watch::Receiver<Arc<crate::tls::Materials>>,
    /// The certificates in use.
    pub(crate) certificates: tokio::sync::watch::Receiver<Arc<[crate::tls::describe::Context]>>,
    /// What is remembered between two readings.
    pub(crate) books: Arc<Books>,
    /// What was seen of the last minutes.
    pub(crate) watch: Arc<Watch>,
    /// The command line, for `/server_info`.
    pub(crate) options: serde_json::Value,
    /// Labels that every metric gets.
    pub(crate) tags: Vec<(&'static str, String)>,
    /// Levels of log lines.
    pub(crate) loggers: Loggers,
    /// Reloads of the configuration, over the life of the process.
    pub(crate) reloads: Arc<Reloads>,
    /// Its place in a line of upgrades.
    pub(crate) generation: Generation,
    /// Commands go here.
    pub(crate) commands: mpsc::Sender<Command>,
}

impl View {
    /// The clusters that answer clients.
    pub(crate) fn primaries(&self) -> BTreeSet<usize> {
        let hosts = self.config.listeners.iter().flat_map(|listener| &listener.http.virtual_hosts);
        let routes = hosts.flat_map(|host| &host.routes);
        routes.filter_map(|route| route.forward()).map(|to| to.cluster).collect()
    }
}

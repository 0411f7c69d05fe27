//! Mirrors: which requests they copy, how copies are bounded, ordered and kept.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;

use super::AccessLog;

/// A destination of copies, with its bounds.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// Unique; label of its statistics. The cluster's name in an Envoy file.
    pub name: String,
    /// Index into [`Config::clusters`](super::Config::clusters).
    pub cluster: usize,
    /// Which requests are copied at all.
    pub requests: Requests,
    /// Whether destructive paths (ingester/shutdown, delete_tenant, rules, Alertmanager ...) are copied too.
    pub copy_admin: bool,
    /// One attempt's time, from its first byte to the answer; `None` takes the route's timeout.
    pub timeout: Option<Duration>,
    /// Bytes held for copies, process-wide. Default 256 MiB, not below `max_request`.
    pub buffer: u64,
    /// Larger requests are not copied. Default 100 MiB, Mimir's own limit.
    pub max_request: u64,
    /// Longest wait of a copy in memory. Default 5 min.
    pub max_age: Duration,
    /// Connections to this mirror, process-wide. Default 256.
    pub max_connections: u32,
    /// Copies held, process-wide. Default 32 768.
    pub max_copies: u32,
    /// In which order copies are sent.
    pub order: Order,
    /// Replaces the client's `Authorization` on copies.
    pub auth: Option<HeaderValue>,
    /// What becomes of copies that the mirror cannot take now.
    pub delivery: Delivery,
    /// Which requests become copies, by the primary's answer.
    pub when: When,
    /// One line for each copy, written with its outcome. Not of durable delivery.
    pub access_logs: Vec<AccessLog>,
}

impl Mirror {
    /// A mirror of this name and cluster with every bound at its default.
    #[must_use]
    pub fn with_defaults(name: String, cluster: usize, requests: Requests) -> Self {
        Self {
            name,
            cluster,
            requests,
            copy_admin: false,
            timeout: None,
            buffer: 256 << 20,
            max_request: 100 << 20,
            max_age: Duration::from_secs(300),
            max_connections: 256,
            max_copies: 32_768,
            order: Order::Series,
            auth: None,
            delivery: Delivery::Memory,
            when: When::Received,
            access_logs: Vec::new(),
        }
    }
}

/// What becomes of copies that the mirror cannot take now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// They wait in memory; each has one attempt (the default).
    Memory,
    /// Copies of writes are kept on disk and sent again until the mirror has them.
    Durable(Backlog),
}

/// How durable delivery keeps copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The directory. Default `/var/lib/mimir-mirror/NAME`.
    pub path: PathBuf,
    /// Most bytes on disk. Default 10 GiB.
    pub max_bytes: u64,
    /// How long after its arrival a copy may still be delivered. Default 2 h.
    pub max_age: Duration,
    /// When what was written is made safe from a loss of power.
    pub sync: Sync,
    /// How long an answer may wait until its request's copy is written, at most. Default 0: never.
    pub before_answer: Duration,
    /// Whether clients' credentials (`Authorization`, `Cookie`, `Proxy-Authorization`) are written to disk with copies.
    pub keep_credentials: bool,
    /// A copy that failed so often while others of its mirror succeeded is given up. Default 30.
    pub max_attempts: u32,
}

impl Backlog {
    /// In this directory, with everything else at its default.
    #[must_use]
    pub fn with_defaults(path: PathBuf) -> Self {
        Self {
            path,
            max_bytes: 10 << 30,
            max_age: Duration::from_secs(2 * 60 * 60),
            sync: Sync::Every(Duration::from_millis(100)),
            before_answer: Duration::ZERO,
            keep_credentials: false,
            max_attempts: 30,
        }
    }
}

/// When a backlog is made safe from a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// With every append.
    Always,
    /// This often (the default: 100 ms).
    Every(Duration),
    /// Never: when the operating system likes.
    Never,
}

/// Which requests become copies, by the primary's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// All, as soon as they are complete, as Envoy does (the default).
    Received,
    /// Those that the primary answered with anything but a 5xx, which the client sends again anyway.
    Answered,
}

/// Which requests a mirror copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// Write paths only (the native form's default).
    Writes,
    /// All that its routes match (an Envoy file's default), less the destructive paths.
    All,
}

/// In which order copies of writes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A copy never overtakes an earlier one of its tenant that carries one of its series (the default).
    Series,
    /// As they come: for a mirror that accepts samples out of order.
    None,
}

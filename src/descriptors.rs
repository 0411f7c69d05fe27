//! File descriptors, shared out at the start: mirrors can never take those that accepting needs (contract C3).

use anyhow::bail;
use config::model::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::RESERVED_DESCRIPTORS;

/// What the limit of the process leaves room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Client connections at the same time; each may need one upstream connection.
    pub(crate) client_connections: u64,
}

/// Raises the soft limit to the hard one and shares it out.
pub(crate) fn plan(config: &Config, workers: usize) -> anyhow::Result<Room> {
    let limit = raise_limit();
    let mirrors: u64 =
        config.mirrors.iter().map(|mirror| mirror_connections(mirror.max_connections, workers)).sum();
    let taken = mirrors + RESERVED_DESCRIPTORS;
    let Some(left) = limit.checked_sub(taken).filter(|left| *left >= 64) else {
        bail!(
            "the limit of open files ({limit}) is too small: mirrors may open {mirrors} connections and \
             {RESERVED_DESCRIPTORS} descriptors are kept free; raise it (ulimit -n, LimitNOFILE=) or lower \
             max_connections of the mirrors"
        );
    };
    let client_connections = left / 2;
    tracing::debug!(limit, mirrors, client_connections, "descriptors");
    Ok(Room { client_connections })
}

/// The soft limit, raised to the hard one where that is allowed.
pub(crate) fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let in_force = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    in_force.current.unwrap_or(u64::MAX)
}

/// Every worker may open at least one.
fn mirror_connections(max_connections: u32, workers: usize) -> u64 {
    u64::from(max_connections).max(workers as u64)
}

//! What is counted for single endpoints: Envoy's numbers in `/clusters`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::counter::{Counter, Gauge};

/// What makes an endpoint the same one after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    /// The one endpoint of a `LOGICAL_DNS` cluster, whatever its address is now.
    Logical,
    /// The address is the endpoint.
    Address(SocketAddr),
}

/// One endpoint, at one worker.
#[derive(Debug, Default)]
pub(crate) struct HostStats {
    pub(crate) cx_active: Gauge,
    pub(crate) cx_total: Counter,
    pub(crate) cx_connect_fail: Counter,
    pub(crate) rq_active: Gauge,
    /// Requests that wait for a connection.
    pub(crate) rq_pending_active: Gauge,
    pub(crate) rq_total: Counter,
    /// Answers that were no 5xx.
    pub(crate) rq_success: Counter,
    /// 5xx, no answer at all, or none in time.
    pub(crate) rq_error: Counter,
    pub(crate) rq_timeout: Counter,
}

/// The endpoints of a cluster that one worker counts for. The lock is taken when members change and by readers, never
/// on the path of a request.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<Vec<(Id, Arc<HostStats>)>>);

impl Hosts {
    /// The numbers of a member, new at zero.
    pub(crate) fn of(&self, id: Id) -> Arc<HostStats> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, stats)) = all.iter().find(|(known, _)| *known == id) {
            return Arc::clone(stats);
        }
        let stats = Arc::new(HostStats::default());
        all.push((id, Arc::clone(&stats)));
        stats
    }

    /// Forgets those that are no member any more and have no connection left.
    pub(crate) fn forget_unused(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, stats)| Arc::strong_count(stats) > 1);
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&[(Id, Arc<HostStats>)]) -> T) -> T {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

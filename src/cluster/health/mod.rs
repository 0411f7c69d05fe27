//! Active health checks of one cluster. They run on the control thread, one task an endpoint, so that no worker waits
//! for one and all workers hear the same.

mod probe;
mod state;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use config::model::{Cluster, HealthCheck, Sockets};
use http::HeaderValue;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::{Id, Member};
use crate::stats::{ControlStats, DiscoveryStats, Stats, WorkerStats};
use crate::tls::Materials;
use probe::Prober;
use state::{State, Verdict, pause};

/// What the checks of all clusters have in common.
#[derive(Debug)]
pub(crate) struct Common {
    control: Arc<ControlStats>,
    /// Who can say whether a cluster was ever connected to for a request.
    threads: Vec<Arc<WorkerStats>>,
    tls: watch::Receiver<Arc<Materials>>,
}

impl Common {
    pub(crate) fn new(stats: &Stats, tls: &watch::Receiver<Arc<Materials>>) -> Self {
        let threads = stats.threads().cloned().collect();
        Self { control: Arc::clone(&stats.control), threads, tls: tls.clone() }
    }

    /// What discovery counts for a cluster.
    pub(super) fn stats(&self, cluster: usize) -> Option<&DiscoveryStats> {
        self.control.clusters.get(cluster)
    }
}

/// The running checks of one cluster. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Checks {
    about: Arc<About>,
    running: HashMap<Id, Running>,
    judge: mpsc::Sender<Judged>,
    judged: mpsc::Receiver<Judged>,
}

#[derive(Debug)]
struct About {
    check: HealthCheck,
    /// Index of the cluster.
    cluster: usize,
    name: String,
    sockets: Sockets,
    common: Arc<Common>,
}

#[derive(Debug)]
struct Running {
    /// Where it is checked; a logical endpoint moves.
    address: watch::Sender<SocketAddr>,
    task: AbortHandle,
    /// `None` before the first result.
    healthy: Option<bool>,
}

/// What is now known of an endpoint's health.
#[derive(Debug, Clone, Copy)]
struct Judged {
    id: Id,
    healthy: bool,
}

impl Checks {
    /// Of a cluster that has a check.
    pub(super) fn new(cluster: &Cluster, index: usize, common: &Arc<Common>) -> Option<Self> {
        let check = cluster.health.check.clone()?;
        let (judge, judged) = mpsc::channel(64);
        let about = About {
            check,
            cluster: index,
            name: cluster.name.clone(),
            sockets: cluster.sockets,
            common: Arc::clone(common),
        };
        Some(Self { about: Arc::new(about), running: HashMap::new(), judge, judged })
    }

    /// Checks these and no others, and writes into them what is known.
    pub(super) fn follow(&mut self, members: &mut [Member]) {
        self.running.retain(|id, running| {
            let stays = members.iter().any(|member| member.id == *id && member.check.is_some());
            if !stays {
                running.task.abort();
            }
            stays
        });
        for member in members {
            let Some(address) = member.check else { continue };
            let running = self.running.entry(member.id).or_insert_with(|| {
                let (at, follow) = watch::channel(address);
                let task = watch(Arc::clone(&self.about), member.id, follow, self.judge.clone());
                Running { address: at, task: tokio::spawn(task).abort_handle(), healthy: None }
            });
            running.address.send_if_modified(|at| std::mem::replace(at, address) != address);
            member.health.checked = running.healthy != Some(true);
        }
    }

    /// Whether an endpoint has passed its checks.
    pub(super) fn passes(&self, id: Id) -> bool {
        self.running.get(&id).is_some_and(|running| running.healthy == Some(true))
    }

    /// How many have.
    pub(super) fn passing(&self) -> u64 {
        self.running.values().filter(|running| running.healthy == Some(true)).count() as u64
    }

    /// Whether the first check of each has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.running.values().all(|running| running.healthy.is_some())
    }

    /// Waits until more is known. Can be cancelled.
    pub(super) async fn change(&mut self) {
        // This end is held here too, so that there is always a sender.
        let Some(Judged { id, healthy }) = self.judged.recv().await else { return };
        let Some(running) = self.running.get_mut(&id) else { return };
        let before = running.healthy.replace(healthy);
        let (cluster, address) = (&self.about.name, *running.address.borrow());
        match (before, healthy) {
            (_, false) => tracing::warn!(cluster, %address, "the endpoint fails its health checks"),
            (Some(false), true) => {
                tracing::info!(cluster, %address, "the endpoint passes its health checks again")
            }
            _ => tracing::debug!(cluster, %address, "the endpoint passes its health check"),
        }
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.running.values().for_each(|running| running.task.abort());
    }
}

/// Checks one endpoint for ever; tells of its first result and of every change.
async fn watch(about: Arc<About>, id: Id, address: watch::Receiver<SocketAddr>, judge: mpsc::Sender<Judged>) {
    let check = &about.check;
    tokio::time::sleep(check.initial_jitter.mul_f64(fastrand::f64())).await;
    let host = HeaderValue::from_str(&about.name).unwrap_or_else(|_| HeaderValue::from_static("cluster"));
    let mut prober = Prober::new(host, about.sockets);
    let mut state = State::new();
    let mut told = None;
    loop {
        let at = *address.borrow();
        let tls = about.common.tls.borrow().clusters.get(about.cluster).cloned().flatten();
        let ended = tokio::time::timeout(check.timeout, prober.check(check, at, tls)).await;
        let verdict = ended.unwrap_or(Verdict::Network);
        about.count(verdict);
        let change = state.hear(verdict, check);
        if told.replace(state.is_healthy()) != Some(state.is_healthy())
            && judge.send(Judged { id, healthy: state.is_healthy() }).await.is_err()
        {
            return;
        }
        tokio::time::sleep(pause(check, (verdict, change), about.has_traffic(), fastrand::f64)).await;
    }
}

impl About {
    fn count(&self, verdict: Verdict) {
        let Some(stats) = self.common.stats(self.cluster) else { return };
        stats.check_attempt.inc();
        match verdict {
            Verdict::Healthy => stats.check_success.inc(),
            Verdict::Unhealthy | Verdict::Retriable => stats.check_failure.inc(),
            Verdict::Network => {
                stats.check_failure.inc();
                stats.check_network_failure.inc();
            }
        }
    }

    /// Whether the cluster has ever been connected to for a request.
    fn has_traffic(&self) -> bool {
        let mut of_cluster =
            self.common.threads.iter().filter_map(|thread| thread.clusters.get(self.cluster));
        of_cluster.any(|stats| stats.cx_total.get() > 0)
    }
}

//! One core: a thread with its own runtime, connections, pools and counters.
//!
//! Enters: client connections, from the acceptor. Leaves: nothing but answers and copies. A worker shares nothing
//! with another on the path of a request. It learns from the control thread by two watched values: the addresses of
//! the clusters and the phase of the process.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use config::model::Config;
use http::HeaderValue;
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, watch};

use crate::access_log::{self, Logs};
use crate::cluster::breakers::Breakers;
use crate::cluster::{Endpoints, Members};
use crate::deadline::Wheel;
use crate::exchange::{Core, Repeating, ReplayBudget, Site};
use crate::lifecycle::Lifecycle;
use crate::mirror::order::Permit;
use crate::mirror::order::crossing::Heard;
use crate::mirror::{self, Mirrors, Shared};
use crate::route::Table;
use crate::server::accept::Accepted;
use crate::server::connections::Connections;
use crate::stats::WorkerStats;
use crate::tls::{Current, Materials, Transport};
use crate::upstream::{Parts, Upstream};

/// How often a worker looks after its connections.
const SWEEP: Duration = Duration::from_secs(1);
/// How often a draining worker looks whether it is done.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// What the process is doing, as told to the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Phase {
    /// Serving.
    Serving,
    /// Another process takes the new connections; those here end when their clients agree, and copies are finished.
    Parting,
    /// No new connections; requests and copies in progress are finished.
    Draining,
    /// Leave now; what has no outcome yet is booked.
    Leaving,
}

/// Everything a worker is made of.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) config: Arc<Config>,
    pub(crate) stats: Arc<WorkerStats>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// Its number, from 0.
    pub(crate) index: usize,
    /// When the process started.
    pub(crate) started: Instant,
    /// By mirror.
    pub(crate) shared: Vec<Shared>,
    /// By cluster.
    pub(crate) addresses: Vec<watch::Receiver<Members>>,
    /// By cluster: those of the whole process.
    pub(crate) breakers: Vec<Option<Arc<Breakers>>>,
    /// Certificates, as they are now and as they change.
    pub(crate) tls: watch::Receiver<Arc<Materials>>,
    pub(crate) own_address: HeaderValue,
    /// The files of access logs.
    pub(crate) logs: access_log::writer::Opened,
    pub(crate) inbox: mpsc::Receiver<Accepted>,
    /// Permits for copies that wait, from the cells.
    pub(crate) permits: mpsc::Receiver<Permit>,
    /// The same from the order thread.
    pub(crate) heard: Heard,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// Starts a worker's thread. It ends when it has drained or is told to leave.
pub(crate) fn spawn(plan: Plan) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("worker-{}", plan.index)).spawn(move || match new_runtime() {
        Ok(runtime) => runtime.block_on(run(plan)),
        Err(error) => tracing::error!(%error, "a worker cannot start"),
    })
}

fn new_runtime() -> io::Result<LocalRuntime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

async fn run(plan: Plan) {
    let wheel = Wheel::new();
    tokio::task::spawn_local(Rc::clone(&wheel).run());
    let core = Rc::new(core(&plan, wheel));
    let connections = Connections::new(Rc::clone(&core));
    let Plan { mut inbox, mut phase, permits, heard, .. } = plan;
    core.mirrors.let_go();
    tokio::task::spawn_local(let_go(Rc::clone(&core), permits));
    tokio::task::spawn_local(let_go_what_was_read(Rc::clone(&core), heard));
    let started = Instant::now();
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            accepted = inbox.recv() => match accepted {
                Some(accepted) => connections.serve(accepted),
                None => break,
            },
            _ = sweep.tick() => tend(&core, &connections, started),
            changed = phase.changed() => {
                if changed.is_err() || *phase.borrow_and_update() > Phase::Serving {
                    break;
                }
            }
        }
    }
    if *phase.borrow() == Phase::Parting {
        let over = phase.wait_for(|phase| *phase > Phase::Parting);
        tokio::select! {
            () = part(&core, &connections, &mut inbox, started) => {}
            _ = over => {}
        }
    }
    // Connections that were handed over before the acceptors stopped are served too.
    while let Ok(accepted) = inbox.try_recv() {
        connections.serve(accepted);
    }
    connections.drain();
    let leaving = phase.wait_for(|phase| *phase == Phase::Leaving);
    tokio::select! {
        () = drained(&core, &connections, started) => {}
        _ = leaving => {}
    }
    core.mirrors.shutdown();
}

/// Serves what was accepted here to its end, when another process accepts. Ready once no copy is without an outcome.
async fn part(
    core: &Core,
    connections: &Rc<Connections>,
    inbox: &mut mpsc::Receiver<Accepted>,
    started: Instant,
) {
    connections.part();
    let mut look = tokio::time::interval(DRAIN_LOOK);
    let mut accepting = true;
    while accepting || !connections.is_empty() || core.stats.load() > 0 {
        tokio::select! {
            accepted = inbox.recv(), if accepting => match accepted {
                Some(accepted) => connections.serve(accepted),
                None => accepting = false,
            },
            _ = look.tick() => tend(core, connections, started),
        }
    }
    core.lifecycle.count_without_clients();
    drained(core, connections, started).await;
}

/// Lets waiting copies go.
async fn let_go(core: Rc<Core>, mut permits: mpsc::Receiver<Permit>) {
    while let Some(permit) = permits.recv().await {
        core.mirrors.permit(permit);
    }
}

/// The same for those whose series the order thread has read.
async fn let_go_what_was_read(core: Rc<Core>, heard: Heard) {
    // Without it copies wait for those before them, as where nothing is read.
    if let Err(error) = heard.each(|permit| core.mirrors.permit(permit)).await {
        tracing::error!(%error, "a worker cannot hear the order thread");
    }
}

/// Ready once no client connection is open and no copy is without an outcome.
async fn drained(core: &Core, connections: &Connections, started: Instant) {
    let mut look = tokio::time::interval(DRAIN_LOOK);
    while !connections.is_empty() || core.mirrors.pending() > 0 {
        look.tick().await;
        tend(core, connections, started);
    }
}

/// What is done about once a second.
fn tend(core: &Core, connections: &Connections, started: Instant) {
    *core.date.borrow_mut() = date();
    connections.sweep(started.elapsed());
    core.upstreams.iter().for_each(|upstream| upstream.sweep());
    core.mirrors.sweep();
}

fn core(plan: &Plan, wheel: Rc<Wheel>) -> Core {
    let config = &plan.config;
    let sites = config.listeners.iter().map(|listener| Site {
        routes: Table::new(&listener.http.virtual_hosts),
        http: listener.http.clone(),
        port: listener.address.port(),
        logs: Logs::new(&listener.http.access_logs, |sink| plan.logs.handle(sink)),
    });
    let tls = Current::following(&plan.tls);
    let clusters = config.clusters.iter().zip(&plan.addresses).enumerate();
    let upstreams = clusters.clone().map(|(index, (cluster, published))| {
        let endpoints = Endpoints::follow(index, cluster, &plan.stats, published);
        let transport = Transport::new(&tls, index);
        let breakers = plan.breakers.get(index).cloned().flatten();
        Upstream::new(cluster, Parts { index, endpoints, tls: transport, breakers, stats: &plan.stats })
    });
    let upstreams = upstreams.collect();
    let repeating = clusters
        .clone()
        .map(|(index, (cluster, _))| Repeating::new(cluster, plan.breakers.get(index).cloned().flatten()));
    // Requests and copies take turns of their own: a mirror's dials must not move a primary's round robin.
    let mirror_endpoints = clusters
        .map(|(index, (cluster, published))| Endpoints::follow(index, cluster, &plan.stats, published));
    let mirror_endpoints: Vec<_> = mirror_endpoints.collect();
    let mirrors = Mirrors::new(mirror::Parts {
        config,
        shared: &plan.shared,
        endpoints: &mirror_endpoints,
        stats: &plan.stats,
        tls: &tls,
        wheel: &wheel,
        worker: plan.index,
        started: plan.started,
        own_address: plan.own_address.clone(),
        logs: &plan.logs,
    });
    Core {
        config: Arc::clone(config),
        sites: sites.collect(),
        upstreams,
        mirrors: Rc::new(mirrors),
        stats: Arc::clone(&plan.stats),
        lifecycle: Arc::clone(&plan.lifecycle),
        date: RefCell::new(date()),
        replay: ReplayBudget::default(),
        tls,
        repeating: repeating.collect(),
        wheel,
    }
}

/// The current second as HTTP writes it.
fn date() -> HeaderValue {
    let text = httpdate::fmt_http_date(SystemTime::now());
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

//! The control thread: the life of the process. It decides; others are told.
//!
//! Enters: the configuration, signals, the admin's commands. Leaves: addresses and the phase of the process, which
//! the workers watch. It binds, resolves, starts the workers, accepts, and ends everything in order.

mod held_up;
mod mirrors;
mod report;

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use config::model::{Config, Requests};
use tokio::sync::{mpsc, watch};

use crate::admin::{self, Command, View};
use crate::cli::Serve;
use crate::cluster::Addresses;
use crate::cluster::discovery::{self, Wanted};
use crate::lifecycle::Lifecycle;
use crate::mirror::send::pace::Pace;
use crate::mirror::{Shared, order, own_address};
use crate::server::accept::{self, Acceptors, Seat};
use crate::signals::Signals;
use crate::stats::Stats;
use crate::worker::{self, Phase, Plan};
use crate::{descriptors, limits, log};
use mirrors::Running;

/// Runs the proxy until it is told to stop.
pub(crate) fn run(config: Config, flags: &Serve, level: &log::Level) -> anyhow::Result<()> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let process = Process::start(config, flags).await?;
        process.supervise(level).await
    })
}

/// The running proxy.
struct Process {
    config: Arc<Config>,
    stats: Arc<Stats>,
    lifecycle: Arc<Lifecycle>,
    phase: watch::Sender<Phase>,
    stop_accepting: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    mirrors: Running,
    admin: Option<JoinHandle<()>>,
    commands: mpsc::Receiver<Command>,
    signals: Signals,
    drain_time: Duration,
}

impl Process {
    async fn start(config: Config, flags: &Serve) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let signals = Signals::listen()?;
        let concurrency = flags.workers();
        let room = descriptors::plan(&config, concurrency)?;
        let sockets = Sockets::bind(&config)?;
        let listening = sockets.addresses()?;

        let stats = Arc::new(Stats::new(&config, concurrency));
        let lifecycle = Arc::new(Lifecycle::default());
        let (phase, phases) = watch::channel(Phase::Serving);
        let (stop_accepting, stop) = watch::channel(false);
        let (command, commands) = mpsc::channel(limits::CONTROL_INBOX);
        let addresses = resolve(&config, &stats).await;

        let paces: Vec<_> = config.mirrors.iter().map(|mirror| Pace::new(mirror.max_connections)).collect();

        let view = View {
            config: Arc::clone(&config),
            stats: Arc::clone(&stats),
            lifecycle: Arc::clone(&lifecycle),
            endpoints: addresses.clone(),
            paces: paces.clone(),
            listening: listening.clone(),
            books: Arc::default(),
            options: flags.report(),
            commands: command,
        };
        let admin = sockets.admin.map(|listener| start_admin(listener, view)).transpose()?;
        let Started { threads: workers, seats, mirrors } =
            start_workers(&config, &stats, &lifecycle, &addresses, &paces, &phases)?;
        let acceptors = Arc::new(Acceptors::new(seats, &stats, room.client_connections));
        for (index, listener) in sockets.listeners.into_iter().enumerate() {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(Arc::clone(&acceptors).run(listener, index, stop.clone()));
        }
        lifecycle.set_live();
        stats.control.initialization.record(stats.started.elapsed());
        announce(&config, &listening, concurrency);
        Ok(Self {
            config,
            stats,
            lifecycle,
            phase,
            stop_accepting,
            workers,
            mirrors,
            admin,
            commands,
            signals,
            drain_time: flags.drain_time(),
        })
    }

    /// Until the process is told to stop, then through its end.
    async fn supervise(mut self, level: &log::Level) -> anyhow::Result<()> {
        let mut reporter =
            report::Reporter::new(Arc::clone(&self.config), Arc::clone(&self.stats), self.mirrors.paces());
        let mut tick = tokio::time::interval(report::EVERY);
        let mut drain_listeners_at: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                why = self.signals.stop() => {
                    tracing::info!(why, drain_time = ?self.drain_time, "draining; once more leaves at once");
                    break;
                }
                // Without an admin there are no commands, and this branch is never taken.
                Some(command) = self.commands.recv() => match command {
                    Command::Quit => {
                        tracing::info!(why = "POST /quitquitquit", drain_time = ?self.drain_time, "draining");
                        break;
                    }
                    Command::FailHealthCheck => self.lifecycle.set_failing(true),
                    Command::PassHealthCheck => self.lifecycle.set_failing(false),
                    Command::DrainListeners { skip_exit: true, .. } => self.lifecycle.set_closing(),
                    Command::DrainListeners { graceful, .. } => {
                        self.lifecycle.set_closing();
                        let after = if graceful { self.drain_time } else { Duration::ZERO };
                        drain_listeners_at = Some(tokio::time::Instant::now() + after);
                    }
                    Command::SetLogLevel(filter) => level.set(filter),
                    Command::Hold { mirror, held } => self.mirrors.hold(mirror, held),
                    Command::Skip { mirror } => self.mirrors.skip(mirror),
                },
                () = sleep_until(drain_listeners_at) => {
                    drain_listeners_at = None;
                    tracing::info!("listeners are closed");
                    self.stop_accepting.send_replace(true);
                }
                _ = tick.tick() => reporter.look(),
            }
        }
        self.drain().await;
        reporter.conclude();
        Ok(())
    }

    /// Stop accepting, finish requests and copies, leave; at the latest after the drain time or a second signal.
    async fn drain(&mut self) {
        self.lifecycle.set_failing(true);
        self.stop_accepting.send_replace(true);
        self.phase.send_replace(Phase::Draining);
        let workers = std::mem::take(&mut self.workers);
        let mut joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                // A panic has been reported by the thread itself.
                let _ = worker.join();
            }
        });
        tokio::select! {
            _ = &mut joined => {}
            () = tokio::time::sleep(self.drain_time) => {
                tracing::warn!("the drain time is over; what is left is given up");
                self.phase.send_replace(Phase::Leaving);
                let _ = joined.await;
            }
            why = self.signals.stop() => {
                tracing::warn!(why, "leaving at once; what is left is given up");
                self.phase.send_replace(Phase::Leaving);
                let _ = joined.await;
            }
        }
        let mirrors = std::mem::take(&mut self.mirrors);
        let _ = tokio::task::spawn_blocking(move || mirrors.leave()).await;
        self.commands.close();
        if let Some(admin) = self.admin.take() {
            let _ = tokio::task::spawn_blocking(move || admin.join()).await;
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Every listening socket, bound before anything else is started.
struct Sockets {
    listeners: Vec<TcpListener>,
    admin: Option<TcpListener>,
}

impl Sockets {
    fn bind(config: &Config) -> anyhow::Result<Self> {
        let bind = |address| accept::bind(address).with_context(|| format!("cannot bind '{address}'"));
        let listeners = config.listeners.iter().map(|listener| bind(listener.address));
        Ok(Self {
            listeners: listeners.collect::<anyhow::Result<_>>()?,
            admin: config.admin.as_ref().map(|admin| bind(admin.address)).transpose()?,
        })
    }

    /// Where the listeners really are: port 0 let the system choose.
    fn addresses(&self) -> std::io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }
}

fn announce(config: &Config, listening: &[SocketAddr], workers: usize) {
    for (listener, address) in config.listeners.iter().zip(listening) {
        tracing::info!(listener = listener.name, %address, workers, "listening");
    }
    for mirror in &config.mirrors {
        let copies = match (mirror.requests, mirror.copy_admin) {
            (Requests::Writes, _) => "writes",
            (Requests::All, false) => {
                "every request its routes match, but for paths that change or stop a cluster"
            }
            (Requests::All, true) => {
                "every request its routes match, with paths that change or stop a cluster"
            }
        };
        tracing::info!(mirror = mirror.name, copies, "mirroring");
    }
}

fn start_admin(listener: TcpListener, view: View) -> std::io::Result<JoinHandle<()>> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "admin listening");
    if !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            "the admin interface is open to the network: anyone who reaches it can stop this proxy; \
             bind it to 127.0.0.1 or keep it behind a firewall"
        );
    }
    admin::spawn(listener, view)
}

/// What [`start_workers`] has started.
struct Started {
    threads: Vec<JoinHandle<()>>,
    seats: Vec<Seat>,
    mirrors: Running,
}

fn start_workers(
    config: &Arc<Config>,
    stats: &Stats,
    lifecycle: &Arc<Lifecycle>,
    addresses: &[watch::Receiver<Addresses>],
    paces: &[Arc<Pace>],
    phase: &watch::Receiver<Phase>,
) -> std::io::Result<Started> {
    // Room for every copy that the bounds allow: a cell can always give its permit.
    let copies: usize = config.mirrors.iter().map(|mirror| mirror.max_copies as usize).sum();
    let workers = || 0..stats.workers.len();
    let (permits, permitted): (Vec<_>, Vec<_>) = workers().map(|_| mpsc::channel(copies.max(1))).unzip();
    let (read, read_permitted): (Vec<_>, Vec<_>) =
        workers().map(|_| mpsc::channel(limits::ORDER_PERMITS)).unzip();
    let (events, order_events) = std::sync::mpsc::sync_channel(limits::ORDER_EVENTS);
    let mirrors = config.mirrors.iter().zip(paces).enumerate();
    let mut shared: Vec<_> =
        mirrors.map(|(index, (mirror, pace))| Shared::new(index, mirror, pace, &events, &permits)).collect();
    let mirrors = Running::start(config, stats, addresses, &own_address(), &mut shared)?;
    let mut seats = Vec::new();
    let mut threads = vec![order::thread::spawn(order_events, read)?];
    let permits = permitted.into_iter().zip(read_permitted);
    for (index, (stats_of_worker, permits)) in stats.workers.iter().zip(permits).enumerate() {
        let (seat, inbox) = mpsc::channel(limits::WORKER_INBOX);
        seats.push(Seat::new(seat));
        let plan = Plan {
            index,
            started: stats.started,
            config: Arc::clone(config),
            stats: Arc::clone(stats_of_worker),
            lifecycle: Arc::clone(lifecycle),
            shared: shared.clone(),
            addresses: addresses.to_vec(),
            own_address: own_address(),
            inbox,
            permits: permits.into(),
            phase: phase.clone(),
        };
        threads.push(worker::spawn(plan)?);
    }
    Ok(Started { threads, seats, mirrors })
}

/// Starts discovery. Clusters that only mirrors use are not waited for.
async fn resolve(config: &Config, stats: &Stats) -> Vec<watch::Receiver<Addresses>> {
    let hosts = config.listeners.iter().flat_map(|listener| &listener.http.virtual_hosts);
    let primaries: HashSet<usize> = hosts.flat_map(|host| &host.routes).map(|route| route.cluster).collect();
    let clusters = config.clusters.iter().enumerate();
    let clusters =
        clusters.map(|(index, cluster)| Wanted { index, cluster, awaited: primaries.contains(&index) });
    let (published, all_answered) = discovery::start(clusters, &stats.control).await;
    if !all_answered {
        tracing::warn!("DNS has not answered for every primary yet; starting without");
    }
    published
}

//! Starting: sockets, names, threads, in the order in which one needs the other. What fails ends the start, and with it
//! the process; nothing serves before everything is there.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use config::model::{Config, Requests};
use http::HeaderValue;
use tokio::sync::{mpsc, watch};

use super::mirrors::{Around, Running};
use super::reload::{Generations, Way, Wishes};
use super::sockets::Sockets;
use super::upgrade::line::{Before, Line};
use super::{Process, notify};
use crate::access_log::writer::Writer;
use crate::admin::{self, Command, View};
use crate::cli::{Mode, Serve};
use crate::cluster::Members;
use crate::cluster::breakers::Breakers;
use crate::cluster::discovery::{self, Wanted};
use crate::cluster::health;
use crate::descriptors::{self, Room};
use crate::lifecycle::{Generation, Lifecycle};
use crate::limits;
use crate::mirror::send::pace::Pace;
use crate::mirror::{Shared, order, own_address};
use crate::server::accept::{Acceptors, Seat};
use crate::signals::Signals;
use crate::stats::Stats;
use crate::stats::mirror::unix_ms;
use crate::tls::Materials;
use crate::tls::reload::{Published, Store, Wanted as Whose};
use crate::worker::{self, Phase, Plan};

/// Starts everything. `None` where starting was all that was asked for. `way` leads to the configuration that is in force
/// in this process, if there is one.
pub(super) async fn start(
    config: Config,
    generations: &Arc<Generations>,
    way: Option<Way>,
) -> anyhow::Result<Option<Process>> {
    let flags = &generations.flags;
    let signals = Signals::listen()?;
    let Prepared { older, room, mut line, sockets, listening, common } =
        prepare(config, generations, way).await?;
    if flags.mode == Mode::InitOnly {
        tracing::info!("initialized; exiting, as --mode init_only asks for");
        return Ok(None);
    }
    let before = line.before();
    let (phase, phases) = watch::channel(Phase::Serving);
    let (stop_accepting, stop) = watch::channel(false);
    let (command, commands) = mpsc::channel(limits::CONTROL_INBOX);
    let (doorway, successors) = line.open_door(&common.config, &sockets, &stop)?;
    let view = common.view(&listening, generations, command);
    let admin = sockets.admin.map(|listener| start_admin(listener, view, flags)).transpose()?;
    let logs = open_logs(&common, flags)?;
    let Started { threads: workers, seats, mut mirrors } =
        start_workers(&common, &phases, &own_address(flags.prefers_v6()), line.awaited(), &logs)?;
    let Common { config, stats, lifecycle, .. } = common;
    hear_wishes(&generations.wishes(), &config, &lifecycle, &mut mirrors);
    let allowed = config.process.client_connections;
    let acceptors = Acceptors::new(seats, &stats, older, room.client_connections, allowed);
    accept(acceptors, sockets.listeners, &stop)?;
    let news = line.take_over(flags.restart.parent_shutdown_time()).await;
    lifecycle.set_live();
    announce(&config, &listening, flags.workers());
    in_force(generations, before, &stats);
    Ok(Some(Process {
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
        end: generations.end.subscribe(),
        generations: Arc::clone(generations),
        logs,
        drain_time: flags.drain_time(),
        doorway: Some(doorway),
        successors,
        news,
        before,
        backlogs_free: false,
    }))
}

/// What is there before anything runs.
struct Prepared {
    /// Configurations that have not ended.
    older: Vec<Weak<Stats>>,
    room: Room,
    line: Line,
    sockets: Sockets,
    listening: Vec<SocketAddr>,
    common: Common,
}

async fn prepare(
    config: Config,
    generations: &Arc<Generations>,
    way: Option<Way>,
) -> anyhow::Result<Prepared> {
    let flags = &generations.flags;
    let room = descriptors::plan(&config, flags.workers())?;
    let mut line = match way {
        Some(way) => Line::within(&flags.restart, way).await?,
        None => Line::join(&flags.restart).await?,
    };
    let sockets = Sockets::open(&config, line.sockets()?)?;
    let listening = sockets.addresses()?;
    let older = generations.before();
    let common = Common::new(config, generations, line.generation).await?;
    if line.before() == Before::Configuration {
        // The process is: a probe of its readiness must not meet a gap.
        common.lifecycle.set_live();
    }
    Ok(Prepared { older, room, line, sockets, listening, common })
}

/// What an operator has asked for outlives a reload.
fn hear_wishes(wishes: &Wishes, config: &Config, lifecycle: &Lifecycle, mirrors: &mut Running) {
    lifecycle.set_failing(wishes.failing);
    for (index, mirror) in config.mirrors.iter().enumerate() {
        if wishes.paused.contains(&mirror.name) {
            tracing::info!(mirror = mirror.name, "it is still paused");
            mirrors.hold(index, true);
        }
    }
}

/// Everything serves.
fn in_force(generations: &Generations, before: Before, stats: &Stats) {
    stats.control.initialization.record(stats.started.elapsed());
    match before {
        Before::Configuration => {
            generations.reloads.count_applied(unix_ms());
            generations.started();
            tracing::info!(file = generations.flags.origin(), "the new configuration is in force");
        }
        Before::Nobody | Before::Process => generations.reloads.begin(unix_ms()),
    }
    notify::ready(before == Before::Process);
}

/// The labels that every metric gets: those of the command line, then those of the file. They live as long as the
/// process.
fn tags(flags: &Serve, config: &Config) -> Vec<(&'static str, String)> {
    let mut tags = flags.tags();
    for (name, value) in &config.process.stats_tags {
        tags.push((&*name.clone().leak(), value.clone()));
    }
    tags
}

/// What everything that is started needs.
struct Common {
    config: Arc<Config>,
    stats: Arc<Stats>,
    lifecycle: Arc<Lifecycle>,
    /// By cluster.
    addresses: Vec<watch::Receiver<Members>>,
    /// By cluster.
    breakers: Vec<Option<Arc<Breakers>>>,
    /// By mirror.
    paces: Vec<Arc<Pace>>,
    certificates: Published,
    generation: Generation,
}

impl Common {
    /// Reads certificates, resolves names, and waits for the primaries'.
    async fn new(config: Config, generations: &Generations, generation: Generation) -> anyhow::Result<Self> {
        let stats = Arc::new(Stats::new(&config, generations.flags.workers()));
        generations.add(&stats);
        let config = Arc::new(config);
        let (certificates, failures) = Store::load(&config, Whose::All)?;
        tokio::spawn(failures.tell());
        let certificates = certificates.publish(&stats);
        Ok(Self {
            addresses: resolve(&config, &stats, &certificates.materials).await,
            breakers: config.clusters.iter().map(|cluster| Breakers::of(cluster.breakers)).collect(),
            paces: config.mirrors.iter().map(|mirror| Pace::new(mirror.max_connections)).collect(),
            certificates,
            config,
            stats,
            lifecycle: Arc::default(),
            generation,
        })
    }

    fn view(
        &self,
        listening: &[SocketAddr],
        generations: &Generations,
        commands: mpsc::Sender<Command>,
    ) -> View {
        let flags = &generations.flags;
        View {
            config: Arc::clone(&self.config),
            stats: Arc::clone(&self.stats),
            lifecycle: Arc::clone(&self.lifecycle),
            endpoints: self.addresses.clone(),
            breakers: self.breakers.clone(),
            paces: self.paces.clone(),
            listening: listening.to_vec(),
            materials: self.certificates.materials.clone(),
            certificates: self.certificates.described.clone(),
            books: Arc::default(),
            watch: Arc::default(),
            options: flags.report(),
            tags: tags(flags, &self.config),
            loggers: generations.loggers.clone(),
            reloads: Arc::clone(&generations.reloads),
            generation: self.generation,
            commands,
        }
    }
}

fn accept(
    acceptors: Acceptors,
    listeners: Vec<(usize, TcpListener)>,
    stop: &watch::Receiver<bool>,
) -> std::io::Result<()> {
    let acceptors = Arc::new(acceptors);
    for (index, listener) in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(Arc::clone(&acceptors).run(listener, index, stop.clone()));
    }
    Ok(())
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

fn start_admin(listener: TcpListener, view: View, flags: &Serve) -> std::io::Result<JoinHandle<()>> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "admin listening");
    if let Some(path) = &flags.admin_address_path
        && let Err(error) = std::fs::write(path, address.to_string())
    {
        tracing::error!(path = %path.display(), %error, "cannot write the admin's address to the file");
    }
    if view.config.admin.as_ref().is_some_and(admin::is_exposed) {
        tracing::warn!(
            %address,
            "the admin interface is open to the network: anyone who reaches it can stop this proxy; \
             bind it to 127.0.0.1, ask for a token (--admin-token-file) or keep it behind a firewall"
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

/// Opens every access log.
fn open_logs(common: &Common, flags: &Serve) -> std::io::Result<Writer> {
    let managers = common.config.listeners.iter().map(|listener| &listener.http);
    let logs = managers.flat_map(|http| &http.access_logs);
    let copies = common.config.mirrors.iter().flat_map(|mirror| &mirror.access_logs);
    Writer::start(logs.chain(copies).map(|log| &log.sink), flags.log_flush(), &common.stats.files)
}

fn start_workers(
    common: &Common,
    phase: &watch::Receiver<Phase>,
    own_address: &HeaderValue,
    awaited: &[String],
    logs: &Writer,
) -> std::io::Result<Started> {
    let Common { config, stats, lifecycle, addresses, breakers, paces, certificates, .. } = common;
    let tls = &certificates.materials;
    // Room for every copy that the bounds allow: a cell can always give its permit.
    let copies: usize = config.mirrors.iter().map(|mirror| mirror.max_copies as usize).sum();
    let workers = || 0..stats.workers.len();
    let (permits, permitted): (Vec<_>, Vec<_>) = workers().map(|_| mpsc::channel(copies.max(1))).unzip();
    let ways: Vec<_> =
        workers().map(|_| order::crossing::way(limits::ORDER_PERMITS)).collect::<Result<_, _>>()?;
    let (tellers, heard): (Vec<_>, Vec<_>) = ways.into_iter().unzip();
    let (events, order_events) = mpsc::channel(limits::ORDER_EVENTS);
    let mirrors = config.mirrors.iter().zip(paces).enumerate();
    let mut shared: Vec<_> =
        mirrors.map(|(index, (mirror, pace))| Shared::new(index, mirror, pace, &events, &permits)).collect();
    let around = Around { addresses, tls, own_address, logs: logs.opened() };
    let mirrors = Running::start(config, stats, around, &mut shared, awaited)?;
    let mut seats = Vec::new();
    let mut threads = vec![order::thread::spawn(order_events, tellers)?];
    let permits = permitted.into_iter().zip(heard);
    for (index, (stats_of_worker, (permits, heard))) in stats.workers.iter().zip(permits).enumerate() {
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
            breakers: breakers.clone(),
            tls: tls.clone(),
            own_address: own_address.clone(),
            logs: logs.opened().clone(),
            inbox,
            permits,
            heard,
            phase: phase.clone(),
        };
        threads.push(worker::spawn(plan)?);
    }
    Ok(Started { threads, seats, mirrors })
}

/// Starts discovery. Clusters that only mirrors use are not waited for.
async fn resolve(
    config: &Config,
    stats: &Stats,
    tls: &watch::Receiver<Arc<Materials>>,
) -> Vec<watch::Receiver<Members>> {
    let hosts = config.listeners.iter().flat_map(|listener| &listener.http.virtual_hosts);
    let primaries: HashSet<usize> = hosts
        .flat_map(|host| &host.routes)
        .filter_map(|route| route.forward())
        .map(|to| to.cluster)
        .collect();
    let clusters = config.clusters.iter().enumerate();
    let clusters =
        clusters.map(|(index, cluster)| Wanted { index, cluster, awaited: primaries.contains(&index) });
    let (published, all_answered) = discovery::start(clusters, health::Common::new(stats, tls)).await;
    if !all_answered {
        tracing::warn!(
            "DNS or the first health checks have not answered for every primary yet; starting without"
        );
    }
    published
}

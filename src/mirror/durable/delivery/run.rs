//! The thread itself.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use config::model::{Backlog, Config, Mirror, MirrorPolicy, Order};
use http::HeaderValue;
use remote_write::fingerprint::{Scratch, Seed};
use tokio::runtime::LocalOptions;
use tokio::sync::{mpsc as tokio_mpsc, watch};
use tokio::time::{Instant as TokioInstant, sleep_until};

use super::{Delivery, Rebuild};
use crate::access_log::writer::Opened;
use crate::cluster::{Endpoints, Members};
use crate::deadline::Wheel;
use crate::limits;
use crate::mirror::durable::in_flight::InFlight;
use crate::mirror::durable::message::{ToBacklog, ToDelivery};
use crate::mirror::durable::window::{Bounds, Window};
use crate::mirror::ledger::Ledger;
use crate::mirror::logged::CopyLogs;
use crate::mirror::order::{Reader, board};
use crate::mirror::send::pace::{Pace, Share};
use crate::mirror::send::{Sender, Settings};
use crate::stats::WorkerStats;
use crate::tls::{Current, Materials, Transport};

/// Messages taken before copies are sent again.
const BATCH: usize = 256;
/// The workers' is 0, the lowest is 19.
const NICENESS: i32 = 5;

/// What a delivery thread is made of.
pub(crate) struct Plan {
    pub(crate) config: Arc<Config>,
    /// Index of the mirror.
    pub(crate) mirror: usize,
    pub(crate) backlog: Backlog,
    pub(crate) stats: Arc<WorkerStats>,
    /// Of the mirror's cluster.
    pub(crate) addresses: watch::Receiver<Members>,
    pub(crate) tls: watch::Receiver<Arc<Materials>>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) own_address: HeaderValue,
    pub(crate) logs: Option<Opened>,
    pub(crate) policies: Arc<[MirrorPolicy]>,
    pub(crate) messages: tokio_mpsc::UnboundedReceiver<ToDelivery>,
    pub(crate) to_backlog: mpsc::Sender<ToBacklog>,
    pub(crate) in_flight: Arc<InFlight>,
}

/// Starts the thread. It ends when it is told to leave.
pub(crate) fn spawn(plan: Plan) -> io::Result<JoinHandle<()>> {
    let name = format!("delivery-{}", plan.mirror);
    std::thread::Builder::new().name(name).spawn(move || {
        // Best effort: without it the thread merely competes on equal terms.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        let runtime = tokio::runtime::Builder::new_current_thread();
        match { runtime }.enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime.block_on(run(plan)),
            Err(error) => tracing::error!(%error, "a delivery thread cannot start"),
        }
    })
}

async fn run(plan: Plan) {
    let wheel = Wheel::new();
    tokio::task::spawn_local(Rc::clone(&wheel).run());
    let Some((delivery, mut messages)) = delivery(plan, &wheel) else { return };
    let mut next_tick = TokioInstant::now();
    let mut next_sweep = Instant::now();
    let mut reads = false;
    while !delivery.leaving.get() {
        let busy = delivery.is_busy();
        tokio::select! {
            biased;
            // First: messages that never pause must not keep it from its turn.
            () = sleep_until(next_tick), if busy => {
                let now = Instant::now();
                next_tick = TokioInstant::from_std(now + limits::DELIVERY_TICK);
                delivery.wake(now);
                delivery.look(now);
                delivery.tell_done();
                reads = true;
                if now >= next_sweep {
                    next_sweep = now + limits::DELIVERY_SWEEP;
                    delivery.sweep();
                }
                delivery.pump();
            }
            message = messages.recv() => {
                let Some(message) = message else { break };
                delivery.receive(message);
                for _ in 0..BATCH {
                    let Ok(message) = messages.try_recv() else { break };
                    delivery.receive(message);
                }
                delivery.pump();
                delivery.window.borrow_mut().mark_waiting();
            }
            () = tokio::task::yield_now(), if reads => {
                reads = delivery.read_one();
                delivery.pump();
            }
        }
    }
    while let Ok(message) = messages.try_recv() {
        delivery.receive(message);
    }
    leave(&delivery).await;
}

/// Waits a moment for copies in flight, then leaves the rest to the next process.
async fn leave(delivery: &Rc<Delivery>) {
    let until = TokioInstant::now() + limits::DELIVERY_EXIT;
    while delivery.window.borrow().flying() > 0 && TokioInstant::now() < until {
        tokio::time::sleep(limits::DELIVERY_TICK).await;
    }
    delivery.sender.shutdown();
    delivery.leave();
}

fn delivery(
    plan: Plan,
    wheel: &Rc<Wheel>,
) -> Option<(Rc<Delivery>, tokio_mpsc::UnboundedReceiver<ToDelivery>)> {
    let settings = plan.config.mirrors.get(plan.mirror)?.clone();
    let ledger = Rc::new(Ledger::new(Arc::clone(&plan.stats), plan.mirror)?);
    let bounds = bounds(&settings);
    let logs = plan.logs.and_then(|opened| CopyLogs::new(&settings, &opened));
    let cluster = plan.config.clusters.get(settings.cluster)?;
    let endpoints = Endpoints::follow(settings.cluster, cluster, &plan.stats, &plan.addresses);
    let sender = Sender::new(Settings {
        cluster: settings.cluster,
        connect_timeout: cluster.connect_timeout,
        sockets: cluster.sockets,
        limits: cluster.http.connections.clone(),
        max_age: std::time::Duration::MAX,
        connections: settings.max_connections as usize,
        endpoints,
        ledger: Rc::clone(&ledger),
        stats: plan.stats,
        tls: Transport::new(&Current::following(&plan.tls), settings.cluster),
        wheel: Rc::clone(wheel),
        share: Share::reporting(&plan.pace),
    });
    let scratch = Scratch::new(Seed::random(), limits::ORDER_UNCOMPRESSED);
    let delivery = Rc::new(Delivery {
        window: RefCell::new(Window::new(bounds)),
        sender,
        pace: plan.pace,
        ledger,
        logs,
        in_flight: plan.in_flight,
        backlog: plan.to_backlog,
        rebuild: Rebuild {
            settings,
            policies: plan.policies,
            own_address: plan.own_address,
            recovered_end: Cell::new(0),
            warned: Cell::new(false),
        },
        reader: RefCell::new(Reader::new(scratch)),
        asked: RefCell::default(),
        done: RefCell::default(),
        settled: RefCell::default(),
        resting: RefCell::default(),
        again: RefCell::default(),
        limited: RefCell::default(),
        tally: Cell::default(),
        max_attempts: plan.backlog.max_attempts,
        max_age: plan.backlog.max_age,
        path: plan.backlog.path,
        leaving: Cell::new(false),
    });
    Some((delivery, plan.messages))
}

fn bounds(settings: &Mirror) -> Bounds {
    Bounds {
        // The other half is for newcomers on their way here.
        bytes: settings.buffer / 2,
        copies: settings.max_copies as usize / 2,
        board: board::Bounds {
            max_spread_ms: limits::ORDER_SPREAD.as_millis() as u64,
            max_fingerprints: limits::ORDER_FINGERPRINTS,
        },
        ordered: settings.order == Order::Series,
    }
}

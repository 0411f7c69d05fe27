//! The copy.
//!
//! Enters: the head of a request that is on its way to the primary, then its body frame by frame ([`tap::Tap`]).
//! Leaves: the same request, whole, to each mirror of its route, and one outcome in the ledger for each. Runs on the
//! worker that serves the request.
//!
//! The promise: nothing here can make the primary's path wait, fail or grow without bound. The tap returns nothing
//! that could tell a mirror's state; it counts and gives up where a bound is reached. Copies are sent by tasks of
//! their own over connections of their own.
//!
//! In the order a copy meets them: `tap` collects (`leg`, `head`, `body`) within the `budget`, `hand_over` books it in
//! the `ledger` and hands it on. From memory (`once`), `order` lets it go now or later and `send` carries it. Through
//! `durable` it is kept on disk until the mirror has it.

pub(crate) mod budget;
pub(crate) mod durable;
pub(crate) mod ledger;
pub(crate) mod order;
pub(crate) mod send;
pub(crate) mod tap;

mod body;
mod hand_over;
mod head;
mod leg;
mod logged;
mod once;
mod pair;
mod resolve;
mod usual;
mod written;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::model::{Config, Delivery, Mirror};
use http::HeaderValue;
use tokio::sync::mpsc;

use crate::access_log::writer::Opened;
use crate::cluster::Endpoints;
use crate::deadline::Wheel;
use crate::limits;
use crate::stats::WorkerStats;
use crate::stats::mirror::Path;
use crate::tls::{Current, Transport};
use budget::{Account, Budget, Lease};
use durable::intake::{Gate, Intake};
pub(crate) use head::own_address;
use ledger::{Ledger, Outcome};
use logged::CopyLogs;
use once::Once;
use order::board::Place;
use order::cell::{Cells, Way};
use order::ticket::{Handle, Ticket};
use order::{Event, Key, Permit};
pub(crate) use resolve::asks;
use send::Copy;
use send::Sender;
use send::pace::{Pace, Share};
use usual::Usual;

/// What all workers share of one mirror: its bounds and the places of its copies.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    bytes: Arc<Budget>,
    copies: Arc<Budget>,
    cells: Arc<Cells>,
    pub(crate) pace: Arc<Pace>,
    /// Of a mirror whose writes are kept on disk.
    pub(crate) gate: Option<Gate>,
    workers: usize,
}

impl Shared {
    /// `index` is the mirror's; `events` go to the order thread, `permits` to each worker.
    pub(crate) fn new(
        index: usize,
        mirror: &Mirror,
        pace: &Arc<Pace>,
        events: &mpsc::Sender<Event>,
        permits: &[mpsc::Sender<Permit>],
    ) -> Self {
        Self {
            bytes: Arc::new(Budget::new(arrivals(mirror))),
            copies: Arc::new(Budget::new(u64::from(mirror.max_copies))),
            cells: Cells::new(index as u32, events.clone(), permits.to_vec()),
            pace: Arc::clone(pace),
            gate: None,
            workers: permits.len(),
        }
    }
}

/// Bytes for copies and requests at the workers: all, or, where the rest waits for delivery, one half.
fn arrivals(mirror: &Mirror) -> u64 {
    if mirror.delivery == Delivery::Memory { mirror.buffer } else { mirror.buffer / 2 }
}

/// One worker's side of one mirror.
#[derive(Debug)]
pub(crate) struct Target {
    settings: Mirror,
    ledger: Rc<Ledger>,
    account: Rc<Account>,
    copies: Rc<Lease>,
    sender: Rc<Sender<Once>>,
    /// Where its writes go, if they are kept on disk.
    intake: Option<Intake>,
    /// Places of its tenants' copies.
    cells: Rc<Handle>,
    /// Copies that wait for a permit.
    waiting: RefCell<HashMap<(Key, Place), Copy<Once>>>,
    /// A task looks after them.
    watched: Cell<bool>,
    pace: Arc<Pace>,
    /// Its access logs.
    logs: Option<Rc<CopyLogs>>,
    /// An operator's skips that were carried out.
    skips: Cell<u64>,
    started: Instant,
}

impl Target {
    fn new(parts: &Parts<'_>, index: usize, mirror: &Mirror, shared: &Shared) -> Option<Rc<Self>> {
        let ledger = Rc::new(Ledger::new(Arc::clone(parts.stats), index)?);
        let bytes = Lease::new(Arc::clone(&shared.bytes), limits::LEASE_BYTES, shared.workers);
        let copies = Lease::new(Arc::clone(&shared.copies), limits::LEASE_COPIES, shared.workers);
        let cluster = parts.config.clusters.get(mirror.cluster)?;
        let sender = Sender::new(send::Settings {
            cluster: mirror.cluster,
            connect_timeout: cluster.connect_timeout,
            sockets: cluster.sockets,
            limits: cluster.http.connections.clone(),
            max_age: mirror.max_age,
            connections: (mirror.max_connections as usize / shared.workers).max(1),
            endpoints: Rc::clone(parts.endpoints.get(mirror.cluster)?),
            ledger: Rc::clone(&ledger),
            stats: Arc::clone(parts.stats),
            tls: Transport::new(parts.tls, mirror.cluster),
            wheel: Rc::clone(parts.wheel),
            share: Share::new(&shared.pace, shared.workers),
        });
        let cells = Rc::new(Handle::new(Arc::clone(&shared.cells), parts.worker));
        Some(Rc::new(Self {
            settings: mirror.clone(),
            account: Account::new(bytes, Rc::clone(&ledger)),
            copies: Rc::new(copies),
            sender,
            intake: shared.gate.as_ref().map(|gate| gate.intake(&ledger)),
            ledger,
            cells,
            waiting: RefCell::default(),
            watched: Cell::new(false),
            pace: Arc::clone(&shared.pace),
            logs: CopyLogs::new(mirror, parts.logs),
            skips: Cell::new(0),
            started: parts.started,
        }))
    }

    /// One attempt's time. Without a timeout of the route a silent mirror would hold its connection for ever.
    fn timeout(&self, route: Option<Duration>) -> Duration {
        self.settings.timeout.or(route).unwrap_or(self.settings.max_age)
    }

    /// Hands a copy on: now, or to wait for its permit.
    fn go(self: &Rc<Self>, copy: Copy<Once>, ticket: Option<(&Ticket, Way)>) {
        match ticket {
            Some((ticket, Way::Queued)) => {
                self.waiting.borrow_mut().insert((ticket.key(), ticket.place()), copy);
                if !self.watched.replace(true) {
                    tokio::task::spawn_local(Rc::clone(self).watch());
                }
            }
            Some((_, Way::Direct)) => {
                self.ledger.count_ordered(Path::Direct);
                self.sender.submit(copy);
            }
            None => self.sender.submit(copy),
        }
    }

    /// While copies wait: looks now and then whether they have waited long enough to be read.
    async fn watch(self: Rc<Self>) {
        loop {
            tokio::time::sleep(limits::ORDER_WAIT).await;
            let waiting = self.waiting.borrow();
            if waiting.is_empty() {
                self.watched.set(false);
                return;
            }
            let keys: HashSet<Key> = waiting.keys().map(|&(key, _)| key).collect();
            drop(waiting);
            let now_ms = self.started.elapsed().as_millis() as u64;
            keys.into_iter().for_each(|key| self.cells.look(key, now_ms));
        }
    }

    /// Lets go what this worker's own copies have freed.
    fn let_go_freed(&self) {
        for permit in self.cells.freed() {
            self.permit(permit);
        }
    }

    /// A copy may go. It may have expired in the meantime.
    fn permit(&self, permit: Permit) {
        let Some(copy) = self.waiting.borrow_mut().remove(&(permit.key, permit.place)) else { return };
        self.ledger.count_ordered(if permit.read { Path::Read } else { Path::Waited });
        self.sender.submit(copy);
    }

    /// Books the waiting copies for which `is_over` holds.
    fn end_waiting(&self, outcome: Outcome, is_over: impl Fn(&Copy<Once>) -> bool) {
        let mut waiting = self.waiting.borrow_mut();
        let over: Vec<_> = waiting.extract_if(|_, copy| is_over(copy)).collect();
        drop(waiting);
        over.into_iter().for_each(|(_, copy)| copy.load.token.finish(outcome));
    }
}

/// One worker's side of all mirrors.
#[derive(Debug)]
pub(crate) struct Mirrors {
    targets: Vec<Rc<Target>>,
    /// This worker's index, for the order thread.
    worker: usize,
    started: Instant,
    /// The proxy's own address, which Envoy adds to a copy's `x-forwarded-for`.
    own_address: HeaderValue,
    /// What copies keep of their requests' heads.
    content_type: Usual,
    content_encoding: Usual,
}

/// What one worker's mirrors are made of.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a Config,
    /// By mirror.
    pub(crate) shared: &'a [Shared],
    /// By cluster.
    pub(crate) endpoints: &'a [Rc<Endpoints>],
    pub(crate) stats: &'a Arc<WorkerStats>,
    pub(crate) tls: &'a Rc<Current>,
    pub(crate) wheel: &'a Rc<Wheel>,
    /// This worker's index.
    pub(crate) worker: usize,
    /// When the process started.
    pub(crate) started: Instant,
    pub(crate) own_address: HeaderValue,
    pub(crate) logs: &'a Opened,
}

impl Mirrors {
    pub(crate) fn new(parts: Parts<'_>) -> Self {
        let mirrors = parts.config.mirrors.iter().zip(parts.shared).enumerate();
        let targets =
            mirrors.filter_map(|(index, (mirror, shared))| Target::new(&parts, index, mirror, shared));
        Self {
            targets: targets.collect(),
            worker: parts.worker,
            started: parts.started,
            own_address: parts.own_address,
            content_type: Usual::default(),
            content_encoding: Usual::default(),
        }
    }

    fn target(&self, mirror: usize) -> Option<&Rc<Target>> {
        self.targets.get(mirror)
    }

    /// Another worker's copy, or the order thread, lets a copy go.
    pub(crate) fn permit(&self, permit: Permit) {
        if let Some(target) = self.targets.get(permit.key.mirror as usize) {
            target.permit(permit);
        }
    }

    /// Looks after the copies that other copies of this worker let go, wherever those came to their end.
    pub(crate) fn let_go(&self) {
        for target in self.targets.iter().map(Rc::clone) {
            tokio::task::spawn_local(async move {
                loop {
                    target.cells.any_freed().await;
                    target.let_go_freed();
                }
            });
        }
    }

    /// Regular housekeeping, about once a second: expires what waited too long, measures the lag.
    pub(crate) fn sweep(&self) {
        for target in &self.targets {
            let skips = target.pace.skips();
            if target.skips.replace(skips) != skips {
                target.end_waiting(Outcome::ExpiredSkipped, |_| true);
                target.sender.end_waiting(|copy| copy.load.token.finish(Outcome::ExpiredSkipped));
            }
            target.end_waiting(Outcome::Expired, |copy| copy.arrived.elapsed() >= target.settings.max_age);
            let waiting = target.waiting.borrow().values().map(|copy| copy.arrived).min();
            let oldest = target.sender.sweep(waiting);
            target.ledger.lag_ms.set(oldest.map_or(0, |arrived| arrived.elapsed().as_millis() as u64));
        }
    }

    /// Copies without an outcome.
    pub(crate) fn pending(&self) -> u64 {
        self.targets.iter().map(|target| target.ledger.pending.get()).sum()
    }

    /// Books what is still waiting or in flight, because the process leaves now.
    pub(crate) fn shutdown(&self) {
        for target in &self.targets {
            target.end_waiting(Outcome::DroppedShutdown, |_| true);
            target.sender.shutdown();
        }
    }
}

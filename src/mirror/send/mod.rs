//! Carries copies to one mirror, from one thread.
//!
//! Enters: copies. Leaves: bytes to the mirror, and for each copy one [`Attempt`], told to whoever stands behind it
//! ([`Load`]). Every connection is a task of its own with one copy in flight (HTTP/1.1 answers in order, so pipelined
//! copies would wait for the slowest). Connections grow with need and shrink after; idle ones are used again last in,
//! first out. How many copies may be in flight is the [`pace`]'s business.

mod answer;
mod connection;
mod copy;
pub(crate) mod pace;
mod verdict;
mod write;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use config::model::{ConnectionLimits, Sockets};

use super::ledger::{Ledger, Outcome};
use crate::cluster::Endpoints;
use crate::deadline::Wheel;
use crate::limits;
use crate::stats::WorkerStats;
use crate::tls::Transport;
pub(crate) use copy::{Copy, Ends, Load};
use pace::{Leave, Share};
pub(crate) use verdict::{Attempt, Meaning};

/// What a sender needs of its surroundings.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) cluster: usize,
    pub(super) connect_timeout: Duration,
    pub(super) sockets: Sockets,
    /// How long a connection and how much of it is used.
    pub(super) limits: ConnectionLimits,
    pub(super) max_age: Duration,
    /// Connections of this thread to this mirror.
    pub(super) connections: usize,
    pub(super) endpoints: Rc<Endpoints>,
    pub(super) ledger: Rc<Ledger>,
    pub(super) stats: Arc<WorkerStats>,
    pub(super) tls: Transport,
    pub(super) wheel: Rc<Wheel>,
    /// This thread's share of what the mirror may be sent at a time.
    pub(super) share: Share,
}

/// One thread's queue and connections of one mirror.
#[derive(Debug)]
pub(crate) struct Sender<L> {
    settings: Settings,
    /// Copies that no connection has taken yet, oldest first.
    queue: RefCell<VecDeque<Copy<L>>>,
    /// Copies of tenants that are limited now, by tenant, oldest first.
    aside: RefCell<BTreeMap<u64, VecDeque<Copy<L>>>>,
    /// Copies that were laid aside and may go now.
    readmitted: RefCell<VecDeque<Copy<L>>>,
    /// Connections that wait for a copy.
    idle: RefCell<Vec<Rc<Slot<L>>>>,
    /// All connections, for what is in flight.
    slots: RefCell<Vec<Weak<Slot<L>>>>,
    /// Copies that a connection has taken.
    in_flight: Cell<usize>,
    open: Cell<usize>,
    dialing: Cell<usize>,
    /// After a failed dial: none before this moment.
    pause: Cell<Option<Pause>>,
    stopped: Cell<bool>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

/// Where a connection's task and its sender meet.
#[derive(Debug)]
struct Slot<L> {
    /// The next copy, put here for an idle connection.
    handed: RefCell<Option<Copy<L>>>,
    /// What is in flight, and when it arrived.
    in_flight: RefCell<Option<(L, Instant)>>,
    /// The connection's task, while it is idle.
    waker: RefCell<Option<Waker>>,
}

impl<L: Load> Sender<L> {
    pub(super) fn new(settings: Settings) -> Rc<Self> {
        Rc::new(Self {
            settings,
            queue: RefCell::default(),
            aside: RefCell::default(),
            readmitted: RefCell::default(),
            idle: RefCell::default(),
            slots: RefCell::default(),
            in_flight: Cell::new(0),
            open: Cell::new(0),
            dialing: Cell::new(0),
            pause: Cell::new(None),
            stopped: Cell::new(false),
        })
    }

    /// Takes a copy. Returns at once; the copy is written by a connection's task, after the caller's own work.
    pub(super) fn submit(self: &Rc<Self>, copy: Copy<L>) {
        if self.stopped.get() {
            copy.load.left(false);
            return;
        }
        self.queue.borrow_mut().push_back(copy);
        self.pump();
    }

    /// Gives back a copy that was never begun, to be taken next.
    fn give_back(self: &Rc<Self>, copy: Copy<L>) {
        self.queue.borrow_mut().push_front(copy);
        self.pump();
    }

    /// Hands copies to connections as far as the pace allows.
    fn pump(self: &Rc<Self>) {
        loop {
            if self.has_none() {
                return;
            }
            let idle = self.idle.borrow_mut().pop();
            let Some(slot) = idle else { break self.grow() };
            let Some(copy) = self.next() else { break self.idle.borrow_mut().push(slot) };
            *slot.handed.borrow_mut() = Some(copy);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
        // Nothing else may come that would send what the pace holds back.
        if !self.settings.share.is_free() {
            self.settings.share.watch(Rc::downgrade(self) as Weak<dyn pace::Paced>);
        }
    }

    /// The oldest waiting copy that may be sent now, which is in flight from here on.
    fn next(&self) -> Option<Copy<L>> {
        loop {
            if !self.settings.share.allows(self.in_flight.get()) {
                return None;
            }
            let copy = self.take_allowed()?;
            if copy.arrived.elapsed() < self.settings.max_age {
                self.in_flight.set(self.in_flight.get() + 1);
                return Some(copy);
            }
            L::expired(copy);
        }
    }

    /// The oldest whose tenant may be sent to. Those of limited tenants are laid aside.
    fn take_allowed(&self) -> Option<Copy<L>> {
        if let Some(copy) = self.readmitted.borrow_mut().pop_front() {
            return Some(copy);
        }
        let (mut queue, mut aside) = (self.queue.borrow_mut(), self.aside.borrow_mut());
        loop {
            let copy = queue.pop_front()?;
            let waits = aside.contains_key(&copy.tenant)
                || matches!(self.settings.share.ask(copy.tenant), Leave::Wait(_));
            if !waits {
                return Some(copy);
            }
            aside.entry(copy.tenant).or_default().push_back(copy);
        }
    }

    /// Brings back copies of tenants that may be tried again: one, until the mirror has taken it.
    fn readmit(&self) {
        let (mut readmitted, mut aside) = (self.readmitted.borrow_mut(), self.aside.borrow_mut());
        aside.retain(|&tenant, waiting| {
            let back = match self.settings.share.ask(tenant) {
                Leave::Free => waiting.len(),
                Leave::One => 1,
                Leave::Wait(_) => 0,
            };
            readmitted.extend(waiting.drain(..back.min(waiting.len())));
            !waiting.is_empty()
        });
    }

    /// Nothing waits, neither in the queue nor aside.
    fn has_none(&self) -> bool {
        self.queue.borrow().is_empty()
            && self.readmitted.borrow().is_empty()
            && self.aside.borrow().is_empty()
    }

    /// A connection is done with its copy.
    fn landed(&self) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
    }

    /// Opens connections while copies wait for one. A mirror without any costs one dial at a time. One that has
    /// answered gets as many dials as connections are open, so that these double each round trip, and never fewer than
    /// a quarter of what waits: a thousand clients that come at once fill the buffer within four of their round trips.
    fn grow(self: &Rc<Self>) {
        let share = &self.settings.share;
        if !share.allows(self.in_flight.get() + self.dialing.get()) {
            return;
        }
        let waiting = self.queue.borrow().len() + self.readmitted.borrow().len();
        let dials = match self.open.get() {
            0 => waiting.min(1),
            open => waiting.min(open.min(limits::MIRROR_DIALS_MAX).max(waiting / 4)),
        };
        let connections = self.settings.connections.min(share.limit());
        while self.dialing.get() < dials
            && self.open.get() + self.dialing.get() < connections
            && !self.stopped.get()
        {
            self.dialing.set(self.dialing.get() + 1);
            let wait = self.pause.get().map(|pause| pause.until.saturating_duration_since(Instant::now()));
            tokio::task::spawn_local(connection::run(Rc::clone(self), wait.unwrap_or_default()));
        }
    }

    /// A dial succeeded: one more connection.
    fn opened(&self) -> Rc<Slot<L>> {
        self.dialing.set(self.dialing.get() - 1);
        self.open.set(self.open.get() + 1);
        self.settings.ledger.connections.inc();
        self.pause.set(None);
        let slot = Rc::new(Slot {
            handed: RefCell::default(),
            in_flight: RefCell::default(),
            waker: RefCell::default(),
        });
        let mut slots = self.slots.borrow_mut();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Rc::downgrade(&slot));
        slot
    }

    /// A dial failed. The copies that wait for this first connection have had their attempt; where other connections
    /// are open, those serve the queue.
    fn dial_failed(self: &Rc<Self>, outcome: Outcome) {
        self.dialing.set(self.dialing.get() - 1);
        let length = self.pause.get().map_or(limits::DIAL_PAUSE_MIN, |pause| pause.length * 2);
        let length = length.min(limits::DIAL_PAUSE_MAX);
        self.pause.set(Some(Pause { until: Instant::now() + length, length }));
        if self.open.get() == 0 {
            let mut failed = std::mem::take(&mut *self.readmitted.borrow_mut());
            failed.append(&mut self.queue.borrow_mut());
            self.settings.share.troubled(self.in_flight.get(), None);
            self.settings.ledger.hear(outcome, None, &[]);
            for copy in failed {
                if let Some(stats) = self.settings.stats.clusters.get(self.settings.cluster) {
                    stats.internal.count(503);
                    if outcome != Outcome::FailedNoEndpoint {
                        stats.rq_pending_failure_eject.inc();
                    }
                }
                L::ended(copy, Attempt::unanswered(outcome));
            }
        }
        self.grow();
    }

    /// A connection closed.
    fn closed(self: &Rc<Self>) {
        self.open.set(self.open.get() - 1);
        self.settings.ledger.connections.dec();
        self.grow();
    }

    /// About once a second: expires what waited too long. `held` is when the oldest arrived that is not let go yet;
    /// answers when the oldest of all did.
    pub(super) fn sweep(self: &Rc<Self>, held: Option<Instant>) -> Option<Instant> {
        let is_old =
            |copy: Option<&Copy<L>>| copy.is_some_and(|c| c.arrived.elapsed() >= self.settings.max_age);
        let (mut aside, mut queue) = (self.aside.borrow_mut(), self.queue.borrow_mut());
        let mut readmitted = self.readmitted.borrow_mut();
        let mut expired = Vec::new();
        for waiting in aside.values_mut().chain([&mut *queue, &mut *readmitted]) {
            while is_old(waiting.front()) {
                expired.extend(waiting.pop_front());
            }
        }
        let waiting = aside.values().chain([&*queue, &*readmitted]);
        let oldest = waiting.filter_map(|waiting| Some(waiting.front()?.arrived)).min();
        drop((aside, queue, readmitted));
        expired.into_iter().for_each(L::expired);
        let in_flight = |slot: &Weak<Slot<L>>| Some(slot.upgrade()?.in_flight.borrow().as_ref()?.1);
        self.slots.borrow().iter().filter_map(in_flight).chain(oldest).chain(held).min()
    }

    /// Gives every copy that no connection has taken to `end`.
    pub(super) fn end_waiting(&self, end: impl FnMut(Copy<L>)) {
        let waiting = std::mem::take(&mut *self.queue.borrow_mut());
        let readmitted = std::mem::take(&mut *self.readmitted.borrow_mut());
        let aside = std::mem::take(&mut *self.aside.borrow_mut());
        readmitted.into_iter().chain(aside.into_values().flatten()).chain(waiting).for_each(end);
    }

    /// The process leaves: books every copy that has no outcome yet.
    pub(super) fn shutdown(&self) {
        self.stopped.set(true);
        self.end_waiting(|copy| copy.load.left(false));
        for slot in self.slots.borrow().iter().filter_map(Weak::upgrade) {
            if let Some(copy) = slot.handed.take() {
                copy.load.left(false);
            }
            if let Some((load, _)) = slot.in_flight.take() {
                load.left(true);
            }
        }
    }
}

impl<L: Load> pace::Paced for Sender<L> {
    fn go_on(self: Rc<Self>) {
        self.readmit();
        self.pump();
    }

    fn has_more(&self) -> bool {
        !self.has_none() && !self.stopped.get()
    }
}

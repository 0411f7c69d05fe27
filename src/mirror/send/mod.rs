//! Carries copies to one mirror, from one worker.
//!
//! Enters: copies, from the tap. Leaves: bytes to the mirror and one outcome for each copy. Every connection is a
//! task of its own with one copy in flight (HTTP/1.1 answers in order, so pipelined copies would wait for the
//! slowest). Connections grow with need and shrink after; idle ones are used again last in, first out.

mod answer;
mod connection;
mod verdict;
mod write;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::Copy;
use super::ledger::{Ledger, Outcome, Token};
use crate::cluster::Endpoints;
use crate::deadline::Wheel;
use crate::limits;
use crate::stats::WorkerStats;

/// What a sender needs of its surroundings.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) cluster: usize,
    pub(super) connect_timeout: Duration,
    pub(super) max_age: Duration,
    /// Connections of this worker to this mirror.
    pub(super) connections: usize,
    pub(super) endpoints: Rc<Endpoints>,
    pub(super) ledger: Rc<Ledger>,
    pub(super) stats: Arc<WorkerStats>,
    pub(super) wheel: Rc<Wheel>,
}

/// One worker's queue and connections of one mirror.
#[derive(Debug)]
pub(crate) struct Sender {
    settings: Settings,
    /// Copies that no connection has taken yet, oldest first.
    queue: RefCell<VecDeque<Copy>>,
    /// Connections that wait for a copy. Not empty only while the queue is.
    idle: RefCell<Vec<Rc<Slot>>>,
    /// All connections, for what is in flight.
    slots: RefCell<Vec<Weak<Slot>>>,
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
#[derive(Debug, Default)]
struct Slot {
    /// The next copy, put here for an idle connection.
    handed: RefCell<Option<Copy>>,
    /// What is in flight: its place in the ledger and when it arrived.
    in_flight: RefCell<Option<(Token, Instant)>>,
    /// The connection's task, while it is idle.
    waker: RefCell<Option<Waker>>,
}

impl Sender {
    pub(super) fn new(settings: Settings) -> Rc<Self> {
        Rc::new(Self {
            settings,
            queue: RefCell::default(),
            idle: RefCell::default(),
            slots: RefCell::default(),
            open: Cell::new(0),
            dialing: Cell::new(0),
            pause: Cell::new(None),
            stopped: Cell::new(false),
        })
    }

    /// Takes a copy. Returns at once; the copy is written by a connection's task, after the caller's own work.
    pub(super) fn submit(self: &Rc<Self>, copy: Copy) {
        if self.stopped.get() {
            copy.token.finish(Outcome::DroppedShutdown);
            return;
        }
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(slot) => {
                *slot.handed.borrow_mut() = Some(copy);
                if let Some(waker) = slot.waker.take() {
                    waker.wake();
                }
            }
            None => {
                self.queue.borrow_mut().push_back(copy);
                self.grow();
            }
        }
    }

    /// Gives back a copy that was never begun, to be taken next.
    fn give_back(self: &Rc<Self>, copy: Copy) {
        self.queue.borrow_mut().push_front(copy);
        self.grow();
    }

    /// The oldest waiting copy that is not too old.
    fn next(&self) -> Option<Copy> {
        loop {
            let copy = self.queue.borrow_mut().pop_front()?;
            if copy.arrived.elapsed() < self.settings.max_age {
                return Some(copy);
            }
            copy.token.finish(Outcome::Expired);
        }
    }

    /// Opens connections while copies wait for one: as many dials at a time as connections are open, at least one,
    /// so that a mirror that does not answer costs one dial at a time and a healthy one doubles each round trip.
    fn grow(self: &Rc<Self>) {
        let waiting = self.queue.borrow().len();
        let dials = waiting.min(self.open.get().clamp(1, limits::MIRROR_DIALS_MAX));
        while self.dialing.get() < dials
            && self.open.get() + self.dialing.get() < self.settings.connections
            && !self.stopped.get()
        {
            self.dialing.set(self.dialing.get() + 1);
            let wait = self.pause.get().map(|pause| pause.until.saturating_duration_since(Instant::now()));
            tokio::task::spawn_local(connection::run(Rc::clone(self), wait.unwrap_or_default()));
        }
    }

    /// A dial succeeded: one more connection.
    fn opened(&self) -> Rc<Slot> {
        self.dialing.set(self.dialing.get() - 1);
        self.open.set(self.open.get() + 1);
        self.settings.ledger.connections.inc();
        self.pause.set(None);
        let slot = Rc::new(Slot::default());
        let mut slots = self.slots.borrow_mut();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Rc::downgrade(&slot));
        slot
    }

    /// A dial failed. The copies that wait for this first connection have had their one attempt; where other
    /// connections are open, those serve the queue.
    fn dial_failed(self: &Rc<Self>, outcome: Outcome) {
        self.dialing.set(self.dialing.get() - 1);
        let length = self.pause.get().map_or(limits::DIAL_PAUSE_MIN, |pause| pause.length * 2);
        let length = length.min(limits::DIAL_PAUSE_MAX);
        self.pause.set(Some(Pause { until: Instant::now() + length, length }));
        if self.open.get() == 0 {
            let failed = std::mem::take(&mut *self.queue.borrow_mut());
            for copy in failed {
                if let Some(stats) = self.settings.stats.clusters.get(self.settings.cluster) {
                    stats.internal.count(503);
                }
                copy.token.finish(outcome);
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

    /// About once a second: expires what waited too long, measures the age of the oldest copy.
    pub(super) fn sweep(&self) {
        let is_old = |queue: &VecDeque<Copy>| {
            queue.front().is_some_and(|copy| copy.arrived.elapsed() >= self.settings.max_age)
        };
        while is_old(&self.queue.borrow()) {
            let Some(copy) = self.queue.borrow_mut().pop_front() else { break };
            copy.token.finish(Outcome::Expired);
        }
        let waiting = self.queue.borrow().front().map(|copy| copy.arrived);
        let in_flight = |slot: &Weak<Slot>| Some(slot.upgrade()?.in_flight.borrow().as_ref()?.1);
        let oldest = self.slots.borrow().iter().filter_map(in_flight).chain(waiting).min();
        let lag = oldest.map_or(0, |arrived| arrived.elapsed().as_millis() as u64);
        self.settings.ledger.lag_ms.set(lag);
    }

    /// The process leaves: books every copy that has no outcome yet.
    pub(super) fn shutdown(&self) {
        self.stopped.set(true);
        let waiting = std::mem::take(&mut *self.queue.borrow_mut());
        waiting.into_iter().for_each(|copy| copy.token.finish(Outcome::DroppedShutdown));
        for slot in self.slots.borrow().iter().filter_map(Weak::upgrade) {
            if let Some(copy) = slot.handed.take() {
                copy.token.finish(Outcome::DroppedShutdown);
            }
            if let Some((token, _)) = slot.in_flight.take() {
                token.finish(Outcome::FailedTimeout);
            }
        }
    }
}

//! The delivery thread of one mirror: sends what the backlog keeps until the mirror has it.
//!
//! Enters: copies, in the order of their arrival, and what the backlog thread read back. Leaves: copies to the mirror,
//! in their tenants' order and at the mirror's pace, and one outcome for each. A copy is tried again until the mirror
//! has taken or judged it, however long that takes; the backlog's bounds decide when it is too old.
//!
//! `run` is the thread, `receive` takes what arrives, `rebuild` makes copies of records, `attempts` is what becomes of
//! those that went out, `lines` what the access log tells of each at its end.

mod attempts;
mod lines;
mod rebuild;
mod receive;
mod run;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::in_flight::InFlight;
use super::kept::{Kept, State, Tally};
use super::message::ToBacklog;
use super::window::{Key, Want, Window};
use crate::mirror::ledger::{Ledger, Outcome};
use crate::mirror::logged::CopyLogs;
use crate::mirror::order::Reader;
use crate::mirror::send::Sender;
use crate::mirror::send::pace::{Leave, Pace};
use crate::stats::pairs::Class;
use attempts::Flight;
use rebuild::Rebuild;
pub(crate) use run::{Plan, spawn};

/// See the module.
struct Delivery {
    window: RefCell<Window>,
    sender: Rc<Sender<Flight>>,
    pace: Arc<Pace>,
    ledger: Rc<Ledger>,
    /// The mirror's access logs.
    logs: Option<Rc<CopyLogs>>,
    in_flight: Arc<InFlight>,
    backlog: mpsc::Sender<ToBacklog>,
    rebuild: Rebuild,
    reader: RefCell<Reader>,
    /// Reads under way, in order.
    asked: RefCell<VecDeque<Want>>,
    /// Outcomes that the backlog does not know of yet.
    done: RefCell<Vec<u64>>,
    /// Copies with an outcome, until the backlog has said that it knows: it may let go of them in the meantime.
    settled: RefCell<HashSet<u64>>,
    /// Copies that rest, by when they are tried again.
    resting: RefCell<BTreeSet<(Instant, Key)>>,
    /// Copies whose rest is over.
    again: RefCell<VecDeque<Key>>,
    /// Tenants that are limited, by when they may be tried again.
    limited: RefCell<BTreeSet<(Instant, u64)>>,
    tally: Cell<Tally>,
    max_attempts: u32,
    max_age: Duration,
    /// Of the backlog.
    path: PathBuf,
    leaving: Cell<bool>,
}

impl Delivery {
    /// Sends what may go, and asks for what should be read back.
    fn pump(self: &Rc<Self>) {
        if self.leaving.get() {
            return;
        }
        let now = Instant::now();
        let mut turn = false;
        while self.window.borrow().flying() < self.pace.limit() as usize {
            // In turn, so that one copy which its tenant's door keeps out is not all that is ever tried.
            turn = !turn;
            let next = if turn {
                self.rested(now).or_else(|| self.start(now))
            } else {
                self.start(now).or_else(|| self.rested(now))
            };
            let Some(key) = next else { break };
            self.launch(key);
        }
        // First what is over, so that it is not read again.
        if self.window.borrow().wants() {
            self.tell_done();
        }
        loop {
            let want = self.window.borrow_mut().want(now);
            let Some(want) = want else { break };
            let message = match &want {
                Want::Places(_, places, bytes) => ToBacklog::Read(places.clone(), *bytes),
                Want::From(place, bytes) => ToBacklog::ReadFrom(*place, *bytes),
            };
            self.asked.borrow_mut().push_back(want);
            self.tell(message);
        }
    }

    fn start(&self, now: Instant) -> Option<Key> {
        self.window.borrow_mut().start(|tenant| self.may(tenant, now))
    }

    /// The next copy whose rest is over.
    fn rested(&self, now: Instant) -> Option<Key> {
        let rested = self.again.borrow().len();
        for _ in 0..rested {
            let key = self.again.borrow_mut().pop_front()?;
            let rests = |kept: &mut Kept| kept.state == State::Resting;
            if !self.window.borrow_mut().get_mut(key).is_some_and(rests) {
                continue;
            }
            match self.pace.ask(key.0, now) {
                Leave::Free | Leave::One => return Some(key),
                Leave::Wait(until) => drop(self.resting.borrow_mut().insert((until, key))),
            }
        }
        None
    }

    /// Whether this tenant may be sent to. If not, it is remembered when.
    fn may(&self, tenant: u64, now: Instant) -> bool {
        match self.pace.ask(tenant, now) {
            Leave::Free | Leave::One => true,
            Leave::Wait(until) => {
                self.limited.borrow_mut().insert((until, tenant));
                false
            }
        }
    }

    /// Those whose time has come.
    fn wake(&self, now: Instant) {
        let mut resting = self.resting.borrow_mut();
        while let Some(&(at, key)) = resting.first().filter(|(at, _)| *at <= now) {
            resting.remove(&(at, key));
            self.again.borrow_mut().push_back(key);
        }
        let mut limited = self.limited.borrow_mut();
        while let Some(&(at, tenant)) = limited.first().filter(|(at, _)| *at <= now) {
            limited.remove(&(at, tenant));
            self.window.borrow_mut().take_turns(tenant);
        }
    }

    /// Books a copy that is not in the window. `kept`: what is known of it, if it was in memory; `status`: of the
    /// mirror's last answer.
    fn settle(&self, place: u64, outcome: Outcome, kept: Option<&Kept>, status: Option<u16>) {
        if self.settled.borrow_mut().insert(place) {
            self.log(kept, outcome, status);
            self.ledger.count(outcome);
            let pair = kept.and_then(|kept| kept.pair.as_deref());
            self.ledger.secondary_answered(pair, Class::of(status));
            self.ledger.settled.inc();
            self.done.borrow_mut().push(place);
        }
    }

    /// Books a copy in the window.
    fn finish(&self, key: Key, outcome: Outcome, status: Option<u16>) {
        let kept = self.window.borrow_mut().finish(key);
        if let Some(kept) = kept {
            if let Some(tenant) = self.ledger.tenant(key.0, || None) {
                tenant.count(outcome);
            }
            self.settle(kept.place, outcome, Some(&kept), status);
        }
    }

    /// Tells the backlog which copies have their outcome.
    fn tell_done(&self) {
        let done = std::mem::take(&mut *self.done.borrow_mut());
        if !done.is_empty() {
            self.tell(ToBacklog::Done(done));
        }
    }

    fn tell(&self, message: ToBacklog) {
        // Refused only when the thread has ended, and with it the process.
        let _ = self.backlog.send(message);
    }

    /// The process leaves: what is only in memory is lost, the rest is for the next one.
    fn leave(&self) {
        let flying = self.window.borrow().unsaved_flying();
        flying.into_iter().for_each(|key| self.finish(key, Outcome::FailedTimeout, None));
        self.end_unsaved(Outcome::DroppedShutdown, |_| true);
        self.tell_done();
        self.tell(ToBacklog::Close);
    }

    /// Whether time alone can bring something to do.
    fn is_busy(&self) -> bool {
        let window = self.window.borrow();
        // What the last sweep measured is to be corrected once, too.
        let measured = self.ledger.pending_bytes.get() != window.bytes() || self.ledger.lag_ms.get() != 0;
        !window.is_empty() || !self.done.borrow().is_empty() || measured
    }
}

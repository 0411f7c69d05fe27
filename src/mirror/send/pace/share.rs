//! One thread's part of a pace: what it may have in flight, and what it reports.

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Leave, Pace};
use crate::limits;
use crate::mirror::send::verdict::{Attempt, Meaning};

/// Someone who sends at the pace's leave.
pub(in crate::mirror::send) trait Paced {
    /// Something may go now that had to wait.
    fn go_on(self: Rc<Self>);
    /// Something still waits.
    fn has_more(&self) -> bool;
}

/// One thread's part of a pace.
#[derive(Debug)]
pub(crate) struct Share {
    pace: Arc<Pace>,
    /// Threads that share it.
    parts: usize,
    /// Whether this sender holds copies back. One whose owner decides what may go only reports.
    gates: bool,
    watched: Rc<Cell<bool>>,
}

impl Share {
    /// Each of `parts` threads may have its part of the limit in flight, and at least one copy.
    pub(crate) fn new(pace: &Arc<Pace>, parts: usize) -> Self {
        Self::of(pace, parts, true)
    }

    /// Reports, but holds nothing back.
    pub(crate) fn reporting(pace: &Arc<Pace>) -> Self {
        Self::of(pace, 1, false)
    }

    fn of(pace: &Arc<Pace>, parts: usize, gates: bool) -> Self {
        let (pace, parts) = (Arc::clone(pace), parts.max(1));
        Self { pace, parts, gates, watched: Rc::default() }
    }

    /// Whether nothing is held back.
    pub(in crate::mirror::send) fn is_free(&self) -> bool {
        !self.gates || self.pace.is_free()
    }

    /// Whether one more may be in flight.
    pub(in crate::mirror::send) fn allows(&self, in_flight: usize) -> bool {
        if self.is_free() {
            return true;
        }
        let limit = self.pace.limit() as usize;
        limit > 0 && in_flight < (limit / self.parts).max(1)
    }

    /// Connections worth having.
    pub(in crate::mirror::send) fn limit(&self) -> usize {
        if self.is_free() { usize::MAX } else { (self.pace.trusted() as usize / self.parts).max(1) }
    }

    /// How this tenant may be sent to now, as [`Pace::ask`].
    pub(in crate::mirror::send) fn ask(&self, tenant: u64) -> Leave {
        if self.is_free() { Leave::Free } else { self.pace.ask(tenant, Instant::now()) }
    }

    /// An attempt for a copy of this tenant has ended, with so many others of this thread in flight.
    pub(in crate::mirror::send) fn hear(&self, attempt: &Attempt, tenant: u64, in_flight: usize) {
        match attempt.meaning() {
            Meaning::Final => self.pace.succeeded(tenant),
            Meaning::Limited => self.pace.limit_tenant(tenant, attempt.retry_after, Instant::now()),
            // Who makes one attempt has nothing to gain by waiting at a closed door.
            Meaning::Door if self.gates => {}
            Meaning::Door => self.pace.limit_tenant(tenant, attempt.retry_after, Instant::now()),
            Meaning::Trouble => self.troubled(in_flight, attempt.retry_after),
        }
    }

    pub(in crate::mirror::send) fn troubled(&self, in_flight: usize, retry_after: Option<Duration>) {
        self.pace.troubled((in_flight + 1) * self.parts, retry_after, Instant::now());
    }

    /// While copies wait because of the pace: looks now and then whether they may go.
    pub(in crate::mirror::send) fn watch(&self, who: Weak<dyn Paced>) {
        if self.watched.replace(true) {
            return;
        }
        let watched = Rc::clone(&self.watched);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(limits::PACE_LOOK).await;
                let Some(who) = who.upgrade().filter(|who| who.has_more()) else {
                    return watched.set(false);
                };
                who.go_on();
            }
        });
    }
}

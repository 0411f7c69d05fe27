//! Attempts: a copy goes out, and comes back with what the mirror said.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::Delivery;
use crate::limits;
use crate::mirror::durable::kept::{Kept, Tally};
use crate::mirror::durable::window::Key;
use crate::mirror::ledger::Outcome;
use crate::mirror::send::pace::backoff;
use crate::mirror::send::{Attempt, Copy, Ends, Load, Meaning};
use crate::stats::mirror::Path;

/// Stands behind a copy on its way.
pub(super) struct Flight {
    delivery: Rc<Delivery>,
    key: Key,
}

impl Load for Flight {
    fn begins(&self, over: Ends) {
        if self.delivery.logs.is_none() {
            return;
        }
        if let Some(kept) = self.delivery.window.borrow_mut().get_mut(self.key) {
            let first = kept.sent.map_or_else(Instant::now, |(first, _)| first);
            kept.sent = Some((first, over));
        }
    }

    fn ended(copy: Copy<Self>, attempt: Attempt) {
        let Flight { delivery, key } = copy.load;
        delivery.ended(key, &attempt);
        delivery.pump();
    }

    /// Age is the backlog's business; should it come to this, the copy is tried again.
    fn expired(copy: Copy<Self>) {
        let Flight { delivery, key } = copy.load;
        let place = delivery.window.borrow_mut().get_mut(key).map(|kept| kept.place);
        place.into_iter().for_each(|place| delivery.in_flight.end(place));
        delivery.rest(key, Instant::now());
    }

    /// It stays in the backlog for the next process.
    fn left(self, _begun: bool) {}
}

impl Delivery {
    /// Sends a copy.
    pub(super) fn launch(self: &Rc<Self>, key: Key) {
        let mut window = self.window.borrow_mut();
        window.fly(key);
        let Some(kept) = window.get_mut(key) else { return };
        self.in_flight.begin(kept.place);
        kept.attempts = kept.attempts.saturating_add(1);
        if kept.attempts > 1 {
            self.ledger.retries.inc();
        } else {
            self.ledger.count_ordered(path(kept));
            kept.seen = self.tally.get();
        }
        let copy = Copy {
            wire: Arc::clone(&kept.wire),
            answer_has_body: true,
            kind: kept.kind,
            tenant: key.0,
            timeout: kept.timeout,
            arrived: kept.arrived,
            stale: 0,
            load: Flight { delivery: Rc::clone(self), key },
        };
        drop(window);
        self.sender.submit(copy);
    }

    fn ended(&self, key: Key, attempt: &Attempt) {
        let mut window = self.window.borrow_mut();
        let Some(kept) = window.get_mut(key) else { return };
        self.in_flight.end(kept.place);
        let meaning = attempt.meaning();
        let outcome = match meaning {
            Meaning::Final => Some(self.verdict(kept, attempt.outcome)),
            Meaning::Door | Meaning::Limited | Meaning::Trouble => self.failed(kept, attempt),
        };
        let attempts = kept.attempts;
        drop(window);
        match outcome {
            Some(outcome) => self.finish(key, outcome, attempt.status),
            // A tenant that is limited waits as a whole.
            None if meaning == Meaning::Trouble => self.rest(key, Instant::now() + backoff(attempts)),
            None => self.rest(key, Instant::now() + limits::RETRY_MIN),
        }
    }

    /// The mirror has taken the copy or judged it. What it refuses because it has it already is no loss.
    fn verdict(&self, kept: &Kept, outcome: Outcome) -> Outcome {
        let Tally { taken, failed } = self.tally.get();
        self.tally.set(Tally { taken: taken + 1, failed });
        match outcome {
            Outcome::RejectedOutOfOrder | Outcome::RejectedDuplicate if kept.maybe_taken => Outcome::Repeated,
            outcome => outcome,
        }
    }

    /// The attempt failed. Returns an outcome if it was the last.
    fn failed(&self, kept: &mut Kept, attempt: &Attempt) -> Option<Outcome> {
        let Tally { taken, failed } = self.tally.get();
        self.tally.set(Tally { taken, failed: failed + 1 });
        kept.maybe_taken |= attempt.may_have_been_taken();
        // Only what fails while most others succeed is the copy's own fault, and at a door it never is.
        let others_fare_well = taken - kept.seen.taken > failed - kept.seen.failed;
        if attempt.meaning() == Meaning::Trouble && others_fare_well {
            kept.failures += 1;
        }
        kept.seen = self.tally.get();
        (kept.failures >= self.max_attempts).then_some(attempt.outcome)
    }

    pub(super) fn rest(&self, key: Key, until: Instant) {
        self.window.borrow_mut().rest(key);
        self.resting.borrow_mut().insert((until, key));
    }
}

fn path(kept: &Kept) -> Path {
    match (kept.read, kept.waited) {
        (true, _) => Path::Read,
        (false, true) => Path::Waited,
        (false, false) => Path::Direct,
    }
}

//! Memory delivery: a copy has one attempt, whose end is its outcome.

use std::rc::Weak;

use super::Target;
use super::budget::{One, Reservation};
use super::ledger::{Outcome, Token};
use super::order::ticket::Held;
use super::send::{Attempt, Copy, Ends, Load, Meaning};

/// Memory delivery: one attempt, whose end is the copy's outcome.
#[derive(Debug)]
pub(super) struct Once {
    /// Its place in the ledger.
    pub(super) token: Token,
    /// Its bytes in the budget.
    pub(super) _reservation: Reservation,
    /// One of the copies that its mirror may hold.
    pub(super) _one: One,
    /// Its place in its tenant's order, if it is kept in order. Left at the very end, with its outcome.
    pub(super) _place: Option<Held>,
    /// Whose copy it is.
    pub(super) target: Weak<Target>,
}

impl Load for Once {
    fn begins(&self, over: Ends) {
        self.token.sent(over);
    }

    fn ended(copy: Copy<Self>, attempt: Attempt) {
        let Self { token, _place: place, target, .. } = copy.load;
        let taken = attempt.meaning() == Meaning::Final;
        token.finish_with(attempt.outcome, attempt.status);
        place.iter().filter(|_| taken).for_each(Held::taken);
        drop(place);
        // What stood behind it goes out in the same turn: on a busy worker the next one is long in coming.
        if let Some(target) = target.upgrade() {
            target.let_go_freed();
        }
    }

    fn expired(copy: Copy<Self>) {
        copy.load.token.finish(Outcome::Expired);
    }

    fn left(self, begun: bool) {
        self.token.finish(if begun { Outcome::FailedTimeout } else { Outcome::DroppedShutdown });
    }
}

//! A copy: a complete request on its way to a mirror, and who hears how it went.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::budget::{One, Reservation};
use super::ledger::{Outcome, Token};
use super::order::Wire;
use super::order::cell::Held;
use super::send::{Attempt, Load};
use crate::paths::Kind;

/// A complete request, ready to be written to a mirror.
#[derive(Debug)]
pub(crate) struct Copy<L> {
    /// The bytes of the request.
    pub(super) wire: Arc<Wire>,
    /// Whether an answer may carry a body (not to HEAD).
    pub(super) answer_has_body: bool,
    /// What the request was, for the verdict on its answer.
    pub(super) kind: Kind,
    /// Hash of the tenant that the mirror sees: a mirror may slow down one of them.
    pub(super) tenant: u64,
    /// One attempt's time.
    pub(super) timeout: Duration,
    /// When the request was complete.
    pub(super) arrived: Instant,
    /// How often it was given back by a reused connection that turned out to be closed.
    pub(super) stale: u32,
    /// Who hears how it went.
    pub(super) load: L,
}

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
}

impl Load for Once {
    fn ended(copy: Copy<Self>, attempt: Attempt) {
        copy.load.token.finish_with(attempt.outcome, attempt.status);
    }

    fn expired(copy: Copy<Self>) {
        copy.load.token.finish(Outcome::Expired);
    }

    fn left(self, begun: bool) {
        self.token.finish(if begun { Outcome::FailedTimeout } else { Outcome::DroppedShutdown });
    }
}

//! The ledger (contract C7): every copy ends in exactly one counted outcome.
//!
//! `received = sum of outcomes + pending`. `pending` is not derived: it is counted by the copies' owner tokens, up
//! when a token is made and down when it goes, so that the sum is a check. A token that goes without an outcome is
//! a bug of ours and counted as `lost_tokens`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::logged::CopyLog;
use super::pair::{Met, Pair, Side};
use super::send::Ends;
use crate::stats::WorkerStats;
pub(crate) use crate::stats::mirror::{MirrorStats, Outcome};
use crate::stats::pairs::Class;
use crate::stats::tenants::{TenantStats, Tenants};

/// A worker's access to its ledger of one mirror.
#[derive(Debug)]
pub(crate) struct Ledger {
    stats: Arc<WorkerStats>,
    mirror: usize,
    tenants: Tenants,
}

impl Ledger {
    /// `None` if there is no such mirror.
    pub(crate) fn new(stats: Arc<WorkerStats>, mirror: usize) -> Option<Self> {
        (mirror < stats.mirrors.len()).then(|| Self { stats, mirror, tenants: Tenants::default() })
    }

    /// Books a complete request. The token must end with [`Token::finish`].
    pub(crate) fn receive(self: &Rc<Self>) -> Token {
        self.received.inc();
        self.pending.inc();
        Token { ledger: Rc::clone(self), pair: Arc::default(), finished: false, log: None, tenant: None }
    }

    /// The tenant of this hash, whose name may be known; `None` if there are too many.
    pub(crate) fn tenant<'n>(
        &self,
        hash: u64,
        name: impl FnOnce() -> Option<&'n [u8]>,
    ) -> Option<Arc<TenantStats>> {
        let stats: &MirrorStats = self;
        self.tenants.of(&stats.tenants, hash, name)
    }

    /// How many copies of each tenant wait now, where that is not counted by tokens.
    pub(crate) fn tenants_wait(&self, waiting: impl Fn(u64) -> u64) {
        self.tenants.for_each(|hash, tenant| tenant.waiting.set(waiting(hash)));
    }

    /// The primary answered the request of a copy, and said how many samples it has written.
    pub(crate) fn primary_answered(&self, pair: &Pair, class: Class, written: u64) {
        let met = pair.tell(Side::Primary, class);
        if let Met::Second(secondary) = met {
            self.pairs.count(class, secondary);
        }
        if met != Met::Already {
            self.written_primary.add(written);
        }
    }

    /// A copy has its outcome, and with it the class of the mirror's last answer. Without a pair nobody remembers the
    /// primary's.
    pub(crate) fn secondary_answered(&self, pair: Option<&Pair>, class: Class) {
        match pair.map(|pair| pair.tell(Side::Secondary, class)) {
            Some(Met::Second(primary)) => self.pairs.count(primary, class),
            Some(Met::First | Met::Already) => {}
            None => self.pairs.count(Class::Unknown, class),
        }
    }
}

impl std::ops::Deref for Ledger {
    type Target = MirrorStats;

    #[allow(clippy::indexing_slicing, reason = "`new` checked the index and the vector never changes")]
    fn deref(&self) -> &MirrorStats {
        &self.stats.mirrors[self.mirror]
    }
}

/// Owns one copy's place in the ledger.
#[derive(Debug)]
pub(crate) struct Token {
    ledger: Rc<Ledger>,
    pair: Arc<Pair>,
    finished: bool,
    log: Option<Box<CopyLog>>,
    tenant: Option<Arc<TenantStats>>,
}

impl Token {
    /// Books the copy's one and only outcome, which is no answer of the mirror's.
    pub(crate) fn finish(self, outcome: Outcome) {
        self.finish_with(outcome, None);
    }

    /// The same for what the mirror answered, if it did.
    pub(crate) fn finish_with(mut self, outcome: Outcome, status: Option<u16>) {
        self.finished = true;
        if let Some(log) = &self.log {
            log.write(outcome, status);
        }
        self.ledger.count(outcome);
        if let Some(tenant) = &self.tenant {
            tenant.count(outcome);
        }
        self.ledger.secondary_answered(Some(&self.pair), Class::of(status));
    }

    /// Whose copy it is.
    pub(super) fn belongs(&mut self, tenant: Option<Arc<TenantStats>>) {
        if let Some(tenant) = &tenant {
            tenant.copies.inc();
            tenant.waiting.inc();
        }
        self.tenant = tenant;
    }

    /// The copy's outcome gets a line.
    pub(super) fn log(&mut self, log: CopyLog) {
        self.log = Some(Box::new(log));
    }

    /// The copy's first byte is being written.
    pub(super) fn sent(&self, over: Ends) {
        if let Some(log) = &self.log {
            log.sent.set(Some((Instant::now(), over)));
        }
    }

    /// Where the copy's two answers meet.
    pub(crate) fn pair(&self) -> &Arc<Pair> {
        &self.pair
    }

    /// Durable delivery keeps the copy from here on, and books its outcome.
    pub(crate) fn hand_over(mut self) {
        self.finished = true;
        self.ledger.handed.inc();
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.ledger.pending.dec();
        if let Some(tenant) = &self.tenant {
            tenant.waiting.dec();
        }
        if !self.finished {
            self.ledger.lost_tokens.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Rc<Ledger> {
        let stats = WorkerStats { http: vec![], clusters: vec![], mirrors: vec![MirrorStats::default()] };
        Rc::new(Ledger::new(Arc::new(stats), 0).unwrap())
    }

    #[test]
    fn c7_a_finished_token_moves_from_pending_to_its_outcome() {
        let ledger = ledger();
        let token = ledger.receive();
        assert_eq!((ledger.received.get(), ledger.pending.get()), (1, 1));
        token.finish(Outcome::Expired);
        assert_eq!(
            (ledger.pending.get(), ledger.outcome(Outcome::Expired), ledger.lost_tokens.get()),
            (0, 1, 0)
        );
    }

    #[test]
    fn c7_a_token_dropped_without_an_outcome_is_counted_as_a_bug() {
        let ledger = ledger();
        drop(ledger.receive());
        assert_eq!((ledger.pending.get(), ledger.lost_tokens.get()), (0, 1));
    }
}

//! Bounds of what copies may hold (contract C3).
//!
//! A mirror has one process-wide counter of bytes and one of copies. Workers take from it in steps and give back
//! what they do not need, so that a request touches a shared cache line only once in many copies. Whatever is
//! refused is refused at once: nothing here waits.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::pair::Pair;

/// A process-wide bound.
#[derive(Debug)]
pub(crate) struct Budget {
    taken: AtomicU64,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { taken: AtomicU64::new(0), limit }
    }

    fn take(&self, n: u64) -> bool {
        let within = |taken: u64| taken.checked_add(n).filter(|&sum| sum <= self.limit);
        self.taken.fetch_update(Relaxed, Relaxed, within).is_ok()
    }

    fn is_half_taken(&self) -> bool {
        self.taken.load(Relaxed) > self.limit / 2
    }

    fn give(&self, n: u64) {
        self.taken.fetch_sub(n, Relaxed);
    }
}

/// One worker's share of a [`Budget`], growing and shrinking in steps.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    step: u64,
    free: Cell<u64>,
}

impl Lease {
    /// `step` is made small enough that `workers` leases cannot hold back a noticeable part of a small budget.
    pub(crate) fn new(budget: Arc<Budget>, step: u64, workers: usize) -> Self {
        let step = step.min(budget.limit / (16 * workers.max(1) as u64)).max(1);
        Self { budget, step, free: Cell::new(0) }
    }

    /// Reserves `n`, or answers `false` at once.
    pub(crate) fn reserve(&self, n: u64) -> bool {
        let free = self.free.get();
        if let Some(left) = free.checked_sub(n) {
            self.free.set(left);
            return true;
        }
        let missing = n - free;
        let rounded = missing.next_multiple_of(self.step);
        if self.budget.take(rounded) {
            self.free.set(rounded - missing);
            true
        } else if self.budget.take(missing) {
            self.free.set(0);
            true
        } else {
            false
        }
    }

    pub(crate) fn release(&self, n: u64) {
        let free = self.free.get() + n;
        let surplus = if free >= 2 * self.step { free - self.step } else { 0 };
        if surplus > 0 {
            self.budget.give(surplus);
        }
        self.free.set(free - surplus);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.give(self.free.get());
    }
}

/// What one copy, or one request that may become a copy, holds of its mirror's bytes. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    account: Rc<Account>,
    bytes: u64,
}

/// A worker's byte lease of one mirror with its gauge.
#[derive(Debug)]
pub(crate) struct Account {
    lease: Lease,
    ledger: Rc<super::ledger::Ledger>,
}

impl Account {
    pub(crate) fn new(lease: Lease, ledger: Rc<super::ledger::Ledger>) -> Rc<Self> {
        Rc::new(Self { lease, ledger })
    }
}

impl Reservation {
    pub(crate) fn empty(account: &Rc<Account>) -> Self {
        Self { account: Rc::clone(account), bytes: 0 }
    }

    /// Adds `n` bytes, or changes nothing and answers `false`.
    pub(crate) fn grow(&mut self, n: u64) -> bool {
        let granted = self.account.lease.reserve(n);
        if granted {
            self.bytes += n;
            self.account.ledger.pending_bytes.add(n);
        }
        granted
    }

    pub(crate) fn clear(&mut self) {
        self.account.lease.release(self.bytes);
        self.account.ledger.pending_bytes.sub(self.bytes);
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One copy in the bound on copies. Given back when dropped.
#[derive(Debug)]
pub(crate) struct One {
    lease: Rc<Lease>,
    kept: bool,
}

impl One {
    /// For a copy that `lease` has reserved.
    pub(crate) fn of(lease: &Rc<Lease>) -> Self {
        Self { lease: Rc::clone(lease), kept: false }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        if !self.kept {
            self.lease.release(1);
        }
    }
}

/// What a copy holds of its mirror's bounds when it has left its worker for another thread. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: Arc<Budget>,
    n: u64,
    copies: Arc<Budget>,
    /// Where its two answers meet, which is known as long as it is in memory.
    pair: Option<Arc<Pair>>,
}

impl Held {
    #[cfg(test)]
    pub(crate) fn take(bytes: &Arc<Budget>, n: u64, copies: &Arc<Budget>) -> Option<Self> {
        let taken = bytes.take(n) && copies.take(1);
        taken.then(|| Self { bytes: Arc::clone(bytes), n, copies: Arc::clone(copies), pair: None })
    }

    /// Where its two answers meet.
    pub(crate) fn pair(&self) -> Option<&Arc<Pair>> {
        self.pair.as_ref()
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.n
    }

    /// More than half of the bound on bytes, or on copies, is taken.
    pub(crate) fn is_short(&self) -> bool {
        self.bytes.is_half_taken() || self.copies.is_half_taken()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bytes.give(self.n);
        self.copies.give(1);
    }
}

impl Reservation {
    /// Takes what is reserved out of this worker's hands, together with the copy that it belongs to.
    pub(crate) fn into_held(mut self, mut one: One, pair: &Arc<Pair>) -> Held {
        let n = std::mem::take(&mut self.bytes);
        self.account.ledger.pending_bytes.sub(n);
        let copies = Arc::clone(&one.lease.budget);
        // What was leased stays taken from the whole: the held copy gives it back there.
        one.kept = true;
        let pair = Some(Arc::clone(pair));
        Held { bytes: Arc::clone(&self.account.lease.budget), n, copies, pair }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c3_leases_never_exceed_the_budget_and_give_everything_back() {
        let budget = Arc::new(Budget::new(10_000));
        let a = Lease::new(Arc::clone(&budget), 1000, 2);
        let b = Lease::new(Arc::clone(&budget), 1000, 2);
        let mut random = fastrand::Rng::with_seed(7);
        let (mut held_a, mut held_b) = (Vec::new(), Vec::new());
        for _ in 0..10_000 {
            let (lease, held) = if random.bool() { (&a, &mut held_a) } else { (&b, &mut held_b) };
            if random.bool() {
                let n = random.u64(0..3000);
                if lease.reserve(n) {
                    held.push(n);
                }
            } else if let Some(n) = held.pop() {
                lease.release(n);
            }
            let held: u64 = held_a.iter().chain(&held_b).sum();
            assert!(held <= budget.taken.load(Relaxed), "counted less than held");
            assert!(budget.taken.load(Relaxed) <= 10_000, "over the limit");
        }
        held_a.into_iter().for_each(|n| a.release(n));
        held_b.into_iter().for_each(|n| b.release(n));
        drop((a, b));
        assert_eq!(budget.taken.load(Relaxed), 0);
    }

    #[test]
    fn c3_a_single_reservation_may_use_the_whole_budget_but_no_more() {
        let lease = Lease::new(Arc::new(Budget::new(5000)), 1 << 20, 1);
        assert!(!lease.reserve(5001));
        assert!(lease.reserve(5000));
        assert!(!lease.reserve(1));
    }
}

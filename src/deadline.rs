//! Deadlines: one coarse timer wheel for each worker.
//!
//! A request sets, moves and clears its deadline several times and hardly ever reaches it. Here that is a store
//! into a cell; only about once in a timeout's length does an entry move in the wheel. Precision is one [`TICK`],
//! always late and never early. (The runtime's own timers take a lock and re-sort at each change.)

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Precision of every deadline.
const TICK: Duration = Duration::from_millis(20);
/// Slots of the wheel; a deadline further away waits in the last slot and is moved on from there.
const SLOTS: u64 = 1024;
/// "No deadline set".
const OFF: u64 = u64::MAX;

/// The deadlines of one worker. Driven by [`Wheel::run`].
#[derive(Debug)]
pub(crate) struct Wheel {
    start: Instant,
    /// Ticks below this have been fired.
    next: Cell<u64>,
    slots: RefCell<Vec<Vec<Rc<Entry>>>>,
    /// Entries without an owner, to be used again: some still stand in a slot, and keep that place.
    free: RefCell<Vec<Rc<Entry>>>,
    /// Deadlines with an owner. While there are none the wheel sleeps.
    owned: Cell<usize>,
    wake: Notify,
}

#[derive(Debug)]
struct Entry {
    /// The tick at which to fire, or [`OFF`].
    at: Cell<u64>,
    /// The tick whose slot holds this entry, or [`OFF`]. Older places of a moved entry are told by it and skipped.
    queued: Cell<u64>,
    fired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// The deadline was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expired;

impl Wheel {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            start: Instant::now(),
            next: Cell::new(0),
            slots: RefCell::new((0..SLOTS).map(|_| Vec::new()).collect()),
            free: RefCell::default(),
            owned: Cell::new(0),
            wake: Notify::new(),
        })
    }

    /// A deadline, not set yet.
    pub(crate) fn deadline(self: &Rc<Self>) -> Deadline {
        let entry = self.free.borrow_mut().pop().unwrap_or_else(|| {
            Rc::new(Entry {
                at: Cell::new(OFF),
                queued: Cell::new(OFF),
                fired: Cell::new(false),
                waker: RefCell::new(None),
            })
        });
        if self.owned.replace(self.owned.get() + 1) == 0 {
            self.wake.notify_one();
        }
        Deadline { wheel: Rc::clone(self), entry }
    }

    /// Fires deadlines as they are reached, for ever.
    pub(crate) async fn run(self: Rc<Self>) {
        loop {
            if self.owned.get() == 0 {
                self.wake.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.advance(Instant::now());
        }
    }

    fn advance(&self, now: Instant) {
        let due = self.tick_of(now);
        // After a long sleep every slot has been passed at most once more than there are slots.
        let first = self.next.get().max((due + 1).saturating_sub(SLOTS));
        self.next.set(due + 1);
        // All are taken before any is queued again: one that waits for long goes to the last slot, which is that of the
        // latest of these ticks, and would be taken for a stale place there and be lost.
        let slots = (first..=due).map(|tick| (tick % SLOTS) as usize);
        let passed: Vec<_> =
            slots.filter_map(|slot| self.slots.borrow_mut().get_mut(slot).map(std::mem::take)).collect();
        for entry in passed.into_iter().flatten() {
            let stale = entry.queued.get() > due;
            if !stale {
                self.reached(entry, due);
            }
        }
    }

    fn reached(&self, entry: Rc<Entry>, due: u64) {
        entry.queued.set(OFF);
        let at = entry.at.get();
        if at <= due {
            entry.fired.set(true);
            if let Some(waker) = entry.waker.take() {
                waker.wake();
            }
        } else if at != OFF {
            self.queue(&entry, at);
        }
    }

    fn queue(&self, entry: &Rc<Entry>, at: u64) {
        let tick = at.min(self.next.get() + SLOTS - 1);
        entry.queued.set(tick);
        if let Some(slot) = self.slots.borrow_mut().get_mut((tick % SLOTS) as usize) {
            slot.push(Rc::clone(entry));
        }
    }

    fn tick_of(&self, at: Instant) -> u64 {
        (at.saturating_duration_since(self.start).as_millis() / TICK.as_millis()) as u64
    }
}

/// One deadline, set, moved and cleared at will. Dropping it clears it.
#[derive(Debug)]
pub(crate) struct Deadline {
    wheel: Rc<Wheel>,
    entry: Rc<Entry>,
}

impl Deadline {
    /// Sets or moves the deadline to `after` from now.
    pub(crate) fn set(&self, after: Duration) {
        let now = Instant::now();
        // One tick more, for the part of the current tick that has passed; and never in a slot already fired.
        let at = (self.wheel.tick_of(now + after) + 1).max(self.wheel.next.get());
        self.entry.at.set(at);
        self.entry.fired.set(false);
        if at < self.entry.queued.get() {
            self.wheel.queue(&self.entry, at);
        }
    }

    /// Sets the deadline, or clears it with `None`.
    pub(crate) fn set_or_clear(&self, after: Option<Duration>) {
        match after {
            Some(after) => self.set(after),
            None => self.clear(),
        }
    }

    pub(crate) fn clear(&self) {
        self.entry.at.set(OFF);
        self.entry.fired.set(false);
    }

    /// Ready once the deadline is reached. Remembers one task to wake.
    pub(crate) fn poll_expired(&self, cx: &Context<'_>) -> Poll<()> {
        if self.entry.fired.get() {
            return Poll::Ready(());
        }
        let mut waker = self.entry.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Runs `future` until it is done or the deadline is reached, whichever comes first. Where it stands: moving a future
    /// that holds a whole exchange would cost more than the rest of the request's bookkeeping.
    pub(crate) async fn race<F: Future>(&self, mut future: Pin<&mut F>) -> Result<F::Output, Expired> {
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_expired(cx).map(|()| Err(Expired)),
        })
        .await
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.clear();
        self.entry.waker.take();
        self.wheel.owned.set(self.wheel.owned.get().saturating_sub(1));
        self.wheel.free.borrow_mut().push(Rc::clone(&self.entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn fired(deadline: &Deadline) -> bool {
        deadline.entry.fired.get()
    }

    #[test]
    fn fires_late_by_at_most_two_ticks_and_never_early() {
        let wheel = Wheel::new();
        let deadline = wheel.deadline();
        deadline.set(100 * MS);
        wheel.advance(wheel.start + 100 * MS);
        assert!(!fired(&deadline));
        wheel.advance(wheel.start + 160 * MS);
        assert!(fired(&deadline));
    }

    #[test]
    fn moving_it_earlier_and_later_counts() {
        let wheel = Wheel::new();
        let deadline = wheel.deadline();
        deadline.set(Duration::from_secs(300));
        deadline.set(100 * MS);
        wheel.advance(wheel.start + 200 * MS);
        assert!(fired(&deadline));
        deadline.set(Duration::from_secs(1));
        deadline.set(Duration::from_secs(100));
        wheel.advance(wheel.start + Duration::from_secs(99));
        assert!(!fired(&deadline));
        wheel.advance(wheel.start + Duration::from_secs(101));
        assert!(fired(&deadline));
    }

    #[test]
    fn a_cleared_or_reused_entry_does_not_fire_for_its_former_owner() {
        let wheel = Wheel::new();
        let first = wheel.deadline();
        first.set(100 * MS);
        drop(first);
        let second = wheel.deadline();
        wheel.advance(wheel.start + Duration::from_secs(1));
        assert!(!fired(&second));
        second.set(Duration::from_secs(5));
        wheel.advance(wheel.start + Duration::from_secs(3));
        assert!(!fired(&second));
        wheel.advance(wheel.start + Duration::from_secs(10));
        assert!(fired(&second));
    }

    /// The wheel is late by a tick just when a deadline that is further away than the wheel is long is moved on.
    #[test]
    fn a_distant_deadline_survives_a_late_look() {
        let wheel = Wheel::new();
        let deadline = wheel.deadline();
        deadline.set(Duration::from_secs(300));
        wheel.advance(wheel.start + TICK * (SLOTS as u32 - 2));
        wheel.advance(wheel.start + TICK * SLOTS as u32);
        wheel.advance(wheel.start + Duration::from_secs(299));
        assert!(!fired(&deadline));
        wheel.advance(wheel.start + Duration::from_secs(301));
        assert!(fired(&deadline));
    }

    #[test]
    fn reuse_does_not_grow_the_wheel() {
        let wheel = Wheel::new();
        for _ in 0..10_000 {
            wheel.deadline().set(Duration::from_secs(15));
        }
        assert_eq!(wheel.slots.borrow().iter().map(Vec::len).sum::<usize>(), 1);
    }

    #[test]
    fn nothing_is_lost_when_the_wheel_slept_for_long() {
        let wheel = Wheel::new();
        let near = wheel.deadline();
        let far = wheel.deadline();
        near.set(50 * MS);
        far.set(Duration::from_secs(1000));
        wheel.advance(wheel.start + Duration::from_secs(5000));
        wheel.advance(wheel.start + Duration::from_secs(5001));
        wheel.advance(wheel.start + Duration::from_secs(5100));
        assert!(fired(&near) && fired(&far));
    }
}

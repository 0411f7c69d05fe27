//! How fast a mirror may be sent to, over the whole process (contract C10).
//!
//! While all is well nothing here is touched but one flag. Trouble (5xx, time-outs, broken connections) halves how
//! many copies may be in flight, and when nothing succeeds any more makes everyone pause, longer each time, before
//! one copy tries again. Success lets the number grow again: doubling each round trip up to half of what it was,
//! then by one. A 429 makes its tenant wait alone.
//!
//! Reports come from threads of different priority, so nobody waits for the lock inside: a report that finds it taken
//! is left out, and others come.

mod share;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits;

pub(super) use share::Paced;
pub(crate) use share::Share;

/// One mirror's pace, shared by all threads that send to it.
#[derive(Debug)]
pub(crate) struct Pace {
    started: Instant,
    max: u32,
    /// Nothing is limited: no need to look at anything else.
    free: AtomicBool,
    /// Copies that may be in flight.
    limit: AtomicU32,
    /// Nothing is sent before this moment, in milliseconds since the start.
    paused_until: AtomicU64,
    /// An operator has stopped everything.
    held: AtomicBool,
    /// How often an operator had everything skipped that waits.
    skipped: AtomicU64,
    /// Tenants that are limited.
    limited: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: f64,
    /// Up to here success doubles the limit each round trip.
    threshold: f64,
    /// Failures since the last success.
    failures: u32,
    /// The same, those that were in flight together counted as one.
    streak: u32,
    next_cut: Instant,
    tenants: HashMap<u64, Tenant>,
}

#[derive(Debug, Clone, Copy)]
struct Tenant {
    until: Instant,
    /// Refusals since its last success.
    streak: u32,
}

impl Pace {
    /// `max`: most copies in flight.
    pub(crate) fn new(max: u32) -> Arc<Self> {
        let now = Instant::now();
        let state = State {
            limit: f64::from(max),
            threshold: f64::from(max),
            failures: 0,
            streak: 0,
            next_cut: now,
            tenants: HashMap::new(),
        };
        Arc::new(Self {
            started: now,
            max,
            free: AtomicBool::new(true),
            limit: AtomicU32::new(max),
            paused_until: AtomicU64::new(0),
            held: AtomicBool::new(false),
            skipped: AtomicU64::new(0),
            limited: AtomicU32::new(0),
            state: Mutex::new(state),
        })
    }

    /// Copies that may be in flight now.
    pub(crate) fn limit(&self) -> u32 {
        if self.is_free() {
            return self.max;
        }
        if self.is_held() || self.millis(Instant::now()) < self.paused_until.load(Relaxed) {
            return 0;
        }
        self.limit.load(Relaxed)
    }

    /// What the mirror is trusted with, pause or not.
    pub(crate) fn trusted(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    pub(crate) fn is_free(&self) -> bool {
        self.free.load(Relaxed)
    }

    /// An operator stops all sending, or lets it go on.
    pub(crate) fn hold(&self, held: bool) {
        self.held.store(held, Relaxed);
        self.settle(f64::from(self.limit.load(Relaxed)));
    }

    /// An operator wants everything skipped that waits now.
    pub(crate) fn skip(&self) {
        self.skipped.fetch_add(1, Relaxed);
    }

    /// How often that was wanted so far.
    pub(crate) fn skips(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    /// Tenants that are sent to less than the others.
    pub(crate) fn limited_tenants(&self) -> u32 {
        self.limited.load(Relaxed)
    }

    /// Those, and how long they still wait. For people: whoever reports meanwhile is left out.
    pub(crate) fn tenants(&self, now: Instant) -> Vec<(u64, Duration)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let each = |(hash, tenant): (&u64, &Tenant)| (*hash, tenant.until.saturating_duration_since(now));
        state.tenants.iter().map(each).collect()
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Relaxed)
    }

    /// How this tenant may be sent to now. Who hears [`Leave::One`] has it: the next hears it only after a while.
    pub(crate) fn ask(&self, tenant: u64, now: Instant) -> Leave {
        if self.limited.load(Relaxed) == 0 {
            return Leave::Free;
        }
        let Ok(mut state) = self.state.try_lock() else { return Leave::Free };
        match state.tenants.get_mut(&tenant) {
            None => Leave::Free,
            Some(limited) if limited.until > now => Leave::Wait(limited.until),
            Some(limited) => {
                limited.until = now + limits::TENANT_TRIED;
                Leave::One
            }
        }
    }

    /// The mirror took or judged a copy of this tenant.
    pub(crate) fn succeeded(&self, tenant: u64) {
        if self.is_free() {
            return;
        }
        let Ok(mut state) = self.state.try_lock() else { return };
        (state.failures, state.streak) = (0, 0);
        let limit = state.limit;
        state.limit = if limit < state.threshold { limit + 1.0 } else { limit + 1.0 / limit };
        state.tenants.remove(&tenant);
        self.count_tenants(&state);
        state.limit = state.limit.min(f64::from(self.max));
        self.settle(state.limit);
    }

    /// The mirror is in trouble, with so many copies in flight. It may have said how long it wants to be left alone.
    pub(crate) fn troubled(&self, in_flight: usize, retry_after: Option<Duration>, now: Instant) {
        let Ok(mut state) = self.state.try_lock() else { return };
        state.failures = state.failures.saturating_add(1);
        if let Some(asked) = retry_after {
            self.pause(now + asked.min(limits::RETRY_AFTER_MAX));
        }
        // One or two may be chance: a copy that the mirror cannot digest must not make others wait.
        let out = state.failures >= limits::OUTAGE_FAILURES;
        if now < state.next_cut && !(out && state.limit > 1.0) {
            return self.settle(state.limit);
        }
        if state.streak == 0 {
            state.threshold = (state.limit / 2.0).max(1.0);
        }
        state.streak = state.streak.saturating_add(1);
        let in_flight = u32::try_from(in_flight).map_or(state.limit, f64::from);
        state.limit = if out { 1.0 } else { (state.limit.min(in_flight) / 2.0).max(1.0) };
        let pause = if out { backoff(state.streak) } else { Duration::ZERO };
        state.next_cut = now + pause.max(limits::TROUBLE_COUNTED_ONCE);
        self.pause(now + pause);
        self.settle(state.limit);
    }

    fn pause(&self, until: Instant) {
        self.paused_until.fetch_max(self.millis(until), Relaxed);
    }

    /// The mirror refuses this tenant's copies for now.
    pub(crate) fn limit_tenant(&self, tenant: u64, retry_after: Option<Duration>, now: Instant) {
        let Ok(mut state) = self.state.try_lock() else { return };
        if state.tenants.len() >= limits::LIMITED_TENANTS {
            state.tenants.retain(|_, limited| limited.until > now);
        }
        let streak = state.tenants.get(&tenant).map_or(0, |limited| limited.streak).saturating_add(1);
        let wait = retry_after.map_or_else(|| backoff(streak), |asked| asked.min(limits::RETRY_AFTER_MAX));
        if state.tenants.len() < limits::LIMITED_TENANTS {
            state.tenants.insert(tenant, Tenant { until: now + wait, streak });
        }
        self.count_tenants(&state);
        self.settle(state.limit);
    }

    fn count_tenants(&self, state: &State) {
        let limited = u32::try_from(state.tenants.len()).unwrap_or(u32::MAX);
        self.limited.store(limited, Relaxed);
    }

    /// Publishes the limit.
    fn settle(&self, limit: f64) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to `max`")]
        let limit = limit as u32;
        self.limit.store(limit, Relaxed);
        let paused = self.millis(Instant::now()) < self.paused_until.load(Relaxed);
        let free = limit >= self.max && self.limited.load(Relaxed) == 0 && !self.is_held() && !paused;
        self.free.store(free, Relaxed);
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }
}

/// How a tenant may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    Free,
    /// One copy, to see whether the mirror takes it again.
    One,
    /// Nothing before this moment.
    Wait(Instant),
}

/// The pause before the n-th attempt after the first: full jitter, as remote write does it.
pub(crate) fn backoff(attempts: u32) -> Duration {
    let doubled = limits::RETRY_MIN.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    doubled.min(limits::RETRY_MAX).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: u64 = 7;

    #[test]
    fn c10_trouble_halves_and_success_grows_to_half_quickly_then_slowly() {
        let (pace, start) = (Pace::new(64), Instant::now());
        pace.troubled(64, None, start);
        assert_eq!((pace.limit(), pace.is_free()), (32, false), "the first trouble makes nobody pause");
        pace.troubled(64, None, start);
        assert_eq!(pace.trusted(), 32, "troubles of the same moment count once");
        let mut now = start;
        for _ in 0..10 {
            now += limits::RETRY_MAX;
            pace.troubled(1, None, now);
            assert_eq!(pace.trusted(), 1);
        }
        for expected in 2..=32 {
            pace.succeeded(TENANT);
            assert_eq!(pace.trusted(), expected);
        }
        pace.succeeded(TENANT);
        assert_eq!(pace.trusted(), 32, "by one each round trip from here on");
        (0..4000).for_each(|_| pace.succeeded(TENANT));
        // The last pause, counted from times that lie ahead here, is not over.
        assert_eq!((pace.trusted(), pace.is_free()), (64, false));
    }

    #[test]
    fn c10_a_limited_tenant_waits_alone_and_is_tried_with_one_copy() {
        let (pace, now) = (Pace::new(8), Instant::now());
        let asked = Duration::from_secs(9);
        pace.limit_tenant(TENANT, Some(asked), now);
        assert_eq!(pace.ask(TENANT, now), Leave::Wait(now + asked));
        assert_eq!((pace.ask(TENANT + 1, now), pace.limit()), (Leave::Free, 8));
        let then = now + asked;
        assert_eq!(pace.ask(TENANT, then), Leave::One);
        assert!(matches!(pace.ask(TENANT, then), Leave::Wait(_)));
        pace.succeeded(TENANT);
        assert!(pace.is_free());
        pace.limit_tenant(TENANT, Some(Duration::MAX), now);
        assert_eq!(pace.ask(TENANT, now), Leave::Wait(now + limits::RETRY_AFTER_MAX));
    }

    #[test]
    fn c10_an_operator_stops_everything_and_lets_it_go_on() {
        let pace = Pace::new(8);
        pace.hold(true);
        assert_eq!((pace.limit(), pace.is_free()), (0, false));
        pace.hold(false);
        assert_eq!((pace.limit(), pace.is_free()), (8, true));
    }

    #[test]
    fn c10_the_backoff_grows_to_its_bound() {
        fastrand::seed(3);
        let longest = |attempts| (0..500).map(|_| backoff(attempts)).max().unwrap();
        assert!(longest(1) <= limits::RETRY_MIN && longest(2) > limits::RETRY_MIN);
        assert!(longest(u32::MAX) <= limits::RETRY_MAX && longest(u32::MAX) > limits::RETRY_MAX / 2);
    }
}

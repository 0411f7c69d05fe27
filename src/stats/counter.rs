//! Counters with one writing thread and any number of readers.
//!
//! A worker's counters live in memory that only this worker writes, so an increment is a plain load and store:
//! no locked instruction, no cache line that travels between cores. Readers sum over the workers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows. One thread may write, all may read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn inc(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down and never below zero. One thread may write, all may read.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn inc(&self) {
        self.add(1);
    }

    pub(crate) fn dec(&self) {
        self.sub(1);
    }

    pub(crate) fn add(&self, n: u64) {
        self.set(self.get().saturating_add(n));
    }

    pub(crate) fn sub(&self, n: u64) {
        let now = self.get();
        debug_assert!(now >= n, "a gauge fell below zero");
        self.set(now.saturating_sub(n));
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

//! What the sender and its shards share: what is sent, and what has become of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is sent, and where to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The server, in the demo the proxy.
    pub(super) target: SocketAddr,
    /// Connections, each with its own series. At least 1.
    pub(super) shards: u32,
    /// Series of all shards together. At least one a shard.
    pub(super) series: u32,
    /// Samples a second of all shards together. At least one a shard.
    pub(super) rate: u32,
    /// Samples in a request, at most.
    pub(super) batch: u32,
}

impl Plan {
    /// What two samples of one series are apart, milliseconds: what the rate leaves between two rounds.
    pub(super) fn step_ms(self) -> u64 {
        u64::from(self.series) * 1_000 / u64::from(self.rate.max(1))
    }

    /// # Errors
    /// A sentence on what does not fit together.
    pub(super) fn check(self) -> Result<(), String> {
        if self.series < self.shards || self.rate < self.shards {
            return Err("each shard needs at least one series and one sample a second".to_owned());
        }
        if self.step_ms() == 0 {
            return Err(
                "a series takes one sample a millisecond: give more series or a lower rate".to_owned()
            );
        }
        Ok(())
    }
}

/// What has become of the samples so far.
#[derive(Default)]
pub(super) struct Tally {
    /// Samples that were answered with a 2xx.
    pub(super) acknowledged: AtomicU64,
    /// Samples given up after a 4xx.
    pub(super) refused: AtomicU64,
    /// Attempts that were made again.
    pub(super) retries: AtomicU64,
    latencies: Mutex<Vec<Duration>>,
    refusal: Mutex<Option<String>>,
}

impl Tally {
    /// Takes the time of every answer since the last call, in no order.
    pub(super) fn take_latencies(&self) -> Vec<Duration> {
        std::mem::take(&mut self.latencies.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts an answer and the time from the request's first byte to it.
    pub(super) fn answered(&self, time: Duration) {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner).push(time);
    }

    /// Counts a batch that has its verdict.
    pub(super) fn finished(&self, samples: u64, verdict: Result<(), String>) {
        match verdict {
            Ok(()) => self.acknowledged.fetch_add(samples, Ordering::Relaxed),
            Err(text) => {
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                self.refused.fetch_add(samples, Ordering::Relaxed)
            }
        };
    }

    /// Takes the text of the last 4xx.
    pub(super) fn take_refusal(&self) -> Option<String> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

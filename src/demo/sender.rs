//! A sender that writes like Prometheus: shards that share no series, and a tally of what became of the samples.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::shard::{Shard, Start};

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

/// A running sender.
pub(super) struct Sender {
    tally: Arc<Tally>,
    stop: watch::Sender<bool>,
}

impl Sender {
    /// Starts sending, on a thread of its own.
    ///
    /// # Errors
    /// If no thread or runtime is to be had.
    pub(super) fn start(plan: Plan) -> anyhow::Result<Self> {
        let tally = Arc::new(Tally::default());
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&tally);
        std::thread::Builder::new().name("sender".to_owned()).spawn(move || {
            runtime.block_on(async {
                let start = Start::now();
                let shard = |number| Shard::new(plan, number, start, Arc::clone(&shared), stopped.clone());
                let tasks: Vec<_> =
                    (0..plan.shards).map(|number| tokio::spawn(shard(number).run())).collect();
                drop(stopped);
                for task in tasks {
                    let _ = task.await;
                }
            });
        })?;
        Ok(Self { tally, stop })
    }

    /// What has become of the samples so far.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Asks the shards to stop once what they have in flight is answered, and waits for that, at most `patience`.
    pub(super) async fn stop(&self, patience: Duration) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(patience, self.stop.closed()).await;
    }
}

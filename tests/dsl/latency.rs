//! Distance: how long something takes on its way, from a fixed seed.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

/// Delays drawn evenly from a range of milliseconds. Clones draw from one sequence.
#[derive(Clone)]
pub(crate) struct Latency {
    range: RangeInclusive<u64>,
    random: Arc<Mutex<Rng>>,
}

impl Latency {
    pub(crate) fn between(range: RangeInclusive<u64>) -> Self {
        Self { range, random: Arc::new(Mutex::new(Rng::with_seed(1))) }
    }

    /// Always the same.
    pub(crate) fn constant(ms: u64) -> Self {
        Self::between(ms..=ms)
    }

    pub(crate) fn none() -> Self {
        Self::constant(0)
    }

    /// The next delay.
    pub(crate) fn draw(&self) -> Duration {
        Duration::from_millis(self.random.lock().expect("no panic in there").u64(self.range.clone()))
    }

    /// Lets it pass.
    pub(crate) async fn pass(&self) {
        let delay = self.draw();
        if !delay.is_zero() {
            sleep(delay).await;
        }
    }
}

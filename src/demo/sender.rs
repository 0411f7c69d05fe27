//! A sender that writes like Prometheus: shards that share no series, and a tally of what became of the samples.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::plan::{Plan, Tally};
use super::shard::{Shard, Start};

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

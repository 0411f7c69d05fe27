//! Waiting for a condition, with a deadline. The only place of the tests where time passes,
//! but for the distances of [`latency`](super::latency).

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::{Instant, sleep, timeout};

/// How long a condition may take before the test fails. Far above what it takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Asks `probe` until it answers `Some`; fails the test with `what` after [`LIMIT`].
pub(crate) async fn until<T>(what: impl Display, probe: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(LIMIT, what, probe).await
}

/// The same with a limit of its own, for what is meant to take long.
pub(crate) async fn until_within<T>(
    limit: Duration,
    what: impl Display,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let mut patience = Patience::of(limit);
    loop {
        if let Some(found) = within(&what, probe()).await {
            return found;
        }
        patience.pause(&what).await;
    }
}

/// The pauses between attempts at something, short ones at first, and their end.
pub(crate) struct Patience {
    limit: Duration,
    deadline: Instant,
    next: Duration,
}

impl Patience {
    pub(crate) fn of(limit: Duration) -> Self {
        Self { limit, deadline: Instant::now() + limit, next: Duration::from_millis(1) }
    }

    /// Whether there were pauses enough, for who has more to say of it than [`Patience::pause`].
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Fails the test with `what` when there were pauses enough.
    pub(crate) async fn pause(&mut self, what: impl Display) {
        assert!(!self.is_over(), "waited {:?} in vain: {what}", self.limit);
        sleep(self.next).await;
        self.next = (self.next * 2).min(Duration::from_millis(50));
    }
}

/// Awaits `future`; fails the test with `what` after [`LIMIT`].
pub(crate) async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    match timeout(LIMIT, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited {LIMIT:?} in vain: {what}"),
    }
}

/// Waits until no other test of this process holds this. For tests that move gigabytes; nextest, which gives each
/// test a process of its own, knows them by name (`.config/nextest.toml`).
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// A door that a test opens once: what waits behind it makes no progress before.
#[derive(Clone)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    pub(crate) fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets everybody through, from now on.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    /// Returns when the gate is open.
    pub(crate) async fn wait(&self) {
        let mut state = self.0.subscribe();
        // The sender lives in `self`, so this can not fail.
        let _ = state.wait_for(|open| *open).await;
    }
}

//! Many writers at the same time, each of which repeats a batch until it has been answered, as real senders do.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::client::Client;
use super::wait::{LIMIT, Patience, until};
use super::writer::Writer;

/// Steady writers that may wait for an answer at the same time. It is far above what a machine that keeps up needs; one
/// that does not gets fewer writes a second by it, and no write waits for hundreds of others.
const UNDER_WAY: usize = 32;

/// Running writers. They end with this value, or when [`finish`](Self::finish) says so.
pub(crate) struct Crowd {
    writers: JoinSet<()>,
    tally: Arc<Tally>,
}

struct Tally {
    answered: AtomicUsize,
    repeated: AtomicUsize,
    enough: AtomicBool,
    /// Whether steady writers begin batches at present.
    going: watch::Sender<bool>,
    under_way: Semaphore,
}

impl Default for Tally {
    fn default() -> Self {
        let [answered, repeated] = [0, 0].map(AtomicUsize::new);
        let (going, under_way) = (watch::Sender::new(true), Semaphore::new(UNDER_WAY));
        Self { answered, repeated, enough: AtomicBool::new(false), going, under_way }
    }
}

/// What became of their batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Answered with 200.
    pub answered: usize,
    /// Attempts that ended with a 5xx or without an answer, and were followed by another.
    pub repeated: usize,
}

impl Crowd {
    /// Each writes these batches, one as soon as the one before has been answered.
    pub(crate) fn catching_up(
        to: SocketAddr,
        writers: impl IntoIterator<Item = Writer>,
        batches: Range<usize>,
    ) -> Self {
        Self::start(to, writers, batches, None)
    }

    /// Each writes a batch in every `pause`, until they are told to finish.
    pub(crate) fn steady(
        to: SocketAddr,
        writers: impl IntoIterator<Item = Writer>,
        first: usize,
        pause: Duration,
    ) -> Self {
        Self::start(to, writers, first..usize::MAX, Some(pause))
    }

    fn start(
        to: SocketAddr,
        writers: impl IntoIterator<Item = Writer>,
        batches: Range<usize>,
        pause: Option<Duration>,
    ) -> Self {
        let tally = Arc::<Tally>::default();
        let writers: Vec<_> = writers.into_iter().collect();
        let count = u32::try_from(writers.len()).expect("few writers");
        let mut running = JoinSet::new();
        for (n, writer) in (0..).zip(writers) {
            // Evenly spread over the pause.
            let clock = pause.map(|pause| interval_at(Instant::now() + pause * n / count, pause));
            running.spawn(write(writer, to, batches.clone(), clock, Arc::clone(&tally)));
        }
        Self { writers: running, tally }
    }

    pub(crate) fn sent(&self) -> Sent {
        let [answered, repeated] = [&self.tally.answered, &self.tally.repeated];
        Sent { answered: answered.load(Ordering::SeqCst), repeated: repeated.load(Ordering::SeqCst) }
    }

    /// Lets steady writers begin no more batches, until [`go_on`](Self::go_on).
    pub(crate) fn rest(&self) {
        self.tally.going.send_replace(false);
    }

    pub(crate) fn go_on(&self) {
        self.tally.going.send_replace(true);
    }

    /// Waits until so many batches have been answered.
    pub(crate) async fn has_answers(&self, count: usize) {
        let what = format!("{count} answers to writers");
        until(what, async || (self.sent().answered >= count).then_some(())).await;
    }

    /// Waits until those that catch up have, tells the others that it is enough, and waits for their last answers.
    pub(crate) async fn finish(mut self) -> Sent {
        self.tally.enough.store(true, Ordering::SeqCst);
        self.go_on();
        while let Some(done) = self.writers.join_next().await {
            done.expect("every batch was answered");
        }
        self.sent()
    }
}

async fn write(
    writer: Writer,
    to: SocketAddr,
    batches: Range<usize>,
    mut clock: Option<Interval>,
    tally: Arc<Tally>,
) {
    let mut client = None;
    for n in batches {
        let _turn = match &mut clock {
            Some(clock) => match turn(clock, &tally).await {
                Some(turn) => Some(turn),
                None => return,
            },
            None => None,
        };
        let request = writer.batch(n).bytes();
        let mut patience = Patience::of(LIMIT);
        while !attempt(&mut client, to, &request).await {
            tally.repeated.fetch_add(1, Ordering::SeqCst);
            patience.pause("an answer to a writer").await;
        }
        tally.answered.fetch_add(1, Ordering::SeqCst);
    }
}

/// A steady writer's turn to write its next batch; nothing when it is enough.
async fn turn<'a>(clock: &mut Interval, tally: &'a Tally) -> Option<SemaphorePermit<'a>> {
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await;
    // Neither is ever closed.
    tally.going.subscribe().wait_for(|going| *going).await.ok()?;
    let turn = tally.under_way.acquire().await.ok()?;
    (!tally.enough.load(Ordering::SeqCst)).then_some(turn)
}

/// Whether it was answered with 200. The connection is kept as long as it is good.
async fn attempt(client: &mut Option<Client>, to: SocketAddr, request: &[u8]) -> bool {
    let open = match client.take() {
        Some(client) => Some(client),
        None => Client::try_connect(to).await,
    };
    let Some(mut open) = open else { return false };
    match open.attempt(request).await.0 {
        Some(answer) if answer.complete => {
            let status = answer.status();
            assert!(status == 200 || status >= 500, "a sender would drop its data: {answer:?}");
            // Who is asked to close does, as Go's client.
            let closes = answer.header("connection").is_some_and(|value| value == "close");
            *client = Some(open).filter(|_| !closes);
            status == 200
        }
        _ => false,
    }
}

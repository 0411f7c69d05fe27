//! C9: what was answered survives the process, however it ends.

use crate::dsl::clusters::SECONDARY;
use crate::dsl::proxy::Program;
use crate::dsl::{Backlog, Clusters, Crowd, Latency, Proxy, Receiver, Switch, Treatment, Writer};

const WRITERS: usize = 6;
const BATCHES: usize = 60;
const ALL: usize = WRITERS * BATCHES;
const ROUNDS: usize = 5;

const COPIES: &str = "mimir_mirror_backlog_copies";
const RECOVERED: &str = "mimir_mirror_recovered_total";
/// Answers that left before their copy was in the backlog.
const LATE: &str = "mimir_mirror_late_answers_total";

fn writers() -> impl Iterator<Item = Writer> {
    (0..WRITERS).map(Writer::new)
}

async fn before(secondary: Receiver, backlog: &Backlog) -> Clusters {
    Clusters::durable(Receiver::treating(Treatment::prompt()).await, secondary, backlog, &[]).await
}

/// Kills the proxy again and again while writers write, and starts it again each time. Returns how many writes had been
/// answered when it was killed for the last time.
async fn killed_again_and_again(clusters: &mut Clusters) -> usize {
    let crowd = Crowd::catching_up(clusters.proxy.listen, writers(), 0..BATCHES);
    let mut answered = 0;
    for round in 1..=ROUNDS {
        crowd.has_answers(ALL * round / (ROUNDS + 1)).await;
        assert_eq!(clusters.number(LATE).await, 0);
        answered = crowd.sent().answered;
        clusters.proxy.kill().await;
        clusters.proxy.start_again().await;
    }
    let sent = crowd.finish().await;
    assert_eq!(sent.answered, ALL);
    assert!(sent.repeated > 0, "no writer noticed that the proxy died");
    assert_eq!(clusters.number(LATE).await, 0);
    answered
}

#[tokio::test]
async fn c9_killed_again_and_again_it_loses_nothing_that_was_answered() {
    let backlog = Backlog::new();
    let secondary = Receiver::treating(Treatment::after(&Latency::between(0..=30))).await;
    let mut clusters = before(secondary, &backlog).await;
    killed_again_and_again(&mut clusters).await;
    clusters.assert_kept().await;
    clusters.is_at(COPIES, 0).await;
}

#[tokio::test]
async fn c9_killed_again_and_again_while_the_secondary_is_away_it_loses_nothing_that_was_answered() {
    let backlog = Backlog::new();
    let mut secondary = Receiver::treating(Treatment::prompt()).await;
    secondary.stop().await;
    let mut clusters = before(secondary, &backlog).await;
    let answered = killed_again_and_again(&mut clusters).await;
    assert_eq!(clusters.secondary.begun(), 0);
    clusters.reaches(RECOVERED, answered as u64).await;
    clusters.secondary.resume().await;
    let ledger = clusters.assert_kept().await;
    // Whatever was sent was sent once: nothing had reached the secondary before.
    assert_eq!(ledger.outcome("repeated"), 0, "{ledger:?}");
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
}

/// The same with little memory: what was recovered is read from disk, and what arrives stands behind it.
#[tokio::test]
async fn c9_newcomers_stand_behind_what_was_recovered() {
    const EACH: usize = 12;
    let backlog = Backlog::new().small().with("max_bytes", "64MiB");
    let mut secondary = Receiver::treating(Treatment::prompt()).await;
    secondary.stop().await;
    let mut clusters = before(secondary, &backlog).await;
    let heavy = || writers().map(|writer| writer.heavy(100_000));
    for round in 0..3 {
        let batches = round * EACH..(round + 1) * EACH;
        Crowd::catching_up(clusters.proxy.listen, heavy(), batches).finish().await;
        if round == 1 {
            clusters.proxy.kill().await;
            clusters.proxy.start_again().await;
            // What comes now may meet a backlog that is still being opened.
            clusters.secondary.resume().await;
        }
    }
    let ledger = clusters.assert_kept().await;
    assert_eq!((ledger.received, ledger.recovered), ((WRITERS * EACH) as u64, 2 * (WRITERS * EACH) as u64));
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
}

/// The drain may take ten minutes, but nothing durable makes use of it.
async fn ends_soon_and_keeps(treatment: Option<Treatment>) {
    const COUNT: usize = 20;
    let (switch, backlog) = (Switch::on(Treatment::prompt()), Backlog::new());
    let (primary, secondary) =
        (Receiver::treating(Treatment::prompt()).await, Receiver::switched(&switch).await);
    let mut clusters = Clusters::durable(primary, secondary, &backlog, &[("timeout", "300ms")]).await;
    match &treatment {
        Some(treatment) => switch.set(treatment.clone()),
        None => clusters.secondary.stop().await,
    }
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..COUNT).await;
    assert_eq!(clusters.proxy.ledger(SECONDARY).await.pending, COUNT as u64);
    drop(client);
    clusters.proxy.terminate().await;
    clusters.proxy.start_again().await;
    clusters.is_at(RECOVERED, COUNT as u64).await;
    match treatment {
        Some(_) => switch.set(Treatment::prompt()),
        None => clusters.secondary.resume().await,
    }
    let ledger = clusters.assert_kept().await;
    assert_eq!((ledger.taken(), ledger.received), (COUNT as u64, 0), "{ledger:?}");
}

#[tokio::test]
async fn c9_with_the_secondary_away_it_ends_soon_and_keeps_what_is_pending() {
    ends_soon_and_keeps(None).await;
}

#[tokio::test]
async fn c9_with_the_secondary_hanging_it_ends_soon_and_keeps_what_is_pending() {
    ends_soon_and_keeps(Some(Treatment::hanging())).await;
}

#[tokio::test]
async fn c9_with_the_secondary_failing_it_ends_soon_and_keeps_what_is_pending() {
    ends_soon_and_keeps(Some(Treatment::refused(503))).await;
}

#[tokio::test]
async fn c9_what_was_delivered_before_a_graceful_end_is_not_sent_again() {
    let backlog = Backlog::new();
    let mut clusters = before(Receiver::treating(Treatment::prompt()).await, &backlog).await;
    for round in 0..3 {
        let mut client = clusters.proxy.client().await;
        Writer::new("a").catch_up(&mut client, round * 10..(round + 1) * 10).await;
        drop(client);
        let ledger = clusters.assert_kept().await;
        assert_eq!((ledger.received, ledger.recovered), (10, 0), "{ledger:?}");
        clusters.proxy.terminate().await;
        clusters.proxy.start_again().await;
    }
    assert_eq!(clusters.secondary.begun(), 30);
}

/// A new process beside the old one, as in an upgrade: it serves, and has the backlog when the old one lets go of it.
#[tokio::test]
async fn c9_a_second_process_serves_and_gets_the_backlog_when_the_first_ends() {
    const EACH: usize = 10;
    let backlog = Backlog::new();
    let mut secondary = Receiver::treating(Treatment::prompt()).await;
    secondary.stop().await;
    let mut clusters = before(secondary, &backlog).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..EACH).await;
    drop(client);
    let second = Proxy::launch(Program::MimirMirror, &clusters.config, &[]).await;
    // Its copies cannot be kept yet, and no answer waits for what cannot be.
    let mut client = second.client().await;
    Writer::new("b").catch_up(&mut client, 0..EACH).await;
    let mut first = std::mem::replace(&mut clusters.proxy, second);
    first.terminate().await;
    clusters.is_at(RECOVERED, EACH as u64).await;
    clusters.is_at(COPIES, 2 * EACH as u64).await;
    clusters.secondary.resume().await;
    assert_eq!(clusters.assert_kept().await.delivered(), 2 * EACH as u64);
}

/// Power is not lost here, so nothing is, whatever is promised about its loss.
#[tokio::test]
async fn c9_each_way_of_syncing_survives_a_crash() {
    const COUNT: usize = 10;
    for sync in ["100ms", "always", "never"] {
        let backlog = Backlog::new().with("sync", sync);
        let mut secondary = Receiver::treating(Treatment::prompt()).await;
        secondary.stop().await;
        let mut clusters = before(secondary, &backlog).await;
        let mut client = clusters.proxy.client().await;
        Writer::new("a").catch_up(&mut client, 0..COUNT).await;
        clusters.proxy.kill().await;
        clusters.proxy.start_again().await;
        clusters.is_at(RECOVERED, COUNT as u64).await;
        clusters.secondary.resume().await;
        assert_eq!(clusters.assert_kept().await.delivered(), COUNT as u64, "{sync}");
    }
}

/// Without `before_answer` no answer waits; what a crash can cost is what was not in the backlog by then.
#[tokio::test]
async fn c9_without_waiting_for_the_append_what_is_in_the_backlog_survives() {
    const COUNT: usize = 20;
    let backlog = Backlog::new().with("before_answer", "0s");
    let mut secondary = Receiver::treating(Treatment::prompt()).await;
    secondary.stop().await;
    let mut clusters = before(secondary, &backlog).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..COUNT).await;
    clusters.is_at(COPIES, COUNT as u64).await;
    clusters.proxy.kill().await;
    clusters.proxy.start_again().await;
    clusters.is_at(RECOVERED, COUNT as u64).await;
    clusters.secondary.resume().await;
    assert_eq!(clusters.assert_kept().await.delivered(), COUNT as u64);
}

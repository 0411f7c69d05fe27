//! C10: a mirror that is in trouble is not made worse. A limited tenant waits as long as it was told to, and no other
//! does; what fails for the mirror slows all copies; a poisoned copy stops nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::dsl::clusters::SECONDARY;
use crate::dsl::visit::{Visit, moments};
use crate::dsl::{Backlog, Clusters, Crowd, Latency, Receiver, Switch, Treatment, Writer, until};

const RETRIES: &str = "mimir_mirror_retries_total";

/// How copies are delivered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Memory,
    Durable,
}

/// Between a prompt primary and this secondary. The backlog's folder lives as long as the second value.
async fn before(secondary: Receiver, delivery: Delivery) -> (Clusters, Backlog) {
    let (primary, backlog) = (Receiver::treating(Treatment::prompt()).await, Backlog::new());
    let clusters = match delivery {
        Delivery::Memory => Clusters::of(primary, secondary, &[], &["--concurrency", "2"]).await,
        Delivery::Durable => Clusters::durable(primary, secondary, &backlog, &[]).await,
    };
    (clusters, backlog)
}

fn visits_of(receiver: &Receiver, tenant: &str) -> Vec<Visit> {
    receiver.visits().into_iter().filter(|visit| visit.request.tenant() == tenant).collect()
}

/// After each of these visits that was answered with this status there was quiet for a second.
fn assert_quiet_after(status: u16, visits: &[Visit]) {
    // A little less: clocks tick coarsely.
    const SECOND: Duration = Duration::from_millis(990);
    for pair in visits.windows(2) {
        let refused = pair[0].ended.is_some_and(|(_, answered)| answered == status);
        let quiet = pair[1].at.duration_since(pair[0].at);
        assert!(!refused || quiet >= SECOND, "asked for a second of quiet, sent after {quiet:?}");
    }
}

/// The limit lasts until all copies of the other tenant have been taken, so nothing of that one waits for its end.
async fn limited(delivery: Delivery) -> (Clusters, Backlog) {
    const LIMITED: usize = 4;
    const FREE: usize = 40;
    let lifted = Arc::new(AtomicBool::new(false));
    let is_lifted = Arc::clone(&lifted);
    let secondary = Receiver::scripted(move |request, _| match request.tenant().as_str() {
        "limited" if !is_lifted.load(Ordering::SeqCst) => Treatment::refused_for(429, 1),
        _ => Treatment::prompt(),
    })
    .await;
    let (clusters, backlog) = before(secondary, delivery).await;
    let mut client = clusters.proxy.client().await;
    let of = |tenant| Writer::new("the same series").tenant(tenant);
    of("limited").catch_up(&mut client, 0..1).await;
    clusters.secondary.has_ended(1).await;
    of("limited").catch_up(&mut client, 1..LIMITED).await;
    of("free").catch_up(&mut client, 0..FREE).await;
    until("all copies of the other tenant", async || {
        (visits_of(&clusters.secondary, "free").len() == FREE).then_some(())
    })
    .await;
    lifted.store(true, Ordering::SeqCst);
    let ledger = clusters.proxy.settled_at(SECONDARY, (LIMITED + FREE) as u64).await;
    let of_limited = visits_of(&clusters.secondary, "limited");
    assert_quiet_after(429, &of_limited);
    let refused = of_limited.iter().filter(|v| v.ended.is_some_and(|(_, status)| status == 429)).count();
    let failed = if delivery == Delivery::Memory { refused } else { 0 };
    assert_eq!(ledger.reason("failed", "rate_limited"), failed as u64, "{ledger:?}");
    assert_eq!(ledger.delivered(), (LIMITED + FREE - failed) as u64, "{ledger:?}");
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
    (clusters, backlog)
}

#[tokio::test]
async fn c10_a_limited_tenant_waits_as_told_and_no_other_does() {
    limited(Delivery::Memory).await;
}

#[tokio::test]
async fn c10_a_limited_tenants_durable_copies_wait_as_told_and_no_others_do() {
    let (clusters, _backlog) = limited(Delivery::Durable).await;
    clusters.assert_kept().await;
}

/// A 503 that says how long concerns the whole mirror.
async fn unavailable(delivery: Delivery) {
    const COUNT: usize = 5;
    let secondary = Receiver::scripted(|_, n| match n {
        0 => Treatment::refused_for(503, 1),
        _ => Treatment::prompt(),
    })
    .await;
    let (clusters, _backlog) = before(secondary, delivery).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..COUNT).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, COUNT as u64).await;
    assert_eq!(ledger.delivered() + ledger.outcome("failed"), COUNT as u64, "{ledger:?}");
    assert_quiet_after(503, &clusters.secondary.visits());
}

#[tokio::test]
async fn c10_a_mirror_that_asks_for_a_pause_gets_it() {
    unavailable(Delivery::Memory).await;
}

#[tokio::test]
async fn c10_a_mirror_that_asks_for_a_pause_gets_it_from_durable_delivery() {
    unavailable(Delivery::Durable).await;
}

/// As many copies wait as there are writers, none for another. However many there are, each that is taken lets no more
/// than two others in.
fn assert_ramp(visits: &[Visit]) {
    let moments = moments(visits);
    assert!(moments.len() > 20, "only {} copies after the outage", moments.len());
    for moment in &moments {
        assert!(moment.under_way <= 2 + 2 * moment.judged, "{moment:?} in {moments:?}");
    }
    let most = moments.iter().map(|moment| moment.under_way).max().unwrap_or(0);
    assert!(most > 2, "the mirror's speed was never used again: {moments:?}");
}

const WAITING: usize = 100;

/// A secondary to which 20 ms pass, so that copies can be under way together.
async fn some_way_off() -> Receiver {
    Receiver::treating(Treatment::after(&Latency::constant(20))).await
}

fn crowd(clusters: &Clusters, batches: std::ops::Range<usize>) -> Crowd {
    Crowd::catching_up(clusters.proxy.listen, (0..WAITING).map(Writer::new), batches)
}

#[tokio::test]
async fn c10_after_an_outage_a_mirror_sees_a_ramp() {
    let (mut clusters, _backlog) = before(some_way_off().await, Delivery::Memory).await;
    crowd(&clusters, 0..1).finish().await;
    clusters.proxy.settled_at(SECONDARY, WAITING as u64).await;
    clusters.secondary.stop().await;
    crowd(&clusters, 1..2).finish().await;
    until("failures", async || {
        (clusters.proxy.ledger(SECONDARY).await.outcome("failed") >= 20).then_some(())
    })
    .await;
    let before = clusters.secondary.begun();
    clusters.secondary.resume().await;
    crowd(&clusters, 2..3).finish().await;
    let ledger = clusters.proxy.settled_at(SECONDARY, 3 * WAITING as u64).await;
    assert_eq!(ledger.delivered() + ledger.outcome("failed"), 3 * WAITING as u64, "{ledger:?}");
    assert_ramp(&clusters.secondary.visits()[before..]);
}

#[tokio::test]
async fn c10_after_an_outage_a_mirror_sees_a_ramp_of_durable_copies() {
    let (mut clusters, _backlog) = before(some_way_off().await, Delivery::Durable).await;
    crowd(&clusters, 0..1).finish().await;
    clusters.proxy.settled_at(SECONDARY, WAITING as u64).await;
    clusters.secondary.stop().await;
    crowd(&clusters, 1..2).finish().await;
    clusters.reaches(RETRIES, 6).await;
    let before = clusters.secondary.begun();
    clusters.secondary.resume().await;
    assert_eq!(clusters.assert_kept().await.received, 2 * WAITING as u64);
    assert_ramp(&clusters.secondary.visits()[before..]);
}

/// Failing answers slow the copies as well as failing connections do.
#[tokio::test]
async fn c10_after_answers_of_503_a_mirror_sees_a_ramp_of_durable_copies() {
    let switch = Switch::on(Treatment::refused(503));
    let (clusters, _backlog) = before(Receiver::switched(&switch).await, Delivery::Durable).await;
    crowd(&clusters, 0..1).finish().await;
    clusters.reaches(RETRIES, 6).await;
    let before = clusters.secondary.begun();
    switch.set(Treatment::after(&Latency::constant(20)));
    assert_eq!(clusters.assert_kept().await.received, WAITING as u64);
    // One that was on its way when the switch was set may be among them.
    assert_ramp(&clusters.secondary.visits()[before..]);
}

/// One body is always answered with 500. It is given up; its series' later samples, and all other copies, are not.
#[tokio::test]
async fn c10_a_poisoned_copy_is_given_up_and_stops_nothing() {
    const WRITERS: usize = 4;
    const BATCHES: usize = 20;
    const ATTEMPTS: usize = 3;
    let poison = Writer::new(0).batch(3).wire_body();
    let poisoned = poison.clone();
    let secondary = Receiver::scripted(move |request, _| match request.body == poisoned {
        true => Treatment::refused(500),
        false => Treatment::prompt(),
    })
    .await;
    let backlog = Backlog::new().with("max_attempts", "3");
    let primary = Receiver::treating(Treatment::prompt()).await;
    let clusters = Clusters::durable(primary, secondary, &backlog, &[]).await;
    let writers = (0..WRITERS).map(Writer::new);
    let steady = Crowd::steady(clusters.proxy.listen, [Writer::new("other")], 0, Duration::from_millis(20));
    let crowd = Crowd::catching_up(clusters.proxy.listen, writers, 0..BATCHES);
    assert_eq!(crowd.finish().await.answered, WRITERS * BATCHES);
    until("the end of the poisoned copy", async || {
        (clusters.proxy.ledger(SECONDARY).await.outcome("failed") > 0).then_some(())
    })
    .await;
    let all = (WRITERS * BATCHES + steady.finish().await.answered) as u64;
    let ledger = clusters.proxy.settled_at(SECONDARY, all).await;
    assert_eq!((ledger.reason("failed", "http_5xx"), ledger.taken()), (1, all - 1), "{ledger:?}");
    let attempts = clusters.secondary.visits().iter().filter(|v| v.request.body == poison).count();
    assert!(attempts >= ATTEMPTS, "given up after {attempts} attempts");
    assert_eq!(clusters.primary.held() - clusters.secondary.held(), 100);
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
}

/// A tenant whose door is closed, for good as it may be, concerns nobody else.
#[tokio::test]
async fn c10_one_tenants_closed_door_stops_no_other() {
    const EACH: usize = 30;
    let secondary = Receiver::scripted(|request, _| match request.tenant().as_str() {
        "barred" => Treatment::refused(403),
        _ => Treatment::prompt(),
    })
    .await;
    let (clusters, _backlog) = before(secondary, Delivery::Durable).await;
    let tenants = ["barred", "a", "b", "c"];
    let writers = tenants.map(|tenant| Writer::new("the same series").tenant(tenant));
    Crowd::catching_up(clusters.proxy.listen, writers, 0..EACH).finish().await;
    until("all copies of the others", async || {
        (clusters.proxy.ledger(SECONDARY).await.delivered() == 3 * EACH as u64).then_some(())
    })
    .await;
    let ledger = clusters.proxy.ledger(SECONDARY).await;
    ledger.assert_adds_up();
    assert_eq!(ledger.pending, EACH as u64, "{ledger:?}");
}

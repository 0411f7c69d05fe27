//! C8 for OTLP: copies of one service instance go in their order, and nobody else waits for them.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::c8_apart::{assert_in_turn, holding, in_turn};
use crate::dsl::clusters::{SECONDARY, count};
use crate::dsl::otlp::{Collector, json};
use crate::dsl::{Client, Clusters, Gate, Latency, Receiver, Treatment, Writer};

/// Collectors, all behind one address, and the instances that each relays.
const COLLECTORS: usize = 8;
const INSTANCES: usize = 20;

/// Every second one compresses.
fn collectors() -> impl Iterator<Item = Collector> {
    (0..COLLECTORS).map(|n| Collector(format!("service{}", "-".repeat(n))))
}

async fn clients(clusters: &Clusters) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..COLLECTORS {
        clients.push(clusters.proxy.client().await);
    }
    clients
}

#[tokio::test]
async fn c8_otlp_copies_of_different_instances_are_under_way_together() {
    let gate = Gate::closed();
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(Treatment::behind(&gate)).await;
    let clusters = Clusters::of(primary, secondary, &[("max_connections", "4096")], &[]).await;
    for (collector, mut client) in collectors().zip(clients(&clusters).await) {
        in_turn(&mut client, (0..INSTANCES).map(|instance| collector.push(instance, 0))).await;
    }
    clusters.secondary.has_begun(COLLECTORS * INSTANCES).await;
    assert_eq!(clusters.secondary.ended(), 0);
    gate.open();
    clusters.assert_same((COLLECTORS * INSTANCES) as u64).await;
}

/// Each over a connection of its own.
#[tokio::test]
async fn c8_otlp_copies_of_one_instance_go_one_by_one() {
    const COUNT: usize = 20;
    let clusters = Clusters::distant(Latency::between(0..=30)).await;
    for n in 0..COUNT {
        in_turn(&mut clusters.proxy.client().await, [Collector("service".into()).push(0, n)]).await;
    }
    clusters.assert_same(COUNT as u64).await;
    assert_in_turn(&clusters.secondary.visits().iter().collect::<Vec<_>>());
}

/// 160 pushes a second and 80 ms: 13 are under way at a time. Here distance is counted and not timed: the secondary
/// answers what it got two steps ago, a step being one push of each collector. Each step must arrive nevertheless, so
/// there are never more than three steps without an outcome.
#[tokio::test]
async fn c8_otlp_copies_never_lag_behind_a_distant_secondary() {
    const ROUNDS: usize = 3;
    const STEPS: usize = ROUNDS * INSTANCES;
    const DISTANCE: usize = 2;
    let gates: Vec<Gate> = (0..STEPS).map(|_| Gate::closed()).collect();
    let primary = Receiver::treating(Treatment::prompt()).await;
    let of_step = gates.clone();
    let secondary = Receiver::scripted(move |request, _| {
        let step: usize = request.header("x-step").expect("every push has one").parse().expect("a number");
        Treatment::behind(&of_step[step])
    })
    .await;
    let clusters = Clusters::of(primary, secondary, &[], &[]).await;
    let mut clients = clients(&clusters).await;
    for step in 0..STEPS {
        for (collector, client) in collectors().zip(&mut clients) {
            let push = collector.push(step % INSTANCES, step / INSTANCES);
            in_turn(client, [push.header("x-step", step.to_string())]).await;
        }
        clusters.secondary.has_begun((step + 1) * COLLECTORS).await;
        if let Some(arrived) = step.checked_sub(DISTANCE) {
            gates[arrived].open();
            clusters.secondary.has_ended((arrived + 1) * COLLECTORS).await;
        }
        let pending = clusters.proxy.ledger(SECONDARY).await.pending;
        assert!(
            pending <= ((DISTANCE + 1) * COLLECTORS) as u64,
            "{pending} copies are pending at step {step}"
        );
    }
    gates.iter().for_each(Gate::open);
    clusters.assert_same((STEPS * COLLECTORS) as u64).await;
}

/// One collector in its steady state: twenty pushes a second, one for each of its instances.
async fn steady(mut client: Client, collector: Collector, rounds: usize) {
    let mut clock = interval(Duration::from_millis(50));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0..rounds {
        for instance in 0..INSTANCES {
            clock.tick().await;
            in_turn(&mut client, [collector.push(instance, round)]).await;
        }
    }
}

/// The same at a real distance of 80 ms.
#[tokio::test]
async fn c8_otlp_to_a_secondary_at_80_ms_keeps_up_and_loses_nothing() {
    const ROUNDS: usize = 3;
    let clusters = Clusters::distant(Latency::constant(80)).await;
    let mut senders = JoinSet::new();
    for (collector, client) in collectors().zip(clients(&clusters).await) {
        senders.spawn(steady(client, collector, ROUNDS));
    }
    let mut most = 0;
    let mut clock = interval(Duration::from_millis(20));
    while !senders.is_empty() {
        tokio::select! {
            Some(done) = senders.join_next() => done.expect("every push was answered"),
            _ = clock.tick() => most = clusters.proxy.ledger(SECONDARY).await.pending.max(most),
        }
    }
    clusters.assert_same((COLLECTORS * INSTANCES * ROUNDS) as u64).await;
    assert!((1..=(COLLECTORS * INSTANCES) as u64).contains(&most), "up to {most} copies were pending");
}

/// Instances that have fallen behind, each over a connection of its own.
async fn catch_up(clusters: &Clusters, pushes: usize) {
    let mut senders = JoinSet::new();
    for (collector, mut client) in collectors().zip(clients(clusters).await) {
        senders.spawn(async move { in_turn(&mut client, (0..pushes).map(|n| collector.push(0, n))).await });
    }
    while let Some(done) = senders.join_next().await {
        done.expect("every push was answered");
    }
}

async fn keeps_all(distance_ms: RangeInclusive<u64>, pushes: usize) {
    let clusters = Clusters::distant(Latency::between(distance_ms)).await;
    catch_up(&clusters, pushes).await;
    clusters.assert_same((COLLECTORS * pushes) as u64).await;
    assert_eq!(count(&clusters.secondary.samples()), COLLECTORS * pushes * 10);
    assert!(clusters.ordered("read").await > 0, "the secondary was not behind");
}

#[tokio::test]
async fn c8_otlp_that_catches_up_loses_nothing_at_80_ms() {
    keeps_all(80..=80, 30).await;
}

#[tokio::test]
async fn c8_otlp_that_catches_up_loses_nothing_at_0_to_500_ms() {
    keeps_all(0..=500, 16).await;
}

/// The counterpart: without order the same pushes lose samples, so the tests above could fail.
#[tokio::test]
async fn c8_without_order_otlp_that_catches_up_loses_samples() {
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(Treatment::after(&Latency::between(0..=500))).await;
    let clusters = Clusters::of(primary, secondary, &[("order", "none")], &[]).await;
    catch_up(&clusters, 16).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, (COLLECTORS * 16) as u64).await;
    assert!(ledger.reason("rejected", "out_of_order") > 0, "{ledger:?}");
}

/// JSON is not read, so it may carry any series: it passes nothing, and nothing that came after passes it.
#[tokio::test]
async fn c8_otlp_in_json_is_a_barrier() {
    const ROUNDS: usize = 8;
    const EACH: usize = 3;
    let clusters = Clusters::distant(Latency::between(0..=40)).await;
    let mut client = clusters.proxy.client().await;
    for n in 0..ROUNDS {
        in_turn(&mut client, (0..EACH).map(|instance| Collector("service".into()).push(instance, n))).await;
        assert_eq!(client.exchange(&json()).await.status(), 400, "these receivers read protobuf only");
    }
    let ledger = clusters.proxy.settled_at(SECONDARY, ((EACH + 1) * ROUNDS) as u64).await;
    assert_eq!(ledger.delivered(), (EACH * ROUNDS) as u64, "{ledger:?}");
    assert_eq!(clusters.secondary.samples(), clusters.primary.samples());
    let visits = clusters.secondary.visits();
    let rounds: Vec<_> = visits.chunks(EACH + 1).collect();
    for round in &rounds {
        round[..EACH].iter().for_each(|other| assert_in_turn(&[other, &round[EACH]]));
    }
    for pair in rounds.windows(2) {
        pair[1].iter().for_each(|later| assert_in_turn(&[&pair[0][EACH], later]));
    }
}

#[tokio::test]
async fn c8_otlp_and_remote_write_do_not_wait_for_each_other() {
    const COUNT: usize = 10;
    let gate = Gate::closed();
    let clusters = holding(&gate, |_, n| n < 2).await;
    let mut client = clusters.proxy.client().await;
    let (collector, writer) = (Collector("service".into()), Writer::new("a"));
    in_turn(&mut client, [collector.push(0, 0), writer.batch(0)]).await;
    clusters.secondary.has_begun(2).await;
    in_turn(&mut client, [collector.push(0, 1), writer.batch(1)]).await;
    in_turn(&mut client, (0..COUNT).map(|n| Writer::new("b").batch(n))).await;
    in_turn(&mut client, (0..COUNT).map(|n| collector.push(1, n))).await;
    clusters.secondary.has_ended(2 * COUNT).await;
    assert_eq!(clusters.secondary.begun(), 2 + 2 * COUNT, "a copy overtook the first of its series");
    gate.open();
    clusters.assert_same(4 + 2 * COUNT as u64).await;
}

//! C8: the secondary holds every sample, however far away it is.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::documented_config::{assert_same, send_backlog};
use crate::dsl::clusters::{SECONDARY, count};
use crate::dsl::prometheus::Prometheus;
use crate::dsl::proxy::Program;
use crate::dsl::relay::Relay;
use crate::dsl::{Client, Clusters, Config, Latency, Proxy, Receiver, Treatment, Writer, alone};

const WRITERS: usize = 8;

/// Eight writers that have fallen behind, each over a connection of its own.
async fn catch_up(clusters: &Clusters, writer: impl Fn(usize) -> Writer, batches: usize) {
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let (writer, mut client) = (writer(n), clusters.proxy.client().await);
        writers.spawn(async move { writer.catch_up(&mut client, 0..batches).await });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("every batch was answered");
    }
}

/// Nothing is lost on the way to a secondary at this distance.
async fn keeps_all(distance_ms: RangeInclusive<u64>, batches: usize) {
    let clusters = Clusters::distant(Latency::between(distance_ms)).await;
    catch_up(&clusters, Writer::new, batches).await;
    let copies = (WRITERS * batches) as u64;
    clusters.assert_same(copies).await;
    assert_eq!(count(&clusters.secondary.samples()), WRITERS * batches * 100);
    let [direct, waited, read] =
        [clusters.ordered("direct").await, clusters.ordered("waited").await, clusters.ordered("read").await];
    assert_eq!(direct + waited + read, copies, "{direct} {waited} {read}");
    assert!(read > 0, "the secondary was not behind: {direct} {waited} {read}");
}

#[tokio::test]
async fn c8_catching_up_loses_nothing_at_0_to_20_ms() {
    keeps_all(0..=20, 60).await;
}

#[tokio::test]
async fn c8_catching_up_loses_nothing_at_80_ms() {
    keeps_all(80..=80, 50).await;
}

#[tokio::test]
async fn c8_catching_up_loses_nothing_at_0_to_500_ms() {
    keeps_all(0..=500, 16).await;
}

/// 50 to 2500 ms, ten times faster.
#[tokio::test]
async fn c8_catching_up_loses_nothing_at_5_to_250_ms() {
    keeps_all(5..=250, 32).await;
}

/// The counterpart: without order the same writers lose samples, so the tests above could fail.
#[tokio::test]
async fn c8_without_order_catching_up_loses_samples() {
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(Treatment::after(&Latency::between(0..=500))).await;
    let clusters = Clusters::of(primary, secondary, &[("order", "none")], &[]).await;
    catch_up(&clusters, Writer::new, 16).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, (WRITERS * 16) as u64).await;
    assert!(ledger.reason("rejected", "out_of_order") > 0, "{ledger:?}");
    let (expected, held) = (count(&clusters.primary.samples()), count(&clusters.secondary.samples()));
    assert_eq!(held + clusters.secondary.rejected(), expected);
}

/// Without a tenant, order is that of whoever the credentials stand for; here nobody.
#[tokio::test]
async fn c8_catching_up_without_tenants_loses_nothing() {
    let clusters = Clusters::distant(Latency::between(0..=60)).await;
    catch_up(&clusters, |n| Writer::new(n).without_tenant(), 30).await;
    clusters.assert_same((WRITERS * 30) as u64).await;
}

/// Connections that all writers share, as Go's transport does: taken from the front, put back at the end.
type Pool = Arc<Mutex<VecDeque<Client>>>;

async fn catch_up_over(pool: Pool, writer: Writer, batches: usize) {
    for n in 0..batches {
        let mut client = pool.lock().expect("no panic in there").pop_front().expect("more than writers");
        assert_eq!(client.exchange(&writer.batch(n)).await.status(), 200, "batch {n}");
        pool.lock().expect("no panic in there").push_back(client);
    }
}

/// The batches of one writer arrive over different connections, at different workers.
#[tokio::test]
async fn c8_writers_that_share_connections_and_workers_lose_nothing() {
    const BATCHES: usize = 40;
    let primary = Receiver::treating(Treatment::after(&Latency::between(0..=3))).await;
    let secondary = Receiver::treating(Treatment::after(&Latency::between(0..=80))).await;
    let clusters = Clusters::of(primary, secondary, &[], &["--concurrency", "2"]).await;
    let pool = Pool::default();
    for _ in 0..2 * WRITERS + 1 {
        let client = clusters.proxy.client().await;
        pool.lock().expect("no panic in there").push_back(client);
    }
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        writers.spawn(catch_up_over(Arc::clone(&pool), Writer::new(n), BATCHES));
    }
    while let Some(done) = writers.join_next().await {
        done.expect("every batch was answered");
    }
    clusters.assert_same((WRITERS * BATCHES) as u64).await;
}

/// One sender in its steady state: twenty requests a second, a fixed twentieth of its series in each.
async fn steady(mut client: Client, name: usize, rounds: usize) {
    let groups: Vec<_> = (0..20).map(|group| Writer::new(format!("{name}-{group}"))).collect();
    let mut clock = interval(Duration::from_millis(50));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0..rounds {
        for group in &groups {
            clock.tick().await;
            assert_eq!(client.exchange(&group.batch(round)).await.status(), 200);
        }
    }
}

/// 160 requests a second and 80 ms: 13 are under way at a time. One after the other, only 12 a second would arrive.
#[tokio::test]
async fn c8_a_distant_secondary_keeps_up() {
    const ROUNDS: usize = 3;
    let clusters = Clusters::distant(Latency::constant(80)).await;
    let mut senders = JoinSet::new();
    for name in 0..WRITERS {
        senders.spawn(steady(clusters.proxy.client().await, name, ROUNDS));
    }
    let mut most = 0;
    let mut clock = interval(Duration::from_millis(20));
    while !senders.is_empty() {
        tokio::select! {
            Some(done) = senders.join_next() => done.expect("every write was answered"),
            _ = clock.tick() => most = clusters.proxy.ledger(SECONDARY).await.pending.max(most),
        }
    }
    clusters.assert_same((WRITERS * ROUNDS * 20) as u64).await;
    assert!((1..160).contains(&most), "up to {most} copies were pending");
}

/// A secondary that is done before the primary answers costs nothing: no copy waits, no body is read.
#[tokio::test]
async fn c8_before_a_faster_secondary_nothing_waits() {
    const BATCHES: usize = 20;
    let primary = Receiver::treating(Treatment::after(&Latency::constant(100))).await;
    let secondary = Receiver::treating(Treatment::prompt()).await;
    let clusters = Clusters::of(primary, secondary, &[], &["--concurrency", "2"]).await;
    catch_up(&clusters, Writer::new, BATCHES).await;
    let copies = (WRITERS * BATCHES) as u64;
    clusters.assert_same(copies).await;
    assert_eq!((clusters.ordered("direct").await, clusters.ordered("read").await), (copies, 0));
}

/// Nor is a body read for a secondary that is as fast as the primary, in the steady state; a copy may wait for a moment.
#[tokio::test]
async fn c8_for_a_secondary_as_fast_as_the_primary_no_body_is_read() {
    const ROUNDS: usize = 2;
    let primary = Receiver::treating(Treatment::after(&Latency::constant(10))).await;
    let secondary = Receiver::treating(Treatment::after(&Latency::constant(10))).await;
    let clusters = Clusters::of(primary, secondary, &[], &[]).await;
    let mut senders = JoinSet::new();
    for name in 0..WRITERS {
        senders.spawn(steady(clusters.proxy.client().await, name, ROUNDS));
    }
    while let Some(done) = senders.join_next().await {
        done.expect("every write was answered");
    }
    clusters.assert_same((WRITERS * ROUNDS * 20) as u64).await;
    assert_eq!(clusters.ordered("read").await, 0);
}

/// A real Prometheus that has fallen behind, eight shards of it, between two real receivers.
async fn keeps_all_of_a_real_prometheus(distance_ms: RangeInclusive<u64>) {
    let _alone = alone().await;
    let (primary, secondary) = (Prometheus::receiver().await, Prometheus::receiver().await);
    let far = Relay::distant(secondary.address(), Latency::between(distance_ms)).await;
    let config = Config::native().primary(primary.address()).mirror(SECONDARY, far.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let expected = send_backlog(&proxy, &primary).await;
    assert_same(&expected, &secondary).await;
    let ledger = proxy.settled(SECONDARY).await;
    assert_eq!(ledger.delivered(), ledger.received, "{ledger:?}");
}

#[tokio::test]
async fn c8_a_real_prometheus_that_catches_up_loses_nothing_at_80_ms() {
    keeps_all_of_a_real_prometheus(80..=80).await;
}

#[tokio::test]
async fn c8_a_real_prometheus_that_catches_up_loses_nothing_at_0_to_100_ms() {
    keeps_all_of_a_real_prometheus(0..=100).await;
}

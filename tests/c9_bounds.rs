//! C9 and C3: durable delivery keeps within its bounds of age, disk and memory. The oldest that is not in flight goes
//! first, and is counted.

use crate::dsl::clusters::SECONDARY;
use crate::dsl::{Backlog, Clusters, Gate, Receiver, Treatment, Writer, until};

const NAME: [(&str, &str); 1] = [("mirror", SECONDARY)];
const COPIES: &str = "mimir_mirror_backlog_copies";

/// A secondary that takes nothing before the gate is open.
async fn behind(gate: &Gate, backlog: &Backlog, settings: &[(&'static str, &str)]) -> Clusters {
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(Treatment::behind(gate)).await;
    let long = [("timeout", "60s")];
    Clusters::durable(primary, secondary, backlog, &[settings, &long].concat()).await
}

/// Copies of the same series: the first is in flight, the others wait for it.
async fn write(clusters: &Clusters, writer: &Writer, batches: std::ops::Range<usize>) {
    let mut client = clusters.proxy.client().await;
    writer.catch_up(&mut client, batches).await;
    clusters.secondary.has_begun(1).await;
}

/// Which batches of the writer the secondary has, by their times.
fn batches(clusters: &Clusters) -> Vec<usize> {
    let samples = clusters.secondary.samples();
    let of_one = samples.values().next().expect("a series");
    of_one.iter().map(|(time, _)| usize::try_from(time / 1000).expect("after 1970")).collect()
}

async fn expired(clusters: &Clusters, reason: &str) -> u64 {
    clusters.proxy.ledger(SECONDARY).await.reason("expired", reason)
}

#[tokio::test]
async fn c9_what_is_too_old_expires_but_not_in_flight() {
    const COUNT: usize = 20;
    let (gate, backlog) = (Gate::closed(), Backlog::new().with("max_age", "2s"));
    let clusters = behind(&gate, &backlog, &[]).await;
    write(&clusters, &Writer::new("a"), 0..COUNT).await;
    until("the expiry of all but the first", async || {
        (expired(&clusters, "age").await == COUNT as u64 - 1).then_some(())
    })
    .await;
    let ledger = clusters.proxy.ledger(SECONDARY).await;
    ledger.assert_adds_up();
    assert_eq!(ledger.pending, 1, "{ledger:?}");
    gate.open();
    assert_eq!(clusters.proxy.settled_at(SECONDARY, COUNT as u64).await.delivered(), 1);
    write(&clusters, &Writer::new("a"), COUNT..COUNT + 1).await;
    assert_eq!(clusters.proxy.settled_at(SECONDARY, COUNT as u64 + 1).await.delivered(), 2);
    assert_eq!(batches(&clusters), [0, COUNT]);
}

/// What is sent again and again is not in flight for ever.
#[tokio::test]
async fn c9_what_is_too_old_expires_between_attempts() {
    let backlog = Backlog::new().with("max_age", "2s");
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(Treatment::refused(503)).await;
    let clusters = Clusters::durable(primary, secondary, &backlog, &[]).await;
    write(&clusters, &Writer::new("a"), 0..10).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, 10).await;
    assert_eq!(ledger.reason("expired", "age"), 10, "{ledger:?}");
    clusters.is_at(COPIES, 0).await;
}

/// Also what another process received.
#[tokio::test]
async fn c9_what_was_recovered_expires_too() {
    const COUNT: u64 = 10;
    let backlog = Backlog::new().with("max_age", "3s");
    let primary = Receiver::treating(Treatment::prompt()).await;
    let mut secondary = Receiver::treating(Treatment::prompt()).await;
    secondary.stop().await;
    let mut clusters = Clusters::durable(primary, secondary, &backlog, &[]).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..COUNT as usize).await;
    clusters.proxy.kill().await;
    clusters.proxy.start_again().await;
    until("the expiry of all copies", async || {
        let ledger = clusters.proxy.ledger(SECONDARY).await;
        (ledger.recovered == COUNT && ledger.reason("expired", "age") == COUNT).then_some(())
    })
    .await;
    assert_eq!(clusters.proxy.settled(SECONDARY).await.received, 0);
    clusters.is_at(COPIES, 0).await;
}

/// Twice as much as the disk may hold: the oldest goes, the newest stays, and neither disk nor memory ever holds more
/// than it may.
#[tokio::test]
async fn c9_the_oldest_makes_room_on_disk_and_memory_keeps_its_bound() {
    const COUNT: usize = 320;
    const DISK: u64 = 16 << 20;
    const MEMORY: u64 = 4 << 20;
    // What is done with is written down beside the copies.
    const CHECKPOINT: u64 = 256 << 10;
    let (gate, backlog) = (Gate::closed(), Backlog::new().small());
    let clusters = behind(&gate, &backlog, &[]).await;
    let writer = Writer::new("a").heavy(100_000);
    for n in 0..COUNT / 10 {
        write(&clusters, &writer, n * 10..(n + 1) * 10).await;
        let metrics = clusters.proxy.metrics().await;
        let (disk, memory) = (
            metrics.sum("mimir_mirror_backlog_bytes", &NAME),
            metrics.sum("mimir_mirror_pending_bytes", &NAME),
        );
        assert!(disk <= DISK && memory <= MEMORY, "{disk} bytes on disk, {memory} in memory");
        assert!(backlog.bytes() <= DISK + CHECKPOINT, "{} bytes in the directory", backlog.bytes());
    }
    let ledger = clusters.proxy.ledger(SECONDARY).await;
    ledger.assert_adds_up();
    let gone = ledger.reason("expired", "size");
    assert_eq!((ledger.pending + gone, ledger.outcome("dropped")), (COUNT as u64, 0), "{ledger:?}");
    assert!(ledger.pending > 80, "half of the disk is not used: {ledger:?}");
    gate.open();
    let ledger = clusters.proxy.settled_at(SECONDARY, COUNT as u64).await;
    assert_eq!(ledger.delivered(), COUNT as u64 - ledger.reason("expired", "size"), "{ledger:?}");
    // The first was in flight; of the others the newest are left, without a gap.
    let held = batches(&clusters);
    let newest: Vec<_> = (COUNT + 1 - held.len()..COUNT).collect();
    assert_eq!((held[0], &held[1..]), (0, newest.as_slice()));
}

/// Neither few bytes nor few copies in memory cost a copy that the disk can hold.
#[tokio::test]
async fn c9_what_memory_cannot_hold_waits_on_disk() {
    const COUNT: usize = 100;
    let (gate, backlog) = (Gate::closed(), Backlog::new().small());
    let clusters = behind(&gate, &backlog, &[("max_copies", "20")]).await;
    write(&clusters, &Writer::new("a").heavy(100_000), 0..COUNT).await;
    let ledger = clusters.proxy.ledger(SECONDARY).await;
    assert_eq!((ledger.pending, ledger.outcome("dropped")), (COUNT as u64, 0), "{ledger:?}");
    clusters.is_at(COPIES, COUNT as u64).await;
    gate.open();
    clusters.assert_same(COUNT as u64).await;
}

/// What is done with makes room again, on disk and in memory.
#[tokio::test]
async fn c9_the_disk_is_given_back() {
    let (gate, backlog) = (Gate::closed(), Backlog::new().small());
    let clusters = behind(&gate, &backlog, &[]).await;
    write(&clusters, &Writer::new("a").heavy(100_000), 0..120).await;
    assert!(backlog.bytes() > 12_000_000, "{} bytes in the directory", backlog.bytes());
    gate.open();
    clusters.assert_same(120).await;
    clusters.is_at(COPIES, 0).await;
    // The segment that is written to may stay.
    until("the removal of segments", async || (backlog.bytes() <= 5 << 20).then_some(())).await;
    clusters.is_at("mimir_mirror_pending_bytes", 0).await;
}

/// A body above `max_request` is no copy, as ever.
#[tokio::test]
async fn c9_a_body_that_is_too_large_is_counted_and_not_kept() {
    let backlog = Backlog::new().small();
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(Treatment::prompt()).await;
    let clusters = Clusters::durable(primary, secondary, &backlog, &[]).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("small").catch_up(&mut client, 0..3).await;
    Writer::new("large").heavy(2_000_000).catch_up(&mut client, 0..3).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, 6).await;
    assert_eq!((ledger.delivered(), ledger.reason("dropped", "too_large")), (3, 3), "{ledger:?}");
}

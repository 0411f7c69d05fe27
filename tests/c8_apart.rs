//! C8: who waits for whom. Copies that have nothing to do with each other do not wait for each other.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::dsl::http1::Message;
use crate::dsl::otlp::Collector;
use crate::dsl::visit::Visit;
use crate::dsl::{Client, Clusters, Gate, Latency, Receiver, Request, Treatment, Writer, bytes_of};

/// A prompt primary, and a secondary that holds what `held` says behind the gate.
pub(crate) async fn holding(
    gate: &Gate,
    held: impl Fn(&Message, usize) -> bool + Send + Sync + 'static,
) -> Clusters {
    let primary = Receiver::treating(Treatment::prompt()).await;
    let gate = gate.clone();
    let secondary =
        Receiver::scripted(
            move |request, n| {
                if held(request, n) { Treatment::behind(&gate) } else { Treatment::prompt() }
            },
        )
        .await;
    Clusters::of(primary, secondary, &[], &[]).await
}

/// Sends each request over this connection once the one before has been answered.
pub(crate) async fn in_turn(client: &mut Client, requests: impl IntoIterator<Item = Request>) {
    for request in requests {
        assert_eq!(client.exchange(&request).await.status(), 200);
    }
}

/// Each of these was judged before the next one came.
pub(crate) fn assert_in_turn(visits: &[&Visit]) {
    for pair in visits.windows(2) {
        let (ended, _) = pair[0].ended.expect("all are judged");
        assert!(ended < pair[1].begun, "{:?} overtook {:?}", pair[1].request, pair[0].request);
    }
}

#[tokio::test]
async fn c8_copies_of_different_series_are_under_way_together() {
    const WRITERS: usize = 40;
    let gate = Gate::closed();
    let clusters = holding(&gate, |_, _| true).await;
    let mut client = clusters.proxy.client().await;
    // Each is answered before the next one is sent: all but the first find copies that trail.
    in_turn(&mut client, (0..WRITERS).map(|n| Writer::new(n).batch(0))).await;
    clusters.secondary.has_begun(WRITERS).await;
    assert_eq!(clusters.secondary.ended(), 0);
    gate.open();
    clusters.assert_same(WRITERS as u64).await;
}

/// Of a secondary that takes nothing, so many bodies are read and no more: the others wait for what went before. When it
/// takes copies again they are read, though what they wait for still has no outcome.
#[tokio::test]
async fn c8_copies_for_a_secondary_that_hangs_are_read_when_it_takes_copies_again() {
    const WRITERS: usize = 400;
    const READ_AHEAD: usize = 256;
    let (first, others) = (Gate::closed(), Gate::closed());
    let gates = [first.clone(), others.clone()];
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::scripted(move |_, n| Treatment::behind(&gates[n.min(1)])).await;
    let clusters = Clusters::of(primary, secondary, &[("max_connections", "1000")], &[]).await;
    let mut client = clusters.proxy.client().await;
    in_turn(&mut client, (0..WRITERS).map(|n| Writer::new(n).batch(0))).await;
    clusters.secondary.has_begun(READ_AHEAD).await;
    // Far longer than it takes to read the rest.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(clusters.secondary.begun(), READ_AHEAD);
    others.open();
    clusters.secondary.has_ended(WRITERS - 1).await;
    first.open();
    clusters.assert_same(WRITERS as u64).await;
}

/// The same for copies that are all let go in the same moment, by the end of a copy that held every series.
#[tokio::test]
async fn c8_copies_that_are_let_go_at_once_are_under_way_together() {
    const WRITERS: usize = 40;
    let (first, others) = (Gate::closed(), Gate::closed());
    let gates = [first.clone(), others.clone()];
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::scripted(move |_, n| Treatment::behind(&gates[n.min(1)])).await;
    let clusters = Clusters::of(primary, secondary, &[], &[]).await;
    let mut client = clusters.proxy.client().await;
    assert_eq!(client.exchange(&Writer::new(0).push(bytes_of(500, 1))).await.status(), 400);
    clusters.secondary.has_begun(1).await;
    in_turn(&mut client, (0..WRITERS).map(|n| Writer::new(n).batch(0))).await;
    assert_eq!(clusters.secondary.begun(), 1, "a copy overtook what may carry its series");
    first.open();
    clusters.secondary.has_begun(1 + WRITERS).await;
    assert_eq!(clusters.secondary.ended(), 1);
    others.open();
    let ledger = clusters.proxy.settled_at("secondary", 1 + WRITERS as u64).await;
    assert_eq!(ledger.delivered(), WRITERS as u64, "{ledger:?}");
}

#[tokio::test]
async fn c8_copies_of_the_same_series_go_one_by_one() {
    const BATCHES: usize = 20;
    let clusters = Clusters::distant(Latency::between(0..=30)).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..BATCHES).await;
    clusters.assert_same(BATCHES as u64).await;
    assert_in_turn(&clusters.secondary.visits().iter().collect::<Vec<_>>());
}

/// Two tenants may share a cell of the order's table, so one of the five may have to wait; never two.
#[tokio::test]
async fn c8_a_tenant_does_not_wait_for_another() {
    const BATCHES: usize = 10;
    let gate = Gate::closed();
    let clusters = holding(&gate, |request, _| request.tenant() == "slow").await;
    let mut client = clusters.proxy.client().await;
    let of = |tenant: &str| Writer::new("the same series").tenant(tenant);
    of("slow").catch_up(&mut client, 0..BATCHES).await;
    for tenant in ["a", "b", "c", "d", "e"] {
        of(tenant).catch_up(&mut client, 0..BATCHES).await;
    }
    clusters.secondary.has_ended(4 * BATCHES).await;
    let visits = clusters.secondary.visits();
    let slow = visits.iter().filter(|visit| visit.request.tenant() == "slow").count();
    assert_eq!(slow, 1, "a copy overtook the first of its series");
    gate.open();
    clusters.assert_same(6 * BATCHES as u64).await;
}

/// Without a tenant's name, credentials tell the tenants apart.
#[tokio::test]
async fn c8_other_credentials_are_another_tenant() {
    const BATCHES: usize = 10;
    let gate = Gate::closed();
    let of = |who: &'static str| {
        move |n| Writer::new(who).without_tenant().batch(n).header("authorization", format!("Bearer {who}"))
    };
    let is_slow = |request: &Message| request.header("authorization").as_deref() == Some("Bearer slow");
    let clusters = holding(&gate, move |request, _| is_slow(request)).await;
    let mut client = clusters.proxy.client().await;
    in_turn(&mut client, (0..BATCHES).map(of("slow"))).await;
    for who in ["a", "b"] {
        in_turn(&mut client, (0..BATCHES).map(of(who))).await;
    }
    clusters.secondary.has_ended(2 * BATCHES).await;
    let slow = clusters.secondary.visits().iter().filter(|visit| is_slow(&visit.request)).count();
    assert_eq!(slow, 1, "a copy overtook the first of its series");
    gate.open();
    clusters.assert_same(3 * BATCHES as u64).await;
}

/// What cannot be read may carry any series: nothing that came after passes it, and it passes nothing.
#[tokio::test]
async fn c8_an_unreadable_body_is_a_barrier() {
    const ROUNDS: usize = 8;
    let clusters = Clusters::distant(Latency::between(0..=40)).await;
    let mut client = clusters.proxy.client().await;
    let writers = ["a", "b", "c"].map(Writer::new);
    for n in 0..ROUNDS {
        in_turn(&mut client, writers.iter().map(|writer| writer.batch(n))).await;
        // The receivers refuse it; the primary's refusal is the sender's to see.
        assert_eq!(client.exchange(&writers[0].push(bytes_of(500, n as u64))).await.status(), 400);
    }
    let ledger = clusters.proxy.settled_at("secondary", 4 * ROUNDS as u64).await;
    assert_eq!(ledger.delivered(), 3 * ROUNDS as u64, "{ledger:?}");
    assert_eq!(ledger.reason("rejected", "other"), ROUNDS as u64, "{ledger:?}");
    assert_eq!(clusters.secondary.samples(), clusters.primary.samples());
    // Rounds do not mix: four copies, the last of them the barrier.
    let visits = clusters.secondary.visits();
    for round in visits.chunks(4) {
        let (barrier, others) = round.split_last().expect("four");
        assert_eq!(barrier.ended.map(|(_, status)| status), Some(400));
        others.iter().for_each(|other| assert_in_turn(&[other, barrier]));
    }
    for pair in visits.chunks(4).collect::<Vec<_>>().windows(2) {
        pair[1].iter().for_each(|later| assert_in_turn(&[&pair[0][3], later]));
    }
}

#[tokio::test]
async fn c8_a_write_of_metadata_waits_for_nobody() {
    let gate = Gate::closed();
    let clusters = holding(&gate, |_, n| n == 0).await;
    let mut client = clusters.proxy.client().await;
    let writer = Writer::new("a");
    in_turn(&mut client, [writer.batch(0), writer.batch(1), writer.metadata(), writer.metadata()]).await;
    clusters.secondary.has_ended(2).await;
    assert_eq!(clusters.secondary.begun(), 3, "a copy overtook the first of its series");
    gate.open();
    clusters.assert_same(4).await;
}

fn influx(body: &str) -> Request {
    let request = Request::new("POST", "/api/v1/push/influx/write").header("x-scope-orgid", "tenant-1");
    request.body(body)
}

/// Influx copies are ordered by their sender: its address, whatever its connections.
#[tokio::test]
async fn c8_influx_copies_of_one_sender_go_one_by_one() {
    const COUNT: usize = 20;
    let clusters = Clusters::distant(Latency::between(0..=30)).await;
    for n in 0..COUNT {
        let mut client = clusters.proxy.client().await;
        in_turn(&mut client, [influx(&n.to_string())]).await;
    }
    assert_eq!(clusters.proxy.settled_at("secondary", COUNT as u64).await.delivered(), COUNT as u64);
    let visits = clusters.secondary.visits();
    assert_in_turn(&visits.iter().collect::<Vec<_>>());
    let bodies: Vec<_> = visits.iter().map(|visit| visit.request.text()).collect();
    assert_eq!(bodies, (0..COUNT).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn c8_influx_copies_hold_up_neither_other_senders_nor_other_protocols() {
    const COUNT: usize = 10;
    let gate = Gate::closed();
    let clusters = holding(&gate, |request, _| request.text() == "slow").await;
    let mut slow = clusters.proxy.client().await;
    in_turn(&mut slow, ["slow", "behind"].map(influx)).await;
    let mut other = Client::connect_from(Ipv4Addr::new(127, 0, 0, 2), clusters.proxy.listen).await;
    in_turn(&mut other, (0..COUNT).map(|n| influx(&n.to_string()))).await;
    Writer::new("a").catch_up(&mut slow, 0..COUNT).await;
    in_turn(&mut slow, (0..COUNT).map(|n| Collector("a".into()).push(0, n))).await;
    clusters.secondary.has_ended(3 * COUNT).await;
    assert!(clusters.secondary.visits().iter().all(|visit| visit.request.text() != "behind"));
    gate.open();
    clusters.assert_same(3 * COUNT as u64 + 2).await;
}

//! C2: a mirror in any state changes nothing for the primary and its clients.
//!
//! Asserted by cause, not by time: every client has its answer while the mirror has made no progress at all.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::http1::Message;
use crate::dsl::{Client, Config, Gate, Ledger, Proxy, Reply, Request, Upstream, alone, bytes_of};

const MEBIBYTE: u64 = 1 << 20;
/// What a mirror may hold; less than the writes below add up to.
const BUFFER: u64 = 48 * MEBIBYTE;
/// What else may grow: connections' buffers, the allocator's slack.
const SLACK: u64 = 48 * MEBIBYTE;
const CLIENTS: usize = 4;
/// Body sizes, and how many each client sends: small, a usual batch of 2000 samples, and the largest that are seen.
const LOAD: [(usize, usize); 3] = [(1 << 10, 16), (67_000, 16), (10 << 20, 2)];
const TOTAL: usize = CLIENTS * (16 + 16 + 2);

/// Bounds small enough to be met, and ends soon enough to see the ledger settle.
fn with_bounds(config: Config) -> Config {
    config
        .setting("buffer", "48MiB")
        .setting("max_request", "16MiB")
        .setting("timeout", "2s")
        .setting("max_age", "3s")
        .setting("max_connections", "32")
}

/// A primary that answers with the request's number.
async fn numbering_primary() -> Upstream {
    Upstream::scripted(|request| Reply::new(200, &request.header("x-number").unwrap_or_default())).await
}

/// One client's writes, one after the other on one connection, each answered by the primary.
async fn write_all(mut client: Client, first: usize) {
    let sizes = LOAD.iter().flat_map(|(size, count)| std::iter::repeat_n(*size, *count));
    for (number, size) in (first..).zip(sizes) {
        let number = number.to_string();
        let body = bytes_of(size, size as u64);
        let answer = client.exchange(&Request::push(body).header("X-Number", &number)).await;
        assert_eq!((answer.status(), answer.text()), (200, number), "{size} bytes");
    }
}

/// All clients at once; afterwards the primary has every write, whole.
async fn load(proxy: &Proxy, primary: &Upstream) {
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let client = proxy.client().await;
        clients.spawn(write_all(client, n * 1000));
    }
    while let Some(done) = clients.join_next().await {
        done.expect("every client got every answer");
    }
    let got = primary.received(TOTAL).await;
    let expected: Vec<_> = LOAD.iter().map(|(size, _)| bytes_of(*size, *size as u64)).collect();
    let right = |m: &Message| m.complete && expected.contains(&m.body);
    assert!(got.len() == TOTAL && got.iter().all(right), "a body was changed");
}

/// Loads a proxy whose mirror is in this state; returns what there is to say about the copies at the end.
async fn beside(mirror: &Faulty, before_the_end: impl FnOnce(&Ledger)) -> Ledger {
    let primary = numbering_primary().await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    run(&primary, &with_bounds(config), before_the_end).await
}

async fn run(primary: &Upstream, config: &Config, before_the_end: impl FnOnce(&Ledger)) -> Ledger {
    let _alone = alone().await;
    let proxy = Proxy::start(config).await;
    let (memory, descriptors) = (proxy.process.memory(), proxy.process.descriptors());
    load(&proxy, primary).await;
    let grown = proxy.process.memory().saturating_sub(memory);
    assert!(grown < BUFFER + SLACK, "memory grew by {} MiB", grown / MEBIBYTE);
    // Per client two connections, the mirror's 32, and a few that are just being closed or opened.
    let opened = proxy.process.descriptors().saturating_sub(descriptors);
    assert!(opened <= 2 * CLIENTS + 32 + 8, "{opened} descriptors were opened");
    let ledger = proxy.ledger("secondary").await;
    assert_eq!(ledger.received, TOTAL as u64, "{ledger:?}");
    before_the_end(&ledger);
    proxy.settled_at("secondary", TOTAL as u64).await
}

fn nothing_delivered(ledger: &Ledger) {
    assert_eq!(ledger.delivered(), 0, "{ledger:?}");
}

#[tokio::test]
async fn c2_beside_a_slow_mirror() {
    let gate = Gate::closed();
    let mirror = Faulty::start(Fault::Slow(gate.clone())).await;
    let ledger = beside(&mirror, |ledger| {
        nothing_delivered(ledger);
        assert_eq!(mirror.written(), 0, "the mirror has answered");
        gate.open();
    })
    .await;
    assert!(
        ledger.outcome("failed") + ledger.outcome("dropped") + ledger.outcome("expired") > 0,
        "{ledger:?}"
    );
}

#[tokio::test]
async fn c2_beside_a_refusing_mirror() {
    let mirror = Faulty::start(Fault::Refuse).await;
    nothing_delivered(&beside(&mirror, nothing_delivered).await);
}

#[tokio::test]
async fn c2_beside_a_resetting_mirror() {
    let mirror = Faulty::start(Fault::Reset).await;
    nothing_delivered(&beside(&mirror, nothing_delivered).await);
    assert!(mirror.accepted() > 0, "no copy was tried");
}

#[tokio::test]
async fn c2_beside_a_black_hole() {
    let mirror = Faulty::start(Fault::BlackHole).await;
    nothing_delivered(&beside(&mirror, nothing_delivered).await);
}

#[tokio::test]
async fn c2_beside_a_mirror_that_never_reads() {
    let mirror = Faulty::start(Fault::NeverRead).await;
    let ledger = beside(&mirror, nothing_delivered).await;
    assert_eq!((mirror.read(), ledger.delivered()), (0, 0), "{ledger:?}");
    assert!(mirror.accepted() > 0, "no copy was tried");
}

#[tokio::test]
async fn c2_beside_a_mirror_that_reads_and_never_answers() {
    let mirror = Faulty::start(Fault::NeverAnswer).await;
    let ledger = beside(&mirror, nothing_delivered).await;
    assert_eq!((mirror.written(), ledger.delivered()), (0, 0), "{ledger:?}");
    assert!(ledger.reason("failed", "unknown_outcome") > 0, "a timeout has an unknown outcome: {ledger:?}");
}

#[tokio::test]
async fn c2_beside_a_mirror_that_answers_a_gigabyte() {
    let mirror = Faulty::start(Fault::Gigabyte).await;
    beside(&mirror, |_| ()).await;
    let (answers, written) = (mirror.accepted(), mirror.written());
    assert!(answers > 0, "no copy was tried");
    // A mebibyte of an answer is read, the kernel's buffers hold the rest.
    assert!(written / answers < 16 * MEBIBYTE, "{written} bytes of {answers} answers were taken");
}

#[tokio::test]
async fn c2_beside_a_mirror_that_answers_a_byte_a_second() {
    let mirror = Faulty::start(Fault::Trickle).await;
    nothing_delivered(&beside(&mirror, nothing_delivered).await);
    assert!(mirror.accepted() > 0, "no copy was tried");
}

#[tokio::test]
async fn c2_beside_a_mirror_that_dies_in_mid_request() {
    let mirror = Faulty::start(Fault::DieMidRequest).await;
    nothing_delivered(&beside(&mirror, nothing_delivered).await);
    assert!(mirror.read() > 0, "no copy was tried");
}

#[tokio::test]
async fn c2_beside_a_mirror_that_answers_garbage() {
    let mirror = Faulty::start(Fault::Garbage).await;
    nothing_delivered(&beside(&mirror, nothing_delivered).await);
    assert!(mirror.written() > 0, "no copy was tried");
}

#[tokio::test]
async fn c2_beside_an_unresolvable_mirror() {
    let primary = numbering_primary().await;
    let config = Config::envoy().primary(primary.address()).mirror_at("secondary", &[("mirror.invalid", 80)]);
    let ledger = run(&primary, &with_bounds(config), nothing_delivered).await;
    // While requests arrive, they take their place in the buffer, which is smaller than the largest ones together.
    let (failed, dropped) = (ledger.reason("failed", "no_endpoint"), ledger.reason("dropped", "buffer_full"));
    assert_eq!(failed + dropped, TOTAL as u64, "{ledger:?}");
    assert!(failed as usize >= TOTAL - 2 * CLIENTS, "{ledger:?}");
}

/// Readers share the proxy with the writers: they, too, must not wait.
#[tokio::test]
async fn c2_reads_pass_beside_a_mirror_that_hangs() {
    let mirror = Faulty::start(Fault::NeverRead).await;
    let primary = numbering_primary().await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Arc::new(Proxy::start(&with_bounds(config)).await);
    let mut clients = JoinSet::new();
    for n in 0..50 {
        let proxy = Arc::clone(&proxy);
        clients.spawn(async move {
            let mut client = proxy.client().await;
            for m in 0..10 {
                let number = format!("{n}-{m}");
                let read = Request::get("/prometheus/api/v1/query?query=up").header("X-Number", &number);
                assert_eq!(client.exchange(&read).await.text(), number);
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.expect("every client got every answer");
    }
    assert_eq!((primary.completed(), mirror.read()), (500, 0));
    nothing_delivered(&proxy.settled_at("secondary", 500).await);
}

/// Mirrors share nothing either: one in trouble costs another no copy.
#[tokio::test]
async fn c2_a_mirror_in_trouble_does_not_touch_another() {
    let bad = Faulty::start(Fault::NeverRead).await;
    let good = Upstream::answering(Reply::ok()).await;
    let primary = numbering_primary().await;
    let config = with_bounds(Config::envoy().primary(primary.address()).mirror("bad", bad.address()));
    let proxy = Proxy::start(&config.mirror("good", good.address())).await;
    load(&proxy, &primary).await;
    assert_eq!(proxy.settled_at("good", TOTAL as u64).await.delivered(), TOTAL as u64);
    assert_eq!((good.completed(), bad.read()), (TOTAL, 0));
    nothing_delivered(&proxy.settled_at("bad", TOTAL as u64).await);
}

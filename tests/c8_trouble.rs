//! C8 in trouble: order holds though clients give up and repeat, and though the secondary fails.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::task::JoinSet;

use crate::dsl::clusters::{SECONDARY, count};
use crate::dsl::{Clusters, Gate, Latency, Proxy, Receiver, Treatment, Writer, until};

/// Waits until the proxy has seen all its clients leave.
async fn clients_have_left(proxy: &Proxy) {
    until("the clients' leaving", async || {
        let metrics = proxy.metrics().await;
        let active = |labels: &[_]| metrics.sum("envoy_http_downstream_cx_active", labels);
        // The scrape's own connection is the admin interface's.
        (active(&[]) == active(&[("envoy_http_conn_manager_prefix", "admin")])).then_some(())
    })
    .await;
}

/// The client has given up and repeats its batch. What it sends then must not overtake the first copy, though its
/// exchange with the primary goes on.
#[tokio::test]
async fn c8_the_copy_of_a_client_that_left_is_not_overtaken() {
    let (primary_gate, secondary_gate) = (Gate::closed(), Gate::closed());
    let first_behind = |gate: &Gate| {
        let gate = gate.clone();
        move |_: &_, n| if n == 0 { Treatment::behind(&gate) } else { Treatment::prompt() }
    };
    let primary = Receiver::scripted(first_behind(&primary_gate)).await;
    let secondary = Receiver::scripted(first_behind(&secondary_gate)).await;
    let clusters = Clusters::of(primary, secondary, &[], &[]).await;
    let writer = Writer::new("a");
    let mut gives_up = clusters.proxy.client().await;
    gives_up.send(writer.batch(0).bytes()).await;
    clusters.primary.has_begun(1).await;
    clusters.secondary.has_begun(1).await;
    drop(gives_up);
    clients_have_left(&clusters.proxy).await;
    let mut client = clusters.proxy.client().await;
    writer.catch_up(&mut client, 0..3).await;
    // Series of its own: it passes what waits for the first copy, and has been sent after it.
    Writer::new("b").catch_up(&mut client, 0..1).await;
    clusters.secondary.has_ended(1).await;
    secondary_gate.open();
    let ledger = clusters.proxy.settled_at(SECONDARY, 5).await;
    assert_eq!((clusters.secondary.rejected(), ledger.delivered()), (0, 5), "{ledger:?}");
    assert_eq!(clusters.secondary.samples(), clusters.primary.samples());
    primary_gate.open();
}

/// Its body, and how often it came before.
fn times_seen() -> impl Fn(&[u8]) -> usize + Send + Sync {
    let seen = Mutex::new(HashMap::<Vec<u8>, usize>::new());
    move |body| {
        let mut seen = seen.lock().expect("no panic in there");
        let times = seen.entry(body.to_vec()).or_default();
        *times += 1;
        *times - 1
    }
}

/// The primary answers 503 to some batches; their writer repeats them until they are taken. All are copied.
#[tokio::test]
async fn c8_writers_that_repeat_after_a_503_lose_nothing() {
    const WRITERS: usize = 4;
    const BATCHES: usize = 20;
    let (seen, latency) = (times_seen(), Latency::between(0..=60));
    let primary = Receiver::scripted(move |request, n| match seen(&request.body) {
        0 if n % 3 == 0 => Treatment::refused(503),
        _ => Treatment::prompt(),
    })
    .await;
    let secondary = Receiver::treating(Treatment::after(&latency)).await;
    let clusters = Clusters::of(primary, secondary, &[], &[]).await;
    let mut writers = JoinSet::new();
    for name in 0..WRITERS {
        let mut client = clusters.proxy.client().await;
        writers.spawn(async move {
            for n in 0..BATCHES {
                while client.exchange(&Writer::new(name).batch(n)).await.status() != 200 {}
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("every batch was taken");
    }
    let copies = clusters.primary.begun();
    assert!(copies > WRITERS * BATCHES, "nothing was repeated");
    clusters.assert_same(copies as u64).await;
}

/// Every fourth batch is not answered in time: its client closes, and sends it again over a new connection.
async fn impatient(clusters: &Clusters, writer: &Writer, batches: usize) {
    let mut client = clusters.proxy.client().await;
    for n in 0..batches {
        if n % 4 == 1 {
            client.send(writer.batch(n).bytes()).await;
            clusters.primary.has_begun(n + n / 4 + 1).await;
            drop(client);
            clients_have_left(&clusters.proxy).await;
            client = clusters.proxy.client().await;
        }
        assert_eq!(client.exchange(&writer.batch(n)).await.status(), 200, "batch {n}");
    }
}

#[tokio::test]
async fn c8_a_writer_that_times_out_and_repeats_loses_nothing() {
    const BATCHES: usize = 24;
    let (gate, seen) = (Gate::closed(), times_seen());
    let held = gate.clone();
    let primary = Receiver::scripted(move |request, n| match seen(&request.body) {
        0 if n % 5 == 1 => Treatment::behind(&held),
        _ => Treatment::prompt(),
    })
    .await;
    // The copies of what the clients give up are the slow ones.
    let (slow, fast) = (Latency::constant(250), Latency::between(0..=20));
    let secondary =
        Receiver::scripted(move |_, n| Treatment::after(if n % 5 == 1 { &slow } else { &fast })).await;
    let clusters = Clusters::of(primary, secondary, &[], &["--concurrency", "2"]).await;
    impatient(&clusters, &Writer::new("a"), BATCHES).await;
    let copies = (BATCHES + BATCHES / 4) as u64;
    let ledger = clusters.proxy.settled_at(SECONDARY, copies).await;
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
    assert_eq!(ledger.delivered(), copies, "{ledger:?}");
    assert_eq!(clusters.secondary.samples(), clusters.primary.samples());
    gate.open();
}

/// Memory delivery makes one attempt: what the secondary misses while it is away is in the ledger, and what comes
/// after is in order.
#[tokio::test]
async fn c8_a_secondary_that_was_away_misses_what_the_ledger_says_and_rejects_nothing() {
    const WRITERS: usize = 8;
    const EACH: usize = 15;
    let mut clusters = Clusters::distant(Latency::between(0..=30)).await;
    let mut clients = Vec::new();
    for _ in 0..WRITERS {
        clients.push(clusters.proxy.client().await);
    }
    for phase in 0..3 {
        let mut writers = JoinSet::new();
        for (name, mut client) in std::mem::take(&mut clients).into_iter().enumerate() {
            let batches = phase * EACH..(phase + 1) * EACH;
            writers.spawn(async move {
                Writer::new(name).catch_up(&mut client, batches).await;
                client
            });
        }
        clients = writers.join_all().await;
        match phase {
            // In the middle of what waits.
            0 => clusters.secondary.stop().await,
            1 => {
                until("a copy that is lost", async || {
                    (clusters.proxy.ledger(SECONDARY).await.outcome("failed") > 0).then_some(())
                })
                .await;
                clusters.secondary.resume().await;
            }
            _ => {}
        }
    }
    let copies = (3 * WRITERS * EACH) as u64;
    let ledger = clusters.proxy.settled_at(SECONDARY, copies).await;
    assert_eq!(ledger.delivered() + ledger.outcome("failed"), copies, "{ledger:?}");
    assert!(ledger.outcome("failed") > 0 && ledger.delivered() > 0, "{ledger:?}");
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
    // Each batch is a hundred samples. A failed copy may have been taken before its answer was lost.
    let held = count(&clusters.secondary.samples()) as u64 / 100;
    assert!((ledger.delivered()..=copies).contains(&held), "{held} batches, {ledger:?}");
}

/// A copy that is too old leaves the queue; those behind it go when what they still wait for is done.
#[tokio::test]
async fn c8_a_copy_that_expires_lets_those_behind_it_go_in_order() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary =
        Receiver::scripted(move |_, n| if n == 0 { Treatment::behind(&behind) } else { Treatment::prompt() })
            .await;
    let clusters = Clusters::of(primary, secondary, &[("max_age", "1s")], &[]).await;
    let (writer, mut client) = (Writer::new("a"), clusters.proxy.client().await);
    writer.catch_up(&mut client, 0..2).await;
    let mut sent = 2;
    until("an expired copy", async || {
        writer.catch_up(&mut client, sent..sent + 1).await;
        sent += 1;
        (clusters.proxy.ledger(SECONDARY).await.outcome("expired") > 0).then_some(())
    })
    .await;
    assert_eq!(clusters.secondary.begun(), 1, "a copy overtook the first of its series");
    gate.open();
    let ledger = clusters.proxy.settled_at(SECONDARY, sent as u64).await;
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
    assert_eq!(ledger.delivered() + ledger.outcome("expired"), sent as u64, "{ledger:?}");
    assert_eq!(count(&clusters.secondary.samples()) as u64, 100 * ledger.delivered());
    assert!(ledger.delivered() > 1, "none was left behind the expired copy: {ledger:?}");
}

/// An attempt that is not answered in time is over; those behind it go.
#[tokio::test]
async fn c8_a_copy_that_fails_lets_those_behind_it_go() {
    let never = Gate::closed();
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary =
        Receiver::scripted(move |_, n| if n == 0 { Treatment::behind(&never) } else { Treatment::prompt() })
            .await;
    let clusters = Clusters::of(primary, secondary, &[("timeout", "500ms")], &[]).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..10).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, 10).await;
    assert_eq!((ledger.delivered(), ledger.reason("failed", "unknown_outcome")), (9, 1), "{ledger:?}");
    assert_eq!((clusters.secondary.rejected(), count(&clusters.secondary.samples())), (0, 900));
}

#[tokio::test]
async fn c8_copies_that_wait_at_the_end_are_sent_in_order() {
    const BATCHES: usize = 20;
    let gate = Gate::closed();
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(Treatment::behind(&gate)).await;
    let flags = ["--drain-time-s", "20", "--concurrency", "2"];
    let mut clusters = Clusters::of(primary, secondary, &[], &flags).await;
    for n in 0..BATCHES {
        let mut client = clusters.proxy.client().await;
        Writer::new("a").catch_up(&mut client, n..n + 1).await;
    }
    clusters.secondary.has_begun(1).await;
    clusters.proxy.process.signal("TERM");
    let listen = clusters.proxy.listen;
    until("the listener's end", async || tokio::net::TcpStream::connect(listen).await.is_err().then_some(()))
        .await;
    assert_eq!(clusters.secondary.begun(), 1, "a copy overtook the first of its series");
    gate.open();
    assert_eq!(clusters.proxy.process.end().await.code(), Some(0));
    assert_eq!((clusters.secondary.begun(), clusters.secondary.rejected()), (BATCHES, 0));
    assert_eq!(clusters.secondary.samples(), clusters.primary.samples());
}

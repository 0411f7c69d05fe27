//! `when: answered`: what the primary answered with a 5xx, its sender sends again; so it is not copied. The rest is.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Mutex;

use crate::dsl::clusters::SECONDARY;
use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::proxy::Program;
use crate::dsl::{
    Backlog, Client, Clusters, Config, Crowd, Gate, Latency, Proxy, Receiver, Reply, Request, Treatment,
    Upstream, Writer, bytes_of,
};

const ANSWERED: (&str, &str) = ("when", "answered");

/// A primary that answers with the status that the request asks for, and a mirror that copies what was answered.
async fn as_asked() -> (Upstream, Upstream, Proxy) {
    let primary = Upstream::scripted(|request| {
        let asked = request.header("x-answer").unwrap_or_default();
        Reply::new(asked.parse().expect("a status"), "as asked")
    })
    .await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let proxy = between(primary.address(), &mirror).await;
    (primary, mirror, proxy)
}

async fn between(primary: SocketAddr, mirror: &Upstream) -> Proxy {
    let config = Config::native().primary(primary).mirror(SECONDARY, mirror.address());
    Proxy::launch(Program::MimirMirror, &config.setting(ANSWERED.0, ANSWERED.1), &[]).await
}

fn asking(status: u16) -> Request {
    Request::push(format!("answered with {status}")).header("X-Answer", status.to_string())
}

#[tokio::test]
async fn what_the_primary_answered_with_a_5xx_is_not_copied() {
    const NOT_COPIED: [u16; 5] = [500, 502, 503, 504, 599];
    const COPIED: [u16; 9] = [200, 202, 204, 302, 400, 404, 413, 422, 429];
    let (primary, mirror, mut proxy) = as_asked().await;
    let mut client = proxy.client().await;
    for status in NOT_COPIED.into_iter().chain(COPIED).chain(NOT_COPIED) {
        assert_eq!(client.exchange(&asking(status)).await.status(), status);
    }
    mirror.received(COPIED.len()).await;
    let ledger = proxy.settled(SECONDARY).await;
    assert_eq!(ledger.delivered(), COPIED.len() as u64, "{ledger:?}");
    drop(client);
    // The end lets go of whatever might still wait.
    proxy.terminate().await;
    let copied: HashSet<_> = mirror.requests().iter().map(|request| request.text()).collect();
    let expected = COPIED.map(|status| format!("answered with {status}"));
    assert_eq!((copied, mirror.completed()), (HashSet::from(expected), COPIED.len()));
    assert_eq!(primary.completed(), COPIED.len() + 2 * NOT_COPIED.len());
}

#[tokio::test]
async fn what_never_reached_the_primary_is_not_copied() {
    let primary = Faulty::start(Fault::Refuse).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let mut proxy = between(primary.address(), &mirror).await;
    for _ in 0..5 {
        assert_eq!(proxy.send(&Request::push("x")).await.status(), 503);
    }
    proxy.settled(SECONDARY).await;
    proxy.terminate().await;
    assert_eq!(mirror.begun(), 0);
}

/// The copy waits for the answer, not only for the request.
#[tokio::test]
async fn nothing_is_copied_before_the_primary_has_answered() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::ok().behind(&gate)).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let proxy = between(primary.address(), &mirror).await;
    let mut client = proxy.client().await;
    client.send(Request::push("x").bytes()).await;
    primary.received(1).await;
    assert_eq!(mirror.begun(), 0);
    gate.open();
    assert_eq!(client.answer().await.status(), 200);
    mirror.received(1).await;
    assert_eq!(proxy.settled_at(SECONDARY, 1).await.delivered(), 1);
}

/// An answer that comes before the request is complete: the copy needs both.
async fn early(status: u16) -> (Upstream, Proxy) {
    let primary = Upstream::answering(Reply::new(status, "early").early()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let proxy = between(primary.address(), &mirror).await;
    let request = Request::push(bytes_of(100_000, 1));
    let mut client = proxy.client().await;
    client.send(request.head()).await;
    client.send(&request.wire_body()[..1000]).await;
    assert_eq!(client.answer().await.status(), status);
    assert_eq!(mirror.begun(), 0, "copied before it was complete");
    // The connection may have been closed after so early an answer.
    let _ = client.try_send(&request.wire_body()[1000..]).await;
    (mirror, proxy)
}

#[tokio::test]
async fn an_early_answer_counts_when_the_request_is_complete() {
    let (mirror, proxy) = early(200).await;
    assert_eq!(mirror.only().await.body, bytes_of(100_000, 1));
    assert_eq!(proxy.settled_at(SECONDARY, 1).await.delivered(), 1);
}

#[tokio::test]
async fn an_early_5xx_is_not_copied() {
    let (mirror, mut proxy) = early(503).await;
    proxy.terminate().await;
    assert_eq!(mirror.begun(), 0);
}

/// The exchange goes on without its client, so its answer counts too.
#[tokio::test]
async fn an_answer_to_a_client_that_left_counts() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::ok().behind(&gate)).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let proxy = between(primary.address(), &mirror).await;
    let mut client = proxy.client().await;
    client.send(Request::push("x").bytes()).await;
    primary.received(1).await;
    drop(client);
    gate.open();
    assert_eq!(mirror.only().await.text(), "x");
    assert_eq!(proxy.settled_at(SECONDARY, 1).await.delivered(), 1);
}

/// Refuses every third write with a 503 when it comes for the first time. What a writer repeats is copied once.
async fn third_times_lucky() -> Receiver {
    let seen = Mutex::new(HashSet::<Vec<u8>>::new());
    Receiver::scripted(move |request, n| {
        let first = seen.lock().expect("no panic in there").insert(request.body.clone());
        if first && n % 3 == 0 { Treatment::refused(503) } else { Treatment::prompt() }
    })
    .await
}

const WRITERS: usize = 8;
const BATCHES: usize = 30;

#[tokio::test]
async fn c8_order_holds_when_only_what_was_answered_is_copied() {
    let secondary = Receiver::treating(Treatment::after(&Latency::between(0..=100))).await;
    let clusters =
        Clusters::of(third_times_lucky().await, secondary, &[ANSWERED], &["--concurrency", "2"]).await;
    let crowd = Crowd::catching_up(clusters.proxy.listen, (0..WRITERS).map(Writer::new), 0..BATCHES);
    let sent = crowd.finish().await;
    assert!(sent.repeated > 0, "nothing was repeated");
    clusters.secondary.has_ended(WRITERS * BATCHES).await;
    let ledger = clusters.proxy.settled(SECONDARY).await;
    assert_eq!(
        (ledger.delivered(), clusters.secondary.rejected()),
        ((WRITERS * BATCHES) as u64, 0),
        "{ledger:?}"
    );
    assert_eq!(clusters.secondary.begun(), WRITERS * BATCHES);
    clusters.assert_equal();
}

/// With durable delivery, what is not to be copied is not kept either.
#[tokio::test]
async fn c9_only_what_was_answered_is_kept() {
    let backlog = Backlog::new();
    let mut secondary = Receiver::treating(Treatment::prompt()).await;
    secondary.stop().await;
    let mut clusters = Clusters::durable(third_times_lucky().await, secondary, &backlog, &[ANSWERED]).await;
    let crowd = Crowd::catching_up(clusters.proxy.listen, (0..WRITERS).map(Writer::new), 0..BATCHES);
    assert!(crowd.finish().await.repeated > 0, "nothing was repeated");
    let copies = (WRITERS * BATCHES) as u64;
    clusters.is_at("mimir_mirror_backlog_copies", copies).await;
    clusters.proxy.kill().await;
    clusters.proxy.start_again().await;
    clusters.is_at("mimir_mirror_recovered_total", copies).await;
    clusters.secondary.resume().await;
    assert_eq!(clusters.assert_kept().await.delivered(), copies);
    assert_eq!(clusters.secondary.begun() as u64, copies);
}

/// Killed while the answer waits for its copy's append: the client was not answered, and repeats.
#[tokio::test]
async fn c9_killed_in_the_middle_what_was_answered_is_kept() {
    let backlog = Backlog::new();
    let [primary, secondary] = [Treatment::prompt(), Treatment::prompt()].map(Receiver::treating);
    let mut clusters = Clusters::durable(primary.await, secondary.await, &backlog, &[ANSWERED]).await;
    let crowd = Crowd::catching_up(clusters.proxy.listen, (0..WRITERS).map(Writer::new), 0..BATCHES);
    for round in 1..=3 {
        crowd.has_answers(WRITERS * BATCHES * round / 4).await;
        clusters.proxy.kill().await;
        clusters.proxy.start_again().await;
    }
    crowd.finish().await;
    clusters.assert_kept().await;
}

/// What is not a write is copied by the same rule.
#[tokio::test]
async fn reads_follow_the_same_rule() {
    let (_primary, mirror, mut proxy) = as_asked().await;
    let read = |status: u16| Request::get(&format!("/read/{status}")).header("X-Answer", status.to_string());
    let mut client = Client::connect(proxy.listen).await;
    for status in [500, 200, 503, 404] {
        assert_eq!(client.exchange(&read(status)).await.status(), status);
    }
    drop(client);
    mirror.received(2).await;
    proxy.terminate().await;
    let targets: HashSet<_> = mirror.requests().iter().map(|m| m.target().to_owned()).collect();
    assert_eq!(targets, ["/read/200", "/read/404"].map(str::to_owned).into());
}

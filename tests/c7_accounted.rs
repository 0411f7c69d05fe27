//! C7: every copy has exactly one outcome, and the sums are exact.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::http1::Message;
use crate::dsl::{Client, Config, Gate, Proxy, Reply, Request, Upstream, bytes_of, until};

/// A mirror that does what the copy's header asks for.
fn as_asked(request: &Message) -> Reply {
    let asked = request.header("x-answer").unwrap_or_default();
    match asked.as_str() {
        "hang" => Reply::silence(),
        "reset" => Reply::silence().reset(),
        "close" => Reply::silence().close(),
        "garbage" => Reply::raw("what?\r\n\r\n").close(),
        "out-of-order" => Reply::new(400, "out of order sample"),
        "duplicate" => Reply::new(400, "err-mimir-sample-duplicate-timestamp"),
        "limit" => Reply::new(400, "per-user series limit exceeded (err-mimir-max-series-per-user)"),
        status => Reply::new(status.parse().expect("a status"), "the mirror's answer"),
    }
}

/// What is asked of the mirror, and the outcome and reason that it means.
const CASES: [(&str, &str, &str); 19] = [
    ("200", "delivered", ""),
    ("204", "delivered", ""),
    ("202", "deduplicated", ""),
    ("out-of-order", "rejected", "out_of_order"),
    ("duplicate", "rejected", "duplicate"),
    ("limit", "rejected", "limit"),
    ("400", "rejected", "other"),
    ("413", "rejected", "other"),
    ("401", "failed", "unauthorized"),
    ("403", "failed", "unauthorized"),
    ("302", "failed", "http_4xx"),
    ("404", "failed", "http_4xx"),
    ("429", "failed", "rate_limited"),
    ("500", "failed", "http_5xx"),
    ("503", "failed", "http_5xx"),
    ("hang", "failed", "unknown_outcome"),
    ("reset", "failed", "reset"),
    ("close", "failed", "reset"),
    ("garbage", "failed", "protocol"),
];

/// Without order: these bodies carry no series to tell apart, and copies that wait for those that hang would take as
/// long as all hangs together.
async fn pair() -> (Upstream, Upstream, Proxy) {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::scripted(as_asked).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config.setting("timeout", "1s").setting("order", "none")).await;
    (primary, mirror, proxy)
}

/// A write that the mirror takes. After each that it may fail, so that nothing looks like an outage, in which copies would
/// be held back.
fn fine() -> Request {
    Request::push("fine").header("X-Answer", "200")
}

/// How many copies end so, if each case came up `each` times and as many were fine.
fn expected(outcome: &str, reason: &str, each: u64) -> u64 {
    let cases = CASES.iter().filter(|(_, o, r)| (*o, *r) == (outcome, reason)).count() as u64;
    let fine = if outcome == "delivered" { CASES.len() as u64 } else { 0 };
    (cases + fine) * each
}

#[tokio::test]
async fn c7_each_answer_of_the_mirror_is_one_outcome() {
    let (primary, _mirror, proxy) = pair().await;
    let mut client = proxy.client().await;
    for (asked, ..) in CASES {
        assert_eq!(client.exchange(&Request::push("x").header("X-Answer", asked)).await.status(), 200);
        assert_eq!(client.exchange(&fine()).await.status(), 200);
    }
    let ledger = proxy.settled_at("secondary", 2 * CASES.len() as u64).await;
    for (asked, outcome, reason) in CASES {
        assert_eq!(ledger.reason(outcome, reason), expected(outcome, reason, 1), "{asked} in {ledger:?}");
    }
    assert_eq!(primary.completed(), 2 * CASES.len());
}

/// One client's share of a mix in which everything happens at once.
async fn mix(mut client: Client, seed: usize, count: usize) {
    for n in 0..count {
        let (asked, ..) = CASES[(seed + n * 7) % CASES.len()];
        let body = bytes_of((seed + n) * 331 % 20_000, 1);
        assert_eq!(client.exchange(&Request::push(body).header("X-Answer", asked)).await.status(), 200);
        assert_eq!(client.exchange(&fine()).await.status(), 200);
    }
}

#[tokio::test]
async fn c7_the_sums_are_exact_after_a_mix_of_everything() {
    const CLIENTS: usize = 8;
    const EACH: usize = 19;
    let (primary, mirror, proxy) = pair().await;
    let mut clients = JoinSet::new();
    for seed in 0..CLIENTS {
        clients.spawn(mix(proxy.client().await, seed, EACH));
    }
    while let Some(done) = clients.join_next().await {
        done.expect("every client got every answer");
    }
    // Each case comes up equally often: seven and nineteen share no factor.
    let total = (CLIENTS * EACH) as u64;
    let ledger = proxy.settled_at("secondary", 2 * total).await;
    for (_, outcome, reason) in CASES {
        let expected = expected(outcome, reason, total / 19);
        assert_eq!(ledger.reason(outcome, reason), expected, "{outcome} {reason} in {ledger:?}");
    }
    assert_eq!(primary.completed() as u64, 2 * total);
    // A reused connection that ends before the first byte of an answer is no attempt: those copies go again, up to three
    // times.
    let again = |m: &&Message| matches!(m.header("x-answer").as_deref(), Some("reset" | "close"));
    let (again, once): (Vec<_>, Vec<_>) = mirror.requests().into_iter().partition(|m| again(&m));
    let (ending, sent) = (total * 2 / 19, again.len() as u64);
    assert_eq!(once.len() as u64, 2 * total - ending);
    assert!((ending..=4 * ending).contains(&sent), "{ending} copies were sent {sent} times");
}

/// One client that leaves in the middle of every third write, on the way to a mirror that fails in every way.
async fn leaving(proxy: &Proxy, seed: usize, count: usize) {
    for n in 0..count {
        let (asked, ..) = CASES[(seed + n) % CASES.len()];
        let request = Request::push(bytes_of(5000, 1)).header("X-Answer", asked);
        let mut client = proxy.client().await;
        if n % 3 == 0 {
            client.send(request.head()).await;
            client.send(&request.wire_body()[..2500]).await;
            client.reset();
        } else {
            assert_eq!(client.exchange(&request).await.status(), 200);
            assert_eq!(client.exchange(&fine()).await.status(), 200);
        }
    }
}

#[tokio::test]
async fn c7_the_sums_are_exact_when_clients_leave() {
    let (_primary, _mirror, proxy) = pair().await;
    let proxy = Arc::new(proxy);
    let mut clients = JoinSet::new();
    for seed in 0..6 {
        let proxy = Arc::clone(&proxy);
        clients.spawn(async move { leaving(&proxy, seed, 57).await });
    }
    while let Some(done) = clients.join_next().await {
        done.expect("every client that stayed got every answer");
    }
    let ledger = proxy.settled_at("secondary", 6 * 2 * 38).await;
    // A reset may overtake the head: what the proxy never read is no request.
    assert!(ledger.incomplete <= 6 * 19, "{ledger:?}");
}

#[tokio::test]
async fn c7_a_refused_connection_is_a_failure_with_its_reason() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Faulty::start(Fault::Refuse).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
    let ledger = proxy.settled_at("secondary", 1).await;
    assert_eq!(ledger.reason("failed", "connect_failed"), 1, "{ledger:?}");
}

#[tokio::test]
async fn c7_a_connection_that_is_not_made_in_time_is_a_failure_with_its_reason() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Faulty::start(Fault::BlackHole).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config.connect_timeout("0.3s")).await;
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
    let ledger = proxy.settled_at("secondary", 1).await;
    assert_eq!(ledger.reason("failed", "connect_timeout"), 1, "{ledger:?}");
}

/// A mirror that closes idle connections is no reason for loss: the copy goes on a fresh one.
#[tokio::test]
async fn c7_a_connection_that_the_mirror_closed_meanwhile_loses_no_copy() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok().close()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for n in 0..50 {
        assert_eq!(client.exchange(&Request::push(format!("{n}"))).await.status(), 200);
    }
    let ledger = proxy.settled_at("secondary", 50).await;
    assert_eq!((ledger.delivered(), mirror.completed()), (50, 50), "{ledger:?}");
}

/// The same race lost: the connection ends when the copy is on its way, before a byte of an answer.
#[tokio::test]
async fn c7_a_reused_connection_that_ends_without_an_answer_is_no_attempt() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::scripted(|request| match request.earlier {
        0 => Reply::ok(),
        _ => Reply::silence().close(),
    })
    .await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for n in 1..=20 {
        assert_eq!(client.exchange(&Request::push(format!("{n}"))).await.status(), 200);
        let ledger = proxy.settled_at("secondary", n).await;
        assert_eq!(ledger.delivered(), n, "{ledger:?}");
    }
    assert!(mirror.completed() > 20, "no connection was used again");
}

#[tokio::test]
async fn c7_an_otlp_push_that_is_taken_in_part_is_partial() {
    let primary = Upstream::answering(Reply::ok()).await;
    let answer = r#"{"partialSuccess":{"rejectedDataPoints":"3"}}"#;
    let mirror = Upstream::answering(Reply::new(200, answer)).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let push = Request::new("POST", "/otlp/v1/metrics").header("content-type", "application/json").body("{}");
    assert_eq!(proxy.send(&push).await.status(), 200);
    let ledger = proxy.settled_at("secondary", 1).await;
    assert_eq!(ledger.outcome("partial"), 1, "{ledger:?}");
}

#[tokio::test]
async fn c7_mirrors_are_accounted_apart() {
    let primary = Upstream::answering(Reply::ok()).await;
    let good = Upstream::answering(Reply::ok()).await;
    let bad = Upstream::answering(Reply::new(503, "")).await;
    let config = Config::envoy().primary(primary.address());
    let proxy = Proxy::start(&config.mirror("good", good.address()).mirror("bad", bad.address())).await;
    let mut client = proxy.client().await;
    for _ in 0..20 {
        assert_eq!(client.exchange(&Request::push("x")).await.status(), 200);
    }
    assert_eq!(proxy.settled_at("good", 20).await.delivered(), 20);
    assert_eq!(proxy.settled_at("bad", 20).await.reason("failed", "http_5xx"), 20);
}

/// While copies are in flight they are pending, no more and no less.
#[tokio::test]
async fn c7_what_is_in_flight_is_pending() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok().behind(&gate)).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for _ in 0..20 {
        assert_eq!(client.exchange(&Request::push("x")).await.status(), 200);
    }
    let ledger = until("twenty pending copies", async || {
        let ledger = proxy.ledger("secondary").await;
        (ledger.pending == 20).then_some(ledger)
    })
    .await;
    ledger.assert_adds_up();
    gate.open();
    assert_eq!(proxy.settled_at("secondary", 20).await.delivered(), 20);
}

/// However a mirror frames its answer, the answer's end is found, and the next copy goes its way.
#[tokio::test]
async fn c7_every_framing_of_the_mirrors_answer_is_understood() {
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end",
        "HTTP/1.0 200 OK\r\n\r\nold",
    ];
    for answer in answers {
        let primary = Upstream::answering(Reply::ok()).await;
        let closes = answer.contains("close") || answer.contains("HTTP/1.0");
        let reply = if closes { Reply::raw(answer).close() } else { Reply::raw(answer) };
        let mirror = Upstream::answering(reply).await;
        let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
        let proxy = Proxy::start(&config).await;
        let mut client = proxy.client().await;
        for n in 1..=5 {
            assert_eq!(client.exchange(&Request::push("x")).await.status(), 200);
            // One after the other, so that a connection that can be used again is.
            let ledger = proxy.settled_at("secondary", n).await;
            assert_eq!(ledger.delivered(), n, "{answer:?}: {ledger:?}");
        }
        assert_eq!(mirror.connections(), if closes { 5 } else { 1 }, "{answer:?}");
    }
}

#[tokio::test]
async fn c7_the_mirrors_answer_to_a_copied_head_has_no_body() {
    let primary = Upstream::answering(Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")).await;
    let mirror = Upstream::answering(Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for n in 1..=3 {
        client.send(Request::new("HEAD", "/x").bytes()).await;
        assert_eq!(client.answer_to_head().await.status(), 200);
        assert_eq!(proxy.settled_at("secondary", n).await.delivered(), n);
    }
}

/// A verdict that comes before the copy is sent is a verdict, not a broken connection.
#[tokio::test]
async fn c7_a_mirror_that_answers_before_it_has_read_all_is_understood() {
    let primary = Upstream::answering(Reply::ok()).await;
    let answer = "HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let mirror = Upstream::answering(Reply::raw(answer).early()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for _ in 0..5 {
        assert_eq!(client.exchange(&Request::push(bytes_of(5 << 20, 1))).await.status(), 200);
    }
    let ledger = proxy.settled_at("secondary", 5).await;
    assert_eq!(ledger.reason("rejected", "other"), 5, "{ledger:?}");
}

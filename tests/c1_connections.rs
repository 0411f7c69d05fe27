//! C1, the connections: whatever way a client sends a request, the primary gets that request.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request as H2Request};
use tokio::task::JoinSet;

use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::http1::{Framing, Message};
use crate::dsl::ports::Port;
use crate::dsl::{Config, Gate, Proxy, Reply, Request, Upstream, bytes_of, until};

/// A proxy whose primary answers each request with its target, so that answers can be told apart.
async fn echo() -> (Upstream, Proxy) {
    let primary = Upstream::scripted(|request| Reply::new(200, request.target())).await;
    let config = Config::envoy().primary(primary.address());
    let proxy = Proxy::start(&config).await;
    (primary, proxy)
}

#[tokio::test]
async fn c1_one_connection_serves_many_requests_on_one_primary_connection() {
    let (primary, proxy) = echo().await;
    let mut client = proxy.client().await;
    for n in 0..50 {
        let target = format!("/{n}");
        assert_eq!(
            client.exchange(&Request::new("POST", &target).body(bytes_of(n * 100, 1))).await.text(),
            target
        );
    }
    assert_eq!((primary.completed(), primary.connections()), (50, 1));
}

#[tokio::test]
async fn c1_pipelined_requests_are_answered_in_order() {
    let (primary, proxy) = echo().await;
    let mut client = proxy.client().await;
    let targets: Vec<_> = (0..10).map(|n| format!("/{n}")).collect();
    let all: Vec<u8> = targets.iter().flat_map(|t| Request::new("POST", t).body("body").bytes()).collect();
    client.send(all).await;
    for target in &targets {
        assert_eq!(client.answer().await.text(), *target);
    }
    assert_eq!(primary.completed(), 10);
}

#[tokio::test]
async fn c1_a_request_sent_byte_by_byte_arrives() {
    let (primary, proxy) = echo().await;
    let mut client = proxy.client().await;
    let body = bytes_of(100, 2);
    for byte in Request::push(body.clone()).bytes() {
        client.send([byte]).await;
    }
    assert_eq!(client.answer().await.status(), 200);
    assert_eq!(primary.only().await.body, body);
}

#[tokio::test]
async fn c1_the_primary_gets_the_body_while_the_client_still_sends() {
    let (primary, proxy) = echo().await;
    let mut client = proxy.client().await;
    let request = Request::push(bytes_of(1000, 3));
    client.send(request.head()).await;
    client.send(&request.wire_body()[..500]).await;
    until("the request's begin at the primary", async || (primary.begun() == 1).then_some(())).await;
    client.send(&request.wire_body()[500..]).await;
    assert_eq!(client.answer().await.status(), 200);
    assert!(primary.only().await.complete);
}

#[tokio::test]
async fn c1_a_client_that_finishes_sending_is_served() {
    let (primary, proxy) = echo().await;
    let mut client = proxy.client().await;
    client.send(Request::push("body").bytes()).await;
    client.finish_sending().await;
    assert_eq!(primary.only().await.text(), "body");
}

#[tokio::test]
async fn c1_connection_close_is_honoured() {
    let (_primary, proxy) = echo().await;
    let mut client = proxy.client().await;
    let got = client.exchange(&Request::get("/x").header("Connection", "close")).await;
    assert_eq!((got.text(), got.header("connection").as_deref()), ("/x".to_owned(), Some("close")));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn c1_a_primary_that_closes_after_each_answer_is_not_noticed() {
    let primary = Upstream::answering(Reply::ok().close()).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    let mut client = proxy.client().await;
    for n in 0..30 {
        let got = client.exchange(&Request::push(format!("body {n}"))).await;
        assert_eq!(got.status(), 200, "request {n}: {}", got.text());
    }
    assert_eq!(primary.completed(), 30);
}

/// The race that every pool can lose: the primary closes an idle connection while a write is on its way.
#[tokio::test]
async fn c1_a_write_that_meets_a_closing_connection_is_sent_once_more() {
    let primary = Upstream::scripted(|request| match request.earlier {
        0 => Reply::ok(),
        _ => Reply::silence().close(),
    })
    .await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    let mut client = proxy.client().await;
    for n in 0..20 {
        let got = client.exchange(&Request::push(bytes_of(1000, n))).await;
        assert_eq!(got.status(), 200, "request {n}: {}", got.text());
    }
    assert!(primary.completed() > 20, "no connection was used again");
}

#[tokio::test]
async fn c1_a_primary_that_restarts_between_two_requests_is_not_noticed() {
    let port = Port::reserve();
    let proxy = Proxy::start(&Config::envoy().primary(port.address())).await;
    let mut client = proxy.client().await;
    for life in 0..5 {
        let primary = Upstream::at(port.address(), |_| Reply::ok()).await;
        for n in 0..3 {
            let got = client.exchange(&Request::push("body")).await;
            assert_eq!(got.status(), 200, "request {n} of life {life}: {}", got.text());
        }
        assert_eq!(primary.completed(), 3);
        primary.stop().await;
    }
}

#[tokio::test]
async fn c1_concurrent_requests_do_not_wait_for_each_other() {
    let gate = Gate::closed();
    let primary = Upstream::scripted({
        let gate = gate.clone();
        move |request| match request.target() {
            "/held" => Reply::new(200, "held").behind(&gate),
            other => Reply::new(200, other),
        }
    })
    .await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut client = proxy.client().await;
        client.send(Request::get("/held").bytes()).await;
        held.push(client);
    }
    primary.received(8).await;
    assert_eq!(proxy.send(&Request::get("/free")).await.text(), "/free");
    gate.open();
    for mut client in held {
        assert_eq!(client.answer().await.text(), "held");
    }
}

fn h2_post(target: &str) -> http::request::Builder {
    H2Request::post(format!("http://mimir.example{target}"))
}

#[tokio::test]
async fn c1_http2_without_tls_is_served() {
    let (primary, proxy) = echo().await;
    let client = H2Client::connect(proxy.listen).await;
    let body = bytes_of(200_000, 4);
    let head =
        h2_post("/api/v1/push?a=%2f").header("content-length", body.len()).header("x-scope-orgid", "t1");
    let answer = client.exchange(head, Frames::default().data(body.clone())).await;
    assert_eq!(
        (answer.head.status().as_u16(), answer.body.as_ref()),
        (200, b"/api/v1/push?a=%2f".as_slice())
    );
    assert!(answer.trailers.is_none());
    let got = primary.only().await;
    assert_eq!((got.target(), got.method()), ("/api/v1/push?a=%2f", "POST"));
    assert_eq!(
        (got.header("host").as_deref(), got.framing.clone()),
        (Some("mimir.example"), Framing::Length(200_000))
    );
    assert_eq!(got.header("x-scope-orgid").as_deref(), Some("t1"));
    assert!(got.body == body, "the body was changed");
}

#[tokio::test]
async fn c1_http2_without_a_length_becomes_chunked() {
    let (primary, proxy) = echo().await;
    let client = H2Client::connect(proxy.listen).await;
    client.exchange(h2_post("/x"), Frames::default().data("one").data("two")).await;
    let got = primary.only().await;
    assert_eq!((got.framing.clone(), got.text()), (Framing::Chunked, "onetwo".to_owned()));
}

#[tokio::test]
async fn c1_http2_without_a_body_announces_none() {
    let (primary, proxy) = echo().await;
    let client = H2Client::connect(proxy.listen).await;
    client.exchange(H2Request::get("http://mimir.example/x"), Frames::default()).await;
    assert_eq!(primary.only().await.framing, Framing::None);
}

#[tokio::test]
async fn c1_http2_streams_run_side_by_side() {
    let (primary, proxy) = echo().await;
    let client = Arc::new(H2Client::connect(proxy.listen).await);
    let targets: Vec<_> = (0..40).map(|n| format!("/{n}")).collect();
    let mut answers = JoinSet::new();
    for target in targets.clone() {
        let client = Arc::clone(&client);
        answers.spawn(async move {
            let answer = client.exchange(h2_post(&target), Frames::default().data(bytes_of(10_000, 5))).await;
            assert_eq!(answer.body.as_ref(), target.as_bytes());
        });
    }
    while let Some(done) = answers.join_next().await {
        done.unwrap();
    }
    let mut got: Vec<_> =
        primary.received(40).await.iter().map(|m: &Message| m.target().to_owned()).collect();
    let mut expected = targets;
    got.sort();
    expected.sort();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn c1_http2_carries_ten_mebibytes() {
    let (primary, proxy) = echo().await;
    let client = H2Client::connect(proxy.listen).await;
    let body = bytes_of(10 << 20, 6);
    let answer = client.exchange(h2_post("/x"), Frames::default().data(body.clone())).await;
    assert_eq!(answer.head.status().as_u16(), 200);
    assert!(primary.only().await.body == body, "the body was changed");
}

/// HTTP/2 may split cookies into several fields, HTTP/1.1 must not (RFC 9113, 8.2.3).
#[tokio::test]
async fn c1_http2_cookies_are_joined() {
    let (primary, proxy) = echo().await;
    let client = H2Client::connect(proxy.listen).await;
    let head = h2_post("/x").header("cookie", "a=1").header("cookie", "b=2");
    client.exchange(head, Frames::default().data("x")).await;
    assert_eq!(primary.only().await.header("cookie").as_deref(), Some("a=1; b=2"));
}

#[tokio::test]
async fn c1_http2_trailers_arrive() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let client = H2Client::connect(proxy.listen).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    let head = h2_post("/x").header("trailer", "x-sum").header("te", "trailers");
    client.exchange(head, Frames::default().data("body").trailers(trailers)).await;
    let got = primary.only().await;
    assert_eq!(
        (got.text(), got.trailers.clone()),
        ("body".to_owned(), vec![("x-sum".to_owned(), b"1".to_vec())])
    );
}

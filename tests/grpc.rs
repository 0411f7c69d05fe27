//! gRPC passes through: unary calls, and streams in both directions that neither end has to finish first.
//!
//! A call is a POST over HTTP/2 with `application/grpc`, messages behind five bytes each, and its result in trailers.

use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::h2c::{Frames, H2Client, collect, next_data};
use crate::dsl::ports::Port;
use crate::dsl::streams::{Stream, fields, message, stream};
use crate::dsl::wait::within;
use crate::dsl::{Config, H2Upstream, Proxy, Reply, Upstream, bytes_of, until};

fn call(method: &str) -> http::request::Builder {
    Request::post(format!("http://mimir.example/test.Echo/{method}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .header("x-scope-orgid", "t1")
}

fn ok() -> HeaderMap {
    fields(&[("grpc-status", "0"), ("grpc-message", "")])
}

fn answer(body: Stream) -> Response<Stream> {
    Response::builder().header("content-type", "application/grpc+proto").body(body).expect("an answer")
}

/// Sends every message back as it comes, and then the status.
async fn echo(request: Request<Incoming>) -> Response<Stream> {
    let (feed, body) = stream();
    tokio::spawn(async move {
        let mut request = request.into_body();
        while let Some(Ok(frame)) = request.frame().await {
            if let Ok(data) = frame.into_data() {
                feed.data(data);
            }
        }
        feed.trailers(ok());
    });
    answer(body)
}

/// An echo behind the proxy, and a mirror that must get nothing.
async fn between(entries: &str) -> (H2Upstream, Upstream, Proxy) {
    let primary = H2Upstream::scripted(100, async |request, book| {
        if request.uri().path().ends_with("Refused") {
            let refused = fields(&[("content-type", "application/grpc"), ("grpc-status", "7")]);
            let mut answer = Response::new(Stream::of([], None));
            *answer.headers_mut() = refused;
            return Ok(answer);
        }
        if request.uri().path().ends_with("Unary") {
            let seen = book.read(request).await;
            return Ok(answer(Stream::of([seen.body.into()], Some(ok()))));
        }
        Ok(echo(request).await)
    })
    .await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).http2("").mirror("secondary", mirror.address());
    let proxy = Proxy::start(&if entries.is_empty() { config } else { config.timeout(entries) }).await;
    (primary, mirror, proxy)
}

/// A call is no copy, and the ledger says so.
async fn never_copied(proxy: &Proxy, mirror: &Upstream, calls: u64) {
    let ledger = proxy.ledger("secondary").await;
    assert_eq!((ledger.received, ledger.excluded), (0, calls), "{ledger:?}");
    assert_eq!(mirror.begun(), 0);
}

#[tokio::test]
async fn a_unary_call_has_its_answer_and_its_status() {
    let (primary, mirror, proxy) = between("").await;
    let client = H2Client::connect(proxy.listen).await;
    let got = client.exchange(call("Unary"), Frames::default().data(message("hello"))).await;
    assert_eq!((got.head.status().as_u16(), got.body), (200, message("hello")));
    assert_eq!(got.head.headers()["content-type"], "application/grpc+proto");
    assert_eq!(got.trailers, Some(ok()));
    let seen = primary.only().await;
    assert_eq!((seen.header("te"), seen.header("x-scope-orgid")), (Some("trailers"), Some("t1")));
    assert_eq!(
        (seen.header("content-type"), seen.header("content-length")),
        (Some("application/grpc+proto"), None)
    );
    never_copied(&proxy, &mirror, 1).await;
}

#[tokio::test]
async fn a_status_without_messages_comes_with_the_head() {
    let (_primary, mirror, proxy) = between("").await;
    let client = H2Client::connect(proxy.listen).await;
    let got = client.exchange(call("Refused"), Frames::default().data(message("x"))).await;
    assert_eq!((got.head.headers()["grpc-status"].as_bytes(), got.trailers), (&b"7"[..], None));
    never_copied(&proxy, &mirror, 1).await;
}

/// The answer's messages come while the request's still flow.
#[tokio::test]
async fn messages_go_both_ways_at_the_same_time() {
    let (_primary, mirror, proxy) = between("").await;
    let client = H2Client::connect(proxy.listen).await;
    let (feed, head) = client.open(call("Chat"));
    let mut body = head.await.into_body();
    for n in 0..20 {
        let text = format!("message {n}");
        feed.data(message(&text));
        assert_eq!(next_data(&mut body).await, message(&text));
    }
    drop(feed);
    let trailers = within("the status", body.collect()).await.expect("an end").trailers().cloned();
    assert_eq!(trailers, Some(ok()));
    never_copied(&proxy, &mirror, 1).await;
}

#[tokio::test]
async fn a_large_stream_goes_through_whole() {
    let (_primary, mirror, proxy) = between("").await;
    let client = H2Client::connect(proxy.listen).await;
    let sent = bytes_of(10 << 20, 7);
    let (feed, head) = client.open(call("Chat"));
    for part in sent.chunks(100_000) {
        feed.data(part.to_vec());
    }
    drop(feed);
    let got = collect(head.await).await;
    assert!(got.body == sent, "the stream was changed");
    assert_eq!(got.trailers, Some(ok()));
    never_copied(&proxy, &mirror, 1).await;
}

/// The route's timeout begins with the end of the request, so that it does not cut a stream that goes on.
#[tokio::test]
async fn a_stream_outlives_the_routes_timeout() {
    let (_primary, _mirror, proxy) = between("0.3s").await;
    let client = H2Client::connect(proxy.listen).await;
    let (feed, head) = client.open(call("Chat"));
    let mut body = head.await.into_body();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(900) {
        feed.data(message("still here"));
        assert_eq!(next_data(&mut body).await, message("still here"));
    }
    drop(feed);
    assert!(within("the status", body.collect()).await.is_ok());
}

#[tokio::test]
async fn a_call_given_up_by_its_client_is_reset_at_the_primary() {
    let (primary, _mirror, proxy) = between("").await;
    let client = H2Client::connect(proxy.listen).await;
    let (feed, head) = client.open(call("Unary"));
    let head = tokio::spawn(head);
    feed.data(message("half"));
    until("the call at the primary", async || {
        let begun = proxy.metrics().await.sum("envoy_cluster_upstream_rq_total", &[]);
        (begun == 1).then_some(())
    })
    .await;
    feed.reset();
    let seen = primary.only().await;
    assert!(!seen.complete, "a call that was given up came to its end");
    head.abort();
}

/// What the proxy answers itself is a status of gRPC, as in Envoy.
#[tokio::test]
async fn answers_of_the_proxys_own_are_statuses() {
    let nobody = Port::reserve();
    let hosts = "[{ name: all, domains: [\"*\"], routes: [{ match: { prefix: /test. }, route: { cluster: primary } }] }]";
    let config = Config::envoy().primary(nobody.address()).virtual_hosts(hosts);
    let proxy = Proxy::start(&config).await;
    let client = H2Client::connect(proxy.listen).await;
    let got = client.exchange(call("Unary"), Frames::default().data(message("x"))).await;
    let headers = got.head.headers();
    assert_eq!((got.head.status().as_u16(), headers["grpc-status"].as_bytes()), (200, &b"14"[..]));
    assert!(headers["grpc-message"].to_str().unwrap().contains("reset reason: remote connection failure"));
    assert_eq!(headers["content-type"], "application/grpc");
    let other = Request::post("http://h/other").header("content-type", "application/grpc");
    let got = client.exchange(other, Frames::default()).await;
    assert_eq!((got.head.status().as_u16(), got.head.headers()["grpc-status"].as_bytes()), (200, &b"12"[..]));
}

/// A mirror that takes nothing is not felt over HTTP/2 either, whatever the size.
#[tokio::test]
async fn c2_a_stuck_mirror_changes_nothing_over_http2() {
    let primary = H2Upstream::echoing().await;
    let mirror = Faulty::start(Fault::NeverRead).await;
    let config = Config::envoy().primary(primary.address()).http2("").mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config.setting("timeout", "1s").setting("max_age", "1s")).await;
    let client = H2Client::connect(proxy.listen).await;
    for _ in 0..4 {
        let head = Request::post("http://mimir.example/api/v1/push");
        let got = client.exchange(head, Frames::default().data(bytes_of(10 << 20, 4))).await;
        assert_eq!((got.head.status().as_u16(), got.body.as_ref()), (200, b"/api/v1/push".as_slice()));
    }
    assert!(primary.received(4).await.iter().all(|seen| seen.body.len() == 10 << 20));
    assert_eq!(proxy.settled_at("secondary", 4).await.delivered(), 0);
}

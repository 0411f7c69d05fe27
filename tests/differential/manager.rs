//! Fields of the HTTP connection manager and the router.

use std::net::Ipv4Addr;

use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::{Client, Gate, Reply, Request, bytes_of};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

#[tokio::test]
async fn stat_prefix() {
    Scenario::of(File::text(&File::new().render().replace("stat_prefix: ingress", "stat_prefix: other")))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("http.other.downstream_rq_2xx", 1).await;
            run.stat("http.other.downstream_cx_total", 1).await;
            assert_eq!(run.read_stat("http.ingress.downstream_rq_2xx").await, "(absent)");
        })
        .await;
}

#[tokio::test]
async fn codec_type_http1() {
    alike(File::new().manager("codec_type: HTTP1"), vec![("a write", Request::push("x"))]).await;
}

#[tokio::test]
async fn codec_type_http2() {
    Scenario::of(File::new().manager("codec_type: HTTP2"))
        .only(|what| what.ends_with("client: status") || what.starts_with("http2"))
        .run(async |run| {
            let client = H2Client::connect(run.listen()).await;
            let head = http::Request::post("http://mimir.example/api/v1/push");
            let answer = client.exchange(head, Frames::default().data("x")).await;
            run.note("http2 / client", answer.head.status());
            run.arrived("http2", &BOTH).await;
            run.raw("http1", &Request::get("/x").bytes(), &[]).await;
        })
        .await;
}

async fn alike(file: File, requests: Vec<(&'static str, Request)>) {
    Scenario::of(file)
        .run(async |run| {
            for (step, request) in &requests {
                run.exchange(step, request, &BOTH).await;
            }
        })
        .await;
}

#[tokio::test]
async fn server_name() {
    alike(File::new().manager("server_name: mimir"), vec![("a write", Request::push("x"))]).await;
}

#[tokio::test]
async fn generate_request_id() {
    let own = Request::push("x").header("X-Request-Id", "mine");
    let requests = vec![("without", Request::push("x")), ("with", own)];
    alike(File::new().manager("generate_request_id: false"), requests).await;
}

/// The address of a client that is not this machine's own would be `x-envoy-external-address`; here both see a
/// loopback address, for which Envoy writes one of its own.
#[tokio::test]
async fn use_remote_address() {
    let requests = vec![
        ("a write", Request::push("x")),
        ("a chain", Request::push("x").header("X-Forwarded-For", "9.9.9.9")),
        ("an id", Request::push("x").header("X-Request-Id", "6a9e3f5e-1b1f-4a6e-9f0f-0123456789ab")),
        ("a timeout", Request::push("x").header("X-Envoy-Upstream-Rq-Timeout-Ms", "700")),
    ];
    alike(File::new().manager("use_remote_address: true"), requests).await;
}

#[tokio::test]
async fn suppress_envoy_headers() {
    alike(File::new().router("suppress_envoy_headers: true"), vec![("a write", Request::push("x"))]).await;
}

#[tokio::test]
async fn max_request_headers_kb() {
    Scenario::of(File::new().manager("max_request_headers_kb: 1"))
        .only(|what| what.ends_with("client: status") || what.starts_with("unexpected"))
        .run(async |run| {
            let long = Request::get("/x").header("X-Long", "x".repeat(2000));
            run.raw("too long", &long.bytes(), &[]).await;
            run.exchange("short", &Request::get("/x").header("X-Short", "x".repeat(500)), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn stream_idle_timeout_while_the_primary_is_silent() {
    Scenario::of(File::new().manager("stream_idle_timeout: 0.5s"))
        .gated("primary", |gate| Reply::ok().behind(gate))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("http.ingress.downstream_rq_idle_timeout", 1).await;
        })
        .await;
}

/// A client that announces a body and sends none: its answer, and what counts it.
async fn stalled(timeout: &str, statistic: &str) {
    let bytes = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
    Scenario::of(File::new().manager(timeout).policies("[]"))
        .only(|what| ["status", "body"].iter().any(|end| what.ends_with(&format!("client: {end}"))))
        .run(async |run| {
            let mut client = run.client().await;
            client.send(bytes).await;
            let answer = client.answer().await;
            run.answered("stalled", Some(&answer));
            run.broken("stalled", "primary").await;
            run.stat(&format!("http.ingress.{statistic}"), 1).await;
        })
        .await;
}

#[tokio::test]
async fn stream_idle_timeout_while_the_client_is_silent() {
    stalled("stream_idle_timeout: 0.5s", "downstream_rq_idle_timeout").await;
}

#[tokio::test]
async fn request_timeout() {
    stalled("request_timeout: 0.5s", "downstream_rq_timeout").await;
}

#[tokio::test]
async fn request_headers_timeout() {
    Scenario::of(File::new().manager("request_headers_timeout: 0.5s"))
        .only(|what| what.ends_with("client: status"))
        .differs(
            "stalled / client: status",
            "408",
            "closed",
            "what has no head yet may be a write, whose sender drops its data for good on a 4xx",
        )
        .run(async |run| {
            let bytes = b"GET /x HTTP/1.1\r\nHost: h\r\n";
            run.raw("stalled", bytes, &[]).await;
        })
        .await;
}

/// Both close a connection on which nothing happens.
#[tokio::test]
async fn idle_timeout() {
    Scenario::of(File::new().manager("common_http_protocol_options: { idle_timeout: 0.5s }"))
        .run(async |run| {
            let mut client = run.client().await;
            let answer = client.exchange(&Request::push("x")).await;
            run.answered("a write", Some(&answer));
            run.arrived("a write", &BOTH).await;
            run.note("rest", client.rest().await.len());
            run.stat("http.ingress.downstream_cx_idle_timeout", 1).await;
        })
        .await;
}

/// From another address of this machine, so that the listener's own address is no accident.
#[tokio::test]
async fn a_client_of_another_address() {
    Scenario::of(File::new())
        .run(async |run| {
            let mut client = Client::connect_from(Ipv4Addr::new(127, 0, 0, 2), run.listen()).await;
            let answer = client.exchange(&Request::push(bytes_of(1000, 1))).await;
            run.answered("a write", Some(&answer));
            run.arrived("a write", &BOTH).await;
        })
        .await;
}

/// What `stream_idle_timeout: 0s` switches off, nothing ends: the answer comes whenever the primary gives it.
#[tokio::test]
async fn no_timeouts() {
    let file = File::new().manager("stream_idle_timeout: 0s").action("timeout: 0s");
    Scenario::of(file)
        .gated("primary", |gate: &Gate| Reply::ok().behind(gate))
        .run(async |run| {
            let mut client = run.client().await;
            client.send(Request::push("x").bytes()).await;
            run.arrived("a write", &BOTH).await;
            run.gate.open();
            let answer = client.answer().await;
            run.answered("a write", Some(&answer));
        })
        .await;
}

//! Connections of HTTP/2 to the primary: shared by many requests, replaced when they are used up.

use std::sync::Arc;

use http::Response;
use tokio::task::JoinSet;

use crate::dsl::h2_upstream::Reset;
use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::ports::Port;
use crate::dsl::streams::Stream;
use crate::dsl::{Config, Gate, H2Upstream, Proxy, Request};

const ONE_WORKER: [&str; 2] = ["--concurrency", "1"];

fn config(primary: &H2Upstream) -> Config {
    Config::envoy().primary(primary.address()).http2("")
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let gate = Gate::closed();
    let primary = H2Upstream::gated(100, &gate, |_| true).await;
    let proxy = Proxy::launch_with(&config(&primary), &ONE_WORKER).await;
    let mut answers = JoinSet::new();
    for _ in 0..40 {
        let mut client = proxy.client().await;
        answers.spawn(async move { client.exchange(&Request::push("x")).await.status() });
    }
    primary.received(40).await;
    gate.open();
    while let Some(status) = answers.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(primary.connections(), 1);
    let metrics = proxy.metrics().await;
    let own = [("envoy_cluster_name", "primary")];
    assert_eq!(metrics.sum("envoy_cluster_upstream_cx_http2_total", &own), 1);
    assert_eq!(metrics.sum("envoy_cluster_upstream_rq_total", &own), 40);
}

#[tokio::test]
async fn where_streams_run_out_another_connection_is_made() {
    let gate = Gate::closed();
    let primary = H2Upstream::gated(3, &gate, |path| path == "/held").await;
    let proxy = Proxy::launch_with(&config(&primary), &ONE_WORKER).await;
    // The server's limit is known once it has answered.
    assert_eq!(proxy.send(&Request::get("/first")).await.status(), 200);
    let client = Arc::new(H2Client::connect(proxy.listen).await);
    let mut answers = JoinSet::new();
    for _ in 0..10 {
        let client = Arc::clone(&client);
        answers.spawn(async move {
            client
                .exchange(http::Request::post("http://mimir.example/held"), Frames::default().data("x"))
                .await
                .head
                .status()
        });
    }
    primary.received(11).await;
    assert!((4..=6).contains(&primary.connections()), "{} connections for 10 streams", primary.connections());
    gate.open();
    while let Some(status) = answers.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
}

#[tokio::test]
async fn c1_a_primary_that_restarts_is_not_noticed() {
    let port = Port::reserve();
    let config = Config::envoy().primary(port.address()).http2("");
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for life in 0..4 {
        let primary = H2Upstream::at(port.address(), 100, async |request, book| {
            book.read(request).await;
            Ok(Response::new(Stream::of([], None)))
        })
        .await;
        for n in 0..3 {
            let got = client.exchange(&Request::push("body")).await;
            assert_eq!(got.status(), 200, "request {n} of life {life}: {}", got.text());
        }
        assert_eq!(primary.received(3).await.len(), 3);
        primary.stop().await;
    }
}

/// A stream that the server refuses had no effect there, so any request may be sent again.
#[tokio::test]
async fn c1_a_refused_stream_is_sent_again() {
    let primary = H2Upstream::scripted(100, async |request, book| {
        let seen = book.read(request).await;
        if book.count() == 1 {
            return Err(Reset::with(h2::Reason::REFUSED_STREAM));
        }
        Ok(Response::new(Stream::of([seen.body.into()], None)))
    })
    .await;
    let proxy = Proxy::start(&config(&primary)).await;
    let answer = proxy.send(&Request::new("PATCH", "/x").body("once")).await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "once"));
    assert_eq!(primary.received(2).await.len(), 2);
}

#[tokio::test]
async fn a_connection_is_given_up_after_so_many_requests() {
    let primary = H2Upstream::echoing().await;
    let limit = "common_http_protocol_options: { max_requests_per_connection: 3 }";
    let version = "explicit_http_config: { http2_protocol_options: {} }";
    let config = Config::envoy().primary(primary.address()).protocol(&format!("{version}, {limit}"));
    let proxy = Proxy::launch_with(&config, &ONE_WORKER).await;
    let mut client = proxy.client().await;
    for _ in 0..9 {
        assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
    }
    let seen = primary.received(9).await;
    let connections: Vec<_> = seen.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
}

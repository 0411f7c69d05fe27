//! What both answer by themselves: status, words, headers, and what is counted.

use crate::dsl::fault::Fault;
use crate::dsl::{Reply, Request};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

const CLOSES: &str = "nobody had asked for the body when the answer came, so the connection ends with it";

#[tokio::test]
async fn no_route() {
    Scenario::of(File::new().matching("prefix: /api"))
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &[]).await;
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
            run.stat("http.ingress.no_route", 1).await;
            run.stat("http.ingress.downstream_rq_4xx", 1).await;
        })
        .await;
}

#[tokio::test]
async fn no_host() {
    let empty = "type: STRICT_DNS, load_assignment: { cluster_name: primary, endpoints: [{ lb_endpoints: \
                 [{ endpoint: { address: { socket_address: { address: primary.invalid, port_value: 80 } } } }] }] }";
    Scenario::of(File::new().cluster("primary", empty))
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &[]).await;
            run.stat("cluster.primary.upstream_cx_none_healthy", 1).await;
            run.stat("http.ingress.downstream_rq_5xx", 1).await;
        })
        .await;
}

#[tokio::test]
async fn connection_refused() {
    Scenario::of(File::new())
        .faulty("primary", Fault::Refuse)
        .differs("a write / client: connection", "(absent)", "close", CLOSES)
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &["mirror"]).await;
            run.exchange("a write", &Request::push("x"), &["mirror"]).await;
            run.stat("cluster.primary.upstream_cx_connect_fail", 2).await;
            run.stat("cluster.primary.upstream_rq_503", 2).await;
        })
        .await;
}

#[tokio::test]
async fn closed_before_an_answer() {
    Scenario::of(File::new())
        .upstream("primary", |_| Reply::silence().close())
        .run(async |run| {
            run.exchange("a post", &Request::new("POST", "/x").body("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_cx_destroy_remote_with_active_rq", 1).await;
            run.stat("cluster.primary.upstream_rq_503", 1).await;
        })
        .await;
}

#[tokio::test]
async fn reset_before_an_answer() {
    Scenario::of(File::new())
        .upstream("primary", |_| Reply::silence().reset())
        .run(async |run| {
            run.exchange("a post", &Request::new("POST", "/x").body("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_cx_destroy_remote_with_active_rq", 1).await;
        })
        .await;
}

#[tokio::test]
async fn route_timeout() {
    Scenario::of(File::new().action("timeout: 0.3s"))
        .gated("primary", |gate| Reply::ok().behind(gate))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_rq_timeout", 1).await;
            run.stat("cluster.primary.upstream_cx_destroy_local_with_active_rq", 1).await;
            run.stat("http.ingress.downstream_rq_5xx", 1).await;
            run.stat("http.ingress.downstream_rq_timeout", 0).await;
        })
        .await;
}

/// Half of an answer cannot be taken back: the client's connection ends in the middle.
#[tokio::test]
async fn an_answer_that_breaks_off() {
    Scenario::of(File::new())
        .upstream("primary", |_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").close())
        .run(async |run| {
            run.exchange("a post", &Request::new("POST", "/x").body("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_cx_destroy_remote_with_active_rq", 1).await;
        })
        .await;
}

#[tokio::test]
async fn an_answer_that_is_none() {
    Scenario::of(File::new())
        .faulty("primary", Fault::Garbage)
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &["mirror"]).await;
        })
        .await;
}

#[tokio::test]
async fn an_early_answer() {
    Scenario::of(File::new())
        .upstream("primary", |_| Reply::new(413, "too much").early().close())
        .only(|what| !what.starts_with("unexpected") && what.contains("client"))
        .run(async |run| {
            let mut client = run.client().await;
            client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nsome").await;
            let answer = client.answer().await;
            run.answered("a post", Some(&answer));
        })
        .await;
}

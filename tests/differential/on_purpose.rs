//! What ours does otherwise because the contract asks for it, and no single field is the reason.

use crate::dsl::{Reply, Request, bytes_of};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

/// `prefix: /` would shut down the secondary's ingesters with the primary's.
#[tokio::test]
async fn paths_that_stop_a_cluster() {
    let why = "paths that change or stop a cluster are not copied unless `copy_admin: true` says so";
    Scenario::of(File::new())
        .only(|what| what.ends_with(": line") || what.starts_with("unexpected"))
        .differs("a shutdown / mirror: line", "POST /ingester/shutdown HTTP/1.1", "(absent)", why)
        .run(async |run| {
            let reached = if run.is_envoy() { BOTH.as_slice() } else { &["primary"] };
            run.exchange("a shutdown", &Request::new("POST", "/ingester/shutdown").body(""), reached).await;
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
        })
        .await;
}

/// The settings of ours stand where Envoy ignores them, and then both do the same.
#[tokio::test]
async fn paths_that_stop_a_cluster_where_they_are_copied() {
    let own = "metadata: { filter_metadata: { mimir_mirror: { copy_admin: true } } }";
    Scenario::of(File::new().cluster("mirror", own))
        .run(async |run| {
            run.exchange("a shutdown", &Request::new("POST", "/ingester/shutdown").body(""), &BOTH).await;
        })
        .await;
}

/// A server may close an idle connection just when the next request is on its way.
#[tokio::test]
async fn a_dead_pooled_connection() {
    let why = "a write may be repeated, and no client should see a server's idle timeout";
    Scenario::of(File::new().policies("[]"))
        // Whose pool has the connection.
        .one_worker()
        .replies("primary", &[Reply::ok(), Reply::silence().close(), Reply::new(200, "again")])
        .only(|what| what.contains("client: status") || what.contains("primary: line"))
        .differs("second / client: status", "503", "200", why)
        .differs("again / primary: line", "(absent)", "POST /api/v1/push HTTP/1.1", why)
        .run(async |run| {
            run.exchange("first", &Request::push("x"), &["primary"]).await;
            run.stat("cluster.primary.upstream_rq_200", 1).await;
            run.exchange("second", &Request::push("x"), &["primary"]).await;
            if !run.is_envoy() {
                run.arrived("again", &["primary"]).await;
            }
        })
        .await;
}

/// Otherwise the secondary would have what the primary has not.
#[tokio::test]
async fn a_client_that_leaves_after_its_request() {
    let why = "a complete request is carried to its end on both legs";
    Scenario::of(File::new())
        .gated("primary", |gate| Reply::ok().behind(gate))
        .differs("the primary's attempt", "cancelled", "answered", why)
        .run(async |run| {
            let mut client = run.client().await;
            client.send(Request::push("x").bytes()).await;
            run.arrived("a write", &BOTH).await;
            client.reset();
            run.stat("http.ingress.downstream_cx_active", 0).await;
            run.gate.open();
            if run.is_envoy() {
                run.stat("cluster.primary.upstream_cx_destroy_local_with_active_rq", 1).await;
                run.note("the primary's attempt", "cancelled");
            } else {
                run.stat("cluster.primary.upstream_rq_200", 1).await;
                run.note("the primary's attempt", "answered");
            }
            run.stat("cluster.mirror.internal.upstream_rq_200", 1).await;
        })
        .await;
}

/// Earlier versions of Envoy lost copies above a megabyte; neither does now.
#[tokio::test]
async fn large_bodies_are_copied() {
    Scenario::of(File::new())
        .run(async |run| {
            run.exchange("12 MiB", &Request::push(bytes_of(12 << 20, 1)), &BOTH).await;
            let chunk = bytes_of(1 << 20, 2);
            let chunks = vec![chunk.as_slice(); 6];
            run.exchange("chunks", &Request::new("POST", "/x").chunks(&chunks), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn pipelined_requests() {
    Scenario::of(File::new().policies("[]"))
        .upstream("primary", |message| Reply::new(200, message.target()))
        .run(async |run| {
            let mut client = run.client().await;
            let both = [Request::get("/first").bytes(), Request::get("/second").bytes()].concat();
            client.send(&both).await;
            for step in ["first", "second"] {
                let answer = client.answer().await;
                run.answered(step, Some(&answer));
                run.arrived(step, &["primary"]).await;
            }
        })
        .await;
}

//! What stands beside `static_resources`: bounds of the process, runtime layers, and how statistics are told.

use serde_json::Value;

use crate::dsl::{Client, Request};

use super::BOTH;
use super::file::File;
use super::run::Run;
use super::scenario::Scenario;

const LIMIT: &str = "overload_manager: { refresh_interval: 0.25s, resource_monitors: [{ \
     name: envoy.resource_monitors.global_downstream_max_connections, typed_config: { \"@type\": \
     type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig, \
     max_active_downstream_connections: 2 } }] }";

/// Two clients stay; the third is sent away, and served once one of them has left.
async fn two_clients(run: &mut Run) {
    let mut clients = Vec::new();
    for step in ["first", "second"] {
        let mut client = run.client().await;
        let answer = client.exchange(&Request::push("x")).await;
        run.answered(step, Some(&answer));
        run.arrived(step, &BOTH).await;
        clients.push(client);
    }
    let (answer, _) = run.client().await.attempt(&Request::push("x").bytes()).await;
    run.answered("third", answer.as_ref());
    let overflow = format!("listener.127.0.0.1_{}.downstream_global_cx_overflow", run.listen().port());
    run.stat(&overflow, 1).await;
    drop(clients);
    run.stat("http.ingress.downstream_cx_active", 0).await;
    run.exchange("fourth", &Request::push("x"), &BOTH).await;
}

#[tokio::test]
async fn overload_manager() {
    Scenario::of(File::new().bootstrap(LIMIT)).run(async |run| two_clients(run).await).await;
}

/// Envoy has taken the key out of its use, but for the page that shows it.
#[tokio::test]
async fn layered_runtime() {
    let layers = "layered_runtime: { layers: [{ name: first, static_layer: { overload: { \
                  global_downstream_max_connections: 50000 } } }, { name: second, static_layer: { \
                  overload.global_downstream_max_connections: 40000 } }] }";
    Scenario::of(File::new().bootstrap(layers))
        .run(async |run| {
            let page = run.proxy.admin_get("/runtime").await.text();
            let page: Value = serde_json::from_str(&page).unwrap();
            run.note("layers", &page["layers"]);
            let entry = &page["entries"]["overload.global_downstream_max_connections"];
            run.note("values", &entry["layer_values"]);
            run.note("final", &entry["final_value"]);
            run.stat("runtime.num_layers", 2).await;
            run.stat("runtime.num_keys", 1).await;
        })
        .await;
}

#[tokio::test]
async fn statistics() {
    let file = "stats_config: { use_all_default_tags: true, stats_tags: [{ tag_name: my.place, fixed_value: here }] }\n\
                stats_flush_interval: 0.05s\nstats_server_version_override: 7";
    Scenario::of(File::new().bootstrap(file))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("server.version", 7).await;
            run.stat("cluster.primary.upstream_rq_completed", 1).await;
            let page =
                run.proxy.admin_get("/stats/prometheus?filter=rq_completed|server.version").await.text();
            let lines = page.lines().filter(|line| line.contains("\"primary\"") || line.contains("version"));
            run.note("lines", lines.collect::<Vec<_>>().join("\n"));
            flushed(run).await;
        })
        .await;
}

#[tokio::test]
async fn stats_flush_on_admin() {
    Scenario::of(File::new().bootstrap("stats_flush_on_admin: true"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_rq_completed", 1).await;
            flushed(run).await;
        })
        .await;
}

/// A distribution has the request's time, once an interval has ended.
async fn flushed(run: &Run) {
    crate::dsl::until(format!("a flush of {:?}", run.program), async || {
        let text = run.proxy.admin_get("/stats?filter=primary.upstream_rq_time").await.text();
        text.contains("P50(").then_some(())
    })
    .await;
}

/// There is none; the file is taken all the same.
#[tokio::test]
async fn watchdogs() {
    let file = "watchdogs: { main_thread_watchdog: { miss_timeout: 1s } }";
    Scenario::of(File::new().bootstrap(file))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn admin_settings() {
    let file = "ignore_global_conn_limit: true, profile_path: <dir>/profile";
    Scenario::of(File::new().bootstrap(LIMIT).admin(file))
        .run(async |run| {
            let mut admins = Vec::new();
            for _ in 0..4 {
                let mut admin = Client::connect(run.proxy.admin).await;
                assert_eq!(admin.exchange(&Request::get("/ready")).await.status(), 200);
                admins.push(admin);
            }
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

/// Connections that end, and why. Who is first to close is not compared: both ends do.
#[tokio::test]
async fn ends_of_connections() {
    Scenario::of(File::new())
        .run(async |run| {
            let (answer, _) = run.client().await.attempt(b"nonsense\r\n\r\n").await;
            run.note("malformed", answer.map_or(0, |answer| answer.status()));
            run.stat("http.ingress.downstream_cx_protocol_error", 1).await;
            run.stat("http.ingress.downstream_rq_4xx", 1).await;
            run.stat("http.ingress.downstream_rq_total", 1).await;
            run.stat("http.ingress.downstream_rq_completed", 1).await;
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("http.ingress.downstream_cx_destroy", 2).await;
            assert_eq!(run.proxy.admin_post("/healthcheck/fail").await.status(), 200);
            crate::dsl::until("a refusal of new work", async || {
                (run.proxy.admin_get("/ready").await.status() == 503).then_some(())
            })
            .await;
            run.exchange("the last write", &Request::push("x"), &BOTH).await;
            run.stat("http.ingress.downstream_cx_drain_close", 1).await;
            run.stat("http.ingress.downstream_cx_destroy", 3).await;
        })
        .await;
}

/// A mirror that cannot be reached costs it its copy, and is counted as a connection that began and ended.
#[tokio::test]
async fn a_connection_refused() {
    let file = File::new();
    Scenario::of(file)
        .faulty("mirror", crate::dsl::fault::Fault::Refuse)
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["primary"]).await;
            for (name, value) in [
                ("upstream_cx_total", 1),
                ("upstream_cx_http1_total", 1),
                ("upstream_cx_connect_fail", 1),
                ("upstream_cx_destroy", 1),
                ("upstream_cx_destroy_remote", 1),
                ("upstream_cx_active", 0),
                ("upstream_rq_pending_total", 1),
                ("upstream_rq_pending_failure_eject", 1),
                ("upstream_rq_total", 0),
                ("internal.upstream_rq_503", 1),
                ("upstream_rq_completed", 1),
            ] {
                run.stat(&format!("cluster.mirror.{name}"), value).await;
            }
        })
        .await;
}

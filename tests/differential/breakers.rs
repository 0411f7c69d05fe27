//! Circuit breakers: who waits, who is refused, and what is counted. Envoy's limits of connections are a worker's at
//! least, so that both programs run with one.

use crate::dsl::{Client, Reply, Request};

use super::BOTH;
use super::file::File;
use super::run::Run;
use super::scenario::Scenario;

const WHY: &str = "access_log: [{ name: a, typed_config: { \"@type\": \
    type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: \"<dir>/a.log\", log_format: { \
    text_format_source: { inline_string: \"%REQ(:PATH)% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST%\\n\" } } } }]";

fn file(thresholds: &str) -> File {
    let thresholds = format!("circuit_breakers: {{ thresholds: [{{ {thresholds} }}] }}");
    File::new().manager(WHY).cluster("primary", &thresholds)
}

/// The primary answers once the gate is open.
fn gated(file: File) -> Scenario {
    Scenario::of(file).one_worker().gated("primary", |gate| Reply::new(200, "ok").behind(gate))
}

/// Sends, and does not wait for the answer.
async fn begin(run: &mut Run, path: &str, reached: &[&str]) -> Client {
    let mut client = run.client().await;
    client.send(Request::get(path).bytes()).await;
    run.arrived(path, reached).await;
    client
}

async fn end(run: &mut Run, path: &str, mut client: Client) {
    let answer = client.answer().await;
    run.answered(path, Some(&answer));
}

/// Statistics of the primary, as they are now.
async fn gauges(run: &mut Run, step: &str, names: &[&str]) {
    for name in names {
        let value = run.read_stat(&format!("cluster.primary.circuit_breakers.default.{name}")).await;
        run.note(&format!("{step} / {name}"), value);
    }
}

/// The second request waits for the connection of the first; the third is one too many, and is not copied.
#[tokio::test]
async fn connections_and_pending_requests() {
    let written = "max_connections: 1, max_pending_requests: 1, max_requests: 10, max_retries: 2, track_remaining: true";
    gated(file(written))
        .run(async |run| {
            gauges(run, "before", &["cx_open", "rq_pending_open", "remaining_cx", "remaining_pending"]).await;
            let first = begin(run, "/first", &BOTH).await;
            let second = begin(run, "/second", &["mirror"]).await;
            run.stat("cluster.primary.upstream_rq_pending_active", 1).await;
            run.exchange("/third", &Request::get("/third"), &[]).await;
            let all = [
                "cx_open",
                "rq_open",
                "rq_pending_open",
                "rq_retry_open",
                "remaining_cx",
                "remaining_pending",
                "remaining_rq",
                "remaining_retries",
            ];
            gauges(run, "full", &all).await;
            run.gate.open();
            end(run, "/first", first).await;
            run.arrived("/second", &["primary"]).await;
            end(run, "/second", second).await;
            run.stat("cluster.primary.upstream_rq_pending_active", 0).await;
            gauges(run, "after", &["cx_open", "rq_pending_open", "remaining_pending", "remaining_rq"]).await;
            for (name, value) in [
                ("upstream_cx_total", 1),
                ("upstream_cx_overflow", 1),
                ("upstream_rq_pending_total", 2),
                ("upstream_rq_pending_overflow", 1),
                ("upstream_rq_active_overflow", 0),
                ("upstream_rq_total", 2),
                ("upstream_rq_503", 1),
            ] {
                run.stat(&format!("cluster.primary.{name}"), value).await;
            }
            run.log("a.log", 3).await;
        })
        .await;
}

/// Who waits longer than the route's timeout gets 504, as if the cluster were slow, and holds nobody up.
#[tokio::test]
async fn a_request_that_waits_too_long() {
    gated(file("max_connections: 1").action("timeout: 0.3s").policies("[]"))
        .only(|what| !what.ends_with("x-envoy-expected-rq-timeout-ms"))
        .run(async |run| {
            // Incomplete, so that its own time does not run.
            let mut first = run.client().await;
            first.send("POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n").await;
            run.stat("cluster.primary.upstream_rq_total", 1).await;
            run.exchange("/second", &Request::get("/second"), &[]).await;
            run.stat("cluster.primary.upstream_rq_pending_active", 0).await;
            run.gate.open();
            first.send("x").await;
            end(run, "/first", first).await;
            run.arrived("/first", &["primary"]).await;
            run.exchange("/third", &Request::get("/third"), &["primary"]).await;
            run.stat("cluster.primary.upstream_cx_total", 1).await;
            run.stat("cluster.primary.upstream_rq_timeout", 1).await;
            run.stat("cluster.primary.upstream_rq_cancelled", 1).await;
            run.log("a.log", 3).await;
        })
        .await;
}

/// The time of an attempt begins when it has its connection: who waits has the route's.
#[tokio::test]
async fn an_attempt_that_waits() {
    let policy = "retry_policy: { retry_on: connect-failure, per_try_timeout: 0.2s }";
    gated(file("max_connections: 1").action(&format!("timeout: 0.6s, {policy}")).policies("[]"))
        .only(|what| !what.ends_with("x-envoy-expected-rq-timeout-ms"))
        .run(async |run| {
            // Incomplete, so that its own time does not run.
            let mut first = run.client().await;
            first.send("POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n").await;
            run.stat("cluster.primary.upstream_rq_total", 1).await;
            run.exchange("/second", &Request::get("/second"), &[]).await;
            run.stat("cluster.primary.upstream_rq_per_try_timeout", 0).await;
            run.stat("cluster.primary.upstream_rq_timeout", 1).await;
            run.gate.open();
            first.send("x").await;
            end(run, "/first", first).await;
            run.arrived("/first", &["primary"]).await;
            run.log("a.log", 2).await;
        })
        .await;
}

/// One request at a time; the next finds a connection free or not. Its copy is sent where the overflow is only seen once
/// a connection was made.
#[tokio::test]
async fn requests() {
    gated(file("max_requests: 1, track_remaining: true"))
        .run(async |run| {
            let first = begin(run, "/first", &BOTH).await;
            run.exchange("/second", &Request::get("/second"), &["mirror"]).await;
            gauges(run, "full", &["rq_open", "remaining_rq", "rq_pending_open"]).await;
            run.exchange("/third", &Request::get("/third"), &[]).await;
            run.stat("cluster.primary.upstream_rq_active_overflow", 2).await;
            run.stat("cluster.primary.upstream_cx_total", 2).await;
            run.gate.open();
            end(run, "/first", first).await;
            run.stat("cluster.primary.circuit_breakers.default.rq_open", 0).await;
            run.exchange("/fourth", &Request::get("/fourth"), &BOTH).await;
            run.log("a.log", 4).await;
        })
        .await;
}

/// Nobody may wait: only who finds a connection free is served.
#[tokio::test]
async fn no_pending_requests() {
    gated(file("max_pending_requests: 0"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &[]).await;
            run.stat("cluster.primary.upstream_rq_pending_overflow", 1).await;
            run.log("a.log", 1).await;
        })
        .await;
}

/// A worker without any connection may make one, whatever the limit.
#[tokio::test]
async fn no_connections() {
    gated(file("max_connections: 0"))
        .run(async |run| {
            run.gate.open();
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.exchange("another", &Request::push("y"), &BOTH).await;
            run.stat("cluster.primary.upstream_cx_total", 1).await;
            run.stat("cluster.primary.circuit_breakers.default.cx_open", 1).await;
        })
        .await;
}

/// Thresholds of the priority that no route has; of several of one priority, the first counts.
#[tokio::test]
async fn priority() {
    let thresholds = "circuit_breakers: { thresholds: [{ priority: HIGH, max_pending_requests: 0 }, \
                      { max_pending_requests: 5 }, { max_pending_requests: 0 }] }";
    Scenario::of(File::new().cluster("primary", thresholds))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

/// Clients that may not see Envoy's headers are not told why.
#[tokio::test]
async fn suppressed() {
    gated(file("max_pending_requests: 0").router("suppress_envoy_headers: true"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &[]).await;
        })
        .await;
}

/// What the file does not say is no limit.
#[tokio::test]
async fn not_written() {
    gated(file("max_retries: 1, track_remaining: true"))
        .differs(
            "not written / remaining_rq",
            "1024",
            "(absent)",
            "Envoy's own limits refuse writes at numbers that nobody has chosen",
        )
        .run(async |run| {
            run.gate.open();
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            gauges(run, "not written", &["remaining_rq", "remaining_retries"]).await;
        })
        .await;
}

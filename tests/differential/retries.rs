//! Retry policies: what is repeated, how often, and what each side is told.

use crate::dsl::fault::Fault;
use crate::dsl::{Reply, Request, bytes_of};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

fn retrying(policy: &str) -> File {
    File::new().action(&format!("retry_policy: {{ {policy} }}"))
}

fn failing_once(status: u16) -> [Reply; 2] {
    [Reply::new(status, "not now"), Reply::new(200, "ok")]
}

/// How much of the route's timeout is left for an attempt is said in milliseconds, which no two runs share.
fn scenario(file: File) -> Scenario {
    Scenario::of(file).only(|what| !what.ends_with("x-envoy-expected-rq-timeout-ms"))
}

/// A write whose first answer has this status, and which the primary gets twice.
async fn repeated(file: File, status: u16) {
    scenario(file)
        .replies("primary", &failing_once(status))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.arrived("again", &["primary"]).await;
            run.stat("cluster.primary.upstream_rq_retry", 1).await;
            run.stat("cluster.primary.upstream_rq_retry_success", 1).await;
            run.stat("cluster.primary.upstream_rq_retry_backoff_exponential", 1).await;
            run.stat("cluster.primary.upstream_rq_total", 2).await;
            run.stat(&format!("cluster.primary.retry.upstream_rq_{status}"), 1).await;
            run.stat(&format!("cluster.primary.retry.upstream_rq_{}xx", status / 100), 1).await;
            run.stat("cluster.primary.retry.upstream_rq_completed", 1).await;
            run.stat("cluster.primary.upstream_rq_completed", 1).await;
        })
        .await;
}

/// The same, which the primary gets once.
async fn not_repeated(file: File, status: u16) {
    scenario(file)
        .replies("primary", &failing_once(status))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.exchange("another", &Request::push("y"), &BOTH).await;
            run.stat("cluster.primary.upstream_rq_total", 2).await;
        })
        .await;
}

#[tokio::test]
async fn conditions_on_answers() {
    repeated(retrying("retry_on: 5xx"), 500).await;
    repeated(retrying("retry_on: \"reset,gateway-error\""), 503).await;
    repeated(retrying("retry_on: retriable-4xx"), 409).await;
    repeated(retrying("retry_on: retriable-status-codes, retriable_status_codes: [418, 429]"), 429).await;
    not_repeated(retrying("retry_on: gateway-error"), 500).await;
    not_repeated(retrying("retry_on: \"reset,connect-failure\""), 503).await;
    not_repeated(retrying("retry_on: retriable-4xx"), 429).await;
    not_repeated(retrying("retry_on: 5xx, num_retries: 0"), 503).await;
    not_repeated(retrying("num_retries: 3"), 503).await;
}

#[tokio::test]
async fn conditions_on_headers() {
    let answers =
        [Reply::raw("HTTP/1.1 200 OK\r\nx-again: yes\r\ncontent-length: 0\r\n\r\n"), Reply::new(200, "ok")];
    let policy = "retry_on: retriable-headers, retriable_headers: [{ name: x-again, string_match: { exact: \"yes\" } }]";
    let chosen = ", retriable_request_headers: [{ name: x-repeat, present_match: true }]";
    scenario(retrying(&format!("{policy}{chosen}")))
        .replies("primary", &[answers[0].clone(), answers[0].clone(), answers[1].clone()])
        .run(async |run| {
            run.exchange("not chosen", &Request::push("x"), &BOTH).await;
            run.exchange("chosen", &Request::push("x").header("X-Repeat", "1"), &BOTH).await;
            run.arrived("again", &["primary"]).await;
        })
        .await;
    let limited = Reply::raw("HTTP/1.1 503 No\r\nx-envoy-ratelimited: true\r\ncontent-length: 0\r\n\r\n");
    for (policy, times) in [("retry_on: 5xx", 1), ("retry_on: envoy-ratelimited", 2)] {
        scenario(retrying(policy))
            .replies("primary", &[limited.clone(), Reply::ok()])
            .run(async |run| {
                run.exchange("a write", &Request::push("x"), &BOTH).await;
                if times == 2 {
                    run.arrived("again", &["primary"]).await;
                }
                run.stat("cluster.primary.upstream_rq_total", times).await;
            })
            .await;
    }
}

#[tokio::test]
async fn when_no_attempt_is_left() {
    scenario(retrying(
        "retry_on: 5xx, num_retries: 2, retry_back_off: { base_interval: 0.001s, max_interval: 0.002s }",
    ))
    .upstream("primary", |_| Reply::new(503, "never"))
    .run(async |run| {
        run.exchange("a write", &Request::push("x"), &BOTH).await;
        run.arrived("second", &["primary"]).await;
        run.arrived("third", &["primary"]).await;
        run.stat("cluster.primary.upstream_rq_retry", 2).await;
        run.stat("cluster.primary.upstream_rq_retry_limit_exceeded", 1).await;
        run.stat("cluster.primary.upstream_rq_total", 3).await;
    })
    .await;
}

#[tokio::test]
async fn max_retries() {
    let breakers = |most: u32| format!("circuit_breakers: {{ thresholds: [{{ max_retries: {most} }}] }}");
    scenario(retrying("retry_on: 5xx").cluster("primary", &breakers(0)))
        .replies("primary", &failing_once(503))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_rq_retry_overflow", 1).await;
            run.stat("cluster.primary.upstream_rq_retry", 0).await;
            run.stat("cluster.primary.circuit_breakers.default.rq_retry_open", 0).await;
            let retried = run.read_stat("cluster.primary.retry.upstream_rq_completed").await;
            run.note("retried", retried);
        })
        .await;
    repeated(retrying("retry_on: 5xx").cluster("primary", &breakers(1)), 503).await;
}

#[tokio::test]
async fn attempts_are_told() {
    let file = retrying("retry_on: 5xx, num_retries: 2");
    let file = file.host("include_request_attempt_count: true, include_attempt_count_in_response: true");
    scenario(file)
        .replies("primary", &failing_once(503))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.arrived("again", &["primary"]).await;
            run.exchange("another", &Request::push("y"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn levels_of_policies() {
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let cluster = format!(
        "typed_extension_protocol_options: {{ {OPTIONS}: {{ \"@type\": type.googleapis.com/{OPTIONS}, explicit_http_config: {{ http_protocol_options: {{}} }}, retry_policy: {{ retry_on: 5xx }} }} }}"
    );
    repeated(File::new().host("retry_policy: { retry_on: 5xx }"), 503).await;
    not_repeated(retrying("retry_on: retriable-4xx").host("retry_policy: { retry_on: 5xx }"), 503).await;
    repeated(retrying("retry_on: retriable-4xx").cluster("primary", &cluster), 503).await;
}

#[tokio::test]
async fn a_body_within_bounds_is_sent_again() {
    let body = bytes_of(300_000, 1);
    scenario(retrying("retry_on: 5xx"))
        .replies("primary", &failing_once(503))
        .run(async |run| {
            run.exchange("a write", &Request::push(body.clone()), &BOTH).await;
            run.arrived("again", &["primary"]).await;
            let chunks = Request::new("POST", "/api/v1/push").chunks(&[&body[..1000], &body[1000..]]);
            run.exchange("a chunked write", &chunks, &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn a_body_beyond_bounds_is_not_sent_again() {
    let body = bytes_of(3 << 20, 1);
    scenario(retrying("retry_on: 5xx"))
        .replies("primary", &failing_once(503))
        .run(async |run| {
            run.exchange("a write", &Request::push(body.clone()), &BOTH).await;
            run.stat("cluster.primary.retry_or_shadow_abandoned", 1).await;
            run.stat("cluster.primary.upstream_rq_retry", 0).await;
        })
        .await;
}

#[tokio::test]
async fn a_connection_that_is_reset() {
    scenario(retrying("retry_on: reset"))
        .replies("primary", &[Reply::silence().reset(), Reply::new(200, "ok")])
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.arrived("again", &["primary"]).await;
            run.stat("cluster.primary.upstream_rq_retry_success", 1).await;
        })
        .await;
}

#[tokio::test]
async fn a_connection_that_is_refused() {
    scenario(retrying("retry_on: connect-failure, num_retries: 2"))
        .faulty("primary", Fault::Refuse)
        .differs(
            "a write / client: connection",
            "(absent)",
            "close",
            "nobody asked for the body, so it was not read; Envoy reads it while it waits",
        )
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["mirror"]).await;
            run.stat("cluster.primary.upstream_rq_retry", 2).await;
            run.stat("cluster.primary.upstream_rq_retry_limit_exceeded", 1).await;
            run.stat("cluster.primary.upstream_cx_connect_fail", 3).await;
        })
        .await;
}

#[tokio::test]
async fn per_try_timeout() {
    scenario(retrying("retry_on: 5xx, per_try_timeout: 0.3s"))
        .replies("primary", &[Reply::silence(), Reply::new(200, "ok")])
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.arrived("again", &["primary"]).await;
            run.stat("cluster.primary.upstream_rq_per_try_timeout", 1).await;
        })
        .await;
    scenario(retrying("retry_on: connect-failure, per_try_timeout: 0.3s"))
        .upstream("primary", |_| Reply::silence())
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_rq_per_try_timeout", 1).await;
        })
        .await;
}

/// It does not bound the time that a connection takes, which has a bound of its own.
#[tokio::test]
async fn per_try_timeout_while_connecting() {
    let file = retrying("retry_on: connect-failure, num_retries: 1, per_try_timeout: 0.1s");
    scenario(file.cluster("primary", "connect_timeout: 0.4s"))
        .faulty("primary", Fault::BlackHole)
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &["mirror"]).await;
            run.stat("cluster.primary.upstream_rq_per_try_timeout", 0).await;
            run.stat("cluster.primary.upstream_cx_connect_timeout", 2).await;
        })
        .await;
}

#[tokio::test]
async fn another_endpoint() {
    let both = "load_assignment: { cluster_name: primary, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: <one> } } } }, { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: <two> } } } }] }] }";
    let policy = "retry_on: connect-failure, retry_host_predicate: [{ name: envoy.retry_host_predicates.previous_hosts, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate } }], host_selection_retry_max_attempts: 5";
    scenario(retrying(policy).cluster("primary", both))
        .faulty("one", Fault::Refuse)
        .upstream("two", |_| Reply::new(200, "two"))
        .run(async |run| {
            for step in ["a write", "another", "a third"] {
                run.exchange(step, &Request::push("x"), &["two", "mirror"]).await;
            }
        })
        .await;
}

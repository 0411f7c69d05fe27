//! The file's frame: node, admin, listeners, and where endpoints are found.

use crate::dsl::fault::Fault;
use crate::dsl::{Client, Request};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

#[tokio::test]
async fn node() {
    let node = "node: { id: here, cluster: ours, locality: { region: r, zone: z }, metadata: { a: b } }";
    Scenario::of(File::new().bootstrap(node))
        .run(async |run| {
            let text = run.proxy.admin_get("/server_info").await.text();
            let info: serde_json::Value = serde_json::from_str(&text).unwrap();
            for field in ["id", "cluster", "locality", "metadata"] {
                run.note(field, info["node"][field].to_string());
            }
        })
        .await;
}

#[tokio::test]
async fn admin_access_log() {
    let log = "access_log: [{ name: a, typed_config: { \"@type\": \
               type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null } }]";
    Scenario::of(File::new().admin(log))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn admin_access_log_path() {
    Scenario::of(File::new().admin("access_log_path: /dev/null"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

/// Two listeners, the second one named by its address in the statistics.
#[tokio::test]
async fn listeners() {
    let text = File::new().render();
    let (before, rest) = text.split_once("    - { name: ingress").unwrap();
    let (listener, after) = rest.split_once("  clusters:").unwrap();
    let second = listener.replace("<listen>", "<second>").replace("stat_prefix: ingress", "stat_prefix: two");
    let text = format!(
        "{before}    - {{ name: ingress{listener}    - {{ name: second, metadata: {{ filter_metadata: {{ a: {{ b: c }} }} \
         }}{second}  clusters:{after}"
    );
    Scenario::of(File::text(&text))
        .port("second")
        .run(async |run| {
            run.exchange("first", &Request::push("x"), &BOTH).await;
            let answer = Client::once(run.address("second"), &Request::push("x")).await;
            run.answered("second", Some(&answer));
            run.arrived("second", &BOTH).await;
            run.stat("http.ingress.downstream_rq_2xx", 1).await;
            run.stat("http.two.downstream_rq_2xx", 1).await;
        })
        .await;
}

/// It is a bound of buffers: what passes through does not change, at either end.
#[tokio::test]
async fn buffer_limits() {
    let limit = "per_connection_buffer_limit_bytes: 1024";
    let file = File::new().listener(limit).cluster("primary", limit).cluster("mirror", limit);
    Scenario::of(file)
        .run(async |run| {
            let body = crate::dsl::bytes_of(200_000, 1);
            run.exchange("a write", &Request::push(body), &BOTH).await;
        })
        .await;
}

fn named(endpoint: &str, cluster: &str) -> String {
    format!(
        "connect_timeout: 1s, {cluster}, load_assignment: {{ cluster_name: c, endpoints: [{{ lb_endpoints: \
         [{{ endpoint: {{ address: {{ socket_address: {{ address: {endpoint}, port_value: <mirror> }} }} }} }}] }}] }}"
    )
}

#[tokio::test]
async fn strict_dns() {
    let cluster =
        "http_protocol_options: {}, type: STRICT_DNS, dns_refresh_rate: 1s, dns_lookup_family: V4_ONLY";
    Scenario::of(File::new().cluster("mirror", &named("localhost", cluster)))
        .run(async |run| {
            run.stat("cluster.mirror.membership_total", 1).await;
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn connect_timeout() {
    Scenario::of(File::new().cluster("primary", "connect_timeout: 0.3s"))
        .faulty("primary", Fault::BlackHole)
        .differs(
            "a write / client: connection",
            "(absent)",
            "close",
            "nobody had asked for the body when the answer came, so the connection ends with it",
        )
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["mirror"]).await;
            run.stat("cluster.primary.upstream_cx_connect_timeout", 1).await;
        })
        .await;
}

#[tokio::test]
async fn locality() {
    let place = "locality: { region: r, zone: z, sub_zone: s }, load_balancing_weight: 1, priority: 0";
    let cluster = format!(
        "load_assignment: {{ cluster_name: other, endpoints: [{{ {place}, lb_endpoints: [{{ endpoint: {{ address: \
         {{ socket_address: {{ address: 127.0.0.1, port_value: <primary> }} }} }} }}] }}] }}"
    );
    let metadata = "metadata: { filter_metadata: { a: { b: c } } }";
    Scenario::of(File::new().cluster("primary", &cluster).cluster("primary", metadata))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn domains_and_names() {
    let file = File::new()
        .host("domains: [\"mimir.example\", \"*.mimir.example\"]")
        .route("name: push")
        .matching("prefix: /api");
    Scenario::of(file)
        .run(async |run| {
            run.exchange("exact", &Request::push("x"), &BOTH).await;
            run.exchange("suffix", &Request::push("x").host("a.mimir.example"), &BOTH).await;
            run.exchange("another host", &Request::push("x").host("other.example"), &[]).await;
            run.exchange("another path", &Request::get("/x"), &[]).await;
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
            run.stat("http.ingress.no_route", 2).await;
        })
        .await;
}

#[tokio::test]
async fn an_exact_path() {
    Scenario::of(File::new().matching("path: /api/v1/push"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.exchange("a query", &Request::new("POST", "/api/v1/push?a=b").body("x"), &BOTH).await;
            run.exchange("more", &Request::new("POST", "/api/v1/push/").body("x"), &[]).await;
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn another_cluster() {
    Scenario::of(File::new().action("cluster: mirror, timeout: 5s").policies("[{ cluster: primary }]"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.stat("cluster.primary.internal.upstream_rq_200", 1).await;
            run.stat("cluster.mirror.external.upstream_rq_200", 1).await;
        })
        .await;
}

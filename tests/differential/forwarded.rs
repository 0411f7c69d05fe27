//! Whom a request is taken to be from, what those inside may steer, and the headers that tell of the way.

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;
use crate::dsl::{Reply, Request};

async fn alike(file: File, requests: Vec<(&'static str, Request)>) {
    Scenario::of(file)
        .run(async |run| {
            for (step, request) in &requests {
                run.exchange(step, request, &BOTH).await;
            }
        })
        .await;
}

const LISTS: [(&str, &str); 4] = [
    ("one", "10.1.2.3"),
    ("two", "9.9.9.9, 10.1.2.3"),
    ("three", "192.0.2.1,9.9.9.9,10.1.2.3"),
    ("none", "nonsense"),
];

/// Requests without, with one, and with several addresses; they tell whom both took them to be from.
fn chains() -> Vec<(&'static str, Request)> {
    let asked = |request: Request| {
        request.header("X-Envoy-Upstream-Rq-Timeout-Ms", "700").header("X-Request-Id", "mine")
    };
    let mut all = vec![("bare", asked(Request::push("x")))];
    for (name, list) in LISTS {
        all.push((name, asked(Request::push("x").header("X-Forwarded-For", list))));
    }
    all
}

fn telling(entries: &str) -> File {
    let from = "{ header: { key: x-from, value: \"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\" } }";
    File::new().manager(entries).route(&format!("request_headers_to_add: [{from}]"))
}

const INTERNAL: &str =
    "internal_address_config: { cidr_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }";

#[tokio::test]
async fn xff_num_trusted_hops() {
    alike(telling("xff_num_trusted_hops: 1"), chains()).await;
}

#[tokio::test]
async fn xff_num_trusted_hops_at_the_edge() {
    let mut requests = chains();
    requests.push(("a scheme", Request::push("x").header("X-Forwarded-Proto", "https")));
    alike(telling("use_remote_address: true, xff_num_trusted_hops: 2"), requests).await;
}

#[tokio::test]
async fn skip_xff_append() {
    alike(telling("use_remote_address: true, skip_xff_append: true"), chains()).await;
}

#[tokio::test]
async fn internal_address_config() {
    alike(telling(INTERNAL), chains()).await;
}

#[tokio::test]
async fn internal_addresses_of_clients() {
    let ranges = "internal_address_config: { cidr_ranges: [{ address_prefix: 127.0.0.0, prefix_len: 8 }] }";
    alike(telling(&format!("use_remote_address: true, {ranges}")), chains()).await;
}

/// Everything by which a caller could steer the proxy, but retries.
fn steering() -> Request {
    [
        "attempt-count",
        "decorator-operation",
        "downstream-service-cluster",
        "downstream-service-node",
        "expected-rq-timeout-ms",
        "external-address",
        "force-trace",
        "internal",
        "ip-tags",
        "max-retries",
        "original-path",
        "original-host",
        "upstream-rq-timeout-ms",
    ]
    .iter()
    .fold(Request::push("x"), |request, name| request.header(&format!("x-envoy-{name}"), "7000"))
}

#[tokio::test]
async fn steering_headers_by_source() {
    let inside = steering().header("X-Forwarded-For", "10.1.2.3");
    alike(telling(INTERNAL), vec![("inside", inside), ("outside", steering())]).await;
}

#[tokio::test]
async fn steering_headers_at_the_edge() {
    alike(telling("use_remote_address: true"), vec![("outside", steering())]).await;
}

/// What a caller inside asks for is the copy's time, too.
#[tokio::test]
async fn timeout_of_a_caller_inside() {
    Scenario::of(File::new().manager(INTERNAL))
        .gated("primary", |gate| Reply::ok().behind(gate))
        .gated("mirror", |gate| Reply::ok().behind(gate))
        .run(async |run| {
            let request = Request::push("x")
                .header("X-Forwarded-For", "10.1.2.3")
                .header("X-Envoy-Upstream-Rq-Timeout-Ms", "300");
            run.exchange("a write", &request, &BOTH).await;
            run.stat("cluster.primary.upstream_rq_timeout", 1).await;
            run.stat("cluster.mirror.upstream_rq_timeout", 1).await;
        })
        .await;
}

#[tokio::test]
async fn respect_expected_rq_timeout() {
    let inside = || Request::push("x").header("X-Forwarded-For", "10.1.2.3");
    let (expected, own) = ("X-Envoy-Expected-Rq-Timeout-Ms", "X-Envoy-Upstream-Rq-Timeout-Ms");
    let requests = vec![
        ("expected", inside().header(expected, "5000")),
        ("asked", inside().header(own, "6000")),
        ("both", inside().header(expected, "5000").header(own, "6000")),
        ("off", inside().header(own, "0")),
        ("no number", inside().header(own, "soon")),
        ("outside", Request::push("x").header(expected, "5000")),
    ];
    alike(File::new().manager(INTERNAL).router("respect_expected_rq_timeout: true"), requests).await;
}

fn answering(headers: &'static str) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 2\r\n\r\nok"))
}

async fn answers(file: File) {
    Scenario::of(file)
        .upstream("primary", |head| match head.target() {
            "/said" => answering("server: mimir\r\nvia: 1.1 inner\r\nx-request-id: inner\r\n"),
            _ => answering(""),
        })
        .run(async |run| {
            run.exchange("said", &Request::get("/said").header("Via", "1.1 outer"), &BOTH).await;
            run.exchange("silent", &Request::get("/silent").header("X-Request-Id", "mine"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn server_header_append_if_absent() {
    answers(File::new().manager("server_header_transformation: APPEND_IF_ABSENT, server_name: proxy")).await;
}

#[tokio::test]
async fn server_header_pass_through() {
    answers(File::new().manager("server_header_transformation: PASS_THROUGH")).await;
}

#[tokio::test]
async fn via() {
    answers(File::new().manager("via: pxy")).await;
}

#[tokio::test]
async fn always_set_request_id_in_response() {
    answers(File::new().manager("always_set_request_id_in_response: true")).await;
}

/// An answer of the proxy's own has them as well.
#[tokio::test]
async fn headers_of_own_answers() {
    for server in ["OVERWRITE", "APPEND_IF_ABSENT", "PASS_THROUGH"] {
        let file = File::new()
            .manager("via: pxy, always_set_request_id_in_response: true")
            .manager(&format!("server_header_transformation: {server}"))
            .routes(
                "[{ match: { path: /x }, direct_response: { status: 200, body: { inline_string: hi } } }]",
            );
        Scenario::of(file)
            .run(async |run| {
                run.exchange("direct", &Request::get("/x"), &[]).await;
                run.exchange("no route", &Request::get("/y"), &[]).await;
            })
            .await;
    }
}

#[tokio::test]
async fn preserve_external_request_id() {
    let requests =
        vec![("without", Request::push("x")), ("with", Request::push("x").header("X-Request-Id", "mine"))];
    alike(File::new().manager("use_remote_address: true, preserve_external_request_id: true"), requests)
        .await;
}

#[tokio::test]
async fn append_x_forwarded_port() {
    for edge in ["", ", use_remote_address: true", ", use_remote_address: true, xff_num_trusted_hops: 1"] {
        let requests = vec![
            ("without", Request::push("x")),
            ("with", Request::push("x").header("X-Forwarded-Port", "1")),
        ];
        alike(File::new().manager(&format!("append_x_forwarded_port: true{edge}")), requests).await;
    }
}

/// Both take them; how we close connections is fixed.
#[tokio::test]
async fn closing_times() {
    let file = File::new().manager("drain_timeout: 1s, delayed_close_timeout: 1s");
    alike(file, vec![("a write", Request::push("x"))]).await;
}

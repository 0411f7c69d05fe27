//! HTTP/2 on either side, and options of protocols.

use http::Request as H2Request;

use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::streams::{fields, message};
use crate::dsl::{H2Upstream, Request, bytes_of};

use super::BOTH;
use super::file::File;
use super::run::Run;
use super::scenario::Scenario;

const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// A primary with these protocol options.
fn protocol(options: &str) -> File {
    let message = format!("{{ \"@type\": type.googleapis.com/{OPTIONS}, {options} }}");
    File::new().cluster("primary", &format!("typed_extension_protocol_options: {{ {OPTIONS}: {message} }}"))
}

/// The primary speaks HTTP/2, with these of its options.
fn http2(options: &str) -> File {
    protocol(&format!("explicit_http_config: {{ http2_protocol_options: {{ {options} }} }}"))
}

fn to_http2(file: File) -> Scenario {
    Scenario::of(file).server("primary", |_| H2Upstream::echoing())
}

fn post(target: &str) -> http::request::Builder {
    H2Request::post(format!("http://mimir.example{target}"))
}

/// One request over HTTP/2.
async fn exchange(run: &mut Run, step: &str, head: http::request::Builder, body: Frames) {
    let client = H2Client::connect(run.listen()).await;
    let answer = client.exchange(head, body).await;
    run.answered(step, Some(&answer.message()));
    run.arrived(step, &BOTH).await;
}

/// Writes one after the other over one connection, so that one worker of ours has them all.
async fn writes(run: &mut Run, steps: &[&str]) {
    let mut client = run.client().await;
    for step in steps {
        let answer = client.exchange(&Request::push("x")).await;
        run.answered(step, Some(&answer));
        run.arrived(step, &BOTH).await;
    }
}

/// Requests of every kind.
async fn requests(run: &mut Run) {
    let body = bytes_of(100_000, 1);
    run.exchange("a write", &Request::push(body.clone()), &BOTH).await;
    run.exchange("chunks", &Request::new("POST", "/x").chunks(&[b"one", b"two"]), &BOTH).await;
    run.exchange("a read", &Request::get("/x?a=%2f").header("TE", "trailers").host("h:81"), &BOTH).await;
    run.exchange("an empty write", &Request::push(""), &BOTH).await;
    let head = post("/api/v1/push").header("content-length", body.len());
    exchange(run, "a write over http2", head, Frames::default().data(body)).await;
    exchange(run, "frames", post("/x"), Frames::default().data("one").data("two")).await;
    exchange(run, "a read over http2", H2Request::get("http://h:81/x?a=%2f"), Frames::default()).await;
    run.stat("cluster.primary.upstream_rq_200", 7).await;
}

#[tokio::test]
async fn explicit_http_config() {
    to_http2(http2(""))
        .run(async |run| {
            requests(run).await;
            assert!(run.read_stat("cluster.primary.upstream_cx_http2_total").await != "0");
        })
        .await;
}

#[tokio::test]
async fn http2_protocol_options_of_the_cluster() {
    let file = File::new().cluster("primary", "http2_protocol_options: {}");
    to_http2(file).run(async |run| requests(run).await).await;
}

#[tokio::test]
async fn options_of_http2_to_the_cluster() {
    let options = "max_concurrent_streams: 10, initial_stream_window_size: 65536, \
                   initial_connection_window_size: 1048576, connection_keepalive: { interval: 30s, timeout: 5s }";
    to_http2(http2(options)).run(async |run| requests(run).await).await;
}

#[tokio::test]
async fn options_without_effect() {
    let options = "hpack_table_size: 4096, max_outbound_frames: 10000, max_outbound_control_frames: 1000, \
                   max_consecutive_inbound_frames_with_empty_payload: 1, max_inbound_priority_frames_per_stream: 100, \
                   max_inbound_window_update_frames_per_data_frame_sent: 10, \
                   override_stream_error_on_invalid_http_message: true";
    let file = http2(options).manager(&format!("http2_protocol_options: {{ {options} }}"));
    to_http2(file).run(async |run| requests(run).await).await;
}

#[tokio::test]
async fn options_of_http2_for_clients() {
    let options = "max_concurrent_streams: 10, initial_stream_window_size: 65536, \
                   initial_connection_window_size: 1048576, connection_keepalive: { interval: 30s, timeout: 5s }";
    let file = http2("").manager(&format!("http2_protocol_options: {{ {options} }}"));
    to_http2(file).run(async |run| requests(run).await).await;
}

#[tokio::test]
async fn use_downstream_protocol_config() {
    Scenario::of(protocol("use_downstream_protocol_config: {}"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
    to_http2(protocol("use_downstream_protocol_config: { http2_protocol_options: {} }"))
        .run(async |run| exchange(run, "a write", post("/x"), Frames::default().data("x")).await)
        .await;
}

#[tokio::test]
async fn protocol_selection() {
    let file = File::new()
        .cluster("primary", "http2_protocol_options: {}, protocol_selection: USE_DOWNSTREAM_PROTOCOL");
    Scenario::of(file)
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn http1_by_name() {
    let names =
        "explicit_http_config: { http_protocol_options: { header_key_format: { proper_case_words: {} } } }";
    // Values that chance decides are told by their names in lower case.
    Scenario::of(protocol(names))
        .only(|what| !what.ends_with("X-Request-Id"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            let message =
                run.servers.iter().find(|s| s.name == "primary").expect("it").server.messages().remove(0);
            assert!(message.headers.iter().any(|(name, _)| name == "X-Scope-Orgid"), "{:?}", message.headers);
        })
        .await;
}

/// A connection serves so many requests; then comes another.
#[tokio::test]
async fn max_requests_per_connection_of_a_cluster() {
    let limits = "common_http_protocol_options: { max_requests_per_connection: 2 }";
    Scenario::of(protocol(&format!("{limits}, explicit_http_config: {{ http_protocol_options: {{}} }}")))
        .run(async |run| {
            writes(run, &["1", "2", "3", "4", "5"]).await;
            run.stat("cluster.primary.upstream_cx_total", 3).await;
            run.stat("cluster.primary.upstream_cx_max_requests", 2).await;
        })
        .await;
}

#[tokio::test]
async fn max_requests_per_connection_in_the_cluster() {
    Scenario::of(File::new().cluster("primary", "max_requests_per_connection: 1"))
        .run(async |run| {
            writes(run, &["one", "two"]).await;
            run.stat("cluster.primary.upstream_cx_total", 2).await;
        })
        .await;
}

#[tokio::test]
async fn max_connection_duration_of_a_cluster() {
    let limits = "common_http_protocol_options: { idle_timeout: 60s, max_connection_duration: 0.3s }";
    Scenario::of(protocol(&format!("{limits}, explicit_http_config: {{ http_protocol_options: {{}} }}")))
        .run(async |run| {
            let mut client = run.client().await;
            let answer = client.exchange(&Request::push("x")).await;
            run.answered("one", Some(&answer));
            run.arrived("one", &BOTH).await;
            run.stat("cluster.primary.upstream_cx_max_duration_reached", 1).await;
            let answer = client.exchange(&Request::push("x")).await;
            run.answered("two", Some(&answer));
            run.arrived("two", &BOTH).await;
            run.stat("cluster.primary.upstream_cx_total", 2).await;
        })
        .await;
}

#[tokio::test]
async fn idle_timeout_of_a_cluster() {
    Scenario::of(File::new().cluster("primary", "common_http_protocol_options: { idle_timeout: 0.3s }"))
        .run(async |run| {
            run.exchange("one", &Request::push("x"), &BOTH).await;
            run.stat("cluster.primary.upstream_cx_idle_timeout", 1).await;
        })
        .await;
}

/// The last answer says that the connection ends.
#[tokio::test]
async fn max_requests_per_connection_of_clients() {
    let file = File::new().manager("common_http_protocol_options: { max_requests_per_connection: 2 }");
    Scenario::of(file)
        .run(async |run| {
            let mut client = run.client().await;
            for step in ["one", "two"] {
                let answer = client.exchange(&Request::push("x")).await;
                run.answered(step, Some(&answer));
                run.arrived(step, &BOTH).await;
            }
            run.note("rest", client.rest().await.len());
            run.stat("http.ingress.downstream_cx_max_requests_reached", 1).await;
        })
        .await;
}

#[tokio::test]
async fn max_connection_duration_of_clients() {
    let file = File::new().manager("common_http_protocol_options: { max_connection_duration: 0.3s }");
    Scenario::of(file)
        .run(async |run| {
            let mut client = run.client().await;
            let answer = client.exchange(&Request::push("x")).await;
            run.answered("one", Some(&answer));
            run.arrived("one", &BOTH).await;
            run.stat("http.ingress.downstream_cx_max_duration_reached", 1).await;
            let answer = client.exchange(&Request::push("x")).await;
            run.answered("two", Some(&answer));
            run.arrived("two", &BOTH).await;
            run.note("rest", client.rest().await.len());
        })
        .await;
}

#[tokio::test]
async fn max_headers_count() {
    let file = File::new().manager("common_http_protocol_options: { max_headers_count: 10 }");
    Scenario::of(file)
        .only(|what| what.ends_with("client: status") || what.starts_with("unexpected"))
        .run(async |run| {
            let many = (0..12).fold(Request::get("/x"), |request, n| request.header(&format!("x-{n}"), "1"));
            run.raw("too many", &many.bytes(), &[]).await;
            run.exchange("few", &Request::get("/x").header("x-1", "1"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn headers_with_underscores() {
    for action in ["ALLOW", "REJECT_REQUEST", "DROP_HEADER"] {
        let entry = format!("common_http_protocol_options: {{ headers_with_underscores_action: {action} }}");
        let reject = action == "REJECT_REQUEST";
        Scenario::of(File::new().manager(&entry))
            .only(|what| !what.ends_with("client: connection"))
            .run(async |run| {
                let request = Request::get("/x").header("x_y", "1").header("x-y", "2");
                let reached = if reject { &[] } else { BOTH.as_slice() };
                run.raw("one", &request.bytes(), reached).await;
                run.exchange("without", &Request::get("/x"), &BOTH).await;
            })
            .await;
    }
}

#[tokio::test]
async fn accept_http_10() {
    let options = "http_protocol_options: { accept_http_10: true, default_host_for_http_10: d.example }";
    Scenario::of(File::new().manager(options))
        .run(async |run| {
            run.raw("without a host", b"GET /x HTTP/1.0\r\n\r\n", &BOTH).await;
            run.raw("with one", b"GET /x HTTP/1.0\r\nHost: h\r\n\r\n", &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn header_key_format_of_answers() {
    let options =
        "http_protocol_options: { header_key_format: { proper_case_words: {} }, allow_absolute_url: true }";
    // Values that chance decides are told by their names in lower case.
    Scenario::of(File::new().manager(options))
        .only(|what| !what.ends_with("X-Envoy-Upstream-Service-Time") && !what.ends_with("client: Date"))
        .run(async |run| {
            let answer = run.exchange("one", &Request::get("/x"), &BOTH).await;
            assert!(answer.headers.iter().any(|(name, _)| name == "Server"), "{:?}", answer.headers);
        })
        .await;
}

/// Answers of the proxy's own to gRPC calls, and calls that pass.
#[tokio::test]
async fn grpc() {
    let routes = "[{ match: { prefix: /none }, route: { cluster: none } }, { match: { prefix: /test }, route: { cluster: primary } }]";
    let file =
        http2("").cluster("none", "type: STATIC, load_assignment: { cluster_name: none }").routes(routes);
    let call = |path: &str| post(path).header("content-type", "application/grpc").header("te", "trailers");
    to_http2(file)
        .run(async |run| {
            let client = H2Client::connect(run.listen()).await;
            for (step, path) in
                [("a call", "/test/Unary"), ("no endpoint", "/none/Unary"), ("no route", "/other")]
            {
                let answer = client.exchange(call(path), Frames::default().data(message("x"))).await;
                run.answered(step, Some(&answer.message()));
            }
            run.arrived("a call", &["primary"]).await;
        })
        .await;
}

/// What a call says of its time is passed on; what holds is the route's, unless the file says otherwise.
#[tokio::test]
async fn grpc_timeout_is_not_heard() {
    to_http2(http2("").action("timeout: 7s").policies("[]"))
        .run(async |run| {
            let client = H2Client::connect(run.listen()).await;
            let call = post("/test/Unary")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("grpc-timeout", "100m");
            let answer = client.exchange(call, Frames::default().data(message("x"))).await;
            run.answered("a call", Some(&answer.message()));
            run.arrived("a call", &["primary"]).await;
        })
        .await;
}

/// Trailers of HTTP/2 need no announcement.
#[tokio::test]
async fn trailers_over_http2() {
    let file = http2("").manager("http_protocol_options: { enable_trailers: true }").policies("[]");
    to_http2(file)
        .run(async |run| {
            let client = H2Client::connect(run.listen()).await;
            let body = Frames::default().data("x").trailers(fields(&[("x-sum", "1")]));
            let answer = client.exchange(post("/x"), body).await;
            run.answered("one", Some(&answer.message()));
            run.arrived("one", &["primary"]).await;
        })
        .await;
}

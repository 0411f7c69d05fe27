//! Access logs: what they tell of connections, to clusters and from clients.

use std::sync::Arc;

use crate::dsl::fault::Fault;
use crate::dsl::http1::Message;
use crate::dsl::tls::{Authority, Certificate, TlsClient};
use crate::dsl::{H2Upstream, Reply, Request, until};

use super::BOTH;
use super::file::File;
use super::run::Run;
use super::scenario::Scenario;

/// A file with a log of this format.
fn logged(file: File, format: &str) -> File {
    file.manager(&format!(
        "access_log: [{{ name: a, typed_config: {{ \"@type\": \
         type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: \"<dir>/log\", log_format: \
         {{ text_format_source: {{ inline_string: \"{format}\\n\" }} }} }} }}]"
    ))
}

/// The first line of the log, as it stands there.
async fn line(run: &Run) -> String {
    let path = run.dir().join("log");
    until("a line".to_owned(), async || {
        std::fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n'))
    })
    .await
}

fn tells_its_peer(message: &Message) -> Reply {
    let peer = message.peer.map(|peer| peer.to_string()).unwrap_or_default();
    Reply::raw(format!("HTTP/1.1 200 OK\r\nx-peer: {peer}\r\ncontent-length: 0\r\n\r\n"))
}

/// The address that the primary sees is the one in the log.
#[tokio::test]
async fn upstream_local_address() {
    let source = "upstream_bind_config: { source_address: { address: 127.0.0.2, port_value: 0 } }";
    let format =
        "%UPSTREAM_LOCAL_ADDRESS%|%RESP(X-PEER)%|%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%|%UPSTREAM_LOCAL_PORT%";
    Scenario::of(logged(File::new().policies("[]").cluster("primary", source), format))
        .upstream("primary", tells_its_peer)
        .only(|what| what.starts_with("local"))
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &["primary"]).await;
            let line = line(run).await;
            let parts: Vec<_> = line.trim_end().split('|').collect();
            let [whole, seen, ip, port] = parts.as_slice() else { panic!("{line}") };
            run.note("local: as the primary sees it", whole == seen);
            run.note("local: parts", *whole == format!("{ip}:{port}"));
            run.note("local: ip", ip);
        })
        .await;
}

/// What was asked last is what stands there.
#[tokio::test]
async fn after_another_attempt() {
    let endpoint = |name: &str| {
        format!(
            "{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: <{name}> }} }} }} }}"
        )
    };
    let file = File::new().policies("[]").action("retry_policy: { retry_on: 5xx, num_retries: 1 }").cluster(
        "primary",
        &format!(
            "load_assignment: {{ cluster_name: primary, endpoints: [{{ lb_endpoints: [{}, {}] }}] }}",
            endpoint("a"),
            endpoint("b")
        ),
    );
    let named = |name: &'static str| {
        move |_: &Message| Reply::raw(format!("HTTP/1.1 503 No\r\nx-me: {name}\r\ncontent-length: 0\r\n\r\n"))
    };
    Scenario::of(logged(file, "%UPSTREAM_HOST%|%RESP(X-ME)%|%UPSTREAM_REQUEST_ATTEMPT_COUNT%"))
        .upstream("a", named("a"))
        .upstream("b", named("b"))
        .only(|what| what.starts_with("last"))
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &["a", "b"]).await;
            let line = line(run).await;
            let parts: Vec<_> = line.trim_end().split('|').collect();
            let [host, name, attempts] = parts.as_slice() else { panic!("{line}") };
            run.note("last: the one that answered", *host == run.address(name).to_string());
            run.note("last: attempts", attempts);
        })
        .await;
}

const PROTOCOLS: &str = "%REQ(:PATH)% %PROTOCOL% %UPSTREAM_PROTOCOL% %UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS% \
                         %UPSTREAM_REQUEST_ATTEMPT_COUNT% %RESPONSE_CODE% %RESPONSE_FLAGS%";

/// A read that goes to a bad primary, and its line.
async fn bad(fault: Fault, entries: &str, action: &str) {
    let file = File::new().policies("[]").cluster("primary", entries).action(action);
    Scenario::of(logged(file, PROTOCOLS))
        .faulty("primary", fault)
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &[]).await;
            run.log("log", 1).await;
        })
        .await;
}

#[tokio::test]
async fn without_a_connection() {
    bad(Fault::Refuse, "", "").await;
    bad(Fault::Refuse, "", "retry_policy: { retry_on: connect-failure, num_retries: 1 }").await;
    bad(Fault::BlackHole, "connect_timeout: 0.3s", "").await;
    bad(Fault::BlackHole, "connect_timeout: 9s", "timeout: 0.3s").await;
}

#[tokio::test]
async fn without_an_answer() {
    bad(Fault::NeverAnswer, "", "timeout: 0.3s").await;
    bad(
        Fault::NeverAnswer,
        "",
        "timeout: 0.9s, retry_policy: { retry_on: reset, num_retries: 0, per_try_timeout: 0.3s }",
    )
    .await;
}

#[tokio::test]
async fn closed_without_an_answer() {
    Scenario::of(logged(File::new().policies("[]"), PROTOCOLS))
        .upstream("primary", |_| Reply::silence().close())
        .run(async |run| {
            run.exchange("a post", &Request::new("POST", "/x").body("x"), &["primary"]).await;
            run.log("log", 1).await;
        })
        .await;
}

#[tokio::test]
async fn over_http2() {
    let options = "typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { \
                   \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, \
                   explicit_http_config: { http2_protocol_options: {} } } }";
    bad(Fault::Refuse, options, "").await;
    let file = File::new().policies("[]").cluster("primary", options);
    Scenario::of(logged(file, PROTOCOLS))
        .server("primary", |_| H2Upstream::echoing())
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &["primary"]).await;
            run.log("log", 1).await;
        })
        .await;
}

/// What is told is what the connection speaks, not the answer.
#[tokio::test]
async fn an_answer_of_http_1_0() {
    Scenario::of(logged(File::new().policies("[]"), PROTOCOLS))
        .upstream("primary", |_| Reply::raw("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").close())
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), &["primary"]).await;
            run.log("log", 1).await;
        })
        .await;
}

const DOWN: &str =
    "\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

/// What is known of a client's TLS, in a log and in headers.
fn tls(listener: &str) -> (Scenario, Arc<Certificate>) {
    let ca = Authority::new("ca");
    let (own, client) = (ca.issue(&["a.test"]), Arc::new(ca.issue(&["client.test"])));
    let socket = format!(
        "transport_socket: {{ name: tls, typed_config: {{ {DOWN}, common_tls_context: {{ tls_certificates: [{{ \
         certificate_chain: {{ filename: \"<dir>/a.crt\" }}, private_key: {{ filename: \"<dir>/a.key\" }} }}], \
         validation_context: {{ trusted_ca: {{ filename: \"<dir>/ca.crt\" }} }} }} }} }}"
    );
    let format = "%REQUESTED_SERVER_NAME%|%DOWNSTREAM_TLS_VERSION%|%DOWNSTREAM_PEER_SUBJECT%";
    let headers = format!(
        "request_headers_to_add: [{{ header: {{ key: x-tls, value: \"{format}\" }} }}], \
         response_headers_to_add: [{{ header: {{ key: x-tls, value: \"{format}\" }} }}]"
    );
    let file = File::new().policies("[]").listener(listener).chain(&socket).route_config(&headers);
    let scenario = Scenario::of(logged(file, format))
        .with_file("a.crt", own.pem.clone())
        .with_file("a.key", own.key.clone())
        .with_file("ca.crt", ca.pem());
    (scenario, client)
}

async fn tells_tls((scenario, certificate): (Scenario, Arc<Certificate>)) {
    scenario
        .run(async |run| {
            let asking = TlsClient::asking_for("a.test");
            for (step, client) in [
                ("plain", asking.clone()),
                ("old", asking.clone().old()),
                ("nameless", TlsClient::asking_for("")),
                ("shown", asking.showing(&certificate)),
            ] {
                let (_, answer) = client.ask(run.listen(), &Request::get("/x")).await.expect("it is let in");
                run.answered(step, Some(&answer));
                run.arrived(step, &["primary"]).await;
            }
            run.log("log", 4).await;
        })
        .await;
}

#[tokio::test]
async fn tls_of_clients() {
    let (mut scenario, certificate) = tls("");
    let why = "the name is in every handshake; Envoy reads it with the `tls_inspector` alone";
    for (what, envoy, ours) in [
        ("log 1", "-|TLSv1.3|-", "a.test|TLSv1.3|-"),
        ("log 2", "-|TLSv1.2|-", "a.test|TLSv1.2|-"),
        (
            "log 4",
            "-|TLSv1.3|O=Tests\\, Inc.,CN=client.test",
            "a.test|TLSv1.3|O=Tests\\, Inc.,CN=client.test",
        ),
        ("plain / client: x-tls", "|TLSv1.3|", "a.test|TLSv1.3|"),
        ("plain / primary: x-tls", "|TLSv1.3|", "a.test|TLSv1.3|"),
        ("old / client: x-tls", "|TLSv1.2|", "a.test|TLSv1.2|"),
        ("old / primary: x-tls", "|TLSv1.2|", "a.test|TLSv1.2|"),
        (
            "shown / client: x-tls",
            "|TLSv1.3|O=Tests\\\\, Inc.,CN=client.test",
            "a.test|TLSv1.3|O=Tests\\\\, Inc.,CN=client.test",
        ),
        (
            "shown / primary: x-tls",
            "|TLSv1.3|O=Tests\\\\, Inc.,CN=client.test",
            "a.test|TLSv1.3|O=Tests\\\\, Inc.,CN=client.test",
        ),
    ] {
        scenario = scenario.differs(what, envoy, ours, why);
    }
    tells_tls((scenario, certificate)).await;
}

#[tokio::test]
async fn tls_of_clients_behind_an_inspector() {
    tells_tls(tls("listener_filters: [{ name: i, typed_config: { \"@type\": \
         type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector } }]"))
    .await;
}

/// A client without TLS.
#[tokio::test]
async fn no_tls() {
    let format = "%REQUESTED_SERVER_NAME%|%DOWNSTREAM_TLS_VERSION%|%DOWNSTREAM_PEER_SUBJECT%";
    Scenario::of(logged(File::new(), format))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &BOTH).await;
            run.log("log", 1).await;
        })
        .await;
}

//! Secrets stay where they were put: a marker stands wherever a secret can, and must turn up in no log, no answer of the
//! admin, no refusal of a configuration.

use std::net::SocketAddr;
use std::process::Command;

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::tls::Authority;
use crate::dsl::{Client, Proxy, Reply, Request, Upstream};

const MARKER: &str = "marker-0f-a-secret";
/// As `Authorization: Basic` has it, for the user `u`.
const ENCODED: &str = "dTptYXJrZXItMGYtYS1zZWNyZXQ=";

/// Everything that the admin answers to GET.
const PAGES: &[&str] = &[
    "/",
    "/certs",
    "/clusters",
    "/clusters?format=json",
    "/config_dump",
    "/config_dump?include_eds",
    "/config_dump?resource=mirrors",
    "/help",
    "/init_dump",
    "/listeners",
    "/memory",
    "/mirrors",
    "/mirrors?format=json",
    "/runtime",
    "/server_info",
    "/stats",
    "/stats?format=json",
    "/stats/prometheus",
];

fn assert_hidden(text: &str, at: &str) {
    for secret in [MARKER, ENCODED] {
        let place = text.find(secret).map(|found| &text[found.saturating_sub(200)..found]);
        assert!(place.is_none(), "{at} shows a secret after {place:?}");
    }
}

/// A request that brings secrets of its client's.
fn request(target: &str) -> Request {
    Request::push("x")
        .at(target)
        .header("authorization", format!("Bearer {MARKER}"))
        .header("cookie", format!("session={MARKER}"))
        .header("x-api-key", MARKER)
}

/// Sends requests that fare well and ill, and looks everywhere.
async fn assert_kept(proxy: &mut Proxy, token: Option<&str>) {
    for target in ["/api/v1/push", "/api/v1/refused", "/api/v1/broken", "/nowhere"] {
        let (_, _) = proxy.client().await.attempt(&request(target).bytes()).await;
    }
    for head in ["GET /x HTTP/1.1\r\nauthorization : Bearer ", "GET /\x01 HTTP/1.1\r\nHost: h\r\ncookie: "] {
        let (_, _) = proxy.client().await.attempt(format!("{head}{MARKER}\r\n\r\n").as_bytes()).await;
    }
    for page in PAGES {
        let mut ask = Request::get(page).header("connection", "close");
        if let Some(token) = token {
            ask = ask.header("authorization", format!("Bearer {token}"));
        }
        let answer = Client::once(proxy.admin, &ask).await;
        assert_eq!(answer.status(), 200, "{page}: {}", answer.text());
        assert_hidden(&answer.text(), page);
    }
    proxy.process.signal("TERM");
    proxy.process.end().await;
    assert_hidden(&proxy.process.stderr(), "the log");
}

async fn clusters() -> (Upstream, Upstream) {
    let script = |request: &crate::dsl::http1::Message| match request.target() {
        "/api/v1/refused" => Reply::new(401, "no"),
        "/api/v1/broken" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx").close(),
        _ => Reply::ok(),
    };
    (Upstream::scripted(script).await, Upstream::scripted(script).await)
}

#[tokio::test]
async fn the_native_form_keeps_its_secrets() {
    let (primary, mirror) = clusters().await;
    let dir = Dir::new("secrets");
    let file = dir.write("token", MARKER).display().to_string();
    let text = |listen: SocketAddr, admin: SocketAddr| {
        format!(
            "listen: {listen}\nadmin: {admin}\nadmin_token_file: {file}\nprimary: http://{}\nmirrors:\n\
             - {{ name: basic, url: 'http://{mirror}', requests: all, auth: {{ username: u, password: {MARKER} }} }}\n\
             - {{ name: bearer, url: 'http://{mirror}', requests: all, auth: {{ bearer: {MARKER} }} }}\n\
             - {{ name: file, url: 'http://{mirror}', requests: all, auth: {{ bearer_file: {file} }} }}\n\
             - {{ name: header, url: 'http://{mirror}', requests: all, headers: {{ set: {{ authorization: {MARKER}, cookie: {MARKER}, x-api-key: {MARKER}, x-access-token: {MARKER} }} }} }}\n",
            primary.address(),
            mirror = mirror.address()
        )
    };
    // `/ready` is asked without the token.
    let mut proxy = Proxy::on_text(Program::MimirMirror.command(), text, &["-l", "trace"]).await;
    assert_kept(&mut proxy, Some(MARKER)).await;
    let sent = mirror.requests();
    assert!(
        sent.iter().any(|r| r.header("authorization").is_some_and(|v| v.contains(MARKER))),
        "no secret was in use"
    );
}

#[tokio::test]
async fn an_envoy_file_keeps_its_secrets() {
    let (primary, mirror) = clusters().await;
    let ca = Authority::new("ca");
    let own = ca.issue(&["h"]);
    let inline = |text: &str| format!("{{ inline_string: {text:?} }}");
    let tls = format!(
        "transport_socket: {{ name: envoy.transport_sockets.tls, typed_config: {{ \"@type\": type.googleapis.com/\
         envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: {{ tls_certificates: \
         [{{ certificate_chain: {}, private_key: {} }}], validation_context: {{ trusted_ca: {} }} }} }} }}",
        inline(&own.pem),
        inline(&own.key),
        inline(&ca.pem())
    );
    let header = |name: &str| format!("{{ header: {{ key: {name}, value: {MARKER} }} }}");
    let added = format!("request_headers_to_add: [{}, {}]", header("authorization"), header("x-token"));
    let config = crate::dsl::Config::envoy()
        .primary(primary.address())
        .cluster("secured", &[("127.0.0.1", 1)])
        .entries(&tls)
        .mirror("secondary", mirror.address());
    let text = |listen: SocketAddr, admin: SocketAddr| {
        config.text(listen, admin).replacen("virtual_hosts:", &format!("{added}, virtual_hosts:"), 1)
    };
    let mut proxy = Proxy::on_text(Program::MimirMirror.command(), text, &["-l", "trace"]).await;
    assert_kept(&mut proxy, None).await;
    let log = proxy.process.stderr();
    let line = own.key.lines().nth(1).expect("a key");
    assert!(!log.contains(line), "the log shows a key");
    assert!(
        primary.requests().iter().any(|r| r.values("x-token") == [MARKER.as_bytes()]),
        "no secret was in use"
    );
}

/// What is said of a file that is refused shows the lines around the mistake.
#[test]
fn a_refusal_shows_no_secret() {
    let dir = Dir::new("refused");
    for (name, text) in [
        (
            "a typo beside",
            format!(
                "primary: http://h\nmirrors:\n- url: http://m\n  auth: {{ username: u, password: {MARKER}, pasword: x }}\n"
            ),
        ),
        (
            "a typo behind",
            format!(
                "primary: http://h\nmirrors:\n- url: http://m\n  auth: {{ bearer: {MARKER} }}\n  nme: x\n"
            ),
        ),
        ("a URL with a password", format!("primary: http://u:{MARKER}@h\n")),
        ("no YAML", format!("primary: http://h\nmirrors:\n- auth: {{ bearer: {MARKER}\n")),
        (
            "a header that cannot be",
            format!(
                "primary: http://h\nmirrors:\n- url: http://m\n  headers: {{ set: {{ authorization: \"{MARKER}\\n\" }} }}\n"
            ),
        ),
        (
            "a token that is none",
            "primary: http://h\nadmin_token_file: FILE\n"
                .replace("FILE", &dir.write("t", &format!("{MARKER}\nx\u{7f}")).display().to_string()),
        ),
    ] {
        let file = dir.write("config.yaml", &text);
        let output = Command::new(env!("CARGO_BIN_EXE_mimir-mirror"))
            .args(["--mode", "validate", "-c"])
            .arg(&file)
            .output()
            .expect("it runs");
        assert!(!output.status.success(), "{name} was taken");
        assert_hidden(&String::from_utf8_lossy(&output.stderr), name);
        assert_hidden(&String::from_utf8_lossy(&output.stdout), name);
    }
}

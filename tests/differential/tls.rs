//! TLS towards clients: certificates, names, client certificates, versions.

use crate::dsl::Request;
use crate::dsl::tls::{Authority, Certificate, TlsClient};

use super::file::File;
use super::run::Run;
use super::scenario::Scenario;

const DOWN: &str =
    "\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

/// A `transport_socket` with these entries of the context and of its common part.
fn socket(context: &str, common: &str) -> String {
    format!(
        "transport_socket: {{ name: tls, typed_config: {{ {DOWN}, {context} common_tls_context: {{ {common} }} }} }}"
    )
}

/// A certificate that stands in `<dir>`.
fn pair(name: &str) -> String {
    format!(
        "{{ certificate_chain: {{ filename: \"<dir>/{name}.crt\" }}, private_key: {{ filename: \"<dir>/{name}.key\" }} }}"
    )
}

trait WithCertificate {
    fn with(self, name: &'static str, certificate: &Certificate) -> Self;
}

impl WithCertificate for Scenario {
    fn with(self, name: &'static str, certificate: &Certificate) -> Self {
        let (crt, key): (&'static str, &'static str) = match name {
            "a" => ("a.crt", "a.key"),
            "b" => ("b.crt", "b.key"),
            other => panic!("{other} is not a name of a certificate"),
        };
        self.with_file(crt, certificate.pem.clone()).with_file(key, certificate.key.clone())
    }
}

/// Asks, and records what the client was shown; or that it was turned away.
async fn asks(run: &mut Run, step: &str, client: &TlsClient) {
    let answer = client.ask(run.listen(), &Request::push("x")).await;
    match answer {
        Ok((said, answer)) => {
            run.note(&format!("{step} / tls"), said);
            run.answered(step, Some(&answer));
            run.arrived(step, &super::BOTH).await;
        }
        Err(_) => run.note(&format!("{step} / tls"), "turned away"),
    }
}

/// One listener, two certificates: the name that is asked for chooses, and the first is for everyone else.
#[tokio::test]
async fn certificates() {
    let ca = Authority::new("ca");
    let (a, b) = (ca.issue(&["a.test"]), ca.issue(&["*.b.test", "b.test"]));
    let common = format!("tls_certificates: [{}, {}], alpn_protocols: [h2, http/1.1]", pair("a"), pair("b"));
    Scenario::of(File::new().chain(&socket("", &common)))
        .with("a", &a)
        .with("b", &b)
        .run(async |run| {
            for name in ["a.test", "b.test", "x.b.test", "x.y.b.test", "c.test", ""] {
                asks(run, &format!("asked for {name:?}"), &TlsClient::asking_for(name)).await;
            }
            let client = TlsClient::asking_for("a.test");
            asks(run, "offering http/1.1", &client.clone().offering(&["http/1.1"])).await;
            asks(run, "offering neither", &client.offering(&["spdy/1"])).await;
            run.stat(&format!("listener.127.0.0.1_{}.ssl.handshake", run.listen().port()), 8).await;
            run.stat(&format!("listener.127.0.0.1_{}.ssl.no_certificate", run.listen().port()), 8).await;
            run.stat("http.ingress.downstream_cx_ssl_total", 8).await;
        })
        .await;
}

/// Keys in the file, in base64, or in the environment are as good as files.
#[tokio::test]
async fn certificates_in_place() {
    let a = Authority::new("ca").issue(&["a.test"]);
    let chain = serde_json::json!(a.pem);
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &a.key);
    let common = format!(
        "tls_certificates: [{{ certificate_chain: {{ inline_string: {chain} }}, private_key: {{ inline_bytes: {key} }} }}]"
    );
    Scenario::of(File::new().chain(&socket("", &common)))
        .not_convertible("a private key is never printed")
        .run(async |run| {
            asks(run, "a write", &TlsClient::asking_for("a.test")).await;
            let dump = run.proxy.admin_get("/config_dump").await.text();
            run.note("the key is in the dump", dump.contains(&key));
        })
        .await;
}

/// Chains by name, the most specific one first; whoever asks for another name is turned away, and plain HTTP has a chain
/// of its own.
#[tokio::test]
async fn chains() {
    let ca = Authority::new("ca");
    let (a, b) = (ca.issue(&["a.test"]), ca.issue(&["b.test"]));
    let inspector = "listener_filters: [{ name: i, typed_config: { \"@type\": \
                     type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector } }], \
                     listener_filters_timeout: 9s";
    let text = File::new().listener(inspector).render();
    let (before, rest) = text.split_once("filter_chains: [").unwrap();
    let (chain, after) = rest.split_once("] }\n  clusters:").unwrap();
    let one = |matching: &str, socket: &str| chain.replacen('{', &format!("{{ {matching} {socket} "), 1);
    let of = |name: &str| socket("", &format!("tls_certificates: [{}]", pair(name))) + ",";
    let chains = [
        one("filter_chain_match: { server_names: [a.test, \"*.deep.b.test\"] },", &of("a")),
        one("filter_chain_match: { server_names: [\"*.b.test\"], transport_protocol: tls },", &of("b")),
        one("filter_chain_match: { transport_protocol: raw_buffer },", ""),
    ];
    let text = format!("{before}filter_chains: [{}] }}\n  clusters:{after}", chains.join(", "));
    Scenario::of(File::text(&text))
        .with("a", &a)
        .with("b", &b)
        .run(async |run| {
            for name in ["a.test", "x.b.test", "x.y.b.test", "x.deep.b.test", "b.test", "c.test", ""] {
                asks(run, &format!("asked for {name:?}"), &TlsClient::asking_for(name)).await;
            }
            run.exchange("plain", &Request::push("x"), &super::BOTH).await;
            run.stat(&format!("listener.127.0.0.1_{}.no_filter_chain_match", run.listen().port()), 3).await;
        })
        .await;
}

/// A chain for all other names.
#[tokio::test]
async fn default_chain() {
    let ca = Authority::new("ca");
    let (a, b) = (ca.issue(&["a.test"]), ca.issue(&["b.test"]));
    let text = File::new().render();
    let (before, rest) = text.split_once("filter_chains: [").unwrap();
    let (chain, after) = rest.split_once("] }\n  clusters:").unwrap();
    let one = |entries: &str| chain.replacen('{', &format!("{{ {entries}, "), 1);
    let of = |name: &str| socket("", &format!("tls_certificates: [{}]", pair(name)));
    let named = one(&format!("filter_chain_match: {{ server_names: [a.test] }}, {}", of("a")));
    let inspector = "listener_filters: [{ name: i, typed_config: { \"@type\": \
                     type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector } }]";
    let other = one(&format!("transport_socket_connect_timeout: 9s, {}", of("b")));
    let text = format!(
        "{before}{inspector}, default_filter_chain: {other}, filter_chains: [{named}] }}\n  clusters:{after}"
    );
    Scenario::of(File::text(&text))
        .with("a", &a)
        .with("b", &b)
        .run(async |run| {
            for name in ["a.test", "b.test", "c.test", ""] {
                asks(run, &format!("asked for {name:?}"), &TlsClient::asking_for(name)).await;
            }
        })
        .await;
}

/// v2's `tls_context`, which Envoy no longer has.
#[tokio::test]
async fn v2() {
    let common = format!("common_tls_context: {{ tls_certificates: [{}] }}", pair("a"));
    let v3 = File::new()
        .chain(&format!("transport_socket: {{ name: tls, typed_config: {{ {DOWN}, {common} }} }}"));
    Scenario::of(v3)
        .ours(File::new().chain(&format!("tls_context: {{ {common} }}")))
        .with("a", &Authority::new("ca").issue(&["a.test"]))
        .run(async |run| asks(run, "a write", &TlsClient::asking_for("a.test")).await)
        .await;
}

async fn ssl(run: &Run, name: &str, value: u64) {
    run.stat(&format!("listener.127.0.0.1_{}.ssl.{name}", run.listen().port()), value).await;
}

/// Clients must show a certificate of the CA; the primary learns what it says, whatever the client claims.
#[tokio::test]
async fn client_certificates() {
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    let common = format!(
        "tls_certificates: [{}], validation_context: {{ trusted_ca: {{ filename: \"<dir>/ca.crt\" }} }}",
        pair("a")
    );
    let set = "forward_client_cert_details: SANITIZE_SET, \
               set_current_client_cert_details: { subject: true, cert: true, chain: true, dns: true, uri: true }";
    let good = ca.issue(&["client.test", "spiffe://tests/client"]);
    Scenario::of(File::new().chain(&socket("require_client_certificate: true,", &common)).manager(set))
        .with("a", &ca.issue(&["a.test", "spiffe://tests/proxy"]))
        .with_file("ca.crt", ca.pem())
        .run(async |run| {
            let client = TlsClient::asking_for("a.test");
            asks(run, "showing one", &client.clone().showing(&good)).await;
            asks(run, "showing one, TLS 1.2", &client.clone().showing(&good).old()).await;
            asks(run, "showing none", &client).await;
            asks(run, "showing another's", &client.showing(&other.issue(&["client.test"]))).await;
            ssl(run, "handshake", 2).await;
            ssl(run, "fail_verify_no_cert", 1).await;
            ssl(run, "fail_verify_error", 1).await;
        })
        .await;
}

/// Without `require_client_certificate`, one that is shown must pass; where names are listed, none is not as good.
#[tokio::test]
async fn optional_client_certificates() {
    let ca = Authority::new("ca");
    let common = format!(
        "tls_certificates: [{}], validation_context: {{ trusted_ca: {{ filename: \"<dir>/ca.crt\" }}, \
         match_typed_subject_alt_names: [{{ san_type: DNS, matcher: {{ suffix: .good.test }} }}] }}",
        pair("a")
    );
    let (first, second) = (ca.issue(&["x.good.test"]), ca.issue(&["y.good.test"]));
    let append =
        "forward_client_cert_details: APPEND_FORWARD, set_current_client_cert_details: { uri: true }";
    let socket = socket("require_client_certificate: false,", &common);
    Scenario::of(File::new().chain(&socket).manager(append))
        .with("a", &ca.issue(&["a.test"]))
        .with_file("ca.crt", ca.pem())
        .run(async |run| {
            let client = TlsClient::asking_for("a.test");
            asks(run, "showing one", &client.clone().showing(&first)).await;
            asks(run, "showing none", &client).await;
            asks(run, "showing one for others", &client.clone().showing(&ca.issue(&["x.bad.test"]))).await;
            ssl(run, "fail_verify_san", 1).await;
            let claiming = Request::push("x").header("x-forwarded-client-cert", "Hash=claimed");
            let shown = client.showing(&second);
            let (_, answer) = shown.ask(run.listen(), &claiming).await.unwrap();
            run.answered("appended", Some(&answer));
            run.arrived("appended", &super::BOTH).await;
        })
        .await;
}

/// None is as good as one of the CA.
#[tokio::test]
async fn no_client_certificate() {
    let ca = Authority::new("ca");
    let common = format!(
        "tls_certificates: [{}], validation_context: {{ trusted_ca: {{ filename: \"<dir>/ca.crt\" }} }}",
        pair("a")
    );
    let socket = socket("require_client_certificate: false,", &common);
    Scenario::of(File::new().chain(&socket).manager("forward_client_cert_details: FORWARD_ONLY"))
        .with("a", &ca.issue(&["a.test"]))
        .with_file("ca.crt", ca.pem())
        .run(async |run| {
            let client = TlsClient::asking_for("a.test");
            asks(run, "showing none", &client).await;
            asks(run, "showing one", &client.clone().showing(&ca.issue(&["client.test"]))).await;
            let other = Authority::new("other").issue(&["client.test"]);
            asks(run, "showing another's", &client.showing(&other)).await;
            ssl(run, "no_certificate", 1).await;
            ssl(run, "fail_verify_error", 1).await;
        })
        .await;
}

/// A plain client's claim about its certificate is removed.
#[tokio::test]
async fn sanitized() {
    Scenario::of(File::new())
        .run(async |run| {
            let claiming =
                Request::push("x").header("x-forwarded-client-cert", "Hash=claimed").header("x-b", "1");
            run.exchange("a claim", &claiming, &super::BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn always_forwarded() {
    Scenario::of(File::new().manager("forward_client_cert_details: ALWAYS_FORWARD_ONLY"))
        .run(async |run| {
            let claiming = Request::push("x").header("x-forwarded-client-cert", "Hash=claimed");
            run.exchange("a claim", &claiming, &super::BOTH).await;
        })
        .await;
}

/// Versions, suites and curves are those of the file.
#[tokio::test]
async fn parameters() {
    let params = "tls_params: { tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_2, \
                  cipher_suites: [ECDHE-ECDSA-AES128-GCM-SHA256], ecdh_curves: [P-256] }";
    let common = format!("tls_certificates: [{}], {params}", pair("a"));
    Scenario::of(File::new().chain(&socket("prefer_client_ciphers: true,", &common)))
        .with("a", &Authority::new("ca").issue(&["a.test"]))
        .run(async |run| {
            let client = TlsClient::asking_for("a.test");
            asks(run, "either", &client).await;
            asks(run, "1.2", &client.clone().old()).await;
            asks(run, "1.3", &client.newest()).await;
            ssl(run, "versions.TLSv1.2", 2).await;
            ssl(run, "ciphers.ECDHE-ECDSA-AES128-GCM-SHA256", 2).await;
            ssl(run, "curves.P-256", 2).await;
            ssl(run, "connection_error", 1).await;
        })
        .await;
}

/// TLS 1.3 alone. `require_sni` requires nothing, in either.
#[tokio::test]
async fn newest_version_by_name() {
    let common =
        format!("tls_certificates: [{}], tls_params: {{ tls_minimum_protocol_version: TLSv1_3 }}", pair("a"));
    Scenario::of(File::new().chain(&socket("require_sni: true,", &common)))
        .with("a", &Authority::new("ca").issue(&["a.test"]))
        .run(async |run| {
            asks(run, "1.2", &TlsClient::asking_for("a.test").old()).await;
            asks(run, "1.3", &TlsClient::asking_for("a.test").newest()).await;
            asks(run, "1.3 without a name", &TlsClient::asking_for("").newest()).await;
        })
        .await;
}

/// Sessions are resumed, unless the file says otherwise.
#[tokio::test]
async fn resumption() {
    let common = format!("tls_certificates: [{}]", pair("a"));
    Scenario::of(File::new().chain(&socket("", &common)))
        .with("a", &Authority::new("ca").issue(&["a.test"]))
        .run(async |run| {
            let client = TlsClient::asking_for("a.test").old().remembering();
            asks(run, "first", &client).await;
            asks(run, "again", &client).await;
            ssl(run, "session_reused", 1).await;
        })
        .await;
}

#[tokio::test]
async fn no_resumption() {
    let common = format!("tls_certificates: [{}]", pair("a"));
    let off = "disable_stateless_session_resumption: true, disable_stateful_session_resumption: true,";
    Scenario::of(File::new().chain(&socket(off, &common)))
        .with("a", &Authority::new("ca").issue(&["a.test"]))
        .run(async |run| {
            for client in [TlsClient::asking_for("a.test").old(), TlsClient::asking_for("a.test").newest()] {
                let client = client.remembering();
                let version =
                    format!("{:?}", client.clone().ask(run.listen(), &Request::push("y")).await.unwrap().0);
                run.arrived(&format!("first, {version}"), &super::BOTH).await;
                asks(run, &format!("again, {version}"), &client).await;
            }
            ssl(run, "session_reused", 0).await;
        })
        .await;
}

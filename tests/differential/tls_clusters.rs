//! TLS towards clusters: what is asked for, which certificates are believed, what is shown.

use crate::dsl::tls::Authority;
use crate::dsl::tls_server::{Showing, TlsUpstream};
use crate::dsl::{Reply, Request};

use super::file::File;
use super::scenario::Scenario;

const UP: &str =
    "\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
pub(super) const CA: &str = "trusted_ca: { filename: \"<dir>/ca.crt\" }";

/// A `transport_socket` with these entries of the context and of its validation.
pub(super) fn socket(context: &str, validation: &str) -> String {
    format!(
        "transport_socket: {{ name: tls, typed_config: {{ {UP}, {context} common_tls_context: {{ \
         validation_context: {{ {validation} }} }} }} }}"
    )
}

/// `primary` and `mirror` behind TLS, with certificates for their names.
fn secured(file: File, ca: &Authority) -> Scenario {
    let mut scenario = Scenario::of(file).with_file("ca.crt", ca.pem());
    for name in ["primary", "mirror"] {
        let certificate =
            ca.issue(&[&format!("{name}.test"), "127.0.0.1", &format!("spiffe://tests/{name}")]);
        let showing = Showing { certificate, clients: None, alpn: vec![] };
        scenario =
            scenario.server(name, move |_| TlsUpstream::answering(showing.clone(), Reply::new(200, "ok")));
    }
    scenario
}

pub(super) fn both(primary: &str, mirror: &str) -> File {
    File::new().cluster("primary", primary).cluster("mirror", mirror)
}

pub(super) async fn writes(run: &mut super::run::Run) {
    run.exchange("a write", &Request::push("x").host("asked.test"), &super::BOTH).await;
}

/// The name that the file says is asked for; with a CA of its own every certificate of that CA will do, as in Envoy.
#[tokio::test]
async fn sni() {
    let tls = socket("sni: other.test, max_session_keys: 2,", CA);
    secured(both(&tls, &tls), &Authority::new("ca"))
        .run(async |run| {
            writes(run).await;
            run.stat("cluster.primary.ssl.handshake", 1).await;
            run.stat("cluster.mirror.ssl.handshake", 1).await;
        })
        .await;
}

/// v2's `tls_context`, which Envoy no longer has.
#[tokio::test]
async fn v2() {
    let context = format!("sni: primary.test, common_tls_context: {{ validation_context: {{ {CA} }} }}");
    let (v3, v2) = (socket("sni: primary.test,", CA), format!("tls_context: {{ {context} }}"));
    secured(both(&v3, &v3), &Authority::new("ca")).ours(both(&v2, &v2)).run(writes).await;
}

/// Without one, none.
#[tokio::test]
async fn no_sni() {
    let tls = socket("", CA);
    secured(both(&tls, &tls), &Authority::new("ca")).run(writes).await;
}

/// A certificate of another CA: 503, and a mirror's trouble is its own.
#[tokio::test]
async fn wrong_authority() {
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    let tls = socket("", "trusted_ca: { filename: \"<dir>/other.crt\" }");
    secured(both(&tls, &tls), &ca)
        .with_file("other.crt", other.pem())
        .differs(
            "a write / client: connection",
            "(absent)",
            "close",
            "nobody had asked for the body when the answer came, so the connection ends with it",
        )
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &[]).await;
            for cluster in ["primary", "mirror"] {
                run.stat(&format!("cluster.{cluster}.ssl.fail_verify_error"), 1).await;
                run.stat(&format!("cluster.{cluster}.ssl.handshake"), 0).await;
                run.stat(&format!("cluster.{cluster}.upstream_cx_connect_fail"), 1).await;
            }
        })
        .await;
}

/// Names of the certificate, by kind.
#[tokio::test]
async fn names() {
    let right = "match_typed_subject_alt_names: [{ san_type: DNS, matcher: { exact: nobody.test } }, \
                 { san_type: URI, matcher: { prefix: \"spiffe://tests/\" } }]";
    let wrong =
        "match_typed_subject_alt_names: [{ san_type: DNS, matcher: { prefix: \"spiffe://tests/\" } }]";
    let (right, wrong) = (socket("", &format!("{CA}, {right}")), socket("", &format!("{CA}, {wrong}")));
    secured(both(&right, &wrong), &Authority::new("ca"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["primary"]).await;
            run.stat("cluster.mirror.ssl.fail_verify_san", 1).await;
        })
        .await;
}

/// The older form, of any kind.
#[tokio::test]
async fn names_of_any_kind() {
    let right = "match_subject_alt_names: [{ exact: MIRROR.test, ignore_case: true }, { contains: primary }]";
    let tls = socket("", &format!("{CA}, {right}"));
    secured(both(&tls, &tls), &Authority::new("ca"))
        .not_convertible("v3 has only the deprecated field for names of any kind, of which Envoy warns")
        .run(writes)
        .await;
}

/// One certificate, or one key, and no other.
#[tokio::test]
async fn hashes() {
    let ca = Authority::new("ca");
    let (pinned, other) = (ca.issue(&["pinned.test"]), ca.issue(&["other.test"]));
    let hash = format!("{CA}, verify_certificate_hash: [\"{}\"]", pinned.hash);
    let spki = format!("{CA}, verify_certificate_spki: [\"{}\"]", other.spki);
    let showing = |certificate| Showing { certificate, clients: None, alpn: vec![] };
    let (of_primary, of_mirror) = (showing(pinned.clone()), showing(pinned));
    Scenario::of(both(&socket("", &hash), &socket("", &spki)))
        .with_file("ca.crt", ca.pem())
        .server("primary", move |_| TlsUpstream::answering(of_primary.clone(), Reply::ok()))
        .server("mirror", move |_| TlsUpstream::answering(of_mirror.clone(), Reply::ok()))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["primary"]).await;
            run.stat("cluster.mirror.ssl.fail_verify_cert_hash", 1).await;
        })
        .await;
}

/// Verification off: whoever answers is believed.
#[tokio::test]
async fn untrusted() {
    let tls = socket("", "trust_chain_verification: ACCEPT_UNTRUSTED");
    secured(both(&tls, &tls), &Authority::new("ca")).run(writes).await;
}

/// Of a mirror behind TLS with this transport socket, and a plain primary.
async fn unknown(tls: &str, why: &'static str) {
    let ca = Authority::new("ca");
    let showing = Showing { certificate: ca.issue(&["mirror.test"]), clients: None, alpn: vec![] };
    Scenario::of(File::new().cluster("mirror", tls))
        .server("mirror", move |_| TlsUpstream::answering(showing.clone(), Reply::ok()))
        .differs("handshakes", "1", "0", why)
        // What the mirror gets differs for the same reason.
        .only(|what| !what.contains("mirror"))
        .run(async |run| {
            let answer = run.client().await.exchange(&Request::push("x")).await;
            run.answered("a write", Some(&answer));
            run.arrived("a write", &["primary"]).await;
            let end = if run.is_envoy() { "ssl.handshake" } else { "ssl.fail_verify_error" };
            run.stat(&format!("cluster.mirror.{end}"), 1).await;
            let handshakes = run.read_stat("cluster.mirror.ssl.handshake").await;
            run.note("handshakes", handshakes);
        })
        .await;
}

/// The system's CAs do not know ours.
#[tokio::test]
async fn nobody_named() {
    let tls = format!("transport_socket: {{ name: tls, typed_config: {{ {UP} }} }}");
    unknown(&tls, "who names no CA does not believe everyone: the system's are asked").await;
}

/// The same, said in the file.
#[tokio::test]
async fn system_roots() {
    unknown(&socket("", "system_root_certs: {}"), "Envoy reads them and verifies nothing all the same").await;
}

/// The proxy shows a certificate of its own to clusters that ask.
#[tokio::test]
async fn certificate() {
    let ca = Authority::new("ca");
    let own = ca.issue(&["proxy.test"]);
    let tls = format!(
        "transport_socket: {{ name: tls, typed_config: {{ {UP}, sni: primary.test, common_tls_context: {{ \
         alpn_protocols: [http/1.1], tls_certificates: [{{ certificate_chain: {{ filename: \"<dir>/own.crt\" }}, \
         private_key: {{ filename: \"<dir>/own.key\" }} }}], validation_context: {{ {CA} }} }} }} }}"
    );
    let showing = |name: &str| Showing {
        certificate: ca.issue(&[name]),
        clients: Some(ca.pem()),
        alpn: vec!["http/1.1"],
    };
    let (primary, mirror) = (showing("primary.test"), showing("mirror.test"));
    Scenario::of(both(&tls, &tls))
        .with_file("ca.crt", ca.pem())
        .with_file("own.crt", own.pem.clone())
        .with_file("own.key", own.key)
        .server("primary", move |_| TlsUpstream::answering(primary.clone(), Reply::ok()))
        .server("mirror", move |_| TlsUpstream::answering(mirror.clone(), Reply::ok()))
        .run(writes)
        .await;
}

/// The request's `Host` is what the primary is asked for, and verified to be; connections are not shared between hosts.
#[tokio::test]
async fn auto_sni() {
    let options = "typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { \
                   \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, \
                   explicit_http_config: { http_protocol_options: {} }, \
                   upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true } } }";
    let tls = format!("{}, {options}", socket("", CA));
    secured(both(&tls, &socket("", CA)), &Authority::new("ca"))
        .differs(
            "another / client: connection",
            "(absent)",
            "close",
            "nobody had asked for the body when the answer came, so the connection ends with it",
        )
        // Whether a connection to the mirror is used again depends on the worker.
        .only(|what| !what.ends_with("x-tls") || what.starts_with("a write"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x").host("PRIMARY.test:80"), &super::BOTH).await;
            run.exchange("another", &Request::push("x").host("other.test"), &["mirror"]).await;
            run.stat("cluster.primary.ssl.fail_verify_san", 1).await;
        })
        .await;
}

/// The name of the file must be in the certificate.
#[tokio::test]
async fn name_asked_for() {
    let (right, wrong) = (
        socket("sni: primary.test, auto_sni_san_validation: true,", CA),
        socket("sni: other.test, auto_sni_san_validation: true,", CA),
    );
    secured(both(&right, &wrong), &Authority::new("ca"))
        .run(async |run| {
            run.exchange("a write", &Request::push("x"), &["primary"]).await;
            run.stat("cluster.mirror.ssl.fail_verify_san", 1).await;
        })
        .await;
}

//! HTTP/2 over TLS towards the primary.

use crate::dsl::tls::Authority;
use crate::dsl::tls_server::{Showing, TlsUpstream};
use crate::dsl::{H2Upstream, Reply, Request};

use super::scenario::Scenario;
use super::tls_clusters::{CA, both, socket, writes};

/// A primary that is spoken to in HTTP/2, with these entries of its options; a mirror in HTTP/1.1.
fn over_http2(context: &str, options: &str) -> Scenario {
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = format!(
        "typed_extension_protocol_options: {{ {OPTIONS}: {{ \"@type\": type.googleapis.com/{OPTIONS}, \
         explicit_http_config: {{ http2_protocol_options: {{}} }}, {options} }} }}"
    );
    let ca = Authority::new("ca");
    let showing = |name: &str, alpn| Showing { certificate: ca.issue(&[name]), clients: None, alpn };
    let (primary, mirror) =
        (showing("primary.test", vec!["h2", "http/1.1"]), showing("mirror.test", vec!["http/1.1"]));
    let file = both(&format!("{}, {http2}", socket(context, CA)), &socket("", CA));
    Scenario::of(file)
        .with_file("ca.crt", ca.pem())
        .server("primary", move |_| {
            let showing = primary.clone();
            async move { H2Upstream::secured(&showing).await }
        })
        .server("mirror", move |_| TlsUpstream::answering(mirror.clone(), Reply::ok()))
        // Whether a connection to the mirror is used again depends on the worker.
        .only(|what| !what.ends_with("mirror: x-tls"))
}

/// Envoy passes on what the client's connection was.
const SCHEME: &str = "the scheme is that of the connection on which the request is made";

/// ALPN offers HTTP/2, and that is what is spoken.
#[tokio::test]
async fn http2() {
    over_http2("sni: primary.test,", "")
        .differs("a write / primary: :scheme", "http", "https", SCHEME)
        .differs("a read / primary: :scheme", "http", "https", SCHEME)
        // One connection for both.
        .one_worker()
        .run(async |run| {
            writes(run).await;
            run.exchange("a read", &Request::get("/x"), &super::BOTH).await;
            run.stat("cluster.primary.ssl.handshake", 1).await;
            run.stat("cluster.primary.upstream_cx_http2_total", 1).await;
        })
        .await;
}

/// As over HTTP/1.1 (`tls_clusters::auto_sni`).
#[tokio::test]
async fn auto_sni_over_http2() {
    over_http2("", "upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true }")
        .differs("a write / primary: :scheme", "http", "https", SCHEME)
        .differs(
            "another / client: connection",
            "(absent)",
            "close",
            "nobody had asked for the body when the answer came, so the connection ends with it",
        )
        .run(async |run| {
            run.exchange("a write", &Request::push("x").host("PRIMARY.test:80"), &super::BOTH).await;
            run.exchange("another", &Request::push("x").host("other.test"), &["mirror"]).await;
            run.stat("cluster.primary.ssl.fail_verify_san", 1).await;
        })
        .await;
}

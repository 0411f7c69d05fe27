//! HTTP/2 to the primary over TLS: agreed on by ALPN, by name. What Envoy does from the same file stands in
//! `tests/differential/tls_http2.rs`.

use http::Version;

use crate::dsl::dir::Dir;
use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::proxy::Program;
use crate::dsl::tls::Authority;
use crate::dsl::tls_server::{Showing, TlsUpstream};
use crate::dsl::{Config, H2Upstream, Proxy, Reply, Request, until};

const TYPE: &str = "\"@type\": type.googleapis.com/envoy.extensions";

/// A primary behind TLS that is spoken to in HTTP/2, with these entries of the TLS context and of the options.
fn config(primary: std::net::SocketAddr, ca: &std::path::Path, tls: &str, options: &str) -> Config {
    let validation = format!("validation_context: {{ trusted_ca: {{ filename: '{}' }} }}", ca.display());
    let context = format!(
        "{TYPE}.transport_sockets.tls.v3.UpstreamTlsContext, {tls} common_tls_context: {{ {validation} }}"
    );
    Config::envoy()
        .primary(primary)
        .protocol(&format!("explicit_http_config: {{ http2_protocol_options: {{}} }}, {options}"))
        .entries(&format!("transport_socket: {{ name: tls, typed_config: {{ {context} }} }}"))
}

fn showing(ca: &Authority, names: &[&str], alpn: &[&'static str]) -> Showing {
    Showing { certificate: ca.issue(names), clients: None, alpn: alpn.to_vec() }
}

/// A primary for these names, the proxy before it, and the folder with its CA.
async fn between(names: &[&str], tls: &str, options: &str) -> (H2Upstream, Proxy, Dir) {
    let (ca, dir) = (Authority::new("ca"), Dir::new("tls"));
    let primary = H2Upstream::secured(&showing(&ca, names, &["h2", "http/1.1"])).await;
    let config = config(primary.address(), &dir.write("ca.crt", &ca.pem()), tls, options);
    let proxy = Proxy::launch(Program::under_test(), &config, &["--concurrency", "1"]).await;
    (primary, proxy, dir)
}

#[tokio::test]
async fn c1_alpn_agrees_on_http2() {
    let (primary, proxy, _dir) = between(&["primary.test"], "sni: primary.test,", "").await;
    assert_eq!(proxy.send(&Request::push("one")).await.text(), "/api/v1/push");
    let client = H2Client::connect(proxy.listen).await;
    let post = http::Request::post("http://mimir.example/two");
    assert_eq!(client.exchange(post, Frames::default().data("two")).await.body.as_ref(), b"/two");
    let seen = primary.received(2).await;
    for (seen, body) in seen.iter().zip(["one", "two"]) {
        assert_eq!((seen.head.version, seen.head.uri.scheme_str()), (Version::HTTP_2, Some("https")));
        assert_eq!(seen.tls.as_deref(), Some("sni=\"primary.test\" alpn=\"h2\" client=None"));
        assert_eq!(seen.body, body.as_bytes());
    }
    assert_eq!(primary.connections(), 1);
}

/// Each request's own `Host` is asked for, and what is asked for one name serves no other.
#[tokio::test]
async fn c1_auto_sni_keeps_names_apart() {
    let options = "upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true }";
    let (primary, proxy, _dir) = between(&["a.test", "b.test"], "", options).await;
    let mut client = proxy.client().await;
    for host in ["a.test", "b.test:9009", "A.test", "b.test"] {
        assert_eq!(client.exchange(&Request::push("x").host(host)).await.status(), 200, "{host}");
    }
    let seen = primary.received(4).await;
    let asked = |seen: &crate::dsl::h2_upstream::Seen| {
        let name = seen.tls.as_deref().and_then(|said| said.split('"').nth(1)).unwrap_or_default();
        let authority = seen.head.uri.authority().map(ToString::to_string).unwrap_or_default();
        (authority, name.to_owned())
    };
    let expected =
        [("a.test", "a.test"), ("b.test:9009", "b.test"), ("A.test", "a.test"), ("b.test", "b.test")];
    let expected = expected.map(|(authority, name)| (authority.to_owned(), name.to_owned()));
    assert_eq!(seen.iter().map(asked).collect::<Vec<_>>(), expected);
    let refused = client.exchange(&Request::push("x").host("c.test")).await;
    assert_eq!(refused.status(), 503, "{}", refused.text());
    assert_eq!(primary.seen().len(), 4, "a request reached a server whose name is another");
}

/// A server that offers something else and not HTTP/2 ends the handshake.
#[tokio::test]
async fn c4_a_server_that_offers_no_http2_is_a_503() {
    let (ca, dir) = (Authority::new("ca"), Dir::new("tls"));
    let primary = TlsUpstream::answering(showing(&ca, &["primary.test"], &["http/1.1"]), Reply::ok()).await;
    let config = config(primary.address(), &dir.write("ca.crt", &ca.pem()), "sni: primary.test,", "");
    let proxy = Proxy::start(&config).await;
    let answer = proxy.send(&Request::push("x")).await;
    assert_eq!(answer.status(), 503, "{}", answer.text());
    until("the count of the failure", async || {
        let failed = proxy.metrics().await.sum("envoy_cluster_ssl_connection_error", &[]);
        (failed == 1).then_some(())
    })
    .await;
    assert_eq!(primary.inner.begun(), 0);
}

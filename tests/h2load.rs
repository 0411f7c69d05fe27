//! h2load, nghttp2's load generator: a client that is not ours, with many streams on each of its connections.

use std::process::Command;

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::tls::Authority;
use crate::dsl::{Config, H2Upstream, Proxy, Reply, Upstream};

/// Sends `count` writes of 67 kB, the batch of a usual sender, and fails unless all are answered with success.
async fn writes(url: &str, count: u64) {
    let dir = Dir::new("h2load");
    let body = dir.write("body", &"x".repeat(67_000));
    let mut h2load = Command::new("h2load");
    h2load.args(["-n", &count.to_string(), "-c", "4", "-m", "25", "-H", "x-scope-orgid: t1", "-d"]);
    h2load.arg(body).arg(url);
    let ended = tokio::task::spawn_blocking(move || h2load.output()).await.expect("no panic in there");
    let output = ended.expect("h2load is installed (`make test` gets it)");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!(
        "{count} total, {count} started, {count} done, {count} succeeded, 0 failed, 0 errored, 0 timeout"
    );
    assert!(said.contains(&all), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("status codes: {count} 2xx")), "{said}");
}

/// From HTTP/2 to HTTP/2, every write with its copy.
#[tokio::test]
async fn every_write_over_h2c_succeeds_and_every_copy_is_accounted() {
    let primary = H2Upstream::echoing().await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).http2("").mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    writes(&format!("http://{}/api/v1/push", proxy.listen), 600).await;
    let ledger = proxy.settled_at("secondary", 600).await;
    assert_eq!(ledger.delivered(), 600, "{ledger:?}");
    assert_eq!((primary.received(600).await.len(), mirror.completed()), (600, 600));
    let metrics = proxy.metrics().await;
    assert_eq!(metrics.sum("envoy_http_downstream_rq_http2_total", &[]), 600);
}

/// The same with TLS, where ALPN chooses HTTP/2.
#[tokio::test]
async fn every_write_over_tls_succeeds_and_every_copy_is_accounted() {
    let (primary, mirror) = (Upstream::answering(Reply::ok()).await, Upstream::answering(Reply::ok()).await);
    let (dir, certificate) = (Dir::new("h2load"), Authority::new("ca").issue(&["proxy.test"]));
    let cert = dir.write("tls.crt", &certificate.pem);
    let key = dir.write("tls.key", &certificate.key);
    let text = |listen, admin| {
        let tls = format!("cert: {}, key: {}", cert.display(), key.display());
        format!(
            "listen: {{ address: '{listen}', tls: {{ {tls} }} }}\nadmin: {admin}\nprimary: http://{}\n\
             mirrors: [{{ name: secondary, url: 'http://{}' }}]\n",
            primary.address(),
            mirror.address()
        )
    };
    let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &[]).await;
    writes(&format!("https://{}/api/v1/push", proxy.listen), 400).await;
    let ledger = proxy.settled_at("secondary", 400).await;
    assert_eq!((ledger.delivered(), primary.completed()), (400, 400), "{ledger:?}");
    let metrics = proxy.metrics().await;
    assert_eq!(metrics.sum("envoy_http_downstream_rq_http2_total", &[]), 400);
}

/// A connection's age is not felt: clients are told in time and connect anew.
#[tokio::test]
async fn connections_that_end_after_some_requests_lose_none() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let limits = "common_http_protocol_options: { max_requests_per_connection: 2 }";
    let config = Config::envoy()
        .primary(primary.address())
        .protocol(&format!("explicit_http_config: {{ http_protocol_options: {{}} }}, {limits}"));
    let proxy = Proxy::start(&config.mirror("secondary", mirror.address())).await;
    writes(&format!("http://{}/api/v1/push", proxy.listen), 400).await;
    let ledger = proxy.settled_at("secondary", 400).await;
    assert_eq!(ledger.delivered(), 400, "{ledger:?}");
    let metrics = proxy.metrics().await;
    let own = [("envoy_cluster_name", "primary")];
    assert!(metrics.sum("envoy_cluster_upstream_cx_max_requests", &own) > 0);
}

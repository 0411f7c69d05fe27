//! DNS servers of a file's own: what only they can tell is the time to live.

use std::net::{Ipv4Addr, SocketAddr};

use crate::dsl::dns::DnsServer;
use crate::dsl::ports::Port;
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

/// A server that answers with its number, at `127.0.0.N`.
async fn server(n: u8, port: &Port) -> Upstream {
    let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, n), port.number()));
    Upstream::at(address, move |_| Reply::new(200, &n.to_string())).await
}

/// `mimir.test` as the primary, asked of this server.
async fn proxy(dns: &DnsServer, port: &Port, discovery: &str) -> Proxy {
    let at = dns.address();
    let server = format!(
        "dns_resolvers: [{{ socket_address: {{ address: {}, port_value: {} }} }}]",
        at.ip(),
        at.port()
    );
    let config = Config::envoy().cluster("primary", &[("mimir.test", port.number())]);
    let config = config.discovery(&format!("{discovery}, dns_lookup_family: V4_ONLY, {server}"));
    Proxy::launch(Program::under_test(), &config, &["--concurrency", "2"]).await
}

#[tokio::test]
async fn an_answer_is_used_as_long_as_it_lives() {
    let port = Port::reserve();
    let (_one, _two) = (server(1, &port).await, server(2, &port).await);
    let dns = DnsServer::start().await.with("mimir.test", &[1], 1);
    let proxy = proxy(&dns, &port, "type: STRICT_DNS, dns_refresh_rate: 300s, respect_dns_ttl: true").await;
    let mut client = proxy.client().await;
    assert_eq!(client.exchange(&Request::get("/x")).await.text(), "1");
    dns.set("mimir.test", &[2], 300);
    until("requests at the new address", async || {
        (client.exchange(&Request::get("/x")).await.text() == "2").then_some(())
    })
    .await;
}

#[tokio::test]
async fn over_tcp_alone_where_the_file_says_so() {
    let port = Port::reserve();
    let _one = server(1, &port).await;
    let dns = DnsServer::start().await.with("mimir.test", &[1], 30);
    let proxy = proxy(&dns, &port, "type: STRICT_DNS, use_tcp_for_dns_lookups: true").await;
    assert_eq!(proxy.send(&Request::get("/x")).await.text(), "1");
    let [udp, tcp] = dns.asked();
    assert!(udp == 0 && tcp > 0, "{udp} over UDP, {tcp} over TCP");
}

/// New connections go to the new address, those that are open stay.
#[tokio::test]
async fn a_logical_name_keeps_its_connections() {
    let port = Port::reserve();
    let (_one, _two) = (server(1, &port).await, server(2, &port).await);
    let dns = DnsServer::start().await.with("mimir.test", &[1, 2], 300);
    let proxy = proxy(&dns, &port, "type: LOGICAL_DNS, dns_refresh_rate: 0.2s").await;
    let mut first = proxy.client().await;
    for _ in 0..4 {
        assert_eq!(first.exchange(&Request::get("/x")).await.text(), "1");
    }
    dns.set("mimir.test", &[2], 300);
    until("the new address", async || {
        proxy.admin_get("/clusters").await.text().contains("primary::127.0.0.2:").then_some(())
    })
    .await;
    assert_eq!(first.exchange(&Request::get("/x")).await.text(), "1");
    // Its connection is with the other worker, which has none to the primary yet.
    assert_eq!(proxy.send(&Request::get("/x")).await.text(), "2");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_asked_for_again() {
    let port = Port::reserve();
    let _one = server(1, &port).await;
    let dns = DnsServer::start().await;
    let rate = "dns_failure_refresh_rate: { base_interval: 0.1s, max_interval: 0.2s }";
    let proxy = proxy(&dns, &port, &format!("type: STRICT_DNS, dns_refresh_rate: 300s, {rate}")).await;
    let answer = proxy.send(&Request::get("/x")).await;
    assert_eq!((answer.status(), answer.text().as_str()), (503, "no healthy upstream"));
    dns.set("mimir.test", &[1], 300);
    until("its use", async || (proxy.send(&Request::get("/x")).await.status() == 200).then_some(())).await;
}

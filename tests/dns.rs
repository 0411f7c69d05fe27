//! Names: resolved at the start and again and again, every address an endpoint.
//!
//! The proxy runs in a mount namespace of its own in which `/etc/hosts` is the test's file: no root is needed, and
//! nothing outside changes.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use crate::dsl::dir::Dir;
use crate::dsl::ports::Port;
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

/// The proxy's own `/etc/hosts`.
struct Hosts {
    dir: Dir,
}

impl Hosts {
    fn with(lines: &str) -> Self {
        let hosts = Self { dir: Dir::new("hosts") };
        hosts.set(lines);
        hosts
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("hosts")
    }

    /// Written in place: the proxy sees this very file.
    fn set(&self, lines: &str) {
        self.dir.write("hosts", &format!("127.0.0.1 localhost\n{lines}\n"));
    }

    /// Starts the proxy under test where this file is `/etc/hosts`.
    async fn start(&self, config: &Config) -> Proxy {
        let program = Program::under_test().command();
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
            command.arg("--map-root-user");
        }
        let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        command
            .args(["sh", "-c", script])
            .arg(self.path())
            .arg(program.get_program())
            .args(program.get_args());
        Proxy::on_text(command, |listen, admin| config.text(listen, admin), &[]).await
    }
}

/// A server that answers with its address, at `127.0.0.N`.
async fn server(n: u8, port: &Port) -> Upstream {
    let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, n), port.number()));
    Upstream::at(address, move |_| Reply::new(200, &n.to_string())).await
}

fn names(port: &Port) -> Config {
    let config = Config::envoy().cluster("primary", &[("mimir.test", port.number())]);
    config.discovery("type: STRICT_DNS, dns_refresh_rate: 0.2s")
}

#[tokio::test]
async fn every_address_of_a_name_is_used_in_turn() {
    let port = Port::reserve();
    let servers = [server(1, &port).await, server(2, &port).await, server(3, &port).await];
    let hosts = Hosts::with("127.0.0.1 mimir.test\n127.0.0.2 mimir.test\n127.0.0.3 mimir.test");
    let proxy = hosts.start(&names(&port)).await;
    let mut client = proxy.client().await;
    for _ in 0..30 {
        assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
    }
    for (n, server) in (1..).zip(&servers) {
        // Each worker goes round on its own.
        assert!((8..=12).contains(&server.completed()), "127.0.0.{n} got {} of 30", server.completed());
    }
}

#[tokio::test]
async fn a_name_that_moves_is_followed() {
    let port = Port::reserve();
    let old = server(1, &port).await;
    let new = server(2, &port).await;
    let hosts = Hosts::with("127.0.0.1 mimir.test");
    let proxy = hosts.start(&names(&port)).await;
    let mut client = proxy.client().await;
    assert_eq!(client.exchange(&Request::get("/x")).await.text(), "1");
    hosts.set("127.0.0.2 mimir.test");
    until("requests at the new address", async || {
        let answer = client.exchange(&Request::get("/x")).await;
        assert_eq!(answer.status(), 200);
        (answer.text() == "2").then_some(())
    })
    .await;
    let before = old.completed();
    for _ in 0..20 {
        assert_eq!(client.exchange(&Request::get("/x")).await.text(), "2");
    }
    assert_eq!(old.completed(), before);
    assert!(new.completed() >= 20);
}

#[tokio::test]
async fn a_name_that_vanishes_keeps_its_last_address() {
    let port = Port::reserve();
    let _server = server(1, &port).await;
    let hosts = Hosts::with("127.0.0.1 mimir.test");
    let proxy = hosts.start(&names(&port)).await;
    assert_eq!(proxy.send(&Request::get("/x")).await.text(), "1");
    let attempts = async || proxy.metrics().await.sum("envoy_cluster_update_attempt", &[]);
    hosts.set("");
    let then = attempts().await;
    until("three more look-ups", async || (attempts().await >= then + 3).then_some(())).await;
    assert_eq!(proxy.send(&Request::get("/x")).await.text(), "1");
}

#[tokio::test]
async fn a_name_that_appears_later_is_used_then() {
    let port = Port::reserve();
    let server = server(1, &port).await;
    let hosts = Hosts::with("");
    let proxy = hosts.start(&names(&port)).await;
    let first = proxy.send(&Request::get("/x")).await;
    assert_eq!((first.status(), first.text().as_str()), (503, "no healthy upstream"));
    hosts.set("127.0.0.1 mimir.test");
    until("the name's use", async || (proxy.send(&Request::get("/x")).await.status() == 200).then_some(()))
        .await;
    assert_eq!(server.completed(), 1);
}

#[tokio::test]
async fn a_mirror_whose_name_appears_later_gets_copies_then() {
    let port = Port::reserve();
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = server(1, &port).await;
    let hosts = Hosts::with("");
    let config =
        Config::envoy().primary(primary.address()).mirror_at("secondary", &[("mirror.test", port.number())]);
    let proxy = hosts.start(&config.discovery("type: STRICT_DNS, dns_refresh_rate: 0.2s")).await;
    assert_eq!(proxy.send(&Request::push("lost")).await.status(), 200);
    let ledger = proxy.settled_at("secondary", 1).await;
    assert_eq!(ledger.reason("failed", "no_endpoint"), 1, "{ledger:?}");
    hosts.set("127.0.0.1 mirror.test");
    until("a delivered copy", async || {
        assert_eq!(proxy.send(&Request::push("kept")).await.status(), 200);
        (mirror.completed() > 0).then_some(())
    })
    .await;
    proxy.settled("secondary").await;
    assert!(mirror.requests().iter().all(|m| m.text() == "kept"));
}

#[tokio::test]
async fn several_endpoints_are_used_in_turn() {
    let port = Port::reserve();
    let servers = [server(1, &port).await, server(2, &port).await];
    let endpoints = [("127.0.0.1", port.number()), ("127.0.0.2", port.number())];
    let config = Config::envoy().cluster("primary", &endpoints).discovery("type: STATIC");
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for _ in 0..20 {
        assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
    }
    assert_eq!(servers.iter().map(Upstream::completed).collect::<Vec<_>>(), [10, 10]);
}

#[tokio::test]
async fn localhost_is_a_name() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().cluster("primary", &[("localhost", primary.address().port())]);
    let proxy = Proxy::start(&config.discovery("type: STRICT_DNS, dns_lookup_family: V4_ONLY")).await;
    assert_eq!(proxy.send(&Request::get("/x")).await.status(), 200);
}

/// One server has them all.
#[tokio::test]
async fn a_name_of_two_hundred_addresses_is_used_whole() {
    let port = Port::reserve();
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.number()));
    let server = Upstream::at(everywhere, |_| Reply::ok()).await;
    let lines: Vec<_> = (1..=200).map(|n| format!("127.0.0.{n} mimir.test")).collect();
    let hosts = Hosts::with(&lines.join("\n"));
    let proxy = hosts.start(&names(&port)).await;
    let members = async || proxy.metrics().await.sum("envoy_cluster_membership_total", &[]);
    assert_eq!(members().await, 200);
    let mut client = proxy.client().await;
    for _ in 0..400 {
        assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
    }
    assert_eq!(server.completed(), 400);
    hosts.set("127.0.0.200 mimir.test");
    until("the others' end", async || (members().await == 1).then_some(())).await;
    assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
}

/// Between one address, another and none: no request is lost by it.
#[tokio::test]
async fn a_name_that_flaps_costs_no_request() {
    let port = Port::reserve();
    let _servers = [server(1, &port).await, server(2, &port).await];
    let hosts = Hosts::with("127.0.0.1 mimir.test");
    let proxy = hosts.start(&names(&port)).await;
    let attempts = async || proxy.metrics().await.sum("envoy_cluster_update_attempt", &[]);
    let mut client = proxy.client().await;
    for lines in
        ["127.0.0.2 mimir.test", "", "127.0.0.1 mimir.test\n127.0.0.2 mimir.test", "", "127.0.0.1 mimir.test"]
    {
        hosts.set(lines);
        let then = attempts().await + 2;
        while attempts().await < then {
            assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200, "{lines:?}");
        }
    }
}

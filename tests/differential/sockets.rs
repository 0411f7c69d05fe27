//! The sockets of connections to clusters.

use crate::dsl::http1::Message;
use crate::dsl::{Reply, Request};

use super::BOTH;
use super::file::File;
use super::run::Run;
use super::scenario::Scenario;

const FROM_2: &str = "upstream_bind_config: { source_address: { address: 127.0.0.2, port_value: 0 } }";

fn source(message: &Message) -> String {
    message.peer.map(|peer| peer.ip().to_string()).unwrap_or_default()
}

/// Sends a write, and records where its request and its copy came from.
async fn told(run: &mut Run, step: &str) {
    run.exchange(step, &Request::push("x"), &BOTH).await;
    let sources = run.servers.iter().filter(|standing| BOTH.contains(&standing.name)).map(|standing| {
        let from = standing.server.messages().last().map(source).unwrap_or_default();
        (format!("{step} / {}: source", standing.name), from)
    });
    for (what, from) in sources.collect::<Vec<_>>() {
        run.note(&what, from);
    }
}

#[tokio::test]
async fn source_of_a_cluster() {
    Scenario::of(File::new().cluster("primary", FROM_2).cluster("mirror", FROM_2))
        .upstream("primary", |message| Reply::new(200, &source(message)))
        .run(async |run| told(run, "a write").await)
        .await;
}

/// What the cluster manager says holds for clusters that say nothing; an empty one of a cluster's own undoes it.
#[tokio::test]
async fn source_of_all_clusters() {
    let file = File::new()
        .bootstrap(&format!("cluster_manager: {{ {FROM_2} }}"))
        .cluster("primary", "upstream_bind_config: {}");
    Scenario::of(file)
        .upstream("primary", |message| Reply::new(200, &source(message)))
        .run(async |run| told(run, "a write").await)
        .await;
}

/// Checks come from there too: this primary is well only for them.
#[tokio::test]
async fn source_of_health_checks() {
    let check = "common_lb_config: { healthy_panic_threshold: { value: 0 } }, health_checks: [{ timeout: 5s, \
                 interval: 60s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: { path: /healthz } }]";
    let file = File::new().policies("[]").cluster("primary", FROM_2).cluster("primary", check);
    Scenario::of(file)
        .upstream("primary", |message| Reply::new(if source(message) == "127.0.0.2" { 200 } else { 503 }, ""))
        .run(async |run| {
            run.stat("cluster.primary.membership_healthy", 1).await;
            run.skip("primary");
            run.exchange("a read", &Request::get("/x"), &["primary"]).await;
        })
        .await;
}

/// Whether the proxy's end of a connection to this port has a timer of keepalive running.
fn is_probed(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let (remote, established) = (format!(":{port:04X}"), "01");
    table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>()).any(|words| {
        let at = |index: usize| words.get(index).copied().unwrap_or_default();
        at(2).ends_with(&remote) && at(3) == established && at(5).starts_with("02:")
    })
}

/// A 0 anywhere switches it off; ours has a keepalive of its own where nothing is said.
#[tokio::test]
async fn keepalive() {
    for (entries, probed) in [
        ("keepalive_time: 60, keepalive_probes: 3, keepalive_interval: 5", true),
        ("keepalive_probes: 3", true),
        ("keepalive_time: 0, keepalive_interval: 5", false),
    ] {
        let options = format!("upstream_connection_options: {{ tcp_keepalive: {{ {entries} }} }}");
        Scenario::of(File::new().cluster("primary", &options).cluster("mirror", &options))
            .run(async |run| {
                run.exchange("a write", &Request::push("x"), &BOTH).await;
                for name in BOTH {
                    let port = run.address(name).port();
                    assert_eq!(is_probed(port), probed, "{:?}: {name}, {entries}", run.program);
                }
            })
            .await;
    }
}

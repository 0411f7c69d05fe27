//! The sockets of listeners.

use crate::dsl::{Client, Request};

use super::BOTH;
use super::file::File;
use super::scenario::{Scenario, refused_by_ours};

#[tokio::test]
async fn additional_addresses() {
    let more = "additional_addresses: [{ address: { socket_address: { address: 127.0.0.1, port_value: <second> } } }]";
    Scenario::of(File::new().listener(more))
        .port("second")
        .run(async |run| {
            run.exchange("first", &Request::push("x"), &BOTH).await;
            let answer = Client::once(run.address("second"), &Request::push("x")).await;
            run.answered("second", Some(&answer));
            run.arrived("second", &BOTH).await;
            run.stat("http.ingress.downstream_rq_2xx", 2).await;
        })
        .await;
}

/// Whether the server's end of a connection to this port has a timer of keepalive running.
fn is_probed(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let local = format!(":{port:04X}");
    let established = "01";
    table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>()).any(|words| {
        let at = |index: usize| words.get(index).copied().unwrap_or_default();
        at(1).ends_with(&local) && at(3) == established && at(5).starts_with("02:")
    })
}

#[tokio::test]
async fn socket_options() {
    let options = "tcp_backlog_size: 7, freebind: true, \
                   tcp_keepalive: { keepalive_time: 60, keepalive_probes: 3, keepalive_interval: 5 }";
    for (options, probed) in [(options, true), ("tcp_backlog_size: 7", false)] {
        Scenario::of(File::new().listener(options))
            .run(async |run| {
                let mut client = run.client().await;
                let answer = client.exchange(&Request::push("x")).await;
                run.answered("a write", Some(&answer));
                run.arrived("a write", &BOTH).await;
                assert_eq!(is_probed(run.listen().port()), probed);
            })
            .await;
    }
}

/// What is taken and needs nothing to be done here.
#[tokio::test]
async fn without_effect() {
    for options in [
        "enable_reuse_port: false, traffic_direction: OUTBOUND, bind_to_port: true, drain_type: DEFAULT",
        "enable_reuse_port: true, max_connections_to_accept_per_socket_event: 1",
        "connection_balance_config: { exact_balance: {} }",
        "reuse_port: true, deprecated_v1: { bind_to_port: true }",
    ] {
        Scenario::of(File::new().listener(options))
            .run(async |run| {
                for step in ["a write", "another"] {
                    run.exchange(step, &Request::push("x"), &BOTH).await;
                }
            })
            .await;
    }
}

#[test]
fn what_cannot_be_is_refused() {
    refused_by_ours(&File::new().listener("bind_to_port: false"), "bind_to_port");
    refused_by_ours(&File::new().listener("drain_type: MODIFY_ONLY"), "drain_type");
    refused_by_ours(
        &File::new().listener("socket_options: [{ level: 1, name: 9, int_value: 1 }]"),
        "socket_options",
    );
}

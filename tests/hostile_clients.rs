//! Clients that leave, dawdle or come in crowds: no copy of half a request, and the others are served.

use std::process::Command;

use rustix::process::{Resource, getrlimit};

use crate::dsl::proxy::Program;
use crate::dsl::{Client, Config, Proxy, Reply, Request, Upstream, alone, until};

async fn rig(config: Config) -> (Upstream, Upstream, Proxy) {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = config.primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config.setting("max_connections", "8")).await;
    (primary, mirror, proxy)
}

/// By a close and by a reset in turn.
async fn abort_everywhere(request: &Request) {
    let (primary, mirror, proxy) = rig(Config::native()).await;
    let bytes = request.bytes();
    for cut in 0..bytes.len() {
        let mut client = proxy.client().await;
        client.send(&bytes[..cut]).await;
        if cut % 2 == 0 { client.reset() } else { drop(client) }
    }
    assert_eq!(proxy.send(&Request::push("whole")).await.status(), 200);
    let ledger = proxy.settled_at("secondary", 1).await;
    assert_eq!(ledger.delivered(), 1, "{ledger:?}");
    assert_eq!((primary.completed(), mirror.begun()), (1, 1));
}

#[tokio::test]
async fn c5_a_client_may_leave_at_every_byte_of_a_request_with_a_length() {
    abort_everywhere(&Request::push("a body of some bytes")).await;
}

#[tokio::test]
async fn c5_a_client_may_leave_at_every_byte_of_a_request_in_chunks() {
    let request = Request::push("").header("Trailer", "x-sum");
    abort_everywhere(&request.chunks_and_trailers(&[b"one", b"two"], &[("x-sum", "1")])).await;
}

#[tokio::test]
async fn c3_a_head_that_does_not_end_is_waited_for_no_longer_than_configured() {
    let (primary, _mirror, proxy) = rig(Config::envoy().manager("request_headers_timeout: 1s")).await;
    // One has sent the beginning of HTTP/2's preface, which is no HTTP/2 yet.
    for begun in ["POST /x HTTP/1.1\r\nHost: h\r\nX-A: ", "P", "PRI * HTTP/2.0\r\n"] {
        let mut client = proxy.client().await;
        client.send(begun).await;
        let rest = client.rest().await;
        assert!(!rest.starts_with(b"HTTP/1.1 2"), "{begun:?}: {}", String::from_utf8_lossy(&rest));
    }
    let ingress = [("envoy_http_conn_manager_prefix", "mimir_ingress")];
    assert_eq!(proxy.metrics().await.sum("envoy_http_downstream_rq_header_timeout", &ingress), 3);
    assert_eq!(primary.begun(), 0);
}

/// Ten thousand where the limit of open files allows, else as many as it does.
#[tokio::test]
async fn c3_a_crowd_of_idle_clients_keeps_nobody_out() {
    let _turn = alone().await;
    let (_primary, _mirror, proxy) = rig(Config::native()).await;
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = usize::try_from((files.saturating_sub(1000) / 2).min(10_000)).expect("a small number");
    let mut crowd = Vec::with_capacity(count);
    for _ in 0..count {
        crowd.push(proxy.client().await);
    }
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
    for client in crowd.iter_mut().step_by(100) {
        assert_eq!(client.exchange(&Request::push("x")).await.status(), 200);
    }
    drop(crowd);
    let ingress = [("envoy_http_conn_manager_prefix", "ingress")];
    until("the end of the crowd", async || {
        (proxy.metrics().await.sum("envoy_http_downstream_cx_active", &ingress) == 0).then_some(())
    })
    .await;
}

/// Bodies that come byte by byte hold what has come and no more; a write that stalls is closed, never answered with 4xx.
#[tokio::test]
async fn c3_a_crowd_of_bodies_that_dawdle_keeps_nobody_out() {
    const CROWD: usize = 300;
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).manager("stream_idle_timeout: 3s");
    let proxy = Proxy::start(&config).await;
    assert_eq!(proxy.send(&Request::push("first")).await.status(), 200);
    let before = proxy.process.memory();
    let request = Request::push(vec![b'x'; 1000]);
    let mut crowd = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        let mut client = proxy.client().await;
        client.send(request.head()).await;
        client.send("x").await;
        crowd.push(client);
    }
    until("all of them at the primary", async || (primary.begun() > CROWD).then_some(())).await;
    for client in &mut crowd {
        // Some may have been given up already, on a busy machine.
        let _ = client.try_send("x").await;
    }
    assert_eq!(proxy.send(&Request::push("between")).await.status(), 200);
    let grown = proxy.process.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more for {CROWD} bodies of two bytes");
    for client in &mut crowd {
        let rest = client.rest().await;
        assert!(!rest.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(proxy.send(&Request::push("after")).await.status(), 200);
}

/// With descriptors for few: whoever is in is served, whoever waits is let in when another leaves.
#[tokio::test]
async fn c3_accepting_pauses_without_descriptors_and_goes_on() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address()).mirror("secondary", mirror.address());
    let config = config.setting("max_connections", "8");
    let mut command = Command::new("prlimit");
    command.arg("--nofile=420:420").arg(Program::MimirMirror.command().get_program());
    let proxy = Proxy::on_text(command, |listen, admin| config.text(listen, admin), &[]).await;
    let mut inside = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..100 {
        waiting.push(proxy.client().await);
    }
    until("the pause", async || {
        let metrics = proxy.metrics().await;
        (metrics.sum("envoy_listener_downstream_cx_overflow", &[]) > 0).then_some(())
    })
    .await;
    // They were accepted in the order in which they came; of the last, none is.
    inside.extend(waiting.drain(..60));
    for client in &mut inside {
        assert_eq!(client.exchange(&Request::push("inside")).await.status(), 200);
    }
    let last = waiting.last_mut().expect("some wait");
    last.send(Request::push("last").bytes()).await;
    drop(inside);
    assert_eq!(last.answer().await.status(), 200);
    assert_eq!(Client::once(proxy.listen, &Request::push("after")).await.status(), 200);
    proxy.settled_at("secondary", 62).await;
}

//! A client's connection that is quiet gives its buffers back, and serves on as before.

use crate::dsl::{Client, Config, Proxy, Recorders, Reply, Request, Upstream, bytes_of, until};

/// The listener's connections, and not the admin's.
const LISTENER: [(&str, &str); 1] = [("envoy_http_conn_manager_prefix", "mimir_ingress")];
/// Connections, enough that what they hold stands out of everything else.
const CONNECTIONS: usize = 300;
/// A batch of Prometheus with default settings.
const BATCH: usize = 67_000;
/// What a quiet connection may hold after a batch: less than half of what the batch passed through.
const HELD_MAX: u64 = 40 << 10;

#[tokio::test]
async fn quiet_connections_hold_no_buffers_and_serve_on() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::launch_with(&config, &["--concurrency", "1"]).await;
    let request = Request::push(bytes_of(BATCH, 1));
    // What one connection's work takes is taken already.
    assert_eq!(proxy.send(&request).await.status(), 200);
    let before = proxy.process.memory();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(proxy.client().await);
    }
    for client in &mut clients {
        assert_eq!(client.exchange(&request).await.status(), 200);
    }
    until("connections that give their buffers back", async || {
        let held = proxy.process.memory().saturating_sub(before) / CONNECTIONS as u64;
        (held <= HELD_MAX).then_some(())
    })
    .await;
    for client in &mut clients {
        assert_eq!(client.exchange(&request).await.status(), 200);
    }
    let ledger = proxy.settled("secondary").await;
    assert_eq!(ledger.received, 2 * CONNECTIONS as u64 + 1);
    assert_eq!(proxy.metrics().await.sum("envoy_http_downstream_cx_destroy", &LISTENER), 1);
}

#[tokio::test]
async fn what_came_of_a_request_before_the_quiet_is_not_lost() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address());
    let proxy = Proxy::start(&config).await;
    let mut quiet = proxy.client().await;
    let request = Request::push(bytes_of(BATCH, 2));
    let bytes = request.bytes();
    let (first, second) = bytes.split_at(30);
    // The end of one request and the beginning of the next in one write.
    quiet.send([bytes.as_slice(), first].concat()).await;
    assert_eq!(quiet.answer().await.status(), 200);
    let mut other = proxy.client().await;
    assert_eq!(other.exchange(&request).await.status(), 200);
    drop(other);
    pass_a_look(&proxy).await;
    quiet.send(second).await;
    assert_eq!(quiet.answer().await.status(), 200);
    assert_eq!(primary.received(3).await.last().map(|last| last.body.len()), Some(BATCH));
}

/// Waits until the process has looked after its connections three times: it does so once a second.
async fn pass_a_look(proxy: &Proxy) {
    let uptime = async || proxy.metrics().await.sum("envoy_server_uptime", &[]);
    let begin = uptime().await;
    until("three more seconds of uptime", async || (uptime().await >= begin + 3).then_some(())).await;
}

#[tokio::test]
async fn a_connection_that_never_speaks_costs_little_and_may_leave() {
    let primary = Upstream::answering(Reply::ok()).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    let silent: Vec<Client> = {
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(proxy.client().await);
        }
        clients
    };
    let active = async || proxy.metrics().await.sum("envoy_http_downstream_cx_active", &LISTENER);
    until("ten connections", async || (active().await >= 10).then_some(())).await;
    drop(silent);
    until("no connection", async || (active().await == 0).then_some(())).await;
    assert_eq!(proxy.metrics().await.sum("envoy_http_downstream_rq_total", &LISTENER), 0);
}

/// More than a worker begins in one turn, and more than may be without turns; fewer than the clusters here let wait to
/// be accepted.
const CROWD: usize = 100;

#[tokio::test]
async fn requests_that_wait_for_their_turn_are_all_served_and_copied() {
    let rig = Recorders::start(&["--concurrency", "1"]).await;
    let proxy = &rig.proxy;
    let mut clients = Vec::new();
    for _ in 0..CROWD {
        clients.push(proxy.client().await);
    }
    for round in 0..3 {
        let request = Request::push(bytes_of(1000, round)).bytes();
        for client in &mut clients {
            client.send(&request).await;
        }
        // Two that leave without waiting for an answer hold up nobody.
        clients.truncate(clients.len() - 2);
        for client in &mut clients {
            assert_eq!(client.answer().await.status(), 200);
        }
    }
    let ledger = proxy.settled("secondary").await;
    let answered = (CROWD - 2) + (CROWD - 4) + (CROWD - 6);
    assert!(ledger.received as usize >= answered, "{ledger:?}");
    assert_eq!(ledger.delivered(), ledger.received);
}

/// More than the large buffers that a worker keeps.
const MANY: usize = 600;

#[tokio::test]
async fn buffers_beyond_the_bound_are_given_back_and_nothing_is_lost_with_them() {
    let rig = Recorders::start(&["--concurrency", "1"]).await;
    let proxy = &rig.proxy;
    let bytes = Request::push(bytes_of(BATCH, 3)).bytes();
    let (begin, end) = bytes.split_at(30);
    let mut clients = Vec::new();
    for _ in 0..MANY {
        let mut client = proxy.client().await;
        // The next request's first bytes come with the one before.
        client.send([bytes.as_slice(), begin].concat()).await;
        assert_eq!(client.answer().await.status(), 200);
        clients.push(client);
    }
    for mut client in clients {
        client.send(end).await;
        assert_eq!(client.answer().await.status(), 200);
        let last = Request::push(bytes_of(BATCH, 4)).header("connection", "close");
        assert_eq!(client.exchange(&last).await.status(), 200);
        assert!(client.rest().await.is_empty());
    }
    let ledger = proxy.settled("secondary").await;
    assert_eq!((ledger.received, ledger.delivered()), (3 * MANY as u64, 3 * MANY as u64));
}

//! Leaving under load: what was asked is answered, whoever is answered is told to go elsewhere, and no copy is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use crate::dsl::{Client, Proxy, Recorders, Request, until};

const CLIENTS: usize = 16;

/// Writes until it is told to go or its connection ends; whether the last write had an answer.
async fn write(to: SocketAddr, answered: Arc<AtomicUsize>) -> bool {
    let Some(mut client) = Client::try_connect(to).await else { return true };
    loop {
        let (answer, _) = client.attempt(&Request::push("x").bytes()).await;
        let Some(answer) = answer else { return false };
        assert!(answer.complete && answer.status() == 200, "{answer:?}");
        answered.fetch_add(1, Ordering::SeqCst);
        if answer.header("connection").is_some_and(|value| value == "close") {
            return true;
        }
    }
}

/// Lets clients write, does this to the proxy, and waits for the clients' end. How many writes had answers, and how many
/// connections ended under one that had none: by the close of a quiet connection that it met on the way.
async fn under_load(proxy: &Proxy, leave: impl AsyncFnOnce()) -> (usize, usize) {
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(write(proxy.listen, Arc::clone(&answered)));
    }
    let some = 20 * CLIENTS;
    until("some answers", async || (answered.load(Ordering::SeqCst) >= some).then_some(())).await;
    leave().await;
    let mut without = 0;
    while let Some(ended) = clients.join_next().await {
        without += usize::from(!ended.expect("no client fails"));
    }
    (answered.load(Ordering::SeqCst), without)
}

/// Answers tell clients to leave. Only a connection that is quiet for a second or more is closed, where a write may be on
/// its way: nobody has read that one, and its client sends it elsewhere. A busy machine may make some clients as slow.
#[tokio::test]
async fn c7_the_end_under_load_loses_neither_an_answer_nor_a_copy() {
    let mut rig = Recorders::start(&["--drain-time-s", "30"]).await;
    let (answered, without) = under_load(&rig.proxy, async || rig.proxy.process.signal("TERM")).await;
    assert_eq!(rig.proxy.process.end().await.code(), Some(0));
    assert_eq!((rig.primary.completed(), rig.mirror.completed()), (answered, answered));
    assert!(without * 4 <= CLIENTS, "{without} of {CLIENTS} clients were not told");
}

/// Nobody holds up the end by a head that never comes to its own.
#[tokio::test]
async fn c3_half_a_head_does_not_keep_the_process() {
    let mut rig = Recorders::start(&["--drain-time-s", "600"]).await;
    let mut client = rig.proxy.client().await;
    client.send("POST /api/v1/push HTTP/1.1\r\nhost: a\r\n").await;
    let received = async || rig.proxy.metrics().await.sum("envoy_http_downstream_cx_rx_bytes_total", &[]);
    until("half a head at the proxy", async || (received().await > 0).then_some(())).await;
    rig.proxy.process.signal("TERM");
    assert_eq!(rig.proxy.process.end().await.code(), Some(0));
}

/// The listeners stay open, so that a load balancer has time to see it.
#[tokio::test]
async fn while_health_checks_fail_every_client_is_told_to_leave() {
    let rig = Recorders::start(&[]).await;
    let (answered, without) = under_load(&rig.proxy, async || {
        assert_eq!(rig.proxy.admin_post("/healthcheck/fail").await.status(), 200);
    })
    .await;
    assert_eq!(without, 0);
    assert_eq!(rig.proxy.admin_get("/ready").await.status(), 503);
    assert_eq!(rig.proxy.send(&Request::push("x")).await.status(), 200);
    let ledger = rig.proxy.settled("secondary").await;
    assert_eq!(ledger.delivered(), answered as u64 + 1, "{ledger:?}");
}

//! Circuit breakers of the primary's cluster under a crowd: the limits hold, nobody is forgotten in a line, and whoever
//! leaves it holds nobody up. What Envoy answers and counts is compared in `differential/breakers.rs`.

use tokio::task::JoinSet;

use crate::dsl::{Config, Gate, H2Upstream, Proxy, Reply, Request, Upstream, until};

const ONE_WORKER: [&str; 2] = ["--concurrency", "1"];

fn config(primary: std::net::SocketAddr, thresholds: &str) -> Config {
    let breakers = format!("circuit_breakers: {{ thresholds: [{{ {thresholds} }}] }}");
    Config::envoy().primary(primary).entries(&breakers)
}

/// A primary that answers once the gate is open, and the proxy before it, with one worker.
async fn held(config: impl FnOnce(std::net::SocketAddr) -> Config) -> (Gate, Upstream, Proxy) {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::ok().behind(&gate)).await;
    let proxy = Proxy::launch_with(&config(primary.address()), &ONE_WORKER).await;
    (gate, primary, proxy)
}

async fn waiting(proxy: &Proxy, count: u64) {
    until(format!("{count} requests that wait"), async || {
        let text = proxy.admin_get("/stats?filter=primary.upstream_rq_pending_active").await.text();
        text.trim().ends_with(&format!(": {count}")).then_some(())
    })
    .await;
}

/// Each on a connection of its own; their statuses once all have been answered.
fn crowd(proxy: &Proxy, size: usize) -> JoinSet<u16> {
    let (mut answers, to) = (JoinSet::new(), proxy.listen);
    for _ in 0..size {
        answers.spawn(async move { crate::dsl::Client::once(to, &Request::push("x")).await.status() });
    }
    answers
}

#[tokio::test]
async fn a_crowd_shares_few_connections() {
    let (gate, primary, proxy) = held(|to| config(to, "max_connections: 2")).await;
    let answers = crowd(&proxy, 40);
    waiting(&proxy, 38).await;
    gate.open();
    assert_eq!(answers.join_all().await, [200; 40]);
    assert_eq!(primary.connections(), 2);
}

#[tokio::test]
async fn connections_that_end_after_each_answer_are_replaced() {
    let primary = Upstream::answering(Reply::ok().close()).await;
    let proxy = Proxy::launch_with(&config(primary.address(), "max_connections: 2"), &ONE_WORKER).await;
    assert_eq!(crowd(&proxy, 40).join_all().await, [200; 40]);
    assert_eq!(primary.connections(), 40);
    waiting(&proxy, 0).await;
}

#[tokio::test]
async fn two_workers_never_wait_for_each_other() {
    let primary = Upstream::answering(Reply::ok()).await;
    let two = ["--concurrency", "2"];
    let proxy = Proxy::launch_with(&config(primary.address(), "max_connections: 1"), &two).await;
    assert_eq!(crowd(&proxy, 40).join_all().await, [200; 40]);
    assert!((1..=2).contains(&primary.connections()), "{}", primary.connections());
}

/// Its clients have gone, but the requests are complete: they are carried to their end in their turn.
#[tokio::test]
async fn c5_who_leaves_the_line_holds_nobody_up() {
    let (gate, primary, proxy) = held(|to| config(to, "max_connections: 1")).await;
    let mut gone = crowd(&proxy, 10);
    waiting(&proxy, 9).await;
    gone.shutdown().await;
    let answers = crowd(&proxy, 10);
    waiting(&proxy, 19).await;
    gate.open();
    assert_eq!(answers.join_all().await, [200; 10]);
    assert_eq!(primary.received(20).await.len(), 20);
}

/// Those who time out in the line leave it to the others.
#[tokio::test]
async fn who_waits_too_long_holds_nobody_up() {
    let (gate, _primary, proxy) = held(|to| config(to, "max_connections: 1").timeout("0.5s")).await;
    assert_eq!(crowd(&proxy, 10).join_all().await, [504; 10]);
    waiting(&proxy, 0).await;
    gate.open();
    assert_eq!(crowd(&proxy, 10).join_all().await, [200; 10]);
}

#[tokio::test]
async fn streams_of_http2_are_waited_for_too() {
    let gate = Gate::closed();
    let primary = H2Upstream::gated(3, &gate, |path| path != "/first").await;
    let config = config(primary.address(), "max_connections: 1, max_pending_requests: 17").http2("");
    let proxy = Proxy::launch_with(&config, &ONE_WORKER).await;
    // The server's limit is known once it has answered.
    assert_eq!(proxy.send(&Request::get("/first")).await.status(), 200);
    let answers = crowd(&proxy, 20);
    waiting(&proxy, 17).await;
    assert_eq!(proxy.send(&Request::push("one too many")).await.status(), 503);
    gate.open();
    assert_eq!(answers.join_all().await, [200; 20]);
    assert_eq!(primary.connections(), 1);
}

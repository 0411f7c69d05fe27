//! What both clusters answered to the same request is counted together, whoever answers first.

use std::net::SocketAddr;

use crate::dsl::clusters::SECONDARY;
use crate::dsl::proxy::Program;
use crate::dsl::{
    Backlog, Clusters, Config, Gate, Proxy, Receiver, Reply, Request, Switch, Treatment, Upstream, Writer,
    until,
};

const PAIRS: &str = "mimir_mirror_status_pairs_total";
const WRITTEN: &str = "mimir_mirror_written_samples_total";

async fn between(primary: SocketAddr, secondary: SocketAddr, settings: &[(&'static str, &str)]) -> Proxy {
    let config = Config::native().primary(primary).mirror(SECONDARY, secondary);
    let config = settings.iter().fold(config, |config, (key, value)| config.setting(key, value));
    Proxy::launch(Program::MimirMirror, &config, &[]).await
}

/// Waits for exactly these pairs, in any order.
async fn are(proxy: &Proxy, expected: &[(&str, &str, u64)]) {
    until(format!("the pairs {expected:?}"), async || {
        let metrics = proxy.metrics().await;
        let count = |(primary, secondary, _): &(&str, &str, u64)| {
            metrics.sum(PAIRS, &[("mirror", SECONDARY), ("primary", primary), ("secondary", secondary)])
        };
        let all = metrics.sum(PAIRS, &[("mirror", SECONDARY)]);
        let right = expected.iter().all(|pair| count(pair) == pair.2);
        (right && all == expected.iter().map(|pair| pair.2).sum::<u64>()).then_some(())
    })
    .await;
}

/// Answers with the status in a header of the request.
async fn asked(header: &'static str) -> Upstream {
    Upstream::scripted(move |request| {
        let status = request.header(header).unwrap_or_default();
        Reply::new(status.parse().expect("a status"), "as asked")
    })
    .await
}

#[tokio::test]
async fn each_copy_is_counted_by_the_classes_of_both_answers() {
    let (primary, secondary) = (asked("x-primary").await, asked("x-secondary").await);
    let proxy = between(primary.address(), secondary.address(), &[]).await;
    let all =
        [(200, 204), (200, 503), (200, 400), (400, 400), (503, 200), (429, 302), (204, 202), (302, 429)];
    for (primary, secondary) in all {
        for request in [Request::push("a write"), Request::get("/api/v1/query")] {
            let request = request.header("x-primary", primary.to_string());
            proxy.send(&request.header("x-secondary", secondary.to_string())).await;
        }
    }
    let expected = [
        ("2xx", "2xx", 4),
        ("2xx", "5xx", 2),
        ("2xx", "4xx", 2),
        ("4xx", "4xx", 2),
        ("5xx", "2xx", 2),
        ("4xx", "3xx", 2),
        ("3xx", "4xx", 2),
    ];
    are(&proxy, &expected).await;
    assert_eq!(proxy.settled(SECONDARY).await.received, 16);
}

#[tokio::test]
async fn it_does_not_matter_who_answers_first() {
    for primary_first in [true, false] {
        for delivery in [vec![], Backlog::new().with("before_answer", "0s").settings()] {
            let (gate, open) = (Gate::closed(), Gate::closed());
            open.open();
            let (slow, fast) = if primary_first { (&open, &gate) } else { (&gate, &open) };
            let primary = Upstream::answering(Reply::new(400, "no").behind(slow)).await;
            let secondary = Upstream::answering(Reply::ok().behind(fast)).await;
            let delivery: Vec<_> = delivery.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let proxy = between(primary.address(), secondary.address(), &delivery).await;
            let mut client = proxy.client().await;
            let request = Request::push("a write");
            let asks = tokio::spawn(async move { client.exchange(&request).await.status() });
            secondary.received(1).await;
            if primary_first {
                assert_eq!(asks.await.unwrap(), 400);
                assert_eq!(proxy.ledger(SECONDARY).await.pending, 1);
                gate.open();
            } else {
                proxy.settled_at(SECONDARY, 1).await;
                are(&proxy, &[]).await;
                gate.open();
                assert_eq!(asks.await.unwrap(), 400);
            }
            are(&proxy, &[("4xx", "2xx", 1)]).await;
        }
    }
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_has_no_class() {
    let away = || async { Upstream::answering(Reply::ok()).await };
    let (primary, secondary) = (away().await, away().await);
    let settings = [("max_request", "1KiB")];
    let proxy = between(primary.address(), secondary.address(), &settings).await;
    // Dropped, and so never answered.
    assert_eq!(proxy.send(&Request::push(vec![0; 2000])).await.status(), 200);
    are(&proxy, &[("2xx", "none", 1)]).await;
    secondary.stop().await;
    assert_eq!(proxy.send(&Request::push("a write")).await.status(), 200);
    are(&proxy, &[("2xx", "none", 2)]).await;
    primary.stop().await;
    // The proxy's own answer stands for the primary's.
    assert_eq!(proxy.send(&Request::push("a write")).await.status(), 503);
    are(&proxy, &[("2xx", "none", 2), ("5xx", "none", 1)]).await;
}

#[tokio::test]
async fn c9_what_a_durable_copy_was_answered_last_counts() {
    let (switch, backlog) = (Switch::on(Treatment::refused(503)), Backlog::new());
    let primary = Receiver::treating(Treatment::prompt()).await;
    let mut clusters = Clusters::durable(primary, Receiver::switched(&switch).await, &backlog, &[]).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..5).await;
    clusters.secondary.has_ended(1).await;
    are(&clusters.proxy, &[]).await;
    switch.set(Treatment::prompt());
    clusters.assert_kept().await;
    are(&clusters.proxy, &[("2xx", "2xx", 5)]).await;
    // Another process does not know what the primary answered.
    clusters.secondary.stop().await;
    Writer::new("a").catch_up(&mut client, 5..9).await;
    drop(client);
    clusters.proxy.terminate().await;
    clusters.proxy.start_again().await;
    clusters.secondary.resume().await;
    clusters.assert_kept().await;
    are(&clusters.proxy, &[("unknown", "2xx", 4)]).await;
}

/// Remote write 2.0: both say what they have written, in headers of their answers.
#[tokio::test]
async fn what_both_say_they_have_written_is_summed() {
    let says = |samples: u32, histograms: u32| {
        Reply::raw(format!(
            "HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Samples-Written: {samples}\r\n\
             X-Prometheus-Remote-Write-Histograms-Written: {histograms}\r\n\
             X-Prometheus-Remote-Write-Exemplars-Written: 1000\r\n\r\n"
        ))
    };
    let primary = Upstream::answering(says(10, 2)).await;
    let secondary = Upstream::answering(says(7, 0)).await;
    let proxy = between(primary.address(), secondary.address(), &[]).await;
    for _ in 0..3 {
        assert_eq!(proxy.send(&Request::push("a write")).await.status(), 204);
    }
    // Not copied, so not counted.
    assert_eq!(proxy.send(&Request::new("POST", "/ingester/shutdown").body("")).await.status(), 204);
    assert_eq!(proxy.settled_at(SECONDARY, 3).await.delivered(), 3);
    let metrics = proxy.metrics().await;
    let side = |side| metrics.sum(WRITTEN, &[("mirror", SECONDARY), ("side", side)]);
    assert_eq!((side("primary"), side("secondary")), (36, 21));
}

//! C6, which: what is copied by default, what only when asked for, and what is counted as left out.

use std::collections::BTreeSet;

use crate::dsl::{Config, Proxy, Reply, Request, Upstream};

/// Sends these requests through a native configuration; returns which the mirror got, and how many it left out.
async fn copied(requests: &[(&str, &str)], setting: Option<(&'static str, &str)>) -> (BTreeSet<String>, u64) {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let config = config.mirror("secondary", mirror.address()).without_setting("requests");
    let config = setting.into_iter().fold(config, |c, (key, value)| c.setting(key, value));
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    for (method, target) in requests {
        assert_eq!(client.exchange(&Request::new(method, target).body("x")).await.status(), 200);
    }
    assert_eq!(primary.completed(), requests.len());
    let ledger = proxy.settled("secondary").await;
    assert_eq!(ledger.received + ledger.excluded, requests.len() as u64, "{ledger:?}");
    (mirror.requests().iter().map(|m| format!("{} {}", m.method(), m.target())).collect(), ledger.excluded)
}

const WRITES: [(&str, &str); 5] = [
    ("POST", "/api/v1/push"),
    ("POST", "/api/v1/write"),
    ("POST", "/otlp/v1/metrics"),
    ("POST", "/api/v1/push/influx/write?db=x"),
    ("POST", "/api/prom/push"),
];
const READS: [(&str, &str); 3] = [
    ("GET", "/prometheus/api/v1/query"),
    ("POST", "/prometheus/api/v1/query_range"),
    ("GET", "/api/v1/push"),
];
const DESTRUCTIVE: [(&str, &str); 6] = [
    ("GET", "/ingester/shutdown"),
    ("POST", "/ingester/flush"),
    ("POST", "/compactor/delete_tenant"),
    ("POST", "/prometheus/config/v1/rules/ns"),
    ("POST", "/api/v1/alerts"),
    ("GET", "/x/..//ingester/%73hutdown"),
];

fn lines(requests: &[(&str, &str)]) -> BTreeSet<String> {
    requests.iter().map(|(method, target)| format!("{method} {target}")).collect()
}

#[tokio::test]
async fn c6_the_native_form_copies_writes_only_by_default() {
    let all = [WRITES.as_slice(), &READS, &DESTRUCTIVE].concat();
    let (got, excluded) = copied(&all, None).await;
    assert_eq!((got, excluded), (lines(&WRITES), 9));
}

#[tokio::test]
async fn c6_destructive_requests_are_never_copied_unasked() {
    let all = [WRITES.as_slice(), &READS, &DESTRUCTIVE].concat();
    let (got, excluded) = copied(&all, Some(("requests", "all"))).await;
    assert_eq!((got, excluded), (lines(&[WRITES.as_slice(), &READS].concat()), 6));
}

#[tokio::test]
async fn c6_an_envoy_file_does_not_copy_destructive_requests_either() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    for (method, target) in DESTRUCTIVE {
        assert_eq!(proxy.send(&Request::new(method, target).body("x")).await.status(), 200);
    }
    let ledger = proxy.settled("secondary").await;
    assert_eq!((ledger.excluded, ledger.received, mirror.begun()), (6, 0, 0), "{ledger:?}");
}

#[tokio::test]
async fn c6_destructive_requests_are_copied_when_asked_for() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config.setting("copy_admin", "true")).await;
    for (method, target) in DESTRUCTIVE {
        assert_eq!(proxy.send(&Request::new(method, target).body("x")).await.status(), 200);
    }
    assert_eq!(proxy.settled_at("secondary", 6).await.delivered(), 6);
}

//! C3: what a mirror may cost has bounds, and they hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::{Config, Gate, Proxy, Reply, Request, Upstream, bytes_of, until};

const NAME: [(&str, &str); 1] = [("mirror", "secondary")];

/// Sends this many writes of this size one after the other; the primary answers each.
async fn write(proxy: &Proxy, count: usize, size: usize) {
    let mut client = proxy.client().await;
    for n in 0..count {
        let answer = client.exchange(&Request::push(bytes_of(size, n as u64))).await;
        assert_eq!(answer.status(), 200, "write {n}");
    }
}

/// A proxy before a good primary and this mirror.
async fn before(mirror: &Faulty, bounds: &[(&'static str, &str)]) -> (Upstream, Proxy) {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let config = bounds.iter().fold(config, |config, (key, value)| config.setting(key, value));
    let proxy = Proxy::start(&config).await;
    (primary, proxy)
}

#[tokio::test]
async fn c3_held_bytes_stay_below_the_buffer() {
    const LIMIT: u64 = 4 << 20;
    let mirror = Faulty::start(Fault::NeverAnswer).await;
    let bounds = [("buffer", "4MiB"), ("max_request", "1MiB"), ("timeout", "60s")];
    let (primary, proxy) = before(&mirror, &bounds).await;
    let proxy = Arc::new(proxy);
    let (stop, highest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watcher = tokio::spawn({
        let (proxy, stop, highest) = (Arc::clone(&proxy), Arc::clone(&stop), Arc::clone(&highest));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let held = proxy.metrics().await.sum("mimir_mirror_pending_bytes", &NAME);
                highest.fetch_max(held, Ordering::Relaxed);
            }
        }
    });
    write(&proxy, 300, 67_000).await;
    stop.store(true, Ordering::Relaxed);
    watcher.await.unwrap();

    let metrics = proxy.metrics().await;
    assert_eq!(metrics.sum("mimir_mirror_buffer_limit_bytes", &NAME), LIMIT);
    let (held, highest) = (metrics.sum("mimir_mirror_pending_bytes", &NAME), highest.load(Ordering::Relaxed));
    assert!(held <= LIMIT && highest <= LIMIT, "{held} bytes held, {highest} at the highest");
    assert!(held > LIMIT / 2, "only {held} bytes of the buffer are used");
    let ledger = proxy.ledger("secondary").await;
    ledger.assert_adds_up();
    assert_eq!((primary.completed(), ledger.received, ledger.delivered()), (300, 300, 0), "{ledger:?}");
    let dropped = ledger.reason("dropped", "buffer_full");
    assert_eq!(dropped + ledger.pending, 300, "{ledger:?}");
    assert!(ledger.pending * 67_000 <= LIMIT, "{ledger:?}");
}

#[tokio::test]
async fn c3_a_body_that_meets_a_full_buffer_reaches_the_primary_whole() {
    let mirror = Faulty::start(Fault::NeverAnswer).await;
    let bounds = [("buffer", "4MiB"), ("max_request", "4MiB"), ("timeout", "60s")];
    let (primary, proxy) = before(&mirror, &bounds).await;
    let body = bytes_of(3 << 20, 1);
    let mut client = proxy.client().await;
    for _ in 0..5 {
        assert_eq!(client.exchange(&Request::push(body.clone())).await.status(), 200);
    }
    let got = primary.received(5).await;
    assert!(got.iter().all(|m| m.body == body), "a body was changed");
    let ledger = proxy.ledger("secondary").await;
    assert_eq!((ledger.pending, ledger.reason("dropped", "buffer_full")), (1, 4), "{ledger:?}");
}

#[tokio::test]
async fn c3_held_copies_stay_below_their_number() {
    let mirror = Faulty::start(Fault::NeverAnswer).await;
    let (primary, proxy) = before(&mirror, &[("max_copies", "10"), ("timeout", "60s")]).await;
    write(&proxy, 100, 100).await;
    let ledger = proxy.ledger("secondary").await;
    ledger.assert_adds_up();
    assert_eq!((primary.completed(), ledger.pending), (100, 10), "{ledger:?}");
    assert_eq!(ledger.reason("dropped", "too_many_copies"), 90, "{ledger:?}");
}

#[tokio::test]
async fn c3_connections_stay_below_their_number() {
    let gate = Gate::closed();
    let mirror = Faulty::start(Fault::Slow(gate.clone())).await;
    let (primary, proxy) = before(&mirror, &[("max_connections", "4"), ("timeout", "60s")]).await;
    // From many clients: the workers share the connections evenly, and so they must share the clients.
    let mut clients = Vec::new();
    for _ in 0..12 {
        clients.push(proxy.client().await);
    }
    for client in &mut clients {
        for n in 0..5 {
            assert_eq!(client.exchange(&Request::get(&format!("/read/{n}"))).await.status(), 200);
        }
    }
    until("the copies' use of every connection", async || (mirror.accepted() == 4).then_some(())).await;
    let metrics = proxy.metrics().await;
    assert_eq!((primary.completed(), metrics.sum("mimir_mirror_connections", &NAME)), (60, 4));
    gate.open();
    let ledger = proxy.settled_at("secondary", 60).await;
    assert_eq!((ledger.delivered(), mirror.accepted()), (60, 4), "{ledger:?}");
}

#[tokio::test]
async fn c3_a_copy_that_waited_too_long_expires() {
    let mirror = Faulty::start(Fault::NeverAnswer).await;
    let (_primary, proxy) =
        before(&mirror, &[("max_connections", "1"), ("max_age", "1s"), ("timeout", "4s")]).await;
    write(&proxy, 20, 1000).await;
    let ledger = proxy.settled_at("secondary", 20).await;
    assert_eq!(ledger.delivered(), 0, "{ledger:?}");
    assert!(ledger.outcome("expired") >= 18, "{ledger:?}");
}

#[tokio::test]
async fn c3_what_was_held_is_given_back() {
    let gate = Gate::closed();
    let mirror = Faulty::start(Fault::Slow(gate.clone())).await;
    let bounds = [("buffer", "8MiB"), ("max_request", "1MiB"), ("timeout", "60s")];
    let (_primary, proxy) = before(&mirror, &bounds).await;
    let held = async || proxy.metrics().await.sum("mimir_mirror_pending_bytes", &NAME);
    write(&proxy, 50, 67_000).await;
    assert!(held().await >= 50 * 67_000, "{} bytes held", held().await);
    gate.open();
    let ledger = proxy.settled_at("secondary", 50).await;
    assert_eq!((ledger.delivered(), held().await), (50, 0), "{ledger:?}");
}

#[tokio::test]
async fn c3_descriptors_are_given_back() {
    let mirror = Faulty::start(Fault::Reset).await;
    let (_primary, proxy) = before(&mirror, &[]).await;
    write(&proxy, 1, 10).await;
    proxy.settled_at("secondary", 1).await;
    let before = proxy.process.descriptors();
    for _ in 0..10 {
        let mut clients = Vec::new();
        for _ in 0..50 {
            let mut client = proxy.client().await;
            client.send(Request::push("body").bytes()).await;
            clients.push(client);
        }
        for client in &mut clients {
            assert_eq!(client.answer().await.status(), 200);
        }
    }
    // The primary's idle connections may stay: each worker keeps what it needed at its busiest.
    let most = before + 2 * 50 + 5;
    until("the descriptors' return", async || (proxy.process.descriptors() <= most).then_some(())).await;
    // The mirror is tried now and then with one copy; the others wait in memory, without a descriptor.
    let ledger = proxy.ledger("secondary").await;
    assert_eq!((ledger.received, ledger.delivered()), (501, 0), "{ledger:?}");
}

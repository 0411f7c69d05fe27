//! C5: a copy is a complete request, or there is no copy.

use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::{Client, Config, Gate, Proxy, Reply, Request, Upstream, bytes_of, until};

/// Both clusters and a proxy before them.
async fn pair(reply: Reply) -> (Upstream, Upstream, Proxy) {
    let primary = Upstream::answering(reply).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    (primary, mirror, proxy)
}

/// How a client leaves in the middle of its request.
#[derive(Clone, Copy)]
enum Leaving {
    Close,
    Reset,
    FinishSending,
}

/// Sends `bytes`, a part of a request, leaves, and expects no copy and one incomplete request.
async fn broken_off(head: Vec<u8>, part: &[u8], leaving: Leaving) {
    let (primary, mirror, proxy) = pair(Reply::ok()).await;
    let mut client = proxy.client().await;
    client.send(head).await;
    client.send(part).await;
    until("the request's begin at the primary", async || (primary.begun() == 1).then_some(())).await;
    match leaving {
        Leaving::Close => drop(client),
        Leaving::Reset => client.reset(),
        Leaving::FinishSending => {
            client.finish_sending().await;
            client.rest().await;
        }
    }
    until("the count of the broken request", async || {
        (proxy.ledger("secondary").await.incomplete == 1).then_some(())
    })
    .await;
    // A later write has passed both clusters: what the broken one left behind would have come before.
    assert_eq!(proxy.send(&Request::push("later")).await.status(), 200);
    let ledger = proxy.settled_at("secondary", 1).await;
    assert_eq!((ledger.delivered(), ledger.incomplete), (1, 1), "{ledger:?}");
    assert_eq!((mirror.begun(), mirror.only().await.text().as_str()), (1, "later"));
    let got = primary.received(1).await;
    assert_eq!(got.iter().filter(|m| m.complete).count(), 1, "the primary took a part for a whole");
}

#[tokio::test]
async fn c5_a_client_that_closes_in_mid_body_leaves_no_copy() {
    let request = Request::push(bytes_of(100_000, 1));
    broken_off(request.head(), &request.wire_body()[..50_000], Leaving::Close).await;
}

#[tokio::test]
async fn c5_a_client_that_resets_in_mid_body_leaves_no_copy() {
    let request = Request::push(bytes_of(100_000, 1));
    broken_off(request.head(), &request.wire_body()[..50_000], Leaving::Reset).await;
}

#[tokio::test]
async fn c5_a_client_that_stops_sending_in_mid_body_leaves_no_copy() {
    let request = Request::push(bytes_of(100_000, 1));
    broken_off(request.head(), &request.wire_body()[..99_999], Leaving::FinishSending).await;
}

#[tokio::test]
async fn c5_a_client_that_leaves_before_the_last_chunk_leaves_no_copy() {
    let body = bytes_of(10_000, 2);
    let request = Request::new("POST", "/api/v1/push").chunks(&[&body]);
    let bytes = request.wire_body();
    // All data, but not the chunk that says it is all.
    broken_off(request.head(), &bytes[..bytes.len() - 5], Leaving::Close).await;
}

#[tokio::test]
async fn c5_a_client_that_leaves_before_the_first_byte_of_the_body_leaves_no_copy() {
    broken_off(Request::push(bytes_of(10, 3)).head(), b"", Leaving::Close).await;
}

#[tokio::test]
async fn c5_an_http2_stream_that_is_reset_in_mid_body_leaves_no_copy() {
    let (primary, mirror, proxy) = pair(Reply::ok()).await;
    let client = H2Client::connect(proxy.listen).await;
    let gate = Gate::closed();
    let head = http::Request::post("http://mimir.example/api/v1/push");
    let body = Frames::default().data(bytes_of(1000, 10)).reset_behind(&gate);
    let begun = async {
        until("the request's begin at the primary", async || (primary.begun() == 1).then_some(())).await;
        gate.open();
    };
    tokio::join!(client.broken(head, body), begun);
    until("the count of the broken request", async || {
        (proxy.ledger("secondary").await.incomplete == 1).then_some(())
    })
    .await;
    assert_eq!(proxy.settled("secondary").await.received, 0);
    assert_eq!((mirror.begun(), primary.completed()), (0, 0));
}

/// Waits until the proxy knows that all clients have left.
async fn gone(proxy: &Proxy) {
    let ingress = [("envoy_http_conn_manager_prefix", "mimir_ingress")];
    until("the proxy's notice of its client's leaving", async || {
        let open = proxy.metrics().await.sum("envoy_http_downstream_cx_active", &ingress);
        (open == 0).then_some(())
    })
    .await;
}

/// A complete request whose client leaves without waiting for the answer; both clusters must get it.
async fn left(leave: impl FnOnce(Client)) {
    let gate = Gate::closed();
    let (primary, mirror, proxy) = pair(Reply::ok().behind(&gate)).await;
    let body = bytes_of(67_000, 4);
    let mut client = proxy.client().await;
    client.send(Request::push(body.clone()).bytes()).await;
    primary.received(1).await;
    leave(client);
    gone(&proxy).await;
    gate.open();
    let ok = [("envoy_cluster_name", "primary"), ("envoy_response_code", "200")];
    until("the primary's answer at the proxy", async || {
        (proxy.metrics().await.sum("envoy_cluster_upstream_rq", &ok) == 1).then_some(())
    })
    .await;
    // A cluster stops working on a write whose caller hangs up.
    assert_eq!(primary.abandoned(), 0, "the proxy hung up on the primary");
    let copy = mirror.only().await;
    assert!(copy.complete && copy.body == body, "the copy was changed");
    let ledger = proxy.settled_at("secondary", 1).await;
    assert_eq!((ledger.delivered(), ledger.incomplete), (1, 0), "{ledger:?}");
    assert!(primary.only().await.body == body, "the body was changed");
}

#[tokio::test]
async fn c5_a_client_that_closes_after_its_request_is_served_on_both_legs() {
    left(drop).await;
}

#[tokio::test]
async fn c5_a_client_that_resets_after_its_request_is_served_on_both_legs() {
    left(Client::reset).await;
}

/// The client is gone before the primary has read the body.
#[tokio::test]
async fn c5_a_request_is_carried_to_the_primary_though_its_client_has_left() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::ok().reading_behind(&gate)).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let body = bytes_of(200_000, 5);
    let mut client = proxy.client().await;
    client.send(Request::push(body.clone()).bytes()).await;
    until("the request's begin at the primary", async || (primary.begun() == 1).then_some(())).await;
    drop(client);
    mirror.received(1).await;
    gate.open();
    assert!(primary.only().await.body == body, "the body was changed");
    assert_eq!(proxy.settled_at("secondary", 1).await.delivered(), 1);
}

/// Sends one request to a proxy whose mirror takes 64 KiB; the primary must get it, the copy is too large.
async fn too_large(request: Request, body: &[u8]) {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config.setting("max_request", "64KiB")).await;
    assert_eq!(proxy.send(&request).await.status(), 200);
    assert!(primary.only().await.body == body, "the body was changed");
    let ledger = proxy.settled_at("secondary", 1).await;
    assert_eq!(ledger.reason("dropped", "too_large"), 1, "{ledger:?}");
    assert_eq!(mirror.begun(), 0);
}

#[tokio::test]
async fn c5_above_the_largest_request_the_primary_still_gets_it() {
    let body = bytes_of((64 << 10) + 1, 6);
    too_large(Request::push(body.clone()), &body).await;
}

#[tokio::test]
async fn c5_above_the_largest_request_in_chunks_the_primary_still_gets_it() {
    let body = bytes_of(200_000, 7);
    too_large(Request::new("POST", "/api/v1/push").chunks(&[&body[..60_000], &body[60_000..]]), &body).await;
}

#[tokio::test]
async fn c5_the_largest_request_is_copied() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config.setting("max_request", "64KiB")).await;
    let body = bytes_of(64 << 10, 8);
    assert_eq!(proxy.send(&Request::push(body.clone())).await.status(), 200);
    assert!(mirror.only().await.body == body, "the copy was changed");
}

/// Envoy lost copies above its buffer of a mebibyte for years, in silence.
#[tokio::test]
async fn c5_by_default_a_hundred_mebibytes_are_copied() {
    let (primary, mirror, proxy) = pair(Reply::ok()).await;
    let body = bytes_of(100 << 20, 9);
    assert_eq!(proxy.send(&Request::push(body.clone())).await.status(), 200);
    assert!(primary.only().await.body == body, "the body was changed");
    let copy = mirror.only().await;
    assert!(copy.complete && copy.body == body, "the copy was changed");
    assert_eq!(proxy.settled_at("secondary", 1).await.delivered(), 1);
}

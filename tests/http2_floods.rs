//! HTTP/2 in excess: frames that cost their sender little and a careless server much. The connection ends or goes on,
//! the process stays within bounds, and the others are served.

use crate::dsl::h2_raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, Outcome, PING, PRIORITY, RST_STREAM, RawH2,
    SETTINGS, WINDOW_UPDATE, block, frame,
};
use crate::dsl::{Config, Gate, Proxy, Reply, Request, Upstream, until};

/// How much the process may grow over a flood. Each sends far more.
const GROWTH: u64 = 64 << 20;

fn post() -> Vec<u8> {
    block(&[(":method", b"POST"), (":scheme", b"http"), (":authority", b"h"), (":path", b"/x")])
}

fn get() -> Vec<u8> {
    block(&[(":method", b"GET"), (":scheme", b"http"), (":authority", b"h"), (":path", b"/x")])
}

/// A primary that holds requests for `/x` up as this says, until its gate opens, and the proxy before it.
async fn gated(held: fn(&Gate) -> Reply) -> (Gate, Upstream, Proxy) {
    let gate = Gate::closed();
    let primary = Upstream::scripted({
        let gate = gate.clone();
        move |request| match request.target() {
            "/x" => held(&gate),
            _ => Reply::ok(),
        }
    })
    .await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    (gate, primary, proxy)
}

/// Sends `first`, and then `again` until the proxy has had enough or so many bytes have gone; nothing is read.
async fn flood(first: &[u8], again: &[u8], bytes: usize) {
    let (gate, _primary, proxy) = gated(|gate| Reply::ok().reading_behind(gate)).await;
    assert_eq!(proxy.send(&Request::get("/probe")).await.status(), 200);
    let before = proxy.process.memory();
    let mut client = RawH2::connect(proxy.listen).await;
    client.bytes(first).await;
    let piece = again.repeat((16 << 10) / again.len() + 1);
    let mut sent = 0;
    // A proxy that does not read on has had enough, too.
    while sent < bytes && client.offer(&piece).await {
        sent += piece.len();
    }
    assert_eq!(proxy.send(&Request::get("/probe")).await.status(), 200);
    let grown = proxy.process.memory().saturating_sub(before);
    assert!(grown < GROWTH, "{sent} bytes were taken, and {grown} bytes more are in use");
    gate.open();
}

#[tokio::test]
async fn c3_continuations_without_end_are_given_up() {
    let piece = frame(CONTINUATION, 0, 1, &block(&[("x-a", &[b'x'; 1000])]));
    flood(&frame(HEADERS, 0, 1, &post()), &piece, 256 << 20).await;
}

#[tokio::test]
async fn c3_empty_continuations_without_end_are_given_up() {
    flood(&frame(HEADERS, 0, 1, &post()), &frame(CONTINUATION, 0, 1, &[]), 32 << 20).await;
}

#[tokio::test]
async fn c3_empty_data_without_end_is_not_collected() {
    flood(&frame(HEADERS, END_HEADERS, 1, &post()), &frame(DATA, 0, 1, &[]), 32 << 20).await;
}

#[tokio::test]
async fn c3_data_of_one_byte_is_not_collected() {
    flood(&frame(HEADERS, END_HEADERS, 1, &post()), &frame(DATA, 0, 1, b"x"), 8 << 20).await;
}

#[tokio::test]
async fn c3_pings_that_are_not_read_are_not_answered_without_end() {
    flood(&[], &frame(PING, 0, 0, &[0; 8]), 64 << 20).await;
}

#[tokio::test]
async fn c3_settings_that_are_not_read_are_not_answered_without_end() {
    flood(&[], &frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]), 64 << 20).await;
}

#[tokio::test]
async fn c3_priorities_and_windows_are_not_collected() {
    let again = [frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 0]), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])].concat();
    flood(&frame(HEADERS, END_HEADERS, 1, &post()), &again, 32 << 20).await;
}

/// A field of four KiB in the table, then a byte for each time that it is named.
#[tokio::test]
async fn c3_a_small_head_may_not_become_a_large_one() {
    let primary = Upstream::answering(Reply::ok()).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    let before = proxy.process.memory();
    for _ in 0..20 {
        let mut client = RawH2::connect(proxy.listen).await;
        // Into the table, under the name `x-a`; its first place there is 62.
        let mut field = vec![0x40, 3];
        field.extend_from_slice(b"x-a\x7f\xa1\x1e");
        field.extend_from_slice(&[b'x'; 4000]);
        let bomb = [get(), field, vec![0x80 | 62; 10_000]].concat();
        client.frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb).await;
        let outcome = client.outcome(1).await;
        assert_ne!(outcome, Outcome::Ok);
    }
    assert_eq!(proxy.send(&Request::get("/probe")).await.status(), 200);
    assert_eq!(primary.begun(), 1);
    let grown = proxy.process.memory().saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes more are in use");
}

/// Each request is complete, and so carried to its end; its reset makes room for the next at once (CVE-2023-44487).
#[tokio::test]
async fn c3_a_client_that_only_resets_is_cut_off() {
    let (gate, primary, proxy) = gated(|gate| Reply::ok().behind(gate)).await;
    let mut client = RawH2::connect(proxy.listen).await;
    for stream in (1..10_000).step_by(2) {
        let request = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get());
        if !client.bytes(&[request, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()).await {
            break;
        }
    }
    client.ended().await;
    let counted = "envoy_http_downstream_rq_too_many_premature_resets";
    until("the end of the flood", async || {
        let metrics = proxy.metrics().await;
        let ingress = [("envoy_http_conn_manager_prefix", "mimir_ingress")];
        (metrics.sum("envoy_http_downstream_cx_active", &ingress) == 0).then_some(())
    })
    .await;
    // Whichever bound was met first: the HTTP library has one for streams that were reset before they were looked at.
    assert!(primary.begun() <= 500, "{} requests at the primary", primary.begun());
    assert!(proxy.metrics().await.sum(counted, &[]) <= 1);
    assert_eq!(proxy.send(&Request::get("/probe")).await.status(), 200);
    gate.open();
}

/// As before, but each request is given the time to begin.
#[tokio::test]
async fn c3_a_client_that_resets_what_has_begun_is_cut_off() {
    let (gate, primary, proxy) = gated(|gate| Reply::ok().behind(gate)).await;
    let mut client = RawH2::connect(proxy.listen).await;
    let mut begun = 0;
    for stream in (1..10_000).step_by(2) {
        client.frame(HEADERS, END_HEADERS | END_STREAM, stream, &get()).await;
        begun += 1;
        if begun < 250 {
            until("the request at the primary", async || (primary.begun() >= begun).then_some(())).await;
        }
        if !client.frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await || begun == 250 {
            break;
        }
    }
    client.ended().await;
    assert_eq!(proxy.metrics().await.sum("envoy_http_downstream_rq_too_many_premature_resets", &[]), 1);
    assert_eq!(proxy.send(&Request::get("/probe")).await.status(), 200);
    gate.open();
}

//! C4: what the proxy answers of its own accord, which is little, and never a 4xx for trouble on the way.

use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::http1::Message;
use crate::dsl::ports::Port;
use crate::dsl::{Config, Gate, Proxy, Reply, Request, Upstream, bytes_of, until};

const TROUBLE: &str = "upstream connect error or disconnect/reset before headers. reset reason: ";

/// The answer to one write when the primary is at this address. So many copies of it must come to the mirror.
async fn with_primary(config: Config, copies: u64) -> Message {
    let mirror = Upstream::answering(Reply::ok()).await;
    let proxy = Proxy::start(&config.mirror("secondary", mirror.address())).await;
    let answer = proxy.send(&Request::push("body")).await;
    let ledger = proxy.settled_at("secondary", copies).await;
    assert_eq!((ledger.delivered(), mirror.completed() as u64), (copies, copies), "{ledger:?}");
    answer
}

/// The same for a primary with this fault; the copy is sent all the same.
async fn with_fault(fault: Fault) -> Message {
    let primary = Faulty::start(fault).await;
    with_primary(Config::envoy().primary(primary.address()).timeout("1s").connect_timeout("0.3s"), 1).await
}

#[tokio::test]
async fn c4_no_route_is_404_without_a_body_and_without_a_copy() {
    let upstream = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(upstream.address()).mirror("secondary", upstream.address());
    let hosts = format!(
        "[{{ name: one, domains: [\"mimir.example\"], routes: [{{ match: {{ prefix: /api }}, {} }}] }}]",
        config.route("primary")
    );
    let proxy = Proxy::start(&config.virtual_hosts(&hosts)).await;
    for stray in [Request::push("x").host("other.example"), Request::get("/elsewhere")] {
        let got = proxy.send(&stray).await;
        assert_eq!(
            (got.status(), got.body.len(), got.header("content-length").as_deref()),
            (404, 0, Some("0"))
        );
    }
    assert_eq!(upstream.begun(), 0);
}

#[tokio::test]
async fn c4_a_primary_without_an_address_is_503_without_a_copy() {
    let config = Config::envoy().cluster("primary", &[("primary.invalid", 80)]);
    let got = with_primary(config, 0).await;
    assert_eq!((got.status(), got.text().as_str()), (503, "no healthy upstream"));
}

#[tokio::test]
async fn c4_a_refusing_primary_is_503_and_the_copy_is_sent() {
    let got = with_fault(Fault::Refuse).await;
    assert_eq!((got.status(), got.text()), (503, format!("{TROUBLE}remote connection failure")));
}

#[tokio::test]
async fn c4_a_black_hole_as_primary_is_503_and_the_copy_is_sent() {
    let got = with_fault(Fault::BlackHole).await;
    assert_eq!((got.status(), got.text()), (503, format!("{TROUBLE}connection timeout")));
}

#[tokio::test]
async fn c4_a_primary_that_resets_is_503_and_the_copy_is_sent() {
    let primary = Upstream::answering(Reply::silence().reset()).await;
    let got = with_primary(Config::envoy().primary(primary.address()), 1).await;
    assert_eq!((got.status(), got.text()), (503, format!("{TROUBLE}connection termination")));
}

#[tokio::test]
async fn c4_a_primary_that_closes_without_an_answer_is_503_and_the_copy_is_sent() {
    let primary = Upstream::answering(Reply::silence().close()).await;
    let got = with_primary(Config::envoy().primary(primary.address()), 1).await;
    assert_eq!((got.status(), got.text()), (503, format!("{TROUBLE}connection termination")));
}

#[tokio::test]
async fn c4_a_primary_that_answers_too_late_is_504_and_the_copy_is_sent() {
    let got = with_fault(Fault::NeverAnswer).await;
    assert_eq!((got.status(), got.text().as_str()), (504, "upstream request timeout"));
}

#[tokio::test]
async fn c4_a_primary_that_answers_garbage_is_a_5xx() {
    let got = with_fault(Fault::Garbage).await;
    assert!((500..600).contains(&got.status()), "{got:?}");
}

#[tokio::test]
async fn c4_an_answer_that_breaks_off_does_not_look_complete() {
    let primary =
        Upstream::answering(Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").close()).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    let mut client = proxy.client().await;
    client.send(Request::get("/x").bytes()).await;
    let got = client.answer().await;
    assert_eq!((got.status(), got.complete), (200, false));
}

#[tokio::test]
async fn c4_local_answers_carry_server_and_date() {
    let got = with_fault(Fault::Refuse).await;
    assert_eq!(got.header("server").as_deref(), Some("envoy"));
    assert_eq!(got.header("content-type").as_deref(), Some("text/plain"));
    assert!(got.header("date").is_some());
}

/// What a proxy with a good primary answers to these bytes, and whether the primary heard of them.
async fn to_bytes(bytes: &[u8]) -> (Option<Message>, usize) {
    let primary = Upstream::answering(Reply::ok()).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    let (answer, _) = proxy.client().await.attempt(bytes).await;
    (answer, primary.begun())
}

async fn refused(bytes: &[u8], status: u16) {
    let (answer, begun) = to_bytes(bytes).await;
    let begins = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
    let answer = answer.unwrap_or_else(|| panic!("no answer to {begins:?}"));
    assert_eq!((answer.status(), begun), (status, 0), "{begins:?}");
}

#[tokio::test]
async fn c4_malformed_requests_are_400_and_go_nowhere() {
    refused(b"GET /x HTTP/1.1\r\n\r\n", 400).await;
    refused(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: one\r\n\r\n", 400).await;
    refused(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400).await;
    refused(b"GET /x HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n", 400).await;
    refused(b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400).await;
}

/// Two lengths for one body is how requests are smuggled past a proxy.
#[tokio::test]
async fn c4_a_length_and_chunks_together_smuggle_nothing() {
    let both =
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    // What follows is the rest of the body to a server that counts, and a request to one that reads chunks.
    client.send([both.as_slice(), b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"].concat()).await;
    let answer = client.answer().await;
    // RFC 9112, 6.1: refused, or read as chunks; in either case the connection ends with the answer.
    assert!(matches!(answer.status(), 200 | 400), "{answer:?}");
    assert_eq!(client.rest().await, b"", "the connection went on");
    for got in primary.requests().iter().chain(&mirror.requests()) {
        assert_eq!(got.values("content-length"), Vec::<&[u8]>::new(), "two lengths were passed on");
        assert_ne!(got.target(), "/smuggled");
    }
}

#[tokio::test]
async fn c4_http_1_0_is_426() {
    refused(b"GET /x HTTP/1.0\r\nHost: h\r\n\r\n", 426).await;
}

#[tokio::test]
async fn c4_oversized_headers_are_431() {
    let large = String::from_utf8(vec![b'x'; 70 << 10]).unwrap();
    refused(format!("GET /x HTTP/1.1\r\nHost: h\r\nX-Large: {large}\r\n\r\n").as_bytes(), 431).await;
}

#[tokio::test]
async fn c4_the_configured_limit_of_headers_holds() {
    for (manager, size) in [("", 62 << 10), ("max_request_headers_kb: 8", 20 << 10)] {
        let primary = Upstream::answering(Reply::ok()).await;
        let config = Config::envoy().primary(primary.address());
        let config = if manager.is_empty() { config } else { config.manager(manager) };
        let proxy = Proxy::start(&config).await;
        let request = Request::get("/x").header("X-Large", "x".repeat(size));
        assert_eq!(
            (proxy.send(&request).await.status(), primary.begun()),
            (431, 0),
            "{size} bytes, {manager:?}"
        );
    }
}

#[tokio::test]
async fn c4_headers_of_fifty_kibibytes_pass() {
    let large = String::from_utf8(vec![b'x'; 50 << 10]).unwrap();
    let (answer, begun) = to_bytes(&Request::get("/x").header("X-Large", large).bytes()).await;
    assert_eq!((answer.map(|a| a.status()), begun), (Some(200), 1));
}

#[tokio::test]
async fn c4_a_broken_chunk_ends_without_a_2xx() {
    let bytes =
        b"POST /api/v1/push HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbody\r\n0\r\n\r\n";
    let (answer, _) = to_bytes(bytes).await;
    assert!(answer.is_none_or(|a| a.status() == 400));
}

/// A remote-write sender drops the data for good when it sees a 4xx: a stalled write must end without an answer.
#[tokio::test]
async fn c4_a_stalled_write_is_closed_without_an_answer() {
    let timeouts = ["stream_idle_timeout: 0.5s", "request_timeout: 0.5s"];
    for manager in timeouts {
        let primary = Upstream::answering(Reply::ok()).await;
        let proxy = Proxy::start(&Config::envoy().primary(primary.address()).manager(manager)).await;
        let mut client = proxy.client().await;
        let request = Request::push(bytes_of(1000, 1));
        client.send(request.head()).await;
        client.send(&request.wire_body()[..10]).await;
        assert_eq!(client.rest().await, b"", "{manager}");
        until("the primary's notice", async || (primary.begun() == 1).then_some(())).await;
        assert_eq!(primary.completed(), 0, "{manager}");
    }
}

#[tokio::test]
async fn c4_a_write_that_ends_too_soon_is_closed_without_an_answer() {
    let primary = Upstream::answering(Reply::ok()).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    let mut client = proxy.client().await;
    let request = Request::push(bytes_of(1000, 1));
    client.send(request.head()).await;
    client.send(&request.wire_body()[..10]).await;
    client.finish_sending().await;
    assert_eq!(client.rest().await, b"");
    assert_eq!(primary.completed(), 0);
}

#[tokio::test]
async fn c4_a_stalled_request_elsewhere_is_408() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).manager("stream_idle_timeout: 0.5s");
    let proxy = Proxy::start(&config).await;
    let mut client = proxy.client().await;
    let request = Request::new("POST", "/prometheus/api/v1/query").body("query=up");
    client.send(request.head()).await;
    client.send("query").await;
    let got = client.answer().await;
    assert_eq!((got.status(), got.text().as_str()), (408, "stream timeout"));
}

/// A client that is not told would send its next write into a closed connection, and could not repeat it safely.
#[tokio::test]
async fn c4_a_local_answer_says_whether_the_connection_goes_on() {
    let primary = Faulty::start(Fault::Refuse).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    for size in [0, 1, 1000, 100_000] {
        let mut client = proxy.client().await;
        for _ in 0..3 {
            let answer = client.exchange(&Request::push(bytes_of(size, 1))).await;
            assert_eq!(answer.status(), 503);
            if answer.header("connection").as_deref() == Some("close") {
                assert_eq!(client.rest().await, b"");
                break;
            }
        }
    }
}

#[tokio::test]
async fn c4_a_primary_that_comes_back_is_used_again() {
    let port = Port::reserve();
    let proxy = Proxy::start(&Config::envoy().primary(port.address())).await;
    assert_eq!(proxy.send(&Request::push("one")).await.status(), 503);
    let primary = Upstream::at(port.address(), |_| Reply::ok()).await;
    assert_eq!(proxy.send(&Request::push("two")).await.status(), 200);
    assert_eq!(primary.only().await.text(), "two");
}

/// The timeout runs from the end of the request: a client that sends slowly is no reason to give up.
#[tokio::test]
async fn c4_the_timeout_begins_when_the_request_is_complete() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::ok().behind(&gate)).await;
    let config = Config::envoy().primary(primary.address()).timeout("0.5s");
    let proxy = Proxy::start(&config).await;
    let mut sending = proxy.client().await;
    let request = Request::push(bytes_of(1000, 1));
    sending.send(request.head()).await;
    // While a complete request runs into its timeout, the incomplete one goes on.
    assert_eq!(proxy.send(&Request::push("complete")).await.status(), 504);
    gate.open();
    sending.send(request.wire_body()).await;
    assert_eq!(sending.answer().await.status(), 200);
}

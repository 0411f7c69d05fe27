//! Primaries that answer what no server should: the client gets that answer or a 5xx, and nobody gets another's.

use crate::dsl::frames::FrameServer;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream};

async fn behind(reply: Reply) -> (Upstream, Proxy) {
    let primary = Upstream::scripted(move |request| match request.target() {
        "/well" => Reply::new(200, "well"),
        _ => reply.clone(),
    })
    .await;
    let proxy =
        Proxy::launch_with(&Config::envoy().primary(primary.address()), &["--concurrency", "1"]).await;
    (primary, proxy)
}

/// What a client is told, after which another must be served.
async fn told(reply: Reply) -> u16 {
    let (_primary, proxy) = behind(reply).await;
    let status = proxy.send(&Request::push("x")).await.status();
    let well = proxy.send(&Request::get("/well")).await;
    assert_eq!((well.status(), well.text().as_str()), (200, "well"));
    status
}

#[tokio::test]
async fn c4_a_head_without_end_is_a_5xx() {
    let endless = ["HTTP/1.1 200 OK\r\n", &"x-a: 1\r\n".repeat(1 << 17)].concat();
    let status = told(Reply::raw(endless)).await;
    assert!(matches!(status, 502 | 503), "{status}");
}

#[tokio::test]
async fn c4_a_field_without_end_is_a_5xx() {
    let endless = ["HTTP/1.1 200 OK\r\nx-a: ", &"x".repeat(1 << 20)].concat();
    let status = told(Reply::raw(endless)).await;
    assert!(matches!(status, 502 | 503), "{status}");
}

#[tokio::test]
async fn c4_an_upgrade_that_nobody_asked_for_is_a_5xx() {
    let upgraded = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    let status = told(Reply::raw(upgraded)).await;
    assert!(matches!(status, 502 | 503), "{status}");
}

#[tokio::test]
async fn c4_ambiguous_answers_are_5xx() {
    for head in [
        "content-length: 1\r\ncontent-length: 2",
        "content-length: -1",
        "content-length: 1, 2",
        "transfer-encoding : chunked",
        "x-a: 1\r\n folded: 2",
        "x-a: a\0b",
    ] {
        let status = told(Reply::raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nxx"))).await;
        assert!(matches!(status, 502 | 503), "{head:?}: {status}");
    }
}

#[tokio::test]
async fn c1_a_thousand_interim_answers_are_swallowed() {
    let interim = "HTTP/1.1 102 Processing\r\nx-a: 1\r\n\r\n".repeat(1000);
    assert_eq!(told(Reply::raw(interim + "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await, 200);
}

/// What comes behind an answer is nobody's answer.
#[tokio::test]
async fn c1_bytes_behind_an_answer_reach_no_other_client() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let poison = "HTTP/1.1 403 Poison\r\ncontent-length: 6\r\n\r\npoison";
    assert_eq!(told(Reply::raw([ok, poison].concat())).await, 200);
    assert_eq!(told(Reply::raw([ok, "\r\n\r\n"].concat())).await, 200);
}

/// Answers with this connection's end in sight are answers; without one it is a 5xx.
#[tokio::test]
async fn c4_a_primary_that_closes_its_half() {
    let status = told(Reply::silence().half_close()).await;
    assert_eq!(status, 503);
    assert_eq!(told(Reply::ok().half_close()).await, 200);
    let until_the_end = Reply::raw("HTTP/1.1 200 OK\r\n\r\nall of it").half_close();
    let (_primary, proxy) = behind(until_the_end).await;
    let answer = proxy.send(&Request::push("x")).await;
    assert!(answer.complete && answer.text() == "all of it", "{answer:?}");
}

/// Whoever gets half an answer must not take it for a whole one.
#[tokio::test]
async fn c1_an_answer_that_breaks_off_is_never_whole_to_the_client() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        for then in [Reply::close, Reply::reset, Reply::half_close] {
            let half = Reply::raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n14\r\nhalf of an answer"));
            let (_primary, proxy) = behind(then(half)).await;
            let mut client = proxy.client().await;
            client.send(Request::push("x").bytes()).await;
            // A reset may overtake the head.
            let answer = client.try_answer().await;
            assert!(answer.is_none_or(|answer| !answer.complete || answer.status() >= 500), "{head}");
            assert_eq!(proxy.send(&Request::get("/well")).await.text(), "well");
        }
    }
}

/// Over HTTP/2 there is no other protocol to change to (RFC 9113, section 8.6).
#[tokio::test]
async fn c4_an_upgrade_over_http2_is_a_5xx() {
    let server = FrameServer::bind().await;
    let proxy = Proxy::start(&Config::envoy().primary(server.address()).http2("")).await;
    let mut client = proxy.client().await;
    client.send(Request::push("x").bytes()).await;
    let mut primary = server.accept().await;
    primary.read_until("the request", |primary| !primary.requests.is_empty()).await;
    // `:status` by its place in HPACK's static table, its value as text.
    primary.answer_with(primary.requests[0], b"\x08\x03101").await;
    let status = client.answer().await.status();
    assert!(matches!(status, 502 | 503), "{status}");
}

//! Primaries that answer what no server should: the client gets that answer or a 5xx, and nobody gets another's.

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

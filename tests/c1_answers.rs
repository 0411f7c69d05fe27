//! C1, the way back: the client gets the primary's answer as the primary sent it.

use crate::dsl::http1::{Framing, Message};
use crate::dsl::{Client, Config, Gate, Proxy, Reply, Request, Upstream, bytes_of};

/// A proxy from an Envoy file whose primary answers so.
async fn before(primary: &Upstream) -> Proxy {
    Proxy::start(&Config::envoy().primary(primary.address())).await
}

/// What a client gets for one write when the primary answers so.
async fn answer(reply: Reply) -> Message {
    let primary = Upstream::answering(reply).await;
    before(&primary).await.send(&Request::push("body")).await
}

#[tokio::test]
async fn c1_every_status_and_its_body_pass() {
    let primary = Upstream::scripted(|request| {
        let status = request.target().trim_start_matches('/').parse().unwrap();
        Reply::new(status, &format!("the primary says {status}"))
    })
    .await;
    let proxy = before(&primary).await;
    let mut client = proxy.client().await;
    let all = [
        200, 201, 202, 203, 206, 207, 299, 300, 301, 302, 307, 400, 401, 403, 404, 405, 408, 409, 410, 413,
        415,
    ];
    for status in all.into_iter().chain([418, 422, 429, 451, 499, 500, 501, 502, 503, 504, 529, 599]) {
        let got = client.exchange(&Request::new("POST", &format!("/{status}")).body("x")).await;
        assert_eq!((got.status(), got.text()), (status, format!("the primary says {status}")));
    }
}

#[tokio::test]
async fn c1_answers_without_a_body_have_none() {
    for status in [204, 304] {
        let got = answer(Reply::raw(format!("HTTP/1.1 {status} X\r\netag: \"a\"\r\n\r\n"))).await;
        assert_eq!((got.status(), got.body.len(), got.header("etag").as_deref()), (status, 0, Some("\"a\"")));
        assert_eq!(got.header("transfer-encoding"), None);
    }
}

#[tokio::test]
async fn c1_retry_after_and_the_written_headers_survive() {
    let head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 6\r\nX-Prometheus-Remote-Write-Samples-Written: 17\r\n\
                X-Prometheus-Remote-Write-Histograms-Written: 0\r\nX-Prometheus-Remote-Write-Exemplars-Written: 3\r\n\
                content-length: 4\r\n\r\nslow";
    let got = answer(Reply::raw(head)).await;
    assert_eq!((got.status(), got.text()), (429, "slow".to_owned()));
    let expected = [
        ("retry-after", "6"),
        ("x-prometheus-remote-write-samples-written", "17"),
        ("x-prometheus-remote-write-histograms-written", "0"),
        ("x-prometheus-remote-write-exemplars-written", "3"),
    ];
    for (name, value) in expected {
        assert_eq!(got.header(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn c1_headers_of_the_answer_keep_bytes_and_order_and_none_is_added() {
    let primary = Upstream::answering(Reply::raw(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: b=1\r\nX-Bytes: \x80\xff\"\r\nX-Empty:\r\nSet-Cookie: a=2\r\n\
          Vary: Accept\r\nServer: mimir\r\nSet-Cookie: b=1\r\ncontent-length: 0\r\n\r\n"
            .to_vec(),
    ))
    .await;
    let config = Config::native().primary(primary.address()).mirror("secondary", primary.address());
    let proxy = Proxy::start(&config).await;
    let got = proxy.send(&Request::get("/x")).await;
    let cookies: [&[u8]; 3] = [b"b=1", b"a=2", b"b=1"];
    assert_eq!(got.values("set-cookie"), cookies);
    assert_eq!(got.values("x-bytes"), [b"\x80\xff\""]);
    assert_eq!(got.values("x-empty"), [b""]);
    let mut names: Vec<_> = got.headers.iter().map(|(n, _)| n.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names, ["content-length", "server", "set-cookie", "vary", "x-bytes", "x-empty"]);
}

#[tokio::test]
async fn c1_from_an_envoy_file_the_answer_carries_envoys_headers() {
    let got = answer(Reply::raw("HTTP/1.1 200 OK\r\nServer: mimir\r\ncontent-length: 0\r\n\r\n")).await;
    let mut names: Vec<_> = got.headers.iter().map(|(n, _)| n.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date", "server", "x-envoy-upstream-service-time"]);
    assert_eq!(got.header("server").as_deref(), Some("envoy"));
    let took: u64 = got.header("x-envoy-upstream-service-time").unwrap().parse().expect("milliseconds");
    assert!(took < 60_000);
}

#[tokio::test]
async fn c1_hop_by_hop_headers_of_the_answer_end_at_the_proxy() {
    let got = answer(Reply::raw(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nX-Public: 2\r\ncontent-length: 0\r\n\r\n",
    ))
    .await;
    for gone in ["x-private", "keep-alive", "proxy-connection"] {
        assert_eq!(got.values(gone), Vec::<&[u8]>::new(), "{gone} was passed on");
    }
    assert_eq!(got.header("x-public").as_deref(), Some("2"));
}

#[tokio::test]
async fn c1_the_framing_of_the_answer_stays() {
    let length = answer(Reply::new(200, "hello")).await;
    assert_eq!((length.framing.clone(), length.text()), (Framing::Length(5), "hello".to_owned()));
    let chunked = answer(Reply::raw(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ));
    let chunked = chunked.await;
    assert_eq!((chunked.framing.clone(), chunked.text()), (Framing::Chunked, "hello".to_owned()));
}

#[tokio::test]
async fn c1_an_answer_that_ends_with_its_connection_arrives_whole() {
    let got = answer(Reply::raw("HTTP/1.1 200 OK\r\n\r\nhello").close()).await;
    assert_eq!((got.status(), got.text(), got.complete), (200, "hello".to_owned(), true));
    // Its end must be recognisable on a connection that stays open.
    assert_eq!(got.framing, Framing::Chunked);
}

#[tokio::test]
async fn c1_trailers_of_the_answer_arrive() {
    let primary = Upstream::answering(Reply::raw(
        "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n",
    ))
    .await;
    let config = Config::native().primary(primary.address()).mirror("secondary", primary.address());
    let proxy = Proxy::start(&config).await;
    let got = proxy.send(&Request::get("/x").header("TE", "trailers")).await;
    assert_eq!((got.text(), got.complete), ("hi".to_owned(), true));
    assert_eq!(got.trailers, [("x-sum".to_owned(), b"1".to_vec())]);
}

#[tokio::test]
async fn c1_the_answer_to_head_keeps_its_length_and_has_no_body() {
    let primary = Upstream::answering(Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n")).await;
    let proxy = before(&primary).await;
    let mut client = proxy.client().await;
    client.send(Request::new("HEAD", "/x").bytes()).await;
    let got = client.answer_to_head().await;
    assert_eq!((got.status(), got.header("content-length").as_deref()), (200, Some("1234")));
    // Whatever followed the head would spoil the next answer.
    client.send(Request::new("HEAD", "/y").bytes()).await;
    assert_eq!(client.answer_to_head().await.status(), 200);
}

#[tokio::test]
async fn c1_interim_answers_of_the_primary_are_swallowed() {
    for interim in ["100 Continue", "102 Processing", "103 Early Hints\r\nlink: </a>"] {
        let both = format!("HTTP/1.1 {interim}\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        let got = answer(Reply::raw(both)).await;
        assert_eq!((got.status(), got.text(), got.interim), (200, "ok".to_owned(), vec![]), "{interim}");
    }
}

#[tokio::test]
async fn c1_a_large_answer_arrives_whole() {
    let body = bytes_of(10 << 20, 4);
    let mut reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    reply.extend_from_slice(&body);
    let got = answer(Reply::raw(reply)).await;
    assert!(got.complete && got.body == body, "the body was changed");
}

#[tokio::test]
async fn c1_an_encoded_answer_is_not_decoded() {
    let body = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut reply = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n".to_vec();
    reply.extend_from_slice(&body);
    let got = answer(Reply::raw(reply)).await;
    assert_eq!((got.header("content-encoding").as_deref(), got.body.as_slice()), (Some("gzip"), &body[..]));
}

const TOO_LARGE: &str =
    "HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 9\r\n\r\ntoo large";

/// Ten mebibytes to a primary that answers at the first byte; the client must get that answer, whole.
async fn early_answer(reply: Reply) {
    let primary = Upstream::answering(reply).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let mut client: Client = proxy.client().await;
    let (got, sent) = client.attempt(&Request::push(bytes_of(10 << 20, 5)).bytes()).await;
    let got = got.unwrap_or_else(|| panic!("no answer; sending ended with {sent:?}"));
    assert_eq!((got.status(), got.text(), got.complete), (413, "too large".to_owned(), true));
}

#[tokio::test]
async fn c1_an_early_answer_of_a_primary_that_reads_on_reaches_the_client() {
    early_answer(Reply::raw(TOO_LARGE).early()).await;
}

#[tokio::test]
async fn c1_an_early_answer_of_a_primary_that_closes_reaches_the_client() {
    early_answer(Reply::raw(TOO_LARGE).early().close()).await;
}

/// An answer of several reads, and a reset right behind it: the writing fails while the reading still goes on.
#[tokio::test]
async fn c1_an_early_answer_of_a_primary_that_resets_arrives_whole() {
    let body = "x".repeat(50_000);
    let reply = format!("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 50000\r\n\r\n{body}");
    let primary = Upstream::answering(Reply::raw(reply).early().close()).await;
    let proxy = before(&primary).await;
    for n in 0..10 {
        let mut client = proxy.client().await;
        let (got, sent) = client.attempt(&Request::push(bytes_of(10 << 20, 5)).bytes()).await;
        let got = got.unwrap_or_else(|| panic!("no answer; sending ended with {sent:?}"));
        assert_eq!((got.status(), got.body.len(), got.complete), (413, 50_000, true), "request {n}");
    }
}

#[tokio::test]
async fn c1_an_answer_is_passed_on_while_it_is_written() {
    let gate = Gate::closed();
    let primary = Upstream::scripted({
        let gate = gate.clone();
        move |_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst").then_behind(&gate, "-last")
    })
    .await;
    let proxy = before(&primary).await;
    let mut client = proxy.client().await;
    client.send(Request::get("/x").bytes()).await;
    client.text_until("first").await;
    gate.open();
    client.text_until("-last").await;
}

//! HTTP/2 to the primary: the same request, whatever the client speaks, and the same answer. Connections are the matter
//! of `http2_pool.rs`, windows of `http2_windows.rs`.

use http::{Request as H2Request, Response, Version};
use http_body_util::BodyExt;

use crate::dsl::h2_upstream::Reset;
use crate::dsl::h2c::{Frames, H2Client, next_data};
use crate::dsl::streams::{Stream, fields, stream};
use crate::dsl::wait::within;
use crate::dsl::{Config, Gate, H2Upstream, Proxy, Reply, Request, Upstream, bytes_of};

fn config(primary: &H2Upstream) -> Config {
    Config::envoy().primary(primary.address()).http2("")
}

async fn echo() -> (H2Upstream, Proxy) {
    let primary = H2Upstream::echoing().await;
    let proxy = Proxy::start(&config(&primary)).await;
    (primary, proxy)
}

fn post(target: &str) -> http::request::Builder {
    H2Request::post(format!("http://mimir.example{target}"))
}

#[tokio::test]
async fn c1_a_request_of_http1_goes_over_http2() {
    let (primary, proxy) = echo().await;
    let body = bytes_of(200_000, 1);
    let request = Request::push(body.clone()).header("te", "trailers").header("x-b", "2").header("x-b", "1");
    let answer = proxy.send(&request).await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "/api/v1/push"));
    let seen = primary.only().await;
    assert_eq!(seen.head.version, Version::HTTP_2);
    assert_eq!((seen.head.method.as_str(), seen.head.uri.path()), ("POST", "/api/v1/push"));
    assert_eq!(seen.head.uri.authority().map(|a| a.as_str()), Some("mimir.example"));
    assert_eq!(seen.head.uri.scheme_str(), Some("http"));
    let length = body.len().to_string();
    assert_eq!((seen.header("content-length"), seen.header("te")), (Some(length.as_str()), Some("trailers")));
    let values: Vec<_> = seen.head.headers.get_all("x-b").iter().map(|v| v.as_bytes()).collect();
    assert_eq!(values, [b"2", b"1"]);
    for gone in ["host", "connection", "transfer-encoding", "keep-alive"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    assert!(seen.body == body, "the body was changed");
}

#[tokio::test]
async fn c1_chunks_become_frames_and_frames_become_chunks() {
    let (primary, proxy) = echo().await;
    let request = Request::new("POST", "/x").chunks(&[b"one", b"two"]);
    let answer = proxy.send(&request).await;
    assert_eq!(answer.text(), "/x");
    let seen = primary.only().await;
    assert_eq!((seen.body.as_slice(), seen.header("content-length")), (&b"onetwo"[..], None));
}

#[tokio::test]
async fn c1_http2_from_end_to_end_keeps_head_body_and_trailers() {
    let primary = H2Upstream::scripted(100, async |request, book| {
        book.read(request).await;
        let mut answer = Response::new(Stream::of(["answer".into()], Some(fields(&[("x-after", "2")]))));
        answer.headers_mut().insert("x-prometheus-remote-write-samples-written", "7".parse().unwrap());
        Ok(answer)
    })
    .await;
    let proxy = Proxy::start(&config(&primary)).await;
    let client = H2Client::connect(proxy.listen).await;
    let trailers = fields(&[("x-sum", "1")]);
    let answer =
        client.exchange(post("/x?a=%2f"), Frames::default().data("body").trailers(trailers.clone())).await;
    assert_eq!((answer.head.status().as_u16(), answer.body.as_ref()), (200, b"answer".as_slice()));
    assert_eq!(answer.head.headers()["x-prometheus-remote-write-samples-written"], "7");
    assert_eq!(answer.trailers, Some(fields(&[("x-after", "2")])));
    let seen = primary.only().await;
    assert_eq!((seen.body.as_slice(), seen.trailers.clone()), (&b"body"[..], Some(trailers)));
    assert_eq!(seen.head.uri.path_and_query().map(|p| p.as_str()), Some("/x?a=%2f"));
    assert_eq!(seen.header("content-length"), None);
}

#[tokio::test]
async fn c1_answers_without_a_body_stay_without() {
    let primary = H2Upstream::scripted(100, async |request, book| {
        let seen = book.read(request).await;
        let answer = Response::builder().header("content-length", "5");
        Ok(match seen.head.uri.path() {
            "/204" => Response::builder().status(204).body(Stream::of([], None)).unwrap(),
            "/304" => {
                Response::builder().status(304).header("etag", "\"x\"").body(Stream::of([], None)).unwrap()
            }
            _ => answer.body(Stream::of([], None)).unwrap(),
        })
    })
    .await;
    let proxy = Proxy::start(&config(&primary)).await;
    let mut client = proxy.client().await;
    for status in [204, 304] {
        let answer = client.exchange(&Request::get(&format!("/{status}"))).await;
        assert_eq!((answer.status(), answer.text().as_str()), (status, ""));
    }
    client.send(Request::new("HEAD", "/head").bytes()).await;
    let head = client.answer_to_head().await;
    assert_eq!((head.status(), head.header("content-length").as_deref()), (200, Some("5")));
    // The connection to the client is still in step.
    assert_eq!(client.exchange(&Request::get("/204")).await.status(), 204);
}

#[tokio::test]
async fn c4_a_reset_stream_is_a_503() {
    let primary = H2Upstream::scripted(100, async |request, book| {
        book.read(request).await;
        Err(Reset::with(h2::Reason::INTERNAL_ERROR))
    })
    .await;
    let proxy = Proxy::start(&config(&primary)).await;
    let answer = proxy.send(&Request::push("x")).await;
    assert_eq!(answer.status(), 503);
    let words = "upstream connect error or disconnect/reset before headers. reset reason: remote reset";
    assert_eq!(answer.text(), words);
    assert_eq!(primary.received(1).await.len(), 1);
}

#[tokio::test]
async fn c4_a_server_that_speaks_no_http2_is_a_502() {
    let primary = Upstream::answering(Reply::new(400, "what?").close()).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address()).http2("")).await;
    let answer = proxy.send(&Request::push("x")).await;
    assert_eq!(answer.status(), 502, "{}", answer.text());
    assert!(answer.text().starts_with("upstream connect error"), "{}", answer.text());
}

#[tokio::test]
async fn c5_a_client_that_leaves_in_mid_body_resets_its_stream_only() {
    let primary = H2Upstream::echoing().await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = config(&primary).mirror("secondary", mirror.address());
    let proxy = Proxy::launch_with(&config, &["--concurrency", "1"]).await;
    let client = H2Client::connect(proxy.listen).await;
    let (feed, answer) = client.open(post("/api/v1/push"));
    let answer = tokio::spawn(answer);
    feed.data("half");
    assert_eq!(client.exchange(post("/other"), Frames::default().data("x")).await.body.as_ref(), b"/other");
    feed.reset();
    answer.abort();
    let seen = primary.received(2).await;
    let broken: Vec<_> = seen.iter().filter(|seen| !seen.complete).collect();
    assert_eq!(broken.len(), 1);
    assert_eq!((broken[0].body.as_slice(), primary.connections()), (&b"half"[..], 1));
    assert_eq!(proxy.settled_at("secondary", 1).await.incomplete, 1);
}

#[tokio::test]
async fn c1_an_early_answer_reaches_the_client() {
    let primary = H2Upstream::scripted(100, async |_, _| {
        Ok(Response::builder().status(413).body(Stream::of(["too large".into()], None)).unwrap())
    })
    .await;
    let proxy = Proxy::start(&config(&primary)).await;
    for _ in 0..2 {
        let answer = proxy.send(&Request::push(bytes_of(10 << 20, 3))).await;
        assert_eq!((answer.status(), answer.text().as_str()), (413, "too large"));
    }
    let client = H2Client::connect(proxy.listen).await;
    let answer = client.exchange(post("/x"), Frames::default().data(bytes_of(10 << 20, 3))).await;
    assert_eq!((answer.head.status().as_u16(), answer.body.as_ref()), (413, &b"too large"[..]));
}

/// Versions of HTTP by the client's own.
#[tokio::test]
async fn c1_the_primary_is_spoken_to_as_the_client_speaks() {
    let primary = Upstream::scripted(|request| Reply::new(200, request.target())).await;
    let config = Config::envoy().primary(primary.address()).protocol("use_downstream_protocol_config: {}");
    let proxy = Proxy::start(&config).await;
    assert_eq!(proxy.send(&Request::get("/one")).await.text(), "/one");
    let primary = H2Upstream::echoing().await;
    let config = Config::envoy().primary(primary.address()).protocol("use_downstream_protocol_config: {}");
    let proxy = Proxy::start(&config).await;
    let client = H2Client::connect(proxy.listen).await;
    assert_eq!(client.exchange(post("/two"), Frames::default()).await.body.as_ref(), b"/two");
}

#[tokio::test]
async fn trailers_of_an_http1_client_reach_http2() {
    let (primary, proxy) = echo().await;
    let mut client = proxy.client().await;
    let head = "POST /x HTTP/1.1\r\nhost: h\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(format!("{head}3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n")).await;
    assert_eq!(client.answer().await.status(), 200);
    let seen = primary.only().await;
    assert_eq!(seen.trailers, Some(fields(&[("x-sum", "1")])));
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off() {
    let gate = Gate::closed();
    let primary = H2Upstream::scripted(100, {
        let gate = gate.clone();
        move |request, book| {
            let gate = gate.clone();
            async move {
                book.read(request).await;
                let (feed, body) = stream();
                feed.data("half");
                tokio::spawn(async move {
                    gate.wait().await;
                    feed.reset();
                });
                Ok(Response::new(body))
            }
        }
    })
    .await;
    let proxy = Proxy::start(&config(&primary)).await;
    let client = H2Client::connect(proxy.listen).await;
    let (_, answer) = client.open(post("/x"));
    let mut body = answer.await.into_body();
    assert_eq!(next_data(&mut body).await.as_ref(), b"half");
    gate.open();
    let end = within("the end", body.frame()).await;
    assert!(end.is_some_and(|frame| frame.is_err()), "a broken answer ended as if it were whole");
}

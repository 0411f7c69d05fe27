//! C1, the way in: the primary gets the request as the client sent it.

use crate::dsl::http1::{Fields, Framing, Message};
use crate::dsl::{Client, Config, Proxy, Reply, Request, Upstream, bytes_of};

/// A primary that answers 200 and a proxy before it, in the native form: nothing may be added there.
async fn native() -> (Upstream, Proxy) {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address()).mirror("secondary", mirror.address());
    (primary, Proxy::start(&config).await)
}

/// The same from an Envoy file, where Envoy's conventions hold.
async fn envoy() -> (Upstream, Proxy) {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    (primary, Proxy::start(&config).await)
}

/// Sends the request and returns what the primary got.
async fn through(request: &Request) -> Message {
    let (primary, proxy) = envoy().await;
    assert_eq!(proxy.send(request).await.status(), 200);
    primary.only().await
}

/// Names in lower case, sorted by name; values of one name stay in their order.
fn by_name(fields: &Fields) -> Fields {
    let mut fields: Fields = fields.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.clone())).collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields
}

#[tokio::test]
async fn c1_a_length_stays_a_length() {
    let body = bytes_of(67_000, 1);
    let got = through(&Request::push(body.clone())).await;
    assert_eq!(got.framing, Framing::Length(67_000));
    assert_eq!(got.header("transfer-encoding"), None);
    assert!(got.body == body, "the body was changed");
}

#[tokio::test]
async fn c1_chunked_stays_chunked() {
    let body = bytes_of(300_000, 2);
    let got =
        through(&Request::new("POST", "/api/v1/push").chunks(&[&body[..1], &body[1..5000], &body[5000..]]))
            .await;
    assert_eq!(got.framing, Framing::Chunked);
    assert_eq!(got.header("content-length"), None);
    assert!(got.body == body, "the body was changed");
}

#[tokio::test]
async fn c1_an_empty_chunked_body_stays_chunked() {
    let got = through(&Request::new("POST", "/api/v1/push").chunks(&[])).await;
    assert_eq!((got.framing, got.body.len(), got.complete), (Framing::Chunked, 0, true));
}

#[tokio::test]
async fn c1_a_length_of_zero_stays() {
    assert_eq!(through(&Request::push("")).await.framing, Framing::Length(0));
}

#[tokio::test]
async fn c1_get_with_a_length_keeps_its_body() {
    let got = through(&Request::get("/prometheus/api/v1/query").body("query=up")).await;
    assert_eq!(
        (got.method(), got.framing.clone(), got.text()),
        ("GET", Framing::Length(8), "query=up".to_owned())
    );
}

#[tokio::test]
async fn c1_get_with_chunks_keeps_its_body() {
    let got = through(&Request::get("/prometheus/api/v1/query").chunks(&[b"query", b"=up"])).await;
    assert_eq!((got.framing.clone(), got.text()), (Framing::Chunked, "query=up".to_owned()));
}

#[tokio::test]
async fn c1_get_without_a_body_announces_none() {
    assert_eq!(through(&Request::get("/ready")).await.framing, Framing::None);
}

#[tokio::test]
async fn c1_a_body_of_ten_mebibytes_arrives_whole() {
    let body = bytes_of(10 << 20, 3);
    let got = through(&Request::push(body.clone())).await;
    assert!(got.complete && got.body == body, "the body was changed");
}

#[tokio::test]
async fn c1_every_method_passes() {
    let (primary, proxy) = envoy().await;
    let mut client = proxy.client().await;
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    for method in methods {
        assert_eq!(client.exchange(&Request::new(method, "/x").body("b")).await.status(), 200);
    }
    let got = primary.received(methods.len()).await;
    assert_eq!(got.iter().map(Message::method).collect::<Vec<_>>(), methods);
}

#[tokio::test]
async fn c1_headers_arrive_as_they_were_sent_and_none_is_added() {
    let (primary, proxy) = native().await;
    let request = Request::push("body")
        .header("X-Empty", "")
        .header("X-Many", "one")
        .header("Accept-Encoding", "gzip;q=1.0, identity; q=0.5, *;q=0")
        .header("x-many", "two, three")
        .header("X-Bytes", [b'a', 0x80, 0xff, b'\t', b'"', b'\\', b'z'])
        .header("X-MANY", "one")
        .header("Authorization", "Basic dXNlcjpwYXNz")
        .header("User-Agent", "Prometheus/2.42.0")
        .header("Via", "1.1 gateway")
        .header("Forwarded", "for=192.0.2.1")
        .header("X-Forwarded-For", "192.0.2.1")
        .header("X-Request-Id", "client's own")
        .header("x_underscore", "kept")
        .header("TE", "trailers");
    assert_eq!(proxy.send(&request).await.status(), 200);
    let got = primary.only().await;
    // The same reader on the bytes that were sent.
    let sent = Message::of_request(&request.head());
    assert_eq!(by_name(&got.headers), by_name(&sent.headers));
}

#[tokio::test]
async fn c1_from_an_envoy_file_only_envoys_headers_are_added() {
    let (primary, proxy) = envoy().await;
    let request = Request::push("body").header("X-Many", "one").header("X-Many", "two");
    assert_eq!(proxy.send(&request).await.status(), 200);
    let got = primary.only().await;
    let id = got.header("x-request-id").expect("a generated id");
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "no UUID: {id}");
    let mut expected = Message::of_request(&request.head()).headers;
    expected.push(("x-forwarded-proto".to_owned(), b"http".to_vec()));
    expected.push(("x-request-id".to_owned(), id.into_bytes()));
    expected.push(("x-envoy-expected-rq-timeout-ms".to_owned(), b"15000".to_vec()));
    assert_eq!(by_name(&got.headers), by_name(&expected));
}

#[tokio::test]
async fn c1_a_clients_request_id_is_kept() {
    let got = through(&Request::get("/x").header("X-Request-Id", "mine-1")).await;
    assert_eq!(got.header("x-request-id").as_deref(), Some("mine-1"));
}

#[tokio::test]
async fn c1_header_names_are_sent_in_lower_case() {
    let got = through(&Request::push("body").header("X-Mixed-Case", "Value Kept")).await;
    assert!(got.headers.iter().all(|(name, _)| *name == name.to_ascii_lowercase()), "{:?}", got.headers);
    assert_eq!(got.header("x-mixed-case").as_deref(), Some("Value Kept"));
}

#[tokio::test]
async fn c1_path_and_query_are_never_normalised() {
    let targets = [
        "/",
        "//",
        "/a//b/",
        "/a/../b/./c",
        "/%2e%2e/%2E/x",
        "/a%2fb%2Fc",
        "/%61%7E",
        "/;p=1/q;r",
        "/!$&'()*+,=:@-._~",
        "/a?",
        "/a??b?c",
        "/a?x=1&&x=2&y",
        "/a?q=%7b__name__%3D%22up%22%7D&t=1%2b1",
        "/a?match[]=up&start=2026-01-01T00:00:00Z",
        "/a?path=/../b&url=http://c/d",
    ];
    let (primary, proxy) = envoy().await;
    let mut client = proxy.client().await;
    for target in targets {
        assert_eq!(client.exchange(&Request::get(target)).await.status(), 200, "{target}");
    }
    let got = primary.received(targets.len()).await;
    assert_eq!(got.iter().map(Message::target).collect::<Vec<_>>(), targets);
}

#[tokio::test]
async fn c1_absolute_form_becomes_origin_form_with_its_host() {
    let got = through(&Request::get("http://abs.example:81/x?y=1").host("other.example")).await;
    assert_eq!((got.target(), got.header("host").as_deref()), ("/x?y=1", Some("abs.example:81")));
}

#[tokio::test]
async fn c1_announced_trailers_arrive() {
    let (primary, proxy) = native().await;
    let request = Request::new("POST", "/api/v1/push")
        .header("Trailer", "X-Checksum")
        .header("TE", "trailers")
        .chunks_and_trailers(&[b"body"], &[("X-Checksum", "abc")]);
    assert_eq!(proxy.send(&request).await.status(), 200);
    let got = primary.only().await;
    assert_eq!(got.trailers, [("x-checksum".to_owned(), b"abc".to_vec())]);
    assert_eq!(got.header("trailer").as_deref(), Some("X-Checksum"));
    assert_eq!(got.header("te").as_deref(), Some("trailers"));
    assert_eq!((got.framing.clone(), got.text()), (Framing::Chunked, "body".to_owned()));
}

#[tokio::test]
async fn c1_hop_by_hop_headers_end_at_the_proxy() {
    let request = Request::push("body")
        .header("Connection", "keep-alive, X-Private")
        .header("X-Private", "secret")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("X-Public", "stays");
    let got = through(&request).await;
    for gone in ["connection", "x-private", "keep-alive", "proxy-connection"] {
        assert_eq!(got.values(gone), Vec::<&[u8]>::new(), "{gone} was passed on");
    }
    assert_eq!(got.header("x-public").as_deref(), Some("stays"));
}

#[tokio::test]
async fn c1_expect_is_answered_by_the_proxy_and_not_passed_on() {
    let (primary, proxy) = envoy().await;
    let request = Request::push("the body").header("Expect", "100-continue");
    let mut client: Client = proxy.client().await;
    client.send(request.head()).await;
    client.interim(100).await;
    client.send(request.wire_body()).await;
    assert_eq!(client.answer().await.status(), 200);
    let got = primary.only().await;
    assert_eq!((got.header("expect"), got.text()), (None, "the body".to_owned()));
}

#[tokio::test]
async fn c1_a_client_that_does_not_wait_for_100_is_served() {
    let (primary, proxy) = envoy().await;
    let answer = proxy.send(&Request::push("the body").header("Expect", "100-continue")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(primary.only().await.text(), "the body");
}

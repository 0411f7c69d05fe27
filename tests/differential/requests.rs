//! Bodies, targets, headers and answers: what goes through from one end to the other.

use crate::dsl::http1::Message;
use crate::dsl::{Reply, Request, bytes_of};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

fn ok(_: &Message) -> Reply {
    Reply::new(200, "ok")
}

async fn alike(file: File, steps: Vec<(&'static str, Request)>) {
    Scenario::of(file)
        .upstream("primary", ok)
        .run(async |run| {
            for (step, request) in &steps {
                run.exchange(step, request, &BOTH).await;
            }
        })
        .await;
}

#[tokio::test]
async fn bodies() {
    let body = bytes_of(300_000, 1);
    let chunked = |chunks: &[&[u8]]| Request::new("POST", "/api/v1/push").chunks(chunks);
    let steps = vec![
        ("a write", Request::push(body.clone())),
        ("a chunked write", chunked(&[&body[..1000], &body[1000..]])),
        ("an empty write", Request::push("")),
        ("an empty chunked write", chunked(&[])),
        ("a read with a body", Request::get("/prometheus/api/v1/query").body("query=up")),
        ("a read with chunks", Request::get("/prometheus/api/v1/query").chunks(&[b"query=up"])),
        ("a put", Request::new("PUT", "/x").body("x")),
        ("a delete", Request::new("DELETE", "/x")),
    ];
    alike(File::new(), steps).await;
}

#[tokio::test]
async fn targets() {
    let steps = vec![
        ("a port", Request::push("x").host("mimir.example:9009")),
        ("a query", Request::get("/prometheus/api/v1/query?query=up%7Ba%3D%22b%22%7D")),
        ("an odd path", Request::get("/a//b/../c/%2e%2F;p=1?x=%zz&&y[]=1")),
        ("an absolute target", Request::get("http://abs.example:81/x?y=1").host("other.example")),
        ("an empty host", Request::get("/x").host("")),
    ];
    alike(File::new(), steps).await;
}

/// The suffix of a copy's host, for every kind of host.
#[tokio::test]
async fn shadow_hosts() {
    let hosts = ["h", "h:8080", "10.1.2.3", "10.1.2.3:80", "[::1]", "[::1]:8080"];
    let steps = hosts.map(|host| (host, Request::push("x").host(host)));
    alike(File::new(), steps.into()).await;
}

#[tokio::test]
async fn a_head() {
    Scenario::of(File::new())
        .upstream("primary", |_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"))
        .run(async |run| {
            let mut client = run.client().await;
            client.send(Request::new("HEAD", "/x").bytes()).await;
            let answer = client.answer_to_head().await;
            run.answered("a head", Some(&answer));
            run.arrived("a head", &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn headers() {
    let steps = vec![
        (
            "many values",
            Request::push("x").header("A", "1").header("B", "2").header("a", "3, 4").header("A", ""),
        ),
        ("odd bytes", Request::push("x").header("X-Bytes", [0x80, 0xff, b'\t', b'"'])),
        (
            "hop by hop",
            Request::push("x").header("Connection", "X-Gone").header("X-Gone", "1").header("Keep-Alive", "5"),
        ),
        ("an own request id", Request::push("x").header("X-Request-Id", "mine")),
        ("a forwarded address", Request::push("x").header("X-Forwarded-For", "192.0.2.1")),
        ("a forwarded scheme", Request::push("x").header("X-Forwarded-Proto", "https")),
        ("te", Request::push("x").header("TE", "trailers")),
        ("via", Request::push("x").header("Via", "1.1 a").header("Forwarded", "for=192.0.2.1")),
        (
            "forged envoy headers",
            Request::push("x")
                .header("X-Envoy-Internal", "true")
                .header("X-Envoy-Upstream-Rq-Timeout-Ms", "1")
                .header("X-Envoy-Retry-On", "5xx")
                .header("X-Envoy-Expected-Rq-Timeout-Ms", "1"),
        ),
        ("expect", Request::push("x").header("Expect", "100-continue")),
        ("a closing client", Request::push("x").header("Connection", "close")),
        ("the route's timeout", Request::push("x")),
    ];
    alike(File::new().action("timeout: 4s"), steps).await;
}

#[tokio::test]
async fn trailers() {
    let request = Request::new("POST", "/api/v1/push")
        .header("Trailer", "X-Sum")
        .header("TE", "trailers")
        .chunks_and_trailers(&[b"x"], &[("X-Sum", "1")]);
    Scenario::of(File::new())
        .upstream("primary", ok)
        .differs(
            "announced / primary: trailers",
            "[]",
            "[\"x-sum: 1\"]",
            "Envoy drops trailers unless told otherwise; what a client announces is part of its request",
        )
        .differs(
            "announced / mirror: trailers",
            "[]",
            "[\"x-sum: 1\"]",
            "the copy equals what the primary received",
        )
        .run(async |run| {
            run.exchange("announced", &request, &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn an_upgrade_is_refused() {
    Scenario::of(File::new())
        .differs(
            "an upgrade / client: connection",
            "close",
            "(absent)",
            "the request was read to its end, so the connection can go on",
        )
        .run(async |run| {
            let upgrade = Request::get("/x").header("Connection", "Upgrade").header("Upgrade", "websocket");
            run.exchange("an upgrade", &upgrade, &[]).await;
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
        })
        .await;
}

/// What the primary answers to `/NAME`.
const ANSWERS: [(&str, &str); 12] = [
    ("202", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"),
    ("204", "HTTP/1.1 204 No Content\r\netag: \"a\"\r\n\r\n"),
    ("304", "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n"),
    ("400", "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nbad"),
    ("429", "HTTP/1.1 429 Slow\r\nRetry-After: 6\r\ncontent-length: 0\r\n\r\n"),
    ("503", "HTTP/1.1 503 Away\r\nRetry-After: 1\r\ncontent-length: 4\r\n\r\naway"),
    (
        "written",
        "HTTP/1.1 200 OK\r\nX-Prometheus-Remote-Write-Samples-Written: 7\r\ncontent-length: 0\r\n\r\n",
    ),
    ("chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    ("cookies", "HTTP/1.1 200 OK\r\nSet-Cookie: b\r\nX: 1\r\nset-cookie: a\r\ncontent-length: 0\r\n\r\n"),
    (
        "date",
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: m\r\ncontent-length: 0\r\n\r\n",
    ),
    ("interim", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    (
        "keepalive",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\ncontent-length: 0\r\n\r\n",
    ),
];

#[tokio::test]
async fn answers() {
    let reply = |message: &Message| {
        let of = ANSWERS.iter().find(|(name, _)| message.target().ends_with(name));
        of.map_or_else(Reply::ok, |(_, bytes)| Reply::raw(*bytes))
    };
    Scenario::of(File::new())
        .upstream("primary", reply)
        .run(async |run| {
            for (name, _) in ANSWERS {
                run.exchange(name, &Request::new("POST", &format!("/{name}")).body("x"), &BOTH).await;
            }
            run.stat("cluster.primary.upstream_rq_total", 12).await;
            run.stat("cluster.primary.upstream_rq_2xx", 8).await;
            run.stat("cluster.primary.upstream_rq_304", 1).await;
            run.stat("cluster.primary.external.upstream_rq_429", 1).await;
            run.stat("cluster.mirror.internal.upstream_rq_200", 12).await;
            run.stat("http.ingress.downstream_rq_total", 12).await;
            run.stat("http.ingress.downstream_rq_4xx", 2).await;
        })
        .await;
}

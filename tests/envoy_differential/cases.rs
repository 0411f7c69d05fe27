//! The requests that go through both programs, and the primary's answers to them.

use crate::dsl::{Request, bytes_of};

/// One request, and the primary's answer to it.
pub(super) struct Case {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub to_head: bool,
    pub reply: &'static str,
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn case(name: &'static str, request: &Request) -> Case {
    Case { name, bytes: request.bytes(), to_head: false, reply: OK }
}

fn raw(name: &'static str, bytes: &[u8]) -> Case {
    Case { name, bytes: bytes.to_vec(), to_head: false, reply: OK }
}

fn answered(name: &'static str, reply: &'static str) -> Case {
    Case { name, bytes: Request::push("x").bytes(), to_head: false, reply }
}

pub(super) fn bodies_and_targets() -> Vec<Case> {
    let body = bytes_of(300_000, 1);
    vec![
        case("a write", &Request::push(body.clone())),
        case("a write with a port", &Request::push("x").host("mimir.example:9009")),
        case(
            "a chunked write",
            &Request::new("POST", "/api/v1/push").chunks(&[&body[..1000], &body[1000..]]),
        ),
        case("an empty write", &Request::push("")),
        case("an empty chunked write", &Request::new("POST", "/api/v1/push").chunks(&[])),
        case("a read", &Request::get("/prometheus/api/v1/query?query=up%7Ba%3D%22b%22%7D")),
        case("a read with a body", &Request::get("/prometheus/api/v1/query").body("query=up")),
        case("a read with chunks", &Request::get("/prometheus/api/v1/query").chunks(&[b"query=up"])),
        case("an odd path", &Request::get("/a//b/../c/%2e%2F;p=1?x=%zz&&y[]=1")),
        case("an absolute target", &Request::get("http://abs.example:81/x?y=1").host("other.example")),
        case("a put", &Request::new("PUT", "/x").body("x")),
        case("a delete", &Request::new("DELETE", "/x")),
        Case {
            name: "a head",
            bytes: Request::new("HEAD", "/x").bytes(),
            to_head: true,
            reply: "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n",
        },
    ]
}

pub(super) fn headers() -> Vec<Case> {
    vec![
        case(
            "many values",
            &Request::push("x").header("A", "1").header("B", "2").header("a", "3, 4").header("A", ""),
        ),
        case("odd bytes", &Request::push("x").header("X-Bytes", [0x80, 0xff, b'\t', b'"'])),
        case(
            "hop by hop",
            &Request::push("x")
                .header("Connection", "X-Gone")
                .header("X-Gone", "1")
                .header("Keep-Alive", "5"),
        ),
        case("an own request id", &Request::push("x").header("X-Request-Id", "mine")),
        case("a forwarded address", &Request::push("x").header("X-Forwarded-For", "192.0.2.1")),
        case("a forwarded scheme", &Request::push("x").header("X-Forwarded-Proto", "https")),
        case("te", &Request::push("x").header("TE", "trailers")),
        case(
            "forged envoy headers",
            &Request::push("x")
                .header("X-Envoy-Internal", "true")
                .header("X-Envoy-Upstream-Rq-Timeout-Ms", "1")
                .header("X-Envoy-Retry-On", "5xx")
                .header("X-Envoy-Expected-Rq-Timeout-Ms", "1"),
        ),
        case("expect", &Request::push("x").header("Expect", "100-continue")),
        case(
            "trailers",
            &Request::new("POST", "/api/v1/push")
                .header("Trailer", "X-Sum")
                .header("TE", "trailers")
                .chunks_and_trailers(&[b"x"], &[("X-Sum", "1")]),
        ),
        case(
            "an upgrade",
            &Request::get("/x").header("Connection", "Upgrade").header("Upgrade", "websocket"),
        ),
        case("a closing client", &Request::push("x").header("Connection", "close")),
    ]
}

pub(super) fn answers() -> Vec<Case> {
    vec![
        answered("202", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"),
        answered("204", "HTTP/1.1 204 No Content\r\netag: \"a\"\r\n\r\n"),
        answered("304", "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n"),
        answered(
            "400",
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nbad",
        ),
        answered("429", "HTTP/1.1 429 Slow\r\nRetry-After: 6\r\ncontent-length: 0\r\n\r\n"),
        answered("503", "HTTP/1.1 503 Away\r\nRetry-After: 1\r\ncontent-length: 4\r\n\r\naway"),
        answered(
            "written",
            "HTTP/1.1 200 OK\r\nX-Prometheus-Remote-Write-Samples-Written: 7\r\ncontent-length: 0\r\n\r\n",
        ),
        answered(
            "chunks",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ),
        answered(
            "cookies",
            "HTTP/1.1 200 OK\r\nSet-Cookie: b\r\nX: 1\r\nset-cookie: a\r\ncontent-length: 0\r\n\r\n",
        ),
        answered(
            "own date",
            "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: m\r\ncontent-length: 0\r\n\r\n",
        ),
        answered(
            "interim",
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        ),
        answered(
            "keep alive",
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\ncontent-length: 0\r\n\r\n",
        ),
    ]
}

pub(super) fn refusals() -> Vec<Case> {
    let large = "x".repeat(70 << 10);
    let large = format!("GET /x HTTP/1.1\r\nHost: h\r\nX-Large: {large}\r\n\r\n");
    vec![
        raw("no host", b"GET /x HTTP/1.1\r\n\r\n"),
        raw("http 1.0", b"GET /x HTTP/1.0\r\nHost: h\r\n\r\n"),
        raw("a wrong length", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: one\r\n\r\n"),
        raw("two lengths", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
        raw("length and chunks", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        raw("another coding", b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"),
        raw("a fragment", b"GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n"),
        raw("an empty host", b"GET /x HTTP/1.1\r\nHost: \r\n\r\n"),
        raw("connect", b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"),
        Case { name: "large headers", bytes: large.into_bytes(), to_head: false, reply: OK },
    ]
}

//! Requests that neither lets through, or that only one of the two does.

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

use crate::dsl::Request;

/// The status, and whom the request reached: refusals of malformed requests are hyper's own here, without a body.
fn status_and_line(what: &str) -> bool {
    what.starts_with("unexpected") || ["client: status", ": line"].iter().any(|end| what.ends_with(end))
}

#[tokio::test]
async fn refused_by_both() {
    let large = format!("GET /x HTTP/1.1\r\nHost: h\r\nX-Large: {}\r\n\r\n", "x".repeat(70 << 10));
    let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    let many = format!("GET /x HTTP/1.1\r\nHost: h\r\n{many}\r\n");
    let cases: Vec<(&str, &[u8])> = vec![
        ("no host", b"GET /x HTTP/1.1\r\n\r\n"),
        ("http 1.0", b"GET /x HTTP/1.0\r\nHost: h\r\n\r\n"),
        ("a wrong length", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: one\r\n\r\n"),
        ("two lengths", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
        ("connect", b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"),
        ("a bad name", b"GET /x HTTP/1.1\r\nHost: h\r\nA b: 1\r\n\r\n"),
        ("a bad method", b"G\x01T /x HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("large headers", large.as_bytes()),
        ("many headers", many.as_bytes()),
    ];
    Scenario::of(File::new())
        .only(status_and_line)
        .run(async |run| {
            for (step, bytes) in &cases {
                run.raw(step, bytes, &[]).await;
            }
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn another_coding() {
    Scenario::of(File::new())
        .only(status_and_line)
        .differs("a coding / client: status", "501", "400", "hyper refuses the request before we see it")
        .run(async |run| {
            let bytes = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n";
            run.raw("a coding", bytes, &[]).await;
        })
        .await;
}

/// Sends what Envoy refuses and ours passes on.
async fn passed_on(bytes: &'static [u8], line: &'static str, why: &'static str) {
    Scenario::of(File::new())
        .only(status_and_line)
        .differs("it / client: status", "400", "200", why)
        .differs("it / primary: line", "(absent)", line, why)
        .differs("it / mirror: line", "(absent)", line, why)
        .run(async |run| {
            let reached = if run.is_envoy() { &[] } else { BOTH.as_slice() };
            run.raw("it", bytes, reached).await;
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
        })
        .await;
}

#[tokio::test]
async fn a_fragment() {
    let bytes = b"GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n";
    passed_on(bytes, "GET /x HTTP/1.1", "hyper's parser leaves out what has no place in a request's target")
        .await;
}

#[tokio::test]
async fn length_and_chunks() {
    let bytes =
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let why =
        "hyper reads the chunks and drops the length, as RFC 9112, 6.1 allows; the clusters see chunks only";
    passed_on(bytes, "POST /x HTTP/1.1", why).await;
}

#[tokio::test]
async fn two_hosts() {
    let (line, why) = ("GET /x HTTP/1.1", "RFC 9112, 3.2 asks for a refusal");
    Scenario::of(File::new())
        .only(status_and_line)
        .differs("two hosts / client: status", "200", "400", why)
        .differs("two hosts / primary: line", line, "(absent)", why)
        .differs("two hosts / mirror: line", line, "(absent)", why)
        .run(async |run| {
            let reached = if run.is_envoy() { BOTH.as_slice() } else { &[] };
            run.raw("two hosts", b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", reached).await;
            run.exchange("a marker", &Request::push("x"), &BOTH).await;
        })
        .await;
}

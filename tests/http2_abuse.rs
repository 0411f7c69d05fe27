//! HTTP/2 that breaks its rules (RFC 9113): no request comes of it, on either leg, and the others are served.

use crate::dsl::h2_raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Outcome, PADDED, PING, PRIORITY,
    PUSH_PROMISE, RST_STREAM, RawH2, SETTINGS, WINDOW_UPDATE, block, frame,
};
use crate::dsl::{Recorders, Request, Upstream};

type Fields<'a> = Vec<(&'a str, &'a [u8])>;

/// Whether a cluster got a whole request since it was asked last; and the others are served.
async fn carried(rig: &Recorders, carried: &mut [usize; 2]) -> bool {
    assert_eq!(rig.proxy.send(&Request::get("/probe")).await.status(), 200);
    rig.proxy.settled("secondary").await;
    let targets = |cluster: &Upstream| {
        let whole = cluster.requests().into_iter().filter(|request| request.complete);
        whole.filter(|request| request.target() != "/probe").count()
    };
    let now = [targets(&rig.primary), targets(&rig.mirror)];
    std::mem::replace(carried, now) != now
}

/// A POST's pseudo-fields.
fn post() -> Fields<'static> {
    vec![(":method", b"POST"), (":scheme", b"http"), (":authority", b"h"), (":path", b"/x")]
}

/// With these fields more.
fn with<'a>(more: &[(&'a str, &'a [u8])]) -> Fields<'a> {
    [post(), more.to_vec()].concat()
}

/// With one pseudo-field of another value, or without it.
fn but<'a>(name: &'a str, value: Option<&'a [u8]>) -> Fields<'a> {
    let others = post().into_iter().filter(|(other, _)| *other != name);
    value.map(|value| (name, value)).into_iter().chain(others).collect()
}

/// Heads that are none, each with the body `x`.
fn heads() -> Vec<(&'static str, Fields<'static>)> {
    vec![
        ("no method", but(":method", None)),
        ("no scheme", but(":scheme", None)),
        ("no path", but(":path", None)),
        ("an empty path", but(":path", Some(b""))),
        ("a path without a slash", but(":path", Some(b"x"))),
        ("a path with a space", but(":path", Some(b"/x y"))),
        ("a path with a line's end", but(":path", Some(b"/x HTTP/1.1\r\nhost: smuggled\r\n\r\n"))),
        ("a path with NUL", but(":path", Some(b"/x\0"))),
        ("a method with a space", but(":method", Some(b"GET /smuggled HTTP/1.1\r\n"))),
        ("an authority with a space", but(":authority", Some(b"h smuggled"))),
        ("an authority with a line's end", but(":authority", Some(b"h\r\nx-a: 1"))),
        ("another scheme", but(":scheme", Some(b"ftp"))),
        ("two paths", with(&[(":path", b"/y")])),
        ("a pseudo-field after a field", [with(&[("a", b"1")]), vec![(":path", b"/y")]].concat()),
        ("an unknown pseudo-field", with(&[(":smuggled", b"1")])),
        ("a pseudo-field of answers", with(&[(":status", b"200")])),
        ("a name in capitals", with(&[("X-A", b"1")])),
        ("a name with a colon", with(&[("x:a", b"1")])),
        ("a name with a line's end", with(&[("x\r\na", b"1")])),
        ("an empty name", with(&[("", b"1")])),
        ("a value with a line's end", with(&[("x-a", b"1\r\ntransfer-encoding: chunked")])),
        ("a value with NUL", with(&[("x-a", b"1\0")])),
        ("connection", with(&[("connection", b"close")])),
        ("transfer-encoding", with(&[("transfer-encoding", b"chunked")])),
        ("keep-alive", with(&[("keep-alive", b"1")])),
        ("proxy-connection", with(&[("proxy-connection", b"close")])),
        ("upgrade", with(&[("upgrade", b"h2c")])),
        ("te", with(&[("te", b"gzip")])),
        ("a length above the body's", with(&[("content-length", b"2")])),
        ("two lengths", with(&[("content-length", b"1"), ("content-length", b"44")])),
        ("a length with a sign", with(&[("content-length", b"+1")])),
        ("a list of lengths", with(&[("content-length", b"1, 1")])),
        ("two hosts", [but(":authority", None), vec![("host", b"h"), ("host", b"i")]].concat()),
    ]
}

#[tokio::test]
async fn c6_no_head_of_http2_smuggles_a_request() {
    let rig = Recorders::start(&[]).await;
    let (mut seen, mut wrong) = ([0; 2], Vec::new());
    for (name, fields) in heads() {
        let mut client = RawH2::connect(rig.proxy.listen).await;
        client.frame(HEADERS, END_HEADERS, 1, &block(&fields)).await;
        client.frame(DATA, END_STREAM, 1, b"x").await;
        let outcome = client.outcome(1).await;
        if outcome == Outcome::Ok || carried(&rig, &mut seen).await {
            wrong.push(format!("{name}: {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn c6_what_http2_allows_is_sent_on_unambiguously() {
    let rig = Recorders::start(&[]).await;
    for (name, fields) in [
        ("a length", with(&[("content-length", b"1")])),
        ("another host", with(&[("host", b"other")])),
        ("trailers wanted", with(&[("te", b"trailers")])),
        ("the same length twice", with(&[("content-length", b"1"), ("content-length", b"1")])),
    ] {
        let before = rig.primary.begun();
        let mut client = RawH2::connect(rig.proxy.listen).await;
        client.frame(HEADERS, END_HEADERS, 1, &block(&fields)).await;
        client.frame(DATA, END_STREAM, 1, b"x").await;
        assert_eq!(client.outcome(1).await, Outcome::Ok, "{name}");
        rig.proxy.settled("secondary").await;
        for requests in [rig.primary.requests(), rig.mirror.requests()] {
            let request = requests.last().expect("one request");
            assert_eq!((requests.len(), request.text().as_str()), (before + 1, "x"), "{name}");
            let framing = request.values("content-length").len() + request.values("transfer-encoding").len();
            assert_eq!((framing, request.values("host").len()), (1, 1), "{name}: {request:?}");
        }
    }
}

/// The largest frame that a client may send, bytes.
const FRAME_MAX: usize = 80 << 10;

/// A whole connection's bytes after the preface and the settings, none of which makes a request.
fn violations() -> Vec<(&'static str, Vec<u8>)> {
    let head = block(&post());
    let open = |flags: u8| frame(HEADERS, flags, 1, &head);
    let begun = open(END_HEADERS);
    let setting = |id: u16, value: u32| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    vec![
        ("data on no stream", frame(DATA, END_STREAM, 0, b"x")),
        ("data on an idle stream", frame(DATA, END_STREAM, 1, b"x")),
        ("a head on no stream", frame(HEADERS, END_HEADERS | END_STREAM, 0, &head)),
        ("a head on the server's stream", frame(HEADERS, END_HEADERS | END_STREAM, 2, &head)),
        ("a priority of no stream", frame(PRIORITY, 0, 0, &[0; 5])),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &head)),
        ("data within a head", [open(0), frame(DATA, END_STREAM, 1, b"x")].concat()),
        ("another stream's continuation", [open(0), frame(CONTINUATION, END_HEADERS, 3, &[])].concat()),
        ("an index of no table", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0xff, 0xff, 0x7f])),
        ("an integer without end", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 64])),
        (
            "padding beyond the frame",
            [begun.clone(), frame(DATA, END_STREAM | PADDED, 1, &[9, b'x'])].concat(),
        ),
        ("a frame beyond the limit", [begun.clone(), frame(DATA, 0, 1, &vec![b'x'; FRAME_MAX + 1])].concat()),
        (
            "data beyond the window",
            [begun.clone(), frame(DATA, 0, 1, &vec![b'x'; FRAME_MAX]).repeat(3)].concat(),
        ),
        ("a ping of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("a ping on a stream", frame(PING, 0, 1, &[0; 8])),
        ("settings on a stream", frame(SETTINGS, 0, 1, &[])),
        ("half a setting", frame(SETTINGS, 0, 0, &[0; 5])),
        ("an acknowledgement with settings", frame(SETTINGS, 1, 0, &setting(3, 1))),
        ("a window beyond the limit", frame(SETTINGS, 0, 0, &setting(4, 1 << 31))),
        ("a frame's size below the limit", frame(SETTINGS, 0, 0, &setting(5, 1))),
        ("push neither on nor off", frame(SETTINGS, 0, 0, &setting(2, 2))),
        ("an increment of nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("an increment beyond the limit", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]).repeat(2)),
        ("an increment of an idle stream", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])),
        ("a reset of an idle stream", frame(RST_STREAM, 0, 1, &[0; 4])),
        ("a reset of no stream", frame(RST_STREAM, 0, 0, &[0; 4])),
        ("a push", frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &head].concat())),
        ("half a reset", [begun, frame(RST_STREAM, 0, 1, &[0; 3])].concat()),
        ("goodbye on a stream", frame(GOAWAY, 0, 1, &[0; 8])),
    ]
}

#[tokio::test]
async fn c6_violations_of_http2_end_the_connection() {
    let rig = Recorders::start(&[]).await;
    let (mut seen, mut wrong) = ([0; 2], Vec::new());
    for (name, bytes) in violations() {
        let mut client = RawH2::connect(rig.proxy.listen).await;
        client.bytes(&bytes).await;
        let outcome = client.outcome(1).await;
        let refused = matches!(outcome, Outcome::Gone | Outcome::Reset(_));
        if !refused || carried(&rig, &mut seen).await {
            wrong.push(format!("{name}: {outcome:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn c6_a_stream_that_was_closed_takes_no_more() {
    let rig = Recorders::start(&[]).await;
    let mut client = RawH2::connect(rig.proxy.listen).await;
    client.frame(HEADERS, END_HEADERS, 1, &block(&post())).await;
    client.frame(DATA, END_STREAM, 1, b"x").await;
    assert_eq!(client.outcome(1).await, Outcome::Ok);
    client.frame(DATA, END_STREAM, 1, b"smuggled").await;
    client.frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&post())).await;
    let outcome = client.outcome(1).await;
    assert!(matches!(outcome, Outcome::Gone | Outcome::Reset(_)), "{outcome:?}");
    assert_eq!((rig.primary.begun(), rig.primary.requests()[0].text().as_str()), (1, "x"));
}

#[tokio::test]
async fn c6_what_only_begins_like_http2_is_no_request() {
    let rig = Recorders::start(&[]).await;
    let mut seen = [0; 2];
    for bytes in [&b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..], b"PRI /x HTTP/2.0\r\n\r\n"] {
        let mut client = RawH2::bare(rig.proxy.listen).await;
        client.bytes(bytes).await;
        client.ended().await;
        assert!(!carried(&rig, &mut seen).await, "{bytes:?}");
    }
}

#[tokio::test]
async fn c6_more_data_than_was_said_is_no_request() {
    let rig = Recorders::start(&[]).await;
    let mut client = RawH2::connect(rig.proxy.listen).await;
    client.frame(HEADERS, END_HEADERS, 1, &block(&with(&[("content-length", b"1")]))).await;
    client.frame(DATA, END_STREAM, 1, b"xy").await;
    let outcome = client.outcome(1).await;
    assert!(matches!(outcome, Outcome::Reset(_)), "{outcome:?}");
    assert!(!carried(&rig, &mut [0; 2]).await);
}

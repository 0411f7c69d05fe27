//! The same requests through Envoy and through ours, from one file: the client, the primary and the mirror must see
//! the same, but for what stands in [`DIFFERENCES`].

use std::collections::BTreeMap;

use crate::dsl::http1::{Fields, Message};
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, bytes_of};

/// What ours does otherwise on purpose.
struct Difference {
    case: &'static str,
    /// Who sees it, and what: `mirror: framing`.
    what: &'static str,
    envoy: &'static str,
    ours: &'static str,
    why: &'static str,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        case: "trailers",
        what: "primary: trailers",
        envoy: "[]",
        ours: "[(\"x-sum\", [49])]",
        why: "Envoy drops trailers unless told otherwise; what a client announces is part of its request",
    },
    Difference {
        case: "trailers",
        what: "mirror: trailers",
        envoy: "[]",
        ours: "[(\"x-sum\", [49])]",
        why: "the copy equals what the primary received",
    },
    Difference {
        case: "an upgrade",
        what: "client: connection",
        envoy: "close",
        ours: "(absent)",
        why: "the request was read to its end, so the connection can go on",
    },
    Difference {
        case: "another coding",
        what: "client: status",
        envoy: "501",
        ours: "400",
        why: "hyper refuses the request before we see it",
    },
    Difference {
        case: "a fragment",
        what: "client: status",
        envoy: "400",
        ours: "200",
        why: "hyper's parser leaves out what has no place in a request's target",
    },
    Difference {
        case: "a fragment",
        what: "primary: line",
        envoy: "(absent)",
        ours: "GET /x HTTP/1.1",
        why: "as above",
    },
    Difference {
        case: "a fragment",
        what: "mirror: line",
        envoy: "(absent)",
        ours: "GET /x HTTP/1.1",
        why: "as above",
    },
    Difference {
        case: "length and chunks",
        what: "client: status",
        envoy: "400",
        ours: "200",
        why: "hyper reads the chunks and drops the length, as RFC 9112, 6.1 allows; the clusters see chunks only",
    },
    Difference {
        case: "length and chunks",
        what: "primary: line",
        envoy: "(absent)",
        ours: "POST /x HTTP/1.1",
        why: "as above",
    },
    Difference {
        case: "length and chunks",
        what: "mirror: line",
        envoy: "(absent)",
        ours: "POST /x HTTP/1.1",
        why: "as above",
    },
];

/// One request, and the primary's answer to it.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    to_head: bool,
    reply: &'static str,
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

fn bodies_and_targets() -> Vec<Case> {
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

fn headers() -> Vec<Case> {
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

fn answers() -> Vec<Case> {
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

fn refusals() -> Vec<Case> {
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

/// What somebody saw, by what it is.
type Seen = BTreeMap<String, String>;

/// Where a message came from; what time and place alone decide is replaced by what it is.
fn seen(who: &str, message: &Message) -> Seen {
    let mut seen = Seen::new();
    let mut put = |what: &str, value: String| seen.insert(format!("{who}: {what}"), value);
    if who == "client" {
        put("status", message.status().to_string());
    } else {
        put("line", message.start.clone());
    }
    let short = String::from_utf8_lossy(&message.body[..message.body.len().min(100)]).into_owned();
    put("body", format!("{} {short}", message.body.len()));
    put("framing", format!("{:?}", message.framing));
    put("complete", message.complete.to_string());
    put("interim", format!("{:?}", message.interim));
    put("trailers", format!("{:?}", message.trailers));
    let mut names: Vec<_> = message.headers.iter().map(|(n, _)| n.clone()).collect();
    names.dedup();
    for name in names {
        let value = of_name(&message.headers, &name);
        put(&name, settled(&name, &value));
    }
    seen
}

fn of_name(headers: &Fields, name: &str) -> String {
    let values: Vec<_> =
        headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.escape_ascii().to_string()).collect();
    values.join(" | ")
}

fn settled(name: &str, value: &str) -> String {
    let is_id = value.len() == 36 && value.bytes().filter(|b| *b == b'-').count() == 4;
    match name {
        "x-request-id" if is_id => "(an id)".to_owned(),
        "date" if !value.contains("1970") => "(now)".to_owned(),
        "x-envoy-upstream-service-time" => "(milliseconds)".to_owned(),
        "x-forwarded-for" => match value.rsplit_once(',') {
            Some((client, _)) => format!("{client},(the proxy)"),
            None if value == "192.0.2.1" => value.to_owned(),
            None => "(the proxy)".to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// Sends every case through one program; what everybody saw of each.
async fn observe(program: Program, cases: &[Case]) -> Vec<Seen> {
    let mut all = Vec::new();
    for case in cases {
        let primary = Upstream::answering(Reply::raw(case.reply)).await;
        let mirror = Upstream::answering(Reply::ok()).await;
        let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
        let proxy = Proxy::launch(program, &config, &[]).await;
        all.push(one(&proxy, case, &primary, &mirror).await);
    }
    all
}

async fn one(proxy: &Proxy, case: &Case, primary: &Upstream, mirror: &Upstream) -> Seen {
    let mut client = proxy.client().await;
    let answer = if case.to_head {
        client.send(&case.bytes).await;
        Some(client.answer_to_head().await)
    } else {
        client.attempt(&case.bytes).await.0
    };
    let mut all = match &answer {
        Some(answer) => seen("client", answer),
        None => Seen::from([("client: status".to_owned(), "closed".to_owned())]),
    };
    // The copy comes when the primary was asked; a refusal reaches neither.
    if primary.begun() > 0 {
        all.extend(seen("primary", &primary.only().await));
        all.extend(seen("mirror", &mirror.only().await));
    }
    all
}

/// Compares what `matters`; what differs must be in the table, and what is in the table must differ.
async fn compare(cases: Vec<Case>, matters: impl Fn(&str) -> bool) {
    let envoy = observe(Program::Envoy, &cases).await;
    let ours = observe(Program::MimirMirror, &cases).await;
    let mut wrong = Vec::new();
    for (case, (envoy, ours)) in cases.iter().zip(envoy.iter().zip(&ours)) {
        let mut expected: Vec<_> = DIFFERENCES.iter().filter(|d| d.case == case.name).collect();
        let mut all: Vec<_> = envoy.keys().chain(ours.keys()).filter(|k| matters(k)).collect();
        all.sort();
        all.dedup();
        for what in all {
            let absent = "(absent)".to_owned();
            let (theirs, own) = (envoy.get(what).unwrap_or(&absent), ours.get(what).unwrap_or(&absent));
            let known = |d: &&Difference| d.what == what && d.envoy == theirs && d.ours == own;
            let listed = expected.iter().any(known);
            expected.retain(|d| !known(d));
            if theirs != own && !listed {
                wrong.push(format!("{}: {what}: Envoy {theirs:?}, ours {own:?}", case.name));
            }
        }
        wrong.extend(
            expected.iter().map(|d| format!("{}: {}: no longer differs ({})", d.case, d.what, d.why)),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn bodies_and_targets_are_seen_alike() {
    compare(bodies_and_targets(), |_| true).await;
}

#[tokio::test]
async fn headers_are_seen_alike() {
    compare(headers(), |_| true).await;
}

#[tokio::test]
async fn answers_are_seen_alike() {
    compare(answers(), |_| true).await;
}

/// The status, and whom the request reached. Most of these are hyper's own answers, which have no body.
#[tokio::test]
async fn refusals_are_seen_alike() {
    let matters = |what: &str| matches!(what, "client: status" | "primary: line" | "mirror: line");
    compare(refusals(), matters).await;
}

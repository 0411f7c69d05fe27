//! Lines of copies: each copy has one, written with its outcome and its reason, whatever became of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::dsl::dir::Dir;
use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::http1::Message;
use crate::dsl::ports::Port;
use crate::dsl::proxy::Program;
use crate::dsl::tls::Authority;
use crate::dsl::tls_server::{Showing, TlsUpstream};
use crate::dsl::{Proxy, Reply, Request, Upstream, until};

/// A primary, the proxy, and the log of all its mirrors' copies.
struct Logged {
    proxy: Proxy,
    path: PathBuf,
    _primary: Upstream,
    _dir: Dir,
}

impl Logged {
    /// `mirrors` are names, where they lead to (as a URL), and further entries.
    async fn between(mirrors: &[(&str, String, &str)], flags: &[&str]) -> Self {
        const FORMAT: &str = "%MIRROR% %COPY_OUTCOME% %COPY_REASON% %RESPONSE_CODE% %REQ(:PATH)% %COPY_TENANT% %BYTES_RECEIVED%";
        let (primary, dir) = (Upstream::answering(Reply::ok()).await, Dir::new("log"));
        let (path, to) = (dir.path().join("copies.log"), primary.address());
        let log = format!("access_log: {{ path: '{}', format: '{FORMAT}' }}", path.display());
        let mirrors: String = mirrors
            .iter()
            .map(|(name, url, entries)| format!("- {{ url: '{url}', name: {name}, {entries} {log} }}\n"))
            .collect();
        let text = |listen: SocketAddr, admin: SocketAddr| {
            format!("listen: {listen}\nadmin: {admin}\nprimary: http://{to}\nmirrors:\n{mirrors}")
        };
        let flags = [&["--file-flush-interval-msec", "20"], flags].concat();
        let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &flags).await;
        Self { proxy, path, _primary: primary, _dir: dir }
    }

    async fn push(&self, query: &str, tenant: &str, body: &[u8]) {
        let request = Request::new("POST", &format!("/api/v1/push{query}"));
        let answer = self.proxy.send(&request.header("X-Scope-OrgID", tenant).body(body)).await;
        assert_eq!(answer.status(), 200);
    }

    /// Every line, once there are so many, in order of their text.
    async fn lines(&self, count: usize) -> Vec<String> {
        let mut lines: Vec<String> = until(format!("{count} lines of copies"), async || {
            let text = std::fs::read_to_string(&self.path).ok()?;
            (text.lines().count() >= count).then(|| text.lines().map(str::to_owned).collect())
        })
        .await;
        lines.sort();
        lines
    }
}

fn http(to: SocketAddr) -> String {
    format!("http://{to}")
}

#[tokio::test]
async fn what_was_taken_refused_or_too_large() {
    let good = Upstream::answering(Reply::ok()).await;
    let bad = Upstream::answering(Reply::new(503, "no")).await;
    let mirrors = [("good", http(good.address()), "max_request: 4,"), ("bad", http(bad.address()), "")];
    let logged = Logged::between(&mirrors, &[]).await;
    logged.push("", "t", b"abc").await;
    logged.push("", "t", b"abcdef").await;
    assert_eq!(
        logged.lines(4).await,
        [
            "bad failed http_5xx 503 /api/v1/push t 3",
            "bad failed http_5xx 503 /api/v1/push t 6",
            "good delivered - 200 /api/v1/push t 3",
            "good dropped too_large 0 /api/v1/push t 6",
        ]
    );
}

/// Envoy's own line, with the mirror and the outcome.
#[tokio::test]
async fn a_line_without_a_format_names_the_outcome() {
    let (primary, nobody, dir) = (Upstream::answering(Reply::ok()).await, Port::reserve(), Dir::new("log"));
    let path = dir.path().join("gone.log");
    let text = |listen: SocketAddr, admin: SocketAddr| {
        let (to, gone) = (primary.address(), nobody.address());
        format!(
            "listen: {listen}\nadmin: {admin}\nprimary: http://{to}\nmirrors: [{{ url: 'http://{gone}', name: gone, \
             access_log: {{ path: '{}' }} }}]\n",
            path.display()
        )
    };
    let soon = ["--file-flush-interval-msec", "20"];
    let proxy = Proxy::on_text(Program::MimirMirror.command(), text, &soon).await;
    proxy.send(&Request::push("abc")).await;
    let line =
        until("a line", async || std::fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n')));
    let line = line.await;
    assert!(line.contains("\"POST /api/v1/push\" gone failed connect_failed 0 "), "{line}");
}

/// What the query asks for, as Mimir would say it.
fn verdict(request: &Message) -> Reply {
    match request.target().split_once('?').map_or("", |(_, case)| case) {
        "deduplicated" => Reply::new(202, ""),
        "unauthorized" => Reply::new(401, ""),
        "missing" => Reply::new(404, ""),
        "limited" => Reply::new(429, ""),
        "other" => Reply::new(400, "no"),
        "order" => Reply::new(400, "(err-mimir-sample-out-of-order)"),
        "old" => Reply::new(400, "(err-mimir-sample-timestamp-too-old)"),
        "twice" => Reply::new(400, "(err-mimir-sample-duplicate-timestamp)"),
        "limit" => Reply::new(400, "(err-mimir-max-series-per-user)"),
        case => panic!("no such case: {case}"),
    }
}

#[tokio::test]
async fn every_verdict_of_the_mirrors() {
    let mirror = Upstream::scripted(verdict).await;
    let logged = Logged::between(&[("m", http(mirror.address()), "order: none,")], &[]).await;
    let expected = [
        "m deduplicated - 202 /api/v1/push?deduplicated",
        "m failed http_4xx 404 /api/v1/push?missing",
        "m failed rate_limited 429 /api/v1/push?limited",
        "m failed unauthorized 401 /api/v1/push?unauthorized",
        "m rejected duplicate 400 /api/v1/push?twice",
        "m rejected limit 400 /api/v1/push?limit",
        "m rejected other 400 /api/v1/push?other",
        "m rejected out_of_order 400 /api/v1/push?order",
        "m rejected too_old 400 /api/v1/push?old",
    ];
    for line in expected {
        let (_, query) = line.split_once('?').unwrap();
        // Each of its own tenant, since a 429 makes its tenant wait.
        logged.push(&format!("?{query}"), query, b"abc").await;
    }
    let tails = expected.map(|line| format!("{line} {} 3", line.split_once('?').unwrap().1));
    assert_eq!(logged.lines(expected.len()).await, tails);
}

#[tokio::test]
async fn every_trouble_on_the_way() {
    let reset = Upstream::answering(Reply::silence().close()).await;
    let garbage = Faulty::start(Fault::Garbage).await;
    let silent = Faulty::start(Fault::NeverAnswer).await;
    let hole = Faulty::start(Fault::BlackHole).await;
    let (ca, other, dir) = (Authority::new("ca"), Authority::new("other"), Dir::new("tls"));
    let showing = Showing { certificate: other.issue(&["127.0.0.1"]), clients: None, alpn: vec![] };
    let stranger = TlsUpstream::answering(showing, Reply::ok()).await;
    let tls = format!("tls: {{ ca: {} }},", dir.write("ca.crt", &ca.pem()).display());
    let mirrors = [
        ("reset", http(reset.address()), ""),
        ("garbage", http(garbage.address()), ""),
        ("silent", http(silent.address()), "timeout: 0.2s,"),
        ("hole", http(hole.address()), ""),
        ("nowhere", "http://nowhere.invalid:80".to_owned(), ""),
        ("stranger", format!("https://{}", stranger.address()), tls.as_str()),
    ];
    let logged = Logged::between(&mirrors, &[]).await;
    logged.push("", "t", b"abc").await;
    assert_eq!(
        logged.lines(mirrors.len()).await,
        [
            "garbage failed protocol 0 /api/v1/push t 3",
            "hole failed connect_timeout 0 /api/v1/push t 3",
            "nowhere failed no_endpoint 0 /api/v1/push t 3",
            "reset failed reset 0 /api/v1/push t 3",
            "silent failed unknown_outcome 0 /api/v1/push t 3",
            "stranger failed tls 0 /api/v1/push t 3",
        ]
    );
}

/// Held back by a mirror that does not answer: what has no room, waits too long, is skipped, or waits at the end.
#[tokio::test]
async fn every_end_of_waiting() {
    let silent = Faulty::start(Fault::NeverAnswer).await;
    let to = http(silent.address());
    let room = "max_connections: 1, timeout: 60s,";
    let [full, crowded] =
        ["max_request: 8KiB, buffer: 8KiB,", "max_copies: 1,"].map(|own| format!("{room} {own}"));
    let mirrors = [
        ("full", to.clone(), full.as_str()),
        ("crowded", to.clone(), crowded.as_str()),
        ("aged", to.clone(), "max_connections: 1, timeout: 60s, max_age: 1s,"),
        ("skipped", to.clone(), room),
        ("left", to, room),
    ];
    let mut logged = Logged::between(&mirrors, &["--drain-time-s", "1"]).await;
    let body = [b'x'; 5000];
    logged.push("?first", "t", &body).await;
    until("the first copies at their mirror", async || (silent.accepted() >= 5).then_some(())).await;
    logged.push("?second", "t", &body).await;
    logged.lines(3).await;
    assert_eq!(logged.proxy.admin_post("/mirrors/skip?mirror=skipped").await.status(), 200);
    logged.lines(4).await;
    logged.proxy.terminate().await;
    let second = |line: &&String| line.contains("?second");
    let lines = logged.lines(10).await;
    assert_eq!(
        lines.iter().filter(second).collect::<Vec<_>>(),
        [
            "aged expired age 0 /api/v1/push?second t 5000",
            "crowded dropped too_many_copies 0 /api/v1/push?second t 5000",
            "full dropped buffer_full 0 /api/v1/push?second t 5000",
            "left dropped shutdown 0 /api/v1/push?second t 5000",
            "skipped expired skipped 0 /api/v1/push?second t 5000",
        ]
    );
    let in_flight: Vec<_> = lines.iter().filter(|line| line.contains("?first")).collect();
    assert!(in_flight.iter().all(|line| line.contains(" failed unknown_outcome 0 ")), "{in_flight:?}");
    assert_eq!(in_flight.len(), 5);
}

/// What is never a copy has no line.
#[tokio::test]
async fn what_is_excluded_has_no_line() {
    let mirror = Upstream::answering(Reply::ok()).await;
    let logged = Logged::between(&[("m", http(mirror.address()), "")], &[]).await;
    for request in [Request::get("/api/v1/read"), Request::new("POST", "/ingester/shutdown").body("")] {
        assert_eq!(logged.proxy.send(&request).await.status(), 200);
    }
    logged.push("", "t", b"abc").await;
    assert_eq!(logged.lines(1).await, ["m delivered - 200 /api/v1/push t 3"]);
    assert_eq!(logged.proxy.ledger("m").await.excluded, 2);
}

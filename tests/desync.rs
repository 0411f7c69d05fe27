//! Request smuggling: whatever bytes a client sends, either cluster gets at most the requests that it sent, each framed
//! in one way.
//!
//! Each request of the corpus goes through the proxy twice, in one piece and byte by byte. After each a probe follows
//! over the proxy's connections to both clusters: it must arrive as it was sent, so no byte was left over.

mod corpus;

use corpus::Fate;

use crate::dsl::http1::Message;
use crate::dsl::{Client, Recorders, Request, until};

/// Both clusters and the proxy, with one worker, so that connections to the clusters are used again.
struct Rig(Recorders);

impl Rig {
    async fn start() -> Self {
        Self(Recorders::start(&["--concurrency", "1"]).await)
    }

    /// Sends the bytes in pieces of this size; returns the status of the answer, or 0 where there is none.
    async fn send(&self, bytes: &[u8], piece: usize, fate: Fate) -> u16 {
        let mut client = Client::connect(self.0.proxy.listen).await;
        for piece in bytes.chunks(piece) {
            // A proxy that has refused the request need not read on.
            if client.try_send(piece).await.is_err() {
                break;
            }
        }
        if fate == Fate::Broken {
            client.try_finish_sending().await;
        }
        client.try_answer().await.map_or(0, |answer| answer.status())
    }

    /// What either cluster got, once a probe has come through to both.
    async fn got(&self, probe: usize) -> [Vec<Message>; 2] {
        let target = format!("/probe/{probe}");
        let answer = self.0.proxy.send(&Request::push("probe").at(&target)).await;
        assert_eq!(answer.status(), 200);
        let mut all = Vec::new();
        for cluster in [&self.0.primary, &self.0.mirror] {
            let requests = until(format!("{target} at both"), async || {
                let requests = cluster.requests();
                requests.iter().any(|r| r.target() == target && r.complete).then_some(requests)
            })
            .await;
            let probes = requests.iter().filter(|r| r.target() == target).count();
            assert_eq!(probes, 1, "{requests:?}");
            all.push(requests.into_iter().filter(|r| !r.target().starts_with("/probe/")).collect());
        }
        all.try_into().expect("two clusters")
    }
}

/// What is ambiguous in a request that went to a cluster.
fn ambiguities(message: &Message) -> Vec<&'static str> {
    let words: Vec<_> = message.start.split(' ').collect();
    let fields = |name: &str| message.values(name).len();
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let coding = message.values("transfer-encoding").concat();
    let framing = |name: &str| ["content-length", "transfer-encoding", "host"].contains(&name);
    let names = || message.headers.iter().map(|(name, _)| name);
    let values = || message.headers.iter().flat_map(|(_, value)| value);
    [
        ("its first line", matches!(words[..], [_, _, "HTTP/1.1"])),
        ("two framings", fields("content-length") + fields("transfer-encoding") <= 1),
        ("hosts", fields("host") == 1),
        ("its coding", coding.is_empty() || coding == b"chunked"),
        ("a name", names().all(|name| !name.is_empty() && name.chars().all(is_token))),
        ("a value", !values().any(|byte| matches!(byte, b'\r' | b'\n' | 0))),
        ("framing in trailers", !message.trailers.iter().any(|(name, _)| framing(name))),
    ]
    .into_iter()
    .filter_map(|(what, holds)| (!holds).then_some(what))
    .collect()
}

/// What is wrong with what became of a request: its answer, and what one cluster got.
fn complaints(fate: Fate, answer: u16, requests: &[Message]) -> Vec<String> {
    let mut wrong: Vec<String> =
        requests.iter().flat_map(ambiguities).map(|what| format!("ambiguous: {what}")).collect();
    let whole = requests.iter().filter(|request| request.complete).count();
    let as_expected = match fate {
        Fate::Refused(status) => answer == status && requests.is_empty(),
        Fate::Broken => answer != 200 && whole == 0 && requests.len() <= 1,
        Fate::Served(body) => {
            let same = |request: &Message| request.target() == "/x" && request.text() == body;
            answer == 200 && requests.len() == 1 && whole == 1 && requests.iter().all(same)
        }
    };
    if !as_expected {
        let sent: Vec<_> = requests.iter().map(|r| (&r.start, r.text(), r.complete)).collect();
        wrong.push(format!("expected {fate:?}, answered {answer}, sent on {sent:?}"));
    }
    wrong
}

async fn hold<'a>(cases: impl Iterator<Item = (&'a str, Vec<u8>, Fate)>) {
    let rig = Rig::start().await;
    let (mut seen, mut probe, mut wrong) = ([0, 0], 0, Vec::new());
    for (name, bytes, fate) in cases {
        for piece in [bytes.len(), 1] {
            let answer = rig.send(&bytes, piece, fate).await;
            rig.0.proxy.settled("secondary").await;
            probe += 1;
            for (requests, seen) in rig.got(probe).await.iter().zip(&mut seen) {
                let here = complaints(fate, answer, &requests[*seen..]);
                wrong.extend(here.into_iter().map(|what| format!("{name}: {what}")));
                *seen = requests.len();
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn c6_no_framing_of_a_body_smuggles_a_request() {
    hold(corpus::FRAMING.iter().map(|(name, bytes, fate)| (*name, bytes.as_bytes().to_vec(), *fate))).await;
}

#[tokio::test]
async fn c6_no_head_smuggles_a_request() {
    hold(corpus::HEADS.iter().map(|(name, bytes, fate)| (*name, bytes.as_bytes().to_vec(), *fate))).await;
}

#[tokio::test]
async fn c6_no_chunk_smuggles_a_request() {
    let whole = |body: &str| [corpus::CHUNKED_HEAD, body].concat().into_bytes();
    hold(corpus::CHUNKS.iter().map(|(name, body, fate)| (*name, whole(body), *fate))).await;
}

/// An origin alone asks for its root; what stands behind `#` is the client's own.
#[tokio::test]
async fn c6_a_target_without_a_path_goes_on_as_the_root() {
    let rig = Rig::start().await;
    for (n, target) in ["http://h", "http://h#x", "http://h?q", "http://h/?q#x"].iter().enumerate() {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(rig.send(bytes.as_bytes(), bytes.len(), Fate::Served("")).await, 200, "{target}");
        rig.0.proxy.settled("secondary").await;
        let root = if target.contains('?') { "GET /?q HTTP/1.1" } else { "GET / HTTP/1.1" };
        for requests in rig.got(n).await {
            assert_eq!(requests[n].start, root, "{target}");
        }
    }
}

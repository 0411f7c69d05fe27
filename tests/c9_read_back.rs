//! C9: what comes back from the disk is what was written to it, and goes out as the same request.

use std::collections::BTreeSet;

use crate::dsl::http1::Message;
use crate::dsl::visit::Visit;
use crate::dsl::{Backlog, Clusters, Crowd, Receiver, Request, Treatment, Writer, bytes_of};

/// A prompt primary, and a secondary that is away.
async fn away(backlog: &Backlog, settings: &[(&'static str, &str)]) -> Clusters {
    treating(Treatment::prompt(), backlog, settings).await
}

/// The same with receivers that treat every request so.
async fn treating(treatment: Treatment, backlog: &Backlog, settings: &[(&'static str, &str)]) -> Clusters {
    let primary = Receiver::treating(treatment.clone()).await;
    let mut secondary = Receiver::treating(treatment).await;
    secondary.stop().await;
    Clusters::durable(primary, secondary, backlog, settings).await
}

/// Sends these one after the other; each is answered with 200.
async fn in_turn(clusters: &Clusters, requests: &[Request]) {
    let mut client = clusters.proxy.client().await;
    for request in requests {
        assert_eq!(client.exchange(request).await.status(), 200);
    }
}

/// The process dies, the next one finds so many copies, and the secondary is back.
async fn crash(clusters: &mut Clusters, copies: usize) {
    clusters.proxy.kill().await;
    clusters.proxy.start_again().await;
    clusters.reaches("mimir_mirror_recovered_total", copies as u64).await;
    clusters.secondary.resume().await;
    clusters.secondary.has_ended(copies).await;
}

/// First line, headers and body.
type Essence = (String, BTreeSet<(String, Vec<u8>)>, Vec<u8>);

/// Everything of a request but its framing and the host, which are the copy's own.
fn essence(message: &Message) -> Essence {
    let own = ["host", "content-length", "transfer-encoding", "connection"];
    let fields = message.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let fields = fields.filter(|(name, _)| !own.contains(&name.as_str())).collect();
    (message.start.clone(), fields, message.body.clone())
}

fn essences(visits: &[Visit]) -> BTreeSet<Essence> {
    visits.iter().map(|visit| essence(&visit.request)).collect()
}

/// Memory holds a quarter of what waits; the rest is read back, while more is written.
#[tokio::test]
async fn c9_what_memory_cannot_hold_comes_back_from_disk() {
    const WRITERS: usize = 6;
    const BATCHES: usize = 24;
    let backlog = Backlog::new().small().with("max_bytes", "64MiB");
    let mut clusters = away(&backlog, &[]).await;
    let writers = || (0..WRITERS).map(|n| Writer::new(n).heavy(100_000));
    Crowd::catching_up(clusters.proxy.listen, writers(), 0..BATCHES).finish().await;
    let ledger = clusters.proxy.ledger("secondary").await;
    assert_eq!((ledger.pending, ledger.outcome("dropped")), ((WRITERS * BATCHES) as u64, 0), "{ledger:?}");
    clusters.secondary.resume().await;
    Crowd::catching_up(clusters.proxy.listen, writers(), BATCHES..BATCHES + 4).finish().await;
    let ledger = clusters.assert_kept().await;
    assert_eq!(ledger.received, (WRITERS * (BATCHES + 4)) as u64, "{ledger:?}");
    assert_eq!(essences(&clusters.secondary.visits()), essences(&clusters.primary.visits()));
}

/// Requests of every kind that is kept, with everything that a request can have.
fn of_every_kind() -> Vec<Request> {
    let otlp = |path: &str| Request::new("POST", path).header("x-scope-orgid", "tenant-2");
    vec![
        Writer::new("a").batch(0),
        Writer::new("a").batch(1).header("X-Request-Id", "1").header("X-Twice", "a").header("X-Twice", "b"),
        Writer::new("b").tenant("tenant-1|tenant-2").batch(0),
        Writer::new("c").without_tenant().batch(0),
        otlp("/otlp/v1/metrics").header("content-type", "application/json").body("{\"resourceMetrics\":[]}"),
        otlp("/otlp/v1/metrics?a=b&c=%20%zz").body(bytes_of(300_000, 1)),
        otlp("/otlp/v1/metrics").chunks(&[b"in", b"three", b"chunks"]),
        otlp("/otlp/v1/metrics").body(""),
        otlp("/api/v1/push/influx/write?db=x").header("x-odd", b"\xff\xfe latin").body("m,t=1 v=2 3"),
    ]
}

#[tokio::test]
async fn c6_a_copy_that_was_on_disk_is_the_same_request() {
    let backlog = Backlog::new();
    // Taken unread: not all of these bodies are what they say.
    let mut clusters = treating(Treatment::refused(200), &backlog, &[]).await;
    let requests = of_every_kind();
    in_turn(&clusters, &requests).await;
    crash(&mut clusters, requests.len()).await;
    assert_eq!(essences(&clusters.secondary.visits()), essences(&clusters.primary.visits()));
    let visits = clusters.secondary.visits();
    let hosts: BTreeSet<_> = visits.iter().map(|visit| visit.request.header("host")).collect();
    assert_eq!(hosts, BTreeSet::from([Some(clusters.secondary.address().to_string())]));
    assert_eq!(clusters.proxy.settled("secondary").await.delivered(), requests.len() as u64);
}

/// What a mirror's copies get is applied when they are sent, so a change of it reaches what was kept before.
#[tokio::test]
async fn c6_header_changes_are_applied_to_what_was_on_disk() {
    let backlog = Backlog::new();
    let headers = ("headers", "{ set: { x-scope-orgid: all, x-added: here }, remove: [x-secret] }");
    let mut clusters = away(&backlog, &[headers, ("auth", "{ bearer: of-the-mirror }")]).await;
    in_turn(&clusters, &[Writer::new("a").batch(0).header("X-Secret", "1")]).await;
    crash(&mut clusters, 1).await;
    let copy = &clusters.secondary.visits()[0].request;
    let header = |name| copy.header(name).unwrap_or_default();
    assert_eq!([header("x-scope-orgid"), header("x-added")], ["all", "here"]);
    assert_eq!([header("x-secret"), header("authorization")], ["", "Bearer of-the-mirror"]);
    let on_disk = on_disk(&backlog);
    assert!(!contains(&on_disk, b"of-the-mirror"), "the mirror's own credentials are on disk");
}

fn on_disk(backlog: &Backlog) -> Vec<u8> {
    let read = |path| std::fs::read(path).expect("a readable file");
    backlog.files().into_iter().flat_map(read).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A write with credentials in every header that carries them.
fn with_credentials() -> Request {
    let request = Writer::new("a").batch(0).header("Authorization", "Bearer of-the-client");
    request.header("Cookie", "session=of-the-client").header("X-Kept", "not secret")
}

/// What of the client's credentials was on disk, and what came to the secondary after a crash.
async fn credentials(backlog: &Backlog) -> (bool, [String; 2]) {
    let mut clusters = away(backlog, &[]).await;
    in_turn(&clusters, &[with_credentials()]).await;
    let on_disk = on_disk(backlog);
    assert!(contains(&on_disk, b"not secret"), "the copy is not on disk");
    crash(&mut clusters, 1).await;
    let copy = &clusters.secondary.visits()[0].request;
    let headers = ["authorization", "cookie"].map(|name| copy.header(name).unwrap_or_default());
    (contains(&on_disk, b"of-the-client"), headers)
}

#[tokio::test]
async fn c9_credentials_of_clients_are_not_written_to_disk() {
    let backlog = Backlog::new();
    assert_eq!(credentials(&backlog).await, (false, [String::new(), String::new()]));
}

#[tokio::test]
async fn c9_credentials_of_clients_are_kept_if_asked_for() {
    let backlog = Backlog::new().with("credentials", "keep");
    let expected = ["Bearer of-the-client", "session=of-the-client"].map(str::to_owned);
    assert_eq!(credentials(&backlog).await, (true, expected));
}

/// Nobody else can read what is kept.
#[tokio::test]
async fn c9_the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let backlog = Backlog::new();
    let clusters = away(&backlog, &[]).await;
    in_turn(&clusters, &[Writer::new("a").batch(0)]).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(backlog.path()), 0o700);
    assert!(!backlog.segments().is_empty());
    assert!(backlog.files().iter().all(|file| mode(file) == 0o600));
}

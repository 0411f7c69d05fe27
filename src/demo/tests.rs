//! The demo's clusters and sender against each other, with no proxy between them: what they claim to do, they do.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use remote_write::synthetic::Generator;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::cluster::{Cluster, PUSH_PATH, TENANT_HEADER};
use super::compare::Difference;
use super::fault::Fault;
use super::plan::Plan;
use super::sender::Sender;
use super::watch::{Finding, Watch, survey};

/// No condition here takes longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long something that must not happen is given to happen.
const NEVER: Duration = Duration::from_millis(100);

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never came: {what}"));
}

async fn connect(cluster: &Cluster) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(cluster.address()).await.unwrap();
    let (client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

fn push(body: Vec<u8>) -> Request<Full<Bytes>> {
    let request = Request::post(PUSH_PATH).header("host", "mimir").header(TENANT_HEADER, "t");
    request.header("content-encoding", "snappy").body(Full::new(Bytes::from(body))).unwrap()
}

async fn status(client: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> StatusCode {
    client.ready().await.unwrap();
    timeout(PATIENCE, client.send_request(request))
        .await
        .expect("an answer")
        .expect("a whole answer")
        .status()
}

fn plan(cluster: &Cluster) -> Plan {
    Plan { target: cluster.address(), shards: 3, series: 100, rate: 20_000, batch: 200 }
}

#[tokio::test]
async fn a_cluster_holds_exactly_what_a_sender_had_acknowledged() {
    let cluster = Cluster::start("one").unwrap();
    let sender = Sender::start(plan(&cluster)).unwrap();
    let tally = sender.tally();
    until("samples", || tally.acknowledged.load(Ordering::Relaxed) >= 3_000).await;
    sender.stop(PATIENCE).await;
    let totals = cluster.head().totals();
    assert_eq!((totals.series, totals.samples), (100, tally.acknowledged.load(Ordering::Relaxed)));
    assert_eq!((tally.refused.load(Ordering::Relaxed), tally.retries.load(Ordering::Relaxed)), (0, 0));
    assert_eq!(tally.take_latencies().len() as u64, totals.samples / 200);
}

#[tokio::test]
async fn a_sender_repeats_after_503_and_loses_nothing() {
    let cluster = Cluster::start("one").unwrap();
    cluster.set(Fault::Unavailable);
    let sender = Sender::start(plan(&cluster)).unwrap();
    let tally = sender.tally();
    until("retries", || tally.retries.load(Ordering::Relaxed) >= 6).await;
    assert_eq!(cluster.head().totals().samples, 0);
    cluster.set(Fault::None);
    until("all series", || cluster.head().totals().series == 100).await;
    sender.stop(PATIENCE).await;
    assert_eq!(tally.refused.load(Ordering::Relaxed), 0);
    assert_eq!(cluster.head().totals().samples, tally.acknowledged.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_sender_gives_up_what_is_refused() {
    let cluster = Cluster::start("one").unwrap();
    // Samples of the sender's own series from the future: whatever it writes now is out of order.
    let mut client = connect(&cluster).await;
    for shard in 0..3 {
        let body = Generator::new(super::shard::SEED, shard, 34).body(34, i64::MAX / 2);
        assert_eq!(status(&mut client, push(body)).await, StatusCode::OK);
    }
    let before = cluster.head().totals();
    let sender = Sender::start(plan(&cluster)).unwrap();
    until("refused samples", || sender.tally().refused.load(Ordering::Relaxed) >= 600).await;
    sender.stop(PATIENCE).await;
    let refusal = sender.tally().take_refusal().expect("a text");
    assert!(refusal.contains("err-mimir-sample-out-of-order"), "{refusal}");
    assert_eq!(sender.tally().retries.load(Ordering::Relaxed), 0);
    assert_eq!(cluster.head().totals(), before);
}

#[tokio::test]
async fn what_is_no_push_of_remote_write_is_refused() {
    let cluster = Cluster::start("one").unwrap();
    let mut client = connect(&cluster).await;
    let body = Generator::new(1, 0, 10).body(10, 1);
    let without = |name: &str| {
        let mut request = push(body.clone());
        request.headers_mut().remove(name);
        request
    };
    let mut get = push(Vec::new());
    *get.method_mut() = Method::GET;
    assert_eq!(status(&mut client, get).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&mut client, without(TENANT_HEADER)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&mut client, without("content-encoding")).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(status(&mut client, push(body[..20].to_vec())).await, StatusCode::BAD_REQUEST);
    assert_eq!(cluster.head().totals().samples, 0);
    assert_eq!(status(&mut client, push(body)).await, StatusCode::OK);
    assert_eq!(cluster.head().totals().samples, 10);
}

#[tokio::test]
async fn a_mute_cluster_answers_nothing_until_it_is_well_again() {
    for fault in [Fault::Hang, Fault::StopReading] {
        let cluster = Cluster::start("one").unwrap();
        let mut generator = Generator::new(1, 0, 10);
        let mut open = connect(&cluster).await;
        assert_eq!(status(&mut open, push(generator.body(10, 1))).await, StatusCode::OK);
        cluster.set(fault);
        let mut fresh = connect(&cluster).await;
        let mut answers = Box::pin(async {
            let (a, b) = (push(generator.body(10, 2)), push(generator.body(10, 3)));
            (status(&mut open, a).await, status(&mut fresh, b).await)
        });
        assert!(timeout(NEVER, &mut answers).await.is_err(), "{fault:?} answered");
        assert_eq!(cluster.head().totals().samples, 10);
        cluster.set(Fault::None);
        assert_eq!(answers.await, (StatusCode::OK, StatusCode::OK));
        assert_eq!(cluster.head().totals().samples, 30);
    }
}

#[tokio::test]
async fn a_slow_cluster_takes_in_what_it_gets() {
    let cluster = Cluster::start("one").unwrap();
    cluster.set(Fault::Slow);
    let mut client = connect(&cluster).await;
    assert_eq!(status(&mut client, push(Generator::new(1, 0, 10).body(10, 1))).await, StatusCode::OK);
    assert_eq!(cluster.head().totals().samples, 10);
}

#[tokio::test]
async fn a_refusing_cluster_resets_what_is_open_and_comes_back_where_it_was() {
    let cluster = Cluster::start("one").unwrap();
    let open = TcpStream::connect(cluster.address()).await.unwrap();
    // An answer on a later connection: the earlier one has been accepted.
    status(&mut connect(&cluster).await, push(Vec::new())).await;
    cluster.set(Fault::Refuse);
    timeout(PATIENCE, open.readable()).await.expect("an end").unwrap();
    assert_eq!(open.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let refused = async {
        while TcpStream::connect(cluster.address()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("refused connections");
    cluster.set(Fault::None);
    let back = async {
        loop {
            match TcpStream::connect(cluster.address()).await {
                Ok(_) => return,
                Err(_) => sleep(Duration::from_millis(2)).await,
            }
        }
    };
    timeout(PATIENCE, back).await.expect("a listener again");
    let body = Generator::new(1, 0, 10).body(10, 1);
    assert_eq!(status(&mut connect(&cluster).await, push(body)).await, StatusCode::OK);
}

#[tokio::test]
async fn two_clusters_are_the_same_only_when_they_are() {
    let (primary, secondary) = (Cluster::start("one").unwrap(), Cluster::start("other").unwrap());
    let mut generator = Generator::new(1, 0, 10);
    let (first, second) = (generator.batch(10, 1), generator.batch(10, 2));
    let found = || {
        let mut watch = Watch::default();
        watch.look(&primary, &secondary);
        watch.take()
    };
    assert_eq!(found(), Finding::Same);
    primary.head().append(&first).unwrap();
    primary.head().append(&second).unwrap();
    assert_eq!(found(), Finding::Lacks(20));
    secondary.head().append(&second).unwrap();
    assert_eq!(found(), Finding::Lacks(10));
    let (ours, theirs, difference) = survey(&primary, &secondary);
    assert_eq!((ours.samples, theirs.samples), (20, 10));
    assert_eq!(difference, Difference { lacks: 10, series: 10, ..Difference::default() });
    let third = generator.batch(10, 3);
    secondary.head().append(&third).unwrap();
    assert_eq!(found(), Finding::Differs, "as many samples, but not the same");
}

#[tokio::test]
async fn what_counts_is_what_stood_still_or_was_the_same() {
    let (primary, secondary) = (Cluster::start("one").unwrap(), Cluster::start("other").unwrap());
    let mut generator = Generator::new(1, 0, 10);
    let mut watch = Watch::default();
    assert_eq!(watch.take(), Finding::Differs, "nothing was looked at");
    let mut time = 0;
    let mut write = |cluster: &Cluster| {
        time += 1;
        cluster.head().append(&generator.batch(10, time)).unwrap();
    };
    write(&primary);
    watch.look(&primary, &secondary);
    watch.look(&primary, &secondary);
    write(&primary);
    watch.look(&primary, &secondary);
    assert_eq!(watch.take(), Finding::Lacks(10), "20 was seen only once");
    watch.look(&primary, &secondary);
    assert_eq!(watch.take(), Finding::Lacks(20), "better seen once than not at all");

    let (primary, secondary) = (&secondary, Cluster::start("third").unwrap());
    watch.look(primary, &secondary);
    write(primary);
    watch.look(primary, &secondary);
    watch.look(primary, &secondary);
    assert_eq!(watch.take(), Finding::Same, "they were, at one moment");

    let secondary = Cluster::start("fourth").unwrap();
    let primary = Cluster::start("fifth").unwrap();
    secondary.set(Fault::Hang);
    watch.look(&primary, &secondary);
    write(&primary);
    watch.look(&primary, &secondary);
    watch.look(&primary, &secondary);
    assert_eq!(watch.take(), Finding::Lacks(10), "while it hangs, they will not be the same again");
}

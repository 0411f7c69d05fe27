//! Windows of HTTP/2 towards the primary: streams that are not read leave room for the others.

use http::{Request as H2Request, Response};

use crate::dsl::frames::FrameServer;
use crate::dsl::h2c::{Frames, H2Client, collect, next_data};
use crate::dsl::streams::{Stream, stream};
use crate::dsl::wait::within;
use crate::dsl::{Config, H2Upstream, Proxy, Request, bytes_of};

const ONE_WORKER: [&str; 2] = ["--concurrency", "1"];
const STREAM: u64 = 64 << 10;

/// What the proxy grants its primary, by this file.
async fn granted(options: &str, stream: u64, connection: u64) {
    let server = FrameServer::bind().await;
    let config = Config::envoy().primary(server.address()).http2(options);
    let proxy = Proxy::launch_with(&config, &ONE_WORKER).await;
    let mut client = proxy.client().await;
    client.send(Request::get("/x").bytes()).await;
    let mut primary = server.accept().await;
    primary.read_until("the request", |primary| !primary.requests.is_empty()).await;
    primary.read_until("the whole window", |primary| primary.granted >= connection).await;
    assert_eq!((primary.stream_window, primary.granted), (stream, connection), "{options}");
}

/// Without a word in the file, what all streams together may hold: 100 times 64 KiB.
#[tokio::test]
async fn c3_the_primary_is_granted_what_the_file_says() {
    granted("", STREAM, 100 * STREAM).await;
    let both = "initial_stream_window_size: 131072, initial_connection_window_size: 1048576";
    granted(both, 128 << 10, 1 << 20).await;
}

/// Each of many streams is sent all that its window takes, before anything was given back: the connection has room for
/// all of them, and for one more.
#[tokio::test]
async fn c3_full_streams_leave_the_connection_room() {
    const FULL: usize = 40;
    let server = FrameServer::bind().await;
    let config = Config::envoy().primary(server.address()).http2("");
    let proxy = Proxy::launch_with(&config, &ONE_WORKER).await;
    let body = bytes_of(usize::try_from(STREAM).unwrap(), 5);
    let mut clients = Vec::new();
    for _ in 0..FULL {
        let mut client = proxy.client().await;
        client.send(Request::get("/x").bytes()).await;
        clients.push(client);
    }
    let mut primary = server.accept().await;
    primary.read_until("all requests", |primary| primary.requests.len() == FULL).await;
    primary.read_until("the whole window", |primary| primary.granted >= 100 * STREAM).await;
    let streams = primary.requests.clone();
    for stream in &streams {
        primary.begin_answer(*stream, &body).await;
    }
    assert_eq!(primary.sent, FULL as u64 * STREAM);
    let mut late = proxy.client().await;
    late.send(Request::get("/late").bytes()).await;
    primary.read_until("one more request", |primary| primary.requests.len() == FULL + 1).await;
    primary.begin_answer(primary.requests[FULL], b"late").await;
    primary.end_answer(primary.requests[FULL]).await;
    assert_eq!(late.answer().await.text(), "late");
    for stream in streams {
        primary.end_answer(stream).await;
    }
    for client in &mut clients {
        assert!(client.answer().await.body == body, "an answer was changed");
    }
}

/// The same with a client that takes little of each answer and then no more.
#[tokio::test]
async fn c3_many_answers_that_are_not_read_hold_up_no_other() {
    const SLOW: usize = 20;
    let primary = H2Upstream::scripted(100, async |request, book| {
        book.read(request).await;
        Ok(Response::new(Stream::of([bytes_of(1 << 20, 9).into()], None)))
    })
    .await;
    let config = Config::envoy().primary(primary.address()).http2("");
    let proxy = Proxy::launch_with(&config, &ONE_WORKER).await;
    let client = H2Client::with_windows(proxy.listen, 64 << 10, 16 << 20).await;
    let get = |n: usize| H2Request::get(format!("http://mimir.example/{n}"));
    let mut slow = Vec::new();
    for n in 0..SLOW {
        let (feed, head) = client.open(get(n));
        drop(feed);
        let mut answer = head.await;
        let first = next_data(answer.body_mut()).await;
        slow.push((first.len(), answer));
    }
    let whole = client.exchange(get(SLOW), Frames::default()).await;
    assert_eq!(whole.body.len(), 1 << 20);
    for (first, answer) in slow {
        let rest = within("the rest", collect(answer)).await;
        assert_eq!(first + rest.body.len(), 1 << 20);
    }
    assert_eq!(primary.connections(), 1);
}

/// A client that does not read its answer holds up its own stream, not those of others over the same connection.
#[tokio::test]
async fn c3_a_client_that_does_not_read_holds_up_no_other_stream() {
    let primary = H2Upstream::scripted(100, async |request, book| {
        let path = book.read(request).await.head.uri.path().to_owned();
        if path == "/large" {
            let (feed, body) = stream();
            for _ in 0..64 {
                feed.data(bytes_of(1 << 20, 9));
            }
            return Ok(Response::new(body));
        }
        Ok(Response::new(Stream::of([path.into()], None)))
    })
    .await;
    let config = Config::envoy().primary(primary.address()).http2("");
    let proxy = Proxy::launch_with(&config, &ONE_WORKER).await;
    let mut slow = proxy.client().await;
    slow.send(Request::get("/large").bytes()).await;
    let client = H2Client::connect(proxy.listen).await;
    for _ in 0..20 {
        let answer = client
            .exchange(
                H2Request::post("http://mimir.example/small"),
                Frames::default().data(bytes_of(100_000, 2)),
            )
            .await;
        assert_eq!(answer.body.as_ref(), b"/small");
    }
    let answer = slow.answer().await;
    assert_eq!(answer.body.len(), 64 << 20);
}

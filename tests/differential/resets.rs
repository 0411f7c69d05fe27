//! Answers that do not come, break off or are none: what the client gets, and which counters move.

use h2::Reason;
use http::Response;
use tokio::net::TcpListener;

use crate::dsl::fault::Fault;
use crate::dsl::h2_upstream::Reset;
use crate::dsl::http1::Message;
use crate::dsl::streams::Stream;
use crate::dsl::task::Task;
use crate::dsl::{H2Upstream, Reply, Request};

use super::file::File;
use super::run::Run;
use super::scenario::Scenario;
use super::server::Server;

const LOG: &str = "access_log: [{ name: a, typed_config: { \"@type\": \
    type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: \"<dir>/log\", log_format: { \
    text_format_source: { inline_string: \"%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\\n\" } } } }]";

const COUNTED: [&str; 9] = [
    "upstream_rq_rx_reset",
    "upstream_rq_tx_reset",
    "upstream_rq_cancelled",
    "upstream_rq_pending_failure_eject",
    "upstream_cx_protocol_error",
    "upstream_rq_timeout",
    "http2.rx_reset",
    "http2.tx_reset",
    "http2.streams_active",
];

fn http1() -> File {
    File::new().manager(LOG).policies("[]")
}

fn http2() -> File {
    http1().cluster("primary", "http2_protocol_options: {}")
}

/// One read, which comes to `class`, its line in the log and all that was counted.
async fn read(run: &mut Run, class: &str) {
    run.raw("a read", &Request::get("/x").bytes(), &[]).await;
    run.log("log", 1).await;
    run.stat(&format!("cluster.primary.upstream_rq_{class}"), 1).await;
    run.stat("http.ingress.downstream_cx_active", 0).await;
    for name in COUNTED {
        let value = run.read_stat(&format!("cluster.primary.{name}")).await;
        run.note(name, value);
    }
    run.skip_all("primary");
}

/// A primary that answers these bytes and closes.
fn answering(file: File, bytes: &'static [u8]) -> Scenario {
    Scenario::of(file).upstream("primary", move |_: &Message| Reply::raw(bytes).close())
}

async fn answered(bytes: &'static [u8], class: &str) {
    answering(http1(), bytes).run(async |run| read(run, class).await).await;
}

#[tokio::test]
async fn a_connection_that_ends() {
    answered(b"", "503").await;
}

/// What is no HTTP is a protocol error, and so is half a head.
#[tokio::test]
async fn answers_that_are_none() {
    Scenario::of(http1()).faulty("primary", Fault::Garbage).run(async |run| read(run, "502").await).await;
    answered(b"HTTP/1.1 200 OK\r\ncontent-le", "502").await;
    answered(b"HTTP/1.1 200 OK\r\ncontent-length: nine\r\n\r\n", "502").await;
    answered(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "502").await;
}

#[tokio::test]
async fn answers_that_break_off() {
    answered(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "200").await;
    // What breaks together with the head may take the head with it: then the client sees a close and no answer.
    answering(http1(), b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
        .only(|what| !what.starts_with("a read / client"))
        .run(async |run| read(run, "200").await)
        .await;
}

#[tokio::test]
async fn an_answer_that_is_no_http2() {
    answering(http2(), b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        .run(async |run| read(run, "502").await)
        .await;
}

/// Over HTTP/1.1 a request is given up by closing its connection, which is no reset.
#[tokio::test]
async fn a_timeout() {
    Scenario::of(http1().action("timeout: 0.3s"))
        .upstream("primary", |_| Reply::silence())
        .run(async |run| read(run, "504").await)
        .await;
}

async fn script(_: http::Request<hyper::body::Incoming>) -> Result<Response<Stream>, Reset> {
    std::future::pending().await
}

#[tokio::test]
async fn a_timeout_over_http2() {
    Scenario::of(http2().action("timeout: 0.3s"))
        .server("primary", |_| H2Upstream::scripted(100, |request, _| script(request)))
        .run(async |run| read(run, "504").await)
        .await;
}

#[tokio::test]
async fn a_stream_that_is_reset() {
    Scenario::of(http2())
        .server("primary", |_| {
            H2Upstream::scripted(100, async |_, _| Err(Reset::with(Reason::INTERNAL_ERROR)))
        })
        .run(async |run| read(run, "503").await)
        .await;
}

/// A refusal is no reset among the requests' counters, though it came as one.
#[tokio::test]
async fn a_stream_that_is_refused() {
    Scenario::of(http2())
        .server("primary", |_| {
            H2Upstream::scripted(100, async |_, _| Err(Reset::with(Reason::REFUSED_STREAM)))
        })
        .differs(
            "http2.rx_reset",
            "1",
            "2",
            "the server has done nothing with the request, so it is sent once more",
        )
        .run(async |run| read(run, "503").await)
        .await;
}

/// A client that leaves inside its request ends the stream, too.
#[tokio::test]
async fn a_client_that_leaves_over_http2() {
    Scenario::of(http2())
        .server("primary", |_| H2Upstream::echoing())
        .run(async |run| {
            let mut client = run.client().await;
            client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf").await;
            run.stat("cluster.primary.http2.streams_active", 1).await;
            client.reset();
            run.broken("half", "primary").await;
            run.stat("cluster.primary.upstream_rq_tx_reset", 1).await;
            run.stat("cluster.primary.http2.tx_reset", 1).await;
            run.stat("cluster.primary.http2.streams_active", 0).await;
        })
        .await;
}

/// Accepts a stream of HTTP/2, and then closes the connection.
struct Vanishing(std::net::SocketAddr, #[expect(dead_code, reason = "held for its Drop")] Task);

impl Server for Vanishing {
    fn address(&self) -> std::net::SocketAddr {
        self.0
    }

    fn messages(&self) -> Vec<Message> {
        Vec::new()
    }
}

async fn vanishing() -> Vanishing {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let serve = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut connection) = h2::server::handshake(stream).await else { continue };
            let _request = connection.accept().await;
        }
    };
    Vanishing(address, Task::spawn(serve))
}

#[tokio::test]
async fn a_connection_that_ends_over_http2() {
    Scenario::of(http2())
        .server("primary", |_| vanishing())
        .run(async |run| {
            // A read is idempotent, and ours would ask once more over a reused connection; this one is fresh.
            read(run, "503").await;
        })
        .await;
}

//! The flags under which access logs tell what both answer by themselves.

use crate::dsl::fault::Fault;
use crate::dsl::{Reply, Request};

use super::BOTH;
use super::file::File;
use super::scenario::Scenario;

/// A file with a log of methods, statuses, flags, bytes and clusters.
fn logged(file: File) -> File {
    file.manager(
        "access_log: [{ name: a, typed_config: { \"@type\": \
         type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: \"<dir>/log\", log_format: \
         { text_format_source: { inline_string: \"%REQ(:METHOD)% %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% \
         %BYTES_SENT% %UPSTREAM_CLUSTER%\\n\" } } } }]",
    )
}

/// One read, and its line.
async fn read(scenario: Scenario, reached: &[&str]) {
    scenario
        .run(async |run| {
            run.exchange("a read", &Request::get("/x"), reached).await;
            run.log("log", 1).await;
        })
        .await;
}

#[tokio::test]
async fn none() {
    read(Scenario::of(logged(File::new())), &BOTH).await;
}

#[tokio::test]
async fn no_route() {
    read(Scenario::of(logged(File::new().matching("prefix: /api"))), &[]).await;
}

#[tokio::test]
async fn no_host() {
    let empty = "load_assignment: { cluster_name: primary, endpoints: [] }";
    read(Scenario::of(logged(File::new().cluster("primary", empty))), &[]).await;
}

#[tokio::test]
async fn connection_refused() {
    read(Scenario::of(logged(File::new())).faulty("primary", Fault::Refuse), &["mirror"]).await;
}

#[tokio::test]
async fn connect_timeout() {
    let file = logged(File::new().cluster("primary", "connect_timeout: 0.3s"));
    read(Scenario::of(file).faulty("primary", Fault::BlackHole), &["mirror"]).await;
}

#[tokio::test]
async fn route_timeout() {
    let scenario = Scenario::of(logged(File::new().action("timeout: 0.3s")));
    read(scenario.gated("primary", |gate| Reply::ok().behind(gate)), &BOTH).await;
}

#[tokio::test]
async fn stream_idle_timeout() {
    let scenario = Scenario::of(logged(File::new().manager("stream_idle_timeout: 0.3s")));
    read(scenario.gated("primary", |gate| Reply::ok().behind(gate)), &BOTH).await;
}

#[tokio::test]
async fn connection_termination() {
    Scenario::of(logged(File::new()))
        .upstream("primary", |_| Reply::silence().close())
        .run(async |run| {
            run.exchange("a post", &Request::new("POST", "/x").body("x"), &BOTH).await;
            run.log("log", 1).await;
        })
        .await;
}

/// The client leaves before its request is complete.
#[tokio::test]
async fn downstream_termination() {
    Scenario::of(logged(File::new()).policies("[]"))
        .run(async |run| {
            let mut client = run.client().await;
            client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf").await;
            run.broken("half", "primary").await;
            client.reset();
            run.log("log", 1).await;
        })
        .await;
}

/// What hyper refuses never becomes a request here, so that no log tells of it.
#[tokio::test]
async fn protocol_errors() {
    Scenario::of(logged(File::new()))
        .only(|what| what.starts_with("log"))
        .differs("log 1", "- 400 DPE 0 11 -", "(absent)", "hyper refuses it before there is a request to log")
        .run(async |run| {
            run.raw("malformed", b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: one\r\n\r\n", &[]).await;
            if run.is_envoy() {
                run.log("log", 1).await;
            }
        })
        .await;
}

//! The life of the process: start, signals, end.

use std::process::Command;

use tokio::net::TcpStream;

use crate::dsl::dir::Dir;
use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::{
    Clusters, Config, Crowd, Gate, Proxy, Receiver, Reply, Request, Treatment, Upstream, Writer, bytes_of,
    until,
};

/// Both clusters, behind gates, and a proxy.
async fn gated() -> (Gate, Gate, Upstream, Upstream, Proxy) {
    let (first, second) = (Gate::closed(), Gate::closed());
    let primary = Upstream::answering(Reply::new(200, "late").behind(&first)).await;
    let mirror = Upstream::answering(Reply::ok().behind(&second)).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &["--drain-time-s", "20"]).await;
    (first, second, primary, mirror, proxy)
}

/// Waits until nothing accepts at the listener any more.
async fn closed(proxy: &Proxy) {
    until("the listener's end", async || TcpStream::connect(proxy.listen).await.is_err().then_some(())).await;
}

async fn ends_after_what_is_in_flight(signal: &str) {
    let (first, second, primary, mirror, mut proxy) = gated().await;
    let mut client = proxy.client().await;
    client.send(Request::push("in flight").bytes()).await;
    primary.received(1).await;
    mirror.received(1).await;
    proxy.process.signal(signal);
    closed(&proxy).await;
    assert!(proxy.process.ended().is_none(), "it left with a request in flight");
    first.open();
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "late"));
    second.open();
    assert_eq!(proxy.process.end().await.code(), Some(0));
}

#[tokio::test]
async fn sigterm_lets_what_is_in_flight_end() {
    ends_after_what_is_in_flight("TERM").await;
}

#[tokio::test]
async fn sigint_lets_what_is_in_flight_end() {
    ends_after_what_is_in_flight("INT").await;
}

#[tokio::test]
async fn a_request_that_is_still_arriving_is_finished_too() {
    let (first, second, primary, mirror, mut proxy) = gated().await;
    let mut client = proxy.client().await;
    let request = Request::push(bytes_of(100_000, 1));
    client.send(request.head()).await;
    client.send(&request.wire_body()[..1000]).await;
    until("the request's begin", async || (primary.begun() == 1).then_some(())).await;
    proxy.process.signal("TERM");
    closed(&proxy).await;
    client.send(&request.wire_body()[1000..]).await;
    first.open();
    second.open();
    assert_eq!(client.answer().await.status(), 200);
    assert_eq!(proxy.process.end().await.code(), Some(0));
    assert!(mirror.requests().iter().all(|m| m.complete) && mirror.completed() == 1, "the copy was lost");
}

#[tokio::test]
async fn copies_that_wait_are_sent_before_the_end() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok().behind(&gate)).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let config = config.setting("max_connections", "1");
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &["--drain-time-s", "20"]).await;
    let mut client = proxy.client().await;
    for n in 0..20 {
        assert_eq!(client.exchange(&Request::push(format!("{n}"))).await.status(), 200);
    }
    proxy.process.signal("TERM");
    closed(&proxy).await;
    assert!(mirror.completed() <= 1, "the copies did not wait");
    gate.open();
    assert_eq!(proxy.process.end().await.code(), Some(0));
    assert_eq!(mirror.completed(), 20);
}

#[tokio::test]
async fn a_mirror_that_hangs_does_not_keep_the_process() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Faulty::start(Fault::NeverAnswer).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let config = config.setting("timeout", "600s");
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &["--drain-time-s", "1"]).await;
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
    until("the copy's arrival", async || (mirror.read() > 0).then_some(())).await;
    proxy.process.signal("TERM");
    assert_eq!(proxy.process.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (_first, _second, primary, _mirror, mut proxy) = gated().await;
    let mut client = proxy.client().await;
    client.send(Request::push("in flight").bytes()).await;
    primary.received(1).await;
    proxy.process.signal("TERM");
    closed(&proxy).await;
    assert!(proxy.process.ended().is_none(), "the first signal did not wait");
    proxy.process.signal("TERM");
    // The gates stay closed: nothing but the signal can have ended it.
    proxy.process.end().await;
}

#[tokio::test]
async fn idle_connections_do_not_keep_the_process() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &["--drain-time-s", "600"]).await;
    let mut used = proxy.client().await;
    assert_eq!(used.exchange(&Request::push("x")).await.status(), 200);
    let _unused = proxy.client().await;
    proxy.process.signal("TERM");
    assert_eq!(proxy.process.end().await.code(), Some(0));
}

/// Killed with connections open: the addresses are its own again at once.
#[tokio::test]
async fn after_a_crash_it_starts_again_on_the_same_addresses() {
    let [primary, secondary] = [Treatment::prompt(), Treatment::prompt()].map(Receiver::treating);
    let mut clusters = Clusters::of(primary.await, secondary.await, &[], &[]).await;
    let writers = (0..4).map(Writer::new);
    let crowd = Crowd::catching_up(clusters.proxy.listen, writers, 0..40);
    for round in 1..=3 {
        crowd.has_answers(40 * round).await;
        clusters.proxy.kill().await;
        clusters.proxy.start_again().await;
    }
    assert_eq!(crowd.finish().await.answered, 160);
    assert_eq!((clusters.primary.held(), clusters.primary.rejected()), (160 * 100, 0));
}

#[tokio::test]
async fn a_port_in_use_is_refused() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address());
    let running = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let dir = Dir::new("second");
    let file = dir.write("config.yaml", &config.text(running.listen, running.admin));
    let mut command: Command = Program::MimirMirror.command();
    command.arg("-c").arg(file);
    let mut second = Process::spawn("second proxy", command, dir);
    assert_eq!(second.end().await.code(), Some(1));
    let said = second.stderr();
    assert!(said.contains("in use"), "{said}");
    let address = [running.listen.to_string(), running.admin.to_string()];
    assert!(address.iter().any(|a| said.contains(a)), "{said}");
    assert_eq!(running.send(&Request::get("/x")).await.status(), 200);
}

#[tokio::test]
async fn each_number_of_workers_serves() {
    for workers in ["1", "4"] {
        let primary = Upstream::answering(Reply::ok()).await;
        let mirror = Upstream::answering(Reply::ok()).await;
        let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
        let proxy = Proxy::launch(Program::MimirMirror, &config, &["--concurrency", workers]).await;
        for n in 0..40 {
            assert_eq!(proxy.send(&Request::push(format!("{n}"))).await.status(), 200);
        }
        assert_eq!(proxy.settled_at("secondary", 40).await.delivered(), 40);
    }
}

#[tokio::test]
async fn logs_are_json_when_asked_for() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &["--log-format", "json", "-l", "info"]).await;
    let log = proxy.process.stderr();
    assert!(!log.is_empty(), "nothing is logged at the start");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

#[test]
fn the_version_is_told() {
    let output = Program::MimirMirror.command().arg("--version").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains(env!("CARGO_PKG_VERSION")), "{output:?}");
}

#[test]
fn an_unknown_flag_is_refused() {
    let output = Program::MimirMirror.command().arg("--no-such-flag").output().expect("it starts");
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}

//! Reloads: another configuration takes over within the process, and no client, and no copy, feels it.

mod busy;
mod refused;
mod watched;

use crate::dsl::clusters::SECONDARY;
use crate::dsl::dir::Dir;
use crate::dsl::ports::Port;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::wait::within;
use crate::dsl::{
    Client, Clusters, Config, Gate, Proxy, Receiver, Reply, Request, Treatment, Upstream, Writer, until,
};

/// How many reloads were applied, or refused.
async fn reloads(proxy: &Proxy, result: &str) -> u64 {
    proxy.metrics().await.sum("mimir_mirror_config_reloads_total", &[("result", result)])
}

/// Asks for a reload, and waits until the configuration of the file is in force and the one before knows.
async fn reload(proxy: &Proxy) {
    let (applied, told) = (reloads(proxy, "applied").await, "another configuration has taken over");
    let before = proxy.process.said(told);
    proxy.process.signal("HUP");
    until("the new configuration in force", async || {
        (proxy.process.said(told) > before && reloads(proxy, "applied").await > applied).then_some(())
    })
    .await;
}

/// Waits until so many configurations have ended.
async fn have_ended(process: &Process, configurations: usize) {
    until("the end of the configuration before", async || {
        (process.said("under the configuration before is finished") >= configurations).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_new_configuration_moves_what_it_changes_and_nothing_else() {
    let [primary, other, mirror] = [(); 3].map(|()| Upstream::answering(Reply::ok()));
    let (primary, other, mirror) = (primary.await, other.await, mirror.await);
    let config = Config::native().primary(primary.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let mut client = proxy.client().await;
    assert_eq!(client.exchange(&Request::get("/a")).await.status(), 200);
    let config = Config::native().primary(other.address()).mirror(SECONDARY, mirror.address());
    proxy.process.rewrite("config.yaml", &config.text(proxy.listen, proxy.admin));
    reload(&proxy).await;
    // Whoever was connected is asked to come again, to the same address.
    let answer = client.exchange(&Request::get("/b")).await;
    assert_eq!((answer.status(), answer.header("connection").as_deref()), (200, Some("close")));
    assert_eq!((primary.completed(), other.completed()), (2, 0));
    assert_eq!(proxy.send(&Request::get("/c")).await.status(), 200);
    assert_eq!((primary.completed(), other.completed()), (2, 1));
    assert_eq!(proxy.settled_at(SECONDARY, 1).await.delivered(), 1);
    have_ended(&proxy.process, 1).await;
    // And it may listen elsewhere.
    let port = Port::reserve();
    proxy.process.rewrite("config.yaml", &config.text(port.address(), proxy.admin));
    reload(&proxy).await;
    assert_eq!(Client::once(port.address(), &Request::get("/d")).await.status(), 200);
    until("the end of the listener that is no more", async || {
        std::net::TcpStream::connect(proxy.listen).is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_in_flight_is_finished_under_the_old_configuration() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::new(200, "late").behind(&gate)).await;
    let config = Config::native().primary(primary.address());
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let mut client = proxy.client().await;
    client.send(Request::get("/slow").bytes()).await;
    primary.received(1).await;
    reload(&proxy).await;
    gate.open();
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "late"));
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    have_ended(&proxy.process, 1).await;
    assert_eq!(proxy.send(&Request::get("/new")).await.status(), 200);
    assert!(proxy.process.ended().is_none());
    proxy.terminate().await;
}

/// After a reload, while a writer's first copy waits at the gate under the configuration before.
async fn reloaded_behind_a_first_copy(gate: &Gate) -> (Clusters, Writer) {
    let secondary = Receiver::treating(Treatment::behind(gate)).await;
    let primary = Receiver::treating(Treatment::prompt()).await;
    let clusters = Clusters::of(primary, secondary, &[], &["--drain-time-s", "600"]).await;
    let writer = Writer::new("a");
    assert_eq!(clusters.proxy.send(&writer.batch(0)).await.status(), 200);
    clusters.secondary.has_begun(1).await;
    reload(&clusters.proxy).await;
    (clusters, writer)
}

#[tokio::test]
async fn c8_newcomers_stand_behind_copies_of_the_configuration_before() {
    let gate = Gate::closed();
    let (clusters, writer) = reloaded_behind_a_first_copy(&gate).await;
    for n in 1..10 {
        assert_eq!(clusters.proxy.send(&writer.batch(n)).await.status(), 200);
    }
    clusters.is_at("mimir_mirror_pending_requests", 9).await;
    assert_eq!(clusters.number("mimir_mirror_paused").await, 1);
    assert_eq!(clusters.secondary.begun(), 1, "a copy overtook one of the configuration before");
    gate.open();
    clusters.has_caught_up(crate::dsl::wait::LIMIT).await;
    assert_eq!(clusters.secondary.rejected(), 0);
    clusters.is_at("mimir_mirror_paused", 0).await;
    have_ended(&clusters.proxy.process, 1).await;
}

/// The one in between has no copies of its own, and ends only when the first does.
#[tokio::test]
async fn c8_after_two_reloads_newcomers_stand_behind_the_first_configurations_copies() {
    let gate = Gate::closed();
    let (clusters, writer) = reloaded_behind_a_first_copy(&gate).await;
    reload(&clusters.proxy).await;
    assert_eq!(clusters.proxy.send(&writer.batch(1)).await.status(), 200);
    clusters.is_at("mimir_mirror_pending_requests", 1).await;
    assert_eq!(clusters.proxy.process.said("under the configuration before is finished"), 0);
    assert_eq!(clusters.number("mimir_mirror_paused").await, 1);
    assert_eq!(clusters.secondary.begun(), 1, "a copy overtook one of the first configuration");
    gate.open();
    clusters.has_caught_up(crate::dsl::wait::LIMIT).await;
    assert_eq!(clusters.secondary.rejected(), 0);
    have_ended(&clusters.proxy.process, 2).await;
}

#[tokio::test]
async fn what_an_operator_asked_for_outlives_a_reload() {
    let [primary, mirror] = [(); 2].map(|()| Upstream::answering(Reply::ok()));
    let (primary, mirror) = (primary.await, mirror.await);
    let config = Config::native().primary(primary.address()).mirror(SECONDARY, mirror.address());
    let proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    assert_eq!(proxy.admin_post("/mirrors/pause").await.status(), 200);
    assert_eq!(proxy.admin_post("/healthcheck/fail").await.status(), 200);
    reload(&proxy).await;
    have_ended(&proxy.process, 1).await;
    assert_eq!(proxy.admin_get("/ready").await.status(), 503);
    assert_eq!(proxy.metrics().await.sum("mimir_mirror_paused", &[("mirror", SECONDARY)]), 1);
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
    assert_eq!(proxy.ledger(SECONDARY).await.pending, 1);
    assert_eq!(proxy.admin_post("/mirrors/resume").await.status(), 200);
    assert_eq!(proxy.admin_post("/healthcheck/ok").await.status(), 200);
    assert_eq!(proxy.settled_at(SECONDARY, 1).await.delivered(), 1);
    reload(&proxy).await;
    assert_eq!(proxy.admin_get("/ready").await.status(), 200);
    assert_eq!(proxy.metrics().await.sum("mimir_mirror_paused", &[("mirror", SECONDARY)]), 0);
}

#[tokio::test]
async fn a_service_manager_hears_of_it() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let (listen, admin, dir) = (Port::reserve(), Port::reserve(), Dir::new("notified"));
    let file = dir.write("config.yaml", &config.text(listen.address(), admin.address()));
    let told = tokio::net::UnixDatagram::bind(dir.path().join("notify")).unwrap();
    let mut command = Program::MimirMirror.command();
    command.arg("-c").arg(file).arg("--disable-hot-restart");
    command.env("NOTIFY_SOCKET", dir.path().join("notify"));
    let process = Process::spawn("notified", command, dir);
    let hear = async || {
        let mut state = [0; 64];
        let length = within("a notification", told.recv(&mut state)).await.unwrap();
        String::from_utf8_lossy(&state[..length]).into_owned()
    };
    assert_eq!(hear().await, "READY=1", "{}", process.stderr());
    process.signal("HUP");
    let reloading = hear().await;
    let at = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("RELOADING=1 first");
    assert!(at.parse::<u64>().is_ok_and(|at| at > 0), "{reloading}");
    assert_eq!(hear().await, "READY=1");
    process.rewrite("config.yaml", "nonsense: 1");
    process.signal("HUP");
    assert!(hear().await.starts_with("RELOADING=1"));
    assert_eq!(hear().await, "READY=1", "it serves as before");
    process.signal("TERM");
    assert_eq!(hear().await, "STOPPING=1");
}

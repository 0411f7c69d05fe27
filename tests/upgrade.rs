//! Upgrades in place: a new process takes over from the old one, and no client, and no copy, feels it.

mod http2;
pub(crate) mod line;
mod refused;
mod restarter;

use crate::dsl::backlog::Backlog;
use crate::dsl::clusters::SECONDARY;
use crate::dsl::dir::Dir;
use crate::dsl::ports::Port;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::{
    Clusters, Config, Crowd, Gate, Latency, Proxy, Receiver, Reply, Request, Treatment, Upstream, Writer,
    until,
};

use line::{Line, Visitors, base_id, epoch, ledger};

/// Returns how many writes there were, and how many requests of visitors.
async fn three_upgrades_under_load(settings: &[(&'static str, &str)]) -> (Clusters, Vec<Process>, u64, u64) {
    let secondary = Receiver::treating(Treatment::after(&Latency::between(1..=30))).await;
    let (mut line, mut clusters) = Line::between_clusters(secondary, settings).await;
    let writers = (0..8).map(Writer::new);
    let crowd = Crowd::catching_up(clusters.proxy.listen, writers, 0..150);
    let visitors = Visitors::start(clusters.proxy.listen);
    let mut old = Vec::new();
    for round in 1..=3 {
        crowd.has_answers(250 * round).await;
        let mut before = line.upgrade(&mut clusters.proxy, &clusters.config, &[]).await;
        assert_eq!(before.end().await.code(), Some(0), "{}", before.stderr());
        old.push(before);
    }
    let sent = crowd.finish().await;
    assert_eq!((sent.answered, sent.repeated), (8 * 150, 0), "a request had to be repeated");
    let visits = visitors.finish().await;
    assert!(visits > 0);
    (clusters, old, sent.answered as u64, visits as u64)
}

#[tokio::test]
async fn c8_three_upgrades_under_load_cost_no_request_and_no_copy() {
    let (clusters, old, writes, visits) = three_upgrades_under_load(&[]).await;
    let mut received = clusters.proxy.settled(SECONDARY).await;
    let mut delivered = received.delivered();
    for process in &old {
        let (copies, outcomes) = ledger(process);
        assert_eq!(outcomes, format!("delivered={copies}"), "{outcomes}");
        received.received += copies;
        delivered += copies;
    }
    assert_eq!((received.received, delivered), (writes + visits, writes + visits));
    assert_eq!(clusters.secondary.rejected(), 0, "a copy overtook an earlier one");
    clusters.assert_equal();
}

#[tokio::test]
async fn c9_three_upgrades_under_load_with_a_backlog_cost_no_copy() {
    let backlog = Backlog::new();
    let settings = backlog.settings();
    let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let (clusters, old, writes, visits) = three_upgrades_under_load(&settings).await;
    clusters.assert_kept().await;
    let last = clusters.proxy.ledger(SECONDARY).await.received;
    assert_eq!(old.iter().map(|process| ledger(process).0).sum::<u64>() + last, writes + visits);
    assert_eq!(clusters.secondary.rejected(), 0, "a copy overtook an earlier one");
}

#[tokio::test]
async fn c8_newcomers_stand_behind_the_old_process_copies() {
    let gate = Gate::closed();
    let secondary = Receiver::treating(Treatment::behind(&gate)).await;
    let (mut line, mut clusters) = Line::between_clusters(secondary, &[]).await;
    let writer = Writer::new("a");
    assert_eq!(clusters.proxy.send(&writer.batch(0)).await.status(), 200);
    clusters.secondary.has_begun(1).await;
    let mut old = line.upgrade(&mut clusters.proxy, &clusters.config, &[]).await;
    for n in 1..10 {
        assert_eq!(clusters.proxy.send(&writer.batch(n)).await.status(), 200);
    }
    until("the copies at the new process", async || {
        (clusters.proxy.ledger(SECONDARY).await.pending == 9).then_some(())
    })
    .await;
    assert_eq!(clusters.number("mimir_mirror_paused").await, 1);
    assert_eq!(clusters.secondary.begun(), 1, "a copy overtook one of the old process");
    assert!(old.ended().is_none(), "the old process left its copy");
    gate.open();
    assert_eq!(old.end().await.code(), Some(0));
    clusters.has_caught_up(crate::dsl::wait::LIMIT).await;
    assert_eq!(clusters.secondary.rejected(), 0);
    assert_eq!(clusters.number("mimir_mirror_paused").await, 0);
    assert_eq!(ledger(&old), (1, "delivered=1".to_owned()));
}

#[tokio::test]
async fn what_is_in_flight_is_finished_by_the_old_process() {
    let gate = Gate::closed();
    let primary = Upstream::answering(Reply::new(200, "late").behind(&gate)).await;
    let config = Config::native().primary(primary.address());
    let (mut line, mut proxy) = Line::first(&config).await;
    let mut client = proxy.client().await;
    client.send(Request::get("/slow").bytes()).await;
    primary.received(1).await;
    let mut old = line.upgrade(&mut proxy, &config, &[]).await;
    assert!(old.ended().is_none());
    gate.open();
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "late"));
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert_eq!(old.end().await.code(), Some(0));
    assert_eq!(proxy.send(&Request::get("/new")).await.status(), 200);
}

#[tokio::test]
async fn the_old_process_leaves_in_time() {
    let primary = Upstream::answering(Reply::ok().behind(&Gate::closed())).await;
    let config = Config::native().primary(primary.address());
    let (mut line, mut proxy) = Line::first(&config).await;
    let mut client = proxy.client().await;
    client.send(Request::get("/hangs").bytes()).await;
    primary.received(1).await;
    let mut old = line.upgrade(&mut proxy, &config, &["--parent-shutdown-time-s", "1"]).await;
    assert_eq!(old.end().await.code(), Some(0));
    assert!(old.stderr().contains("the time to leave is over"), "{}", old.stderr());
}

#[tokio::test]
async fn a_new_process_that_cannot_start_changes_nothing() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let (mut line, mut proxy) = Line::first(&config).await;
    // It has the old one's sockets already when it finds that it cannot have its log's, or its other listener's.
    let taken = Port::reserve();
    let _holder = std::net::TcpListener::bind(taken.address()).unwrap();
    line.epoch = 1;
    let mut broken = line.spawn(&config.text(proxy.listen, taken.address()), &[]);
    assert_eq!(broken.end().await.code(), Some(1));
    assert!(broken.stderr().contains("cannot bind"), "{}", broken.stderr());
    let mut client = proxy.client().await;
    for _ in 0..3 {
        let answer = client.exchange(&Request::get("/x")).await;
        assert_eq!(
            (answer.status(), answer.header("connection")),
            (200, None),
            "the old one was told to leave"
        );
    }
    drop(client);
    // The next one succeeds.
    line.epoch = 0;
    let mut old = line.upgrade(&mut proxy, &config, &[]).await;
    assert_eq!(old.end().await.code(), Some(0));
    let info = proxy.admin_get("/stats?filter=hot_restart").await.text();
    assert!(info.contains("server.hot_restart_epoch: 1\n"), "{info}");
    assert!(info.contains("server.hot_restart_generation: 2\n"), "{info}");
}

#[tokio::test]
async fn an_old_process_that_dies_sets_the_new_one_free() {
    let gate = Gate::closed();
    let secondary = Receiver::treating(Treatment::behind(&gate)).await;
    let (mut line, mut clusters) = Line::between_clusters(secondary, &[]).await;
    let writer = Writer::new("a");
    assert_eq!(clusters.proxy.send(&writer.batch(0)).await.status(), 200);
    clusters.secondary.has_begun(1).await;
    let mut old = line.upgrade(&mut clusters.proxy, &clusters.config, &[]).await;
    assert_eq!(clusters.proxy.send(&writer.batch(1)).await.status(), 200);
    old.kill().await;
    clusters.secondary.has_begun(2).await;
    gate.open();
    assert_eq!(clusters.proxy.settled_at(SECONDARY, 1).await.delivered(), 1);
}

#[tokio::test]
async fn without_an_old_process_it_starts_if_allowed_to() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let id = base_id();
    let flags = ["--base-id", &id, "--restart-epoch", "3", "--skip-hot-restart-on-no-parent"];
    let proxy = Proxy::launch(Program::MimirMirror, &config, &flags).await;
    assert_eq!(epoch(&proxy).await, Some(3));
    assert_eq!(proxy.admin_get("/hot_restart_version").await.text(), "1.0");
}

#[tokio::test]
async fn a_base_id_can_be_chosen_and_the_door_can_be_a_file() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let dir = Dir::new("door");
    let (door, id) = (dir.path().join("door").display().to_string(), dir.path().join("base-id"));
    let id_file = id.display().to_string();
    let flags =
        ["--use-dynamic-base-id", "--base-id-path", &id_file, "--socket-path", &door, "--socket-mode", "600"];
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &flags).await;
    let base_id = std::fs::read_to_string(&id).unwrap();
    let file = format!("{door}_{base_id}_0");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut line = Line { base_id, epoch: 0 };
    let mut old = line.upgrade(&mut proxy, &config, &["--socket-path", &door]).await;
    assert_eq!(old.end().await.code(), Some(0));
    assert!(!std::path::Path::new(&file).exists(), "the old process left its door behind");
}

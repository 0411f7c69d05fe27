//! What an operator can do about a mirror's copies while the process runs: hold them, let them go, look at them.

use std::path::Path;
use std::process::Output;

use crate::dsl::clusters::SECONDARY;
use crate::dsl::proxy::Program;
use crate::dsl::{Backlog, Clusters, Gate, Proxy, Receiver, Treatment, Writer, until};

const COPIES: &str = "mimir_mirror_backlog_copies";

async fn durable(secondary: Treatment, backlog: &Backlog) -> Clusters {
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(secondary).await;
    Clusters::durable(primary, secondary, backlog, &[("timeout", "60s")]).await
}

async fn write(clusters: &Clusters, batches: std::ops::Range<usize>) {
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, batches).await;
}

/// One of the admin's commands about a mirror.
async fn command(proxy: &Proxy, name: &str) {
    let answer = proxy.admin_post(&format!("/mirrors/{name}?mirror={SECONDARY}")).await;
    assert_eq!(answer.status(), 200, "{name}: {answer:?}");
}

/// Nothing is sent while the mirror is paused, then everything, in order.
async fn pauses(clusters: &Clusters) {
    write(clusters, 0..5).await;
    clusters.assert_same(5).await;
    command(&clusters.proxy, "pause").await;
    write(clusters, 5..25).await;
    let ledger = clusters.proxy.ledger(SECONDARY).await;
    ledger.assert_adds_up();
    assert_eq!((ledger.pending, clusters.secondary.begun()), (20, 5), "{ledger:?}");
    command(&clusters.proxy, "resume").await;
    clusters.assert_same(25).await;
}

#[tokio::test]
async fn c9_a_paused_mirror_gets_its_durable_copies_when_it_is_resumed() {
    let backlog = Backlog::new();
    let clusters = durable(Treatment::prompt(), &backlog).await;
    pauses(&clusters).await;
}

#[tokio::test]
async fn a_paused_mirror_gets_its_copies_from_memory_when_it_is_resumed() {
    let [primary, secondary] = [Treatment::prompt(), Treatment::prompt()].map(Receiver::treating);
    let clusters = Clusters::of(primary.await, secondary.await, &[], &["--concurrency", "2"]).await;
    pauses(&clusters).await;
}

/// What was in flight when the pause came may end; nothing follows it.
#[tokio::test]
async fn c9_a_pause_lets_what_is_in_flight_end() {
    let (gate, backlog) = (Gate::closed(), Backlog::new());
    let clusters = durable(Treatment::behind(&gate), &backlog).await;
    write(&clusters, 0..10).await;
    clusters.secondary.has_begun(1).await;
    command(&clusters.proxy, "pause").await;
    gate.open();
    until("the end of what is in flight", async || {
        (clusters.proxy.ledger(SECONDARY).await.delivered() == 1).then_some(())
    })
    .await;
    write(&clusters, 10..20).await;
    assert_eq!(clusters.secondary.begun(), 1);
    command(&clusters.proxy, "resume").await;
    clusters.assert_same(20).await;
}

/// A paused mirror's copies are kept like any others: a crash costs none.
#[tokio::test]
async fn c9_copies_of_a_paused_mirror_survive_a_crash() {
    let backlog = Backlog::new();
    let mut clusters = durable(Treatment::prompt(), &backlog).await;
    command(&clusters.proxy, "pause").await;
    write(&clusters, 0..10).await;
    assert_eq!(clusters.secondary.begun(), 0);
    clusters.proxy.kill().await;
    clusters.proxy.start_again().await;
    // Whether the pause is remembered is not promised.
    command(&clusters.proxy, "resume").await;
    clusters.reaches("mimir_mirror_recovered_total", 10).await;
    assert_eq!(clusters.assert_kept().await.taken(), 10);
}

#[tokio::test]
async fn c9_skipping_lets_go_of_everything_that_is_not_in_flight() {
    const COUNT: usize = 20;
    let (gate, backlog) = (Gate::closed(), Backlog::new());
    let clusters = durable(Treatment::behind(&gate), &backlog).await;
    write(&clusters, 0..COUNT).await;
    clusters.secondary.has_begun(1).await;
    command(&clusters.proxy, "skip").await;
    until("the end of what waits", async || {
        let ledger = clusters.proxy.ledger(SECONDARY).await;
        (ledger.reason("expired", "skipped") == COUNT as u64 - 1).then_some(())
    })
    .await;
    assert_eq!(clusters.proxy.ledger(SECONDARY).await.pending, 1);
    gate.open();
    write(&clusters, COUNT..COUNT + 5).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, COUNT as u64 + 5).await;
    assert_eq!(
        (ledger.delivered(), ledger.reason("expired", "skipped")),
        (6, COUNT as u64 - 1),
        "{ledger:?}"
    );
    clusters.is_at(COPIES, 0).await;
}

/// What was skipped stays skipped: no later process delivers it.
#[tokio::test]
async fn c9_what_was_skipped_is_not_recovered() {
    let backlog = Backlog::new();
    let mut clusters = durable(Treatment::prompt(), &backlog).await;
    clusters.secondary.stop().await;
    write(&clusters, 0..20).await;
    command(&clusters.proxy, "skip").await;
    // One may have been in flight: it is pending on.
    until("the end of what waits", async || {
        (clusters.proxy.ledger(SECONDARY).await.pending <= 1).then_some(())
    })
    .await;
    let left = clusters.proxy.ledger(SECONDARY).await.pending;
    clusters.proxy.terminate().await;
    clusters.proxy.start_again().await;
    clusters.secondary.resume().await;
    write(&clusters, 20..21).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, 1).await;
    assert_eq!((ledger.recovered, ledger.taken()), (left, left + 1), "{ledger:?}");
}

#[tokio::test]
async fn commands_about_mirrors_are_posts_that_name_one() {
    let backlog = Backlog::new();
    let clusters = durable(Treatment::prompt(), &backlog).await;
    for name in ["pause", "resume", "skip"] {
        let of = |mirror| format!("/mirrors/{name}?mirror={mirror}");
        assert_eq!(clusters.proxy.admin_get(&of(SECONDARY)).await.status(), 405, "{name}");
        assert_eq!(clusters.proxy.admin_post(&of("nobody")).await.status(), 400, "{name}");
    }
    write(&clusters, 0..5).await;
    clusters.assert_same(5).await;
}

fn inspect(path: &Path) -> Output {
    let mut command = Program::MimirMirror.command();
    command.args(["backlog", "inspect"]).arg(path).output().expect("it starts")
}

/// Looking takes no lock and changes nothing: the running process goes on.
#[tokio::test]
async fn c9_a_backlog_can_be_inspected_beside_the_process_that_uses_it() {
    const COUNT: usize = 37;
    let backlog = Backlog::new();
    let mut clusters = durable(Treatment::prompt(), &backlog).await;
    clusters.secondary.stop().await;
    write(&clusters, 0..COUNT).await;
    clusters.is_at(COPIES, COUNT as u64).await;
    let output = inspect(backlog.path());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("37"), "{output:?}");
    clusters.secondary.resume().await;
    assert_eq!(clusters.assert_kept().await.delivered(), COUNT as u64);
    clusters.proxy.terminate().await;
    assert!(inspect(backlog.path()).status.success());
}

#[test]
fn inspecting_what_is_not_there_is_an_error() {
    let output = inspect(Path::new("/nowhere/at-all"));
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/at-all"), "{output:?}");
}

//! What a mirror says when it refuses copies reaches the operator: in the log, and at the admin's `/mirrors`.

use serde_json::{Value, json};

use crate::dsl::clusters::SECONDARY;
use crate::dsl::{Backlog, Clusters, Receiver, Switch, Treatment, Writer, until};

async fn write(clusters: &Clusters, batches: std::ops::Range<usize>) {
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, batches).await;
}

/// Waits for a line of the log that has all these parts.
async fn logs(clusters: &Clusters, parts: &[&str]) {
    until(format!("a line with {parts:?}"), async || {
        let log = clusters.proxy.process.stderr();
        log.lines().any(|line| parts.iter().all(|part| line.contains(part))).then_some(())
    })
    .await;
}

async fn mirrors(clusters: &Clusters) -> Value {
    let answer = clusters.proxy.admin_get("/mirrors?format=json").await;
    serde_json::from_str(&answer.text()).unwrap()
}

#[tokio::test]
async fn refusals_from_memory_are_told_in_the_mirrors_words() {
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::treating(Treatment::refused_with(400, "as told")).await;
    let clusters = Clusters::of(primary, secondary, &[], &[]).await;
    write(&clusters, 0..3).await;
    clusters.proxy.settled_at(SECONDARY, 3).await;
    logs(&clusters, &["copies were lost or refused", "rejected/other=", "rejected/other: 400", "as told"])
        .await;
    let text = clusters.proxy.admin_get("/mirrors").await.text();
    assert!(text.starts_with("secondary\n  delivery  memory\n  paused    no\n"), "{text}");
    assert!(text.contains("  outcomes  rejected/other=3\n"), "{text}");
    let one = &mirrors(&clusters).await["mirrors"][0];
    let refusal = &one["last_refusals"][0];
    assert_eq!((&refusal["reason"], &refusal["status"]), (&json!("other"), &json!(400)), "{one}");
    assert_eq!((&one["limited"], &one["pending_copies"]), (&json!(false), &json!(0)), "{one}");
}

/// Nothing is lost while it waits, so nothing else would tell that a password is wrong.
#[tokio::test]
async fn c9_a_mirror_that_lets_nothing_in_is_told_while_copies_wait() {
    let (switch, backlog) = (Switch::on(Treatment::refused_with(401, "as told")), Backlog::new());
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::switched(&switch).await;
    let clusters = Clusters::durable(primary, secondary, &backlog, &[]).await;
    write(&clusters, 0..5).await;
    let parts = ["the mirror takes no copies; they wait", "pending=5", "failed/unauthorized: 401", "as told"];
    logs(&clusters, &parts).await;
    clusters.is_at("mimir_mirror_backlog_copies", 5).await;
    let one = &mirrors(&clusters).await["mirrors"][0];
    assert_eq!((&one["delivery"], &one["pending_copies"]), (&json!("durable"), &json!(5)), "{one}");
    assert_eq!((&one["backlog"]["open"], &one["backlog"]["copies"]), (&json!(true), &json!(5)), "{one}");
    assert_eq!((&one["limited"], &one["limited_tenants"]), (&json!(true), &json!(1)), "{one}");
    let refusal = &one["last_refusals"][0];
    assert_eq!((&refusal["reason"], &refusal["status"]), (&json!("unauthorized"), &json!(401)), "{one}");
    switch.set(Treatment::prompt());
    logs(&clusters, &["the mirror takes copies again"]).await;
    clusters.assert_kept().await;
}

#[tokio::test]
async fn a_pause_shows_as_metrics() {
    let primary = Receiver::treating(Treatment::prompt()).await;
    let clusters = Clusters::of(primary, Receiver::treating(Treatment::prompt()).await, &[], &[]).await;
    let (paused, limit) = ("mimir_mirror_paused", "mimir_mirror_in_flight_limit");
    assert_eq!((clusters.number(paused).await, clusters.number(limit).await), (0, 256));
    let target = format!("/mirrors/pause?mirror={SECONDARY}");
    assert_eq!(clusters.proxy.admin_post(&target).await.status(), 200);
    clusters.is_at(paused, 1).await;
    assert_eq!(clusters.number(limit).await, 0);
    let text = clusters.proxy.admin_get("/mirrors").await.text();
    assert!(text.contains("  paused    yes\n  in flight at most 0 of 256, limited\n"), "{text}");
}

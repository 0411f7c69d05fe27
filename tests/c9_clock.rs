//! C9 over steps of the wall clock: a machine that finds out the time while copies are kept ends none of them by it.

use crate::dsl::clock::Clock;
use crate::dsl::clusters::SECONDARY;
use crate::dsl::proxy::Program;
use crate::dsl::{Backlog, Clusters, Config, Proxy, Receiver, Switch, Treatment, Writer};

const DAY: i64 = 24 * 60 * 60;
const EACH: usize = 20;

/// What the process takes for the time, in milliseconds since 1970.
async fn time(proxy: &Proxy) -> i64 {
    let status: serde_json::Value =
        serde_json::from_slice(&proxy.admin_get("/api/status").await.body).expect("JSON");
    status["at_ms"].as_i64().expect("a number")
}

/// A secondary that takes nothing while the clock steps by so many seconds.
async fn step(seconds: i64) {
    let (clock, backlog, switch) = (Clock::new(), Backlog::new(), Switch::on(Treatment::refused(503)));
    let (primary, secondary) =
        (Receiver::treating(Treatment::prompt()).await, Receiver::switched(&switch).await);
    let config = Config::native().primary(primary.address()).mirror(SECONDARY, secondary.address());
    let settings = backlog.settings();
    let config = settings.iter().fold(config, |config, (key, value)| config.setting(key, value));
    let mut command = Program::MimirMirror.command();
    clock.show(&mut command);
    let proxy = Proxy::on_text(command, |listen, admin| config.text(listen, admin), &[]).await;
    let clusters = Clusters { primary, secondary, proxy, config };

    let mut client = clusters.proxy.client().await;
    let writer = Writer::new("w");
    writer.catch_up(&mut client, 0..EACH).await;
    let before = time(&clusters.proxy).await;
    clock.step(seconds);
    let stepped = time(&clusters.proxy).await - before;
    assert!((stepped - seconds * 1000).abs() < DAY * 500, "the clock stepped by {stepped} ms");
    writer.catch_up(&mut client, EACH..2 * EACH).await;
    // Counted now and then, each time after what is too old was let go.
    clusters.is_at("mimir_mirror_backlog_copies", 2 * EACH as u64).await;
    let age = clusters.number("mimir_mirror_backlog_age_seconds").await;
    assert!(age < 3600, "the oldest copy is said to be {age} s old");
    switch.set(Treatment::prompt());
    let ledger = clusters.assert_kept().await;
    assert_eq!(ledger.received, 2 * EACH as u64, "{ledger:?}");
}

#[tokio::test]
async fn c9_a_wall_clock_that_steps_a_day_ahead_ends_no_copy() {
    step(DAY).await;
}

#[tokio::test]
async fn c9_a_wall_clock_that_steps_a_day_back_ends_no_copy() {
    step(-DAY).await;
}

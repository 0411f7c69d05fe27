//! C9: whatever happens to the secondary for a while, it gets every sample in the end, and no writer notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::dsl::clusters::SECONDARY;
use crate::dsl::crowd::Sent;
use crate::dsl::{
    Backlog, Clusters, Crowd, Gate, Latency, Ledger, Receiver, Request, Switch, Treatment, Writer, until,
};

const WRITERS: usize = 8;
const BATCHES: usize = 40;
const ALL: usize = WRITERS * BATCHES;
const UNDISTURBED: Sent = Sent { answered: ALL, repeated: 0 };

/// How often copies were sent again.
const RETRIES: &str = "mimir_mirror_retries_total";
/// Copies in the backlog.
const COPIES: &str = "mimir_mirror_backlog_copies";

fn writers() -> impl Iterator<Item = Writer> {
    (0..WRITERS).map(Writer::new)
}

/// A prompt primary, a secondary that does as the switch says, and durable delivery.
async fn switched(switch: &Switch, backlog: &Backlog, settings: &[(&'static str, &str)]) -> Clusters {
    let primary = Receiver::treating(Treatment::prompt()).await;
    Clusters::durable(primary, Receiver::switched(switch).await, backlog, settings).await
}

/// Writers catch up. When a quarter of their writes has been answered trouble comes to the secondary; it goes when
/// three quarters have been, and the proxy has felt it.
async fn keeps_all(trouble: Treatment, writers: impl Iterator<Item = Writer>) -> Ledger {
    let (switch, backlog) = (Switch::on(Treatment::prompt()), Backlog::new());
    let clusters = switched(&switch, &backlog, &[("timeout", "300ms")]).await;
    let crowd = Crowd::catching_up(clusters.proxy.listen, writers, 0..BATCHES);
    crowd.has_answers(ALL / 4).await;
    switch.set(trouble);
    crowd.has_answers(ALL * 3 / 4).await;
    clusters.reaches(RETRIES, 3).await;
    switch.set(Treatment::prompt());
    assert_eq!(crowd.finish().await, UNDISTURBED);
    let ledger = clusters.assert_kept().await;
    assert_eq!(ledger.received, ALL as u64, "{ledger:?}");
    ledger
}

#[tokio::test]
async fn c9_a_secondary_that_hangs_for_a_while_gets_all() {
    keeps_all(Treatment::hanging(), writers()).await;
}

#[tokio::test]
async fn c9_a_secondary_that_answers_500_for_a_while_gets_all() {
    keeps_all(Treatment::refused(500), writers()).await;
}

#[tokio::test]
async fn c9_a_secondary_that_answers_503_for_a_while_gets_all() {
    keeps_all(Treatment::refused(503), writers()).await;
}

#[tokio::test]
async fn c9_a_secondary_whose_door_says_404_for_a_while_gets_all() {
    keeps_all(Treatment::refused(404), writers()).await;
}

#[tokio::test]
async fn c9_a_secondary_whose_door_says_401_for_a_while_gets_all() {
    keeps_all(Treatment::refused(401), writers()).await;
}

/// It takes the copies, but its answers never arrive whole.
#[tokio::test]
async fn c9_a_secondary_whose_answers_are_cut_off_for_a_while_gets_all() {
    keeps_all(Treatment::cut_off(), writers()).await;
}

/// Copies of one tenant that arrived in another order would be too old: a TSDB takes an hour.
#[tokio::test]
async fn c9_writes_of_times_three_hours_apart_are_kept() {
    let of = |n| Writer::new(n).tenant(&format!("tenant-{n}")).every(3 * 60 * 60 * 1000);
    keeps_all(Treatment::refused(503), (0..WRITERS).map(of)).await;
}

/// Nobody listens, from the middle of what is under way on.
#[tokio::test]
async fn c9_a_secondary_that_is_away_for_a_while_gets_all() {
    let (switch, backlog) = (Switch::on(Treatment::after(&Latency::between(0..=30))), Backlog::new());
    let mut clusters = switched(&switch, &backlog, &[]).await;
    let crowd = Crowd::catching_up(clusters.proxy.listen, writers(), 0..BATCHES);
    crowd.has_answers(ALL / 4).await;
    clusters.secondary.stop().await;
    crowd.has_answers(ALL * 3 / 4).await;
    clusters.reaches(RETRIES, 3).await;
    clusters.secondary.resume().await;
    assert_eq!(crowd.finish().await, UNDISTURBED);
    assert_eq!(clusters.assert_kept().await.received, ALL as u64);
    clusters.is_at(COPIES, 0).await;
}

/// Without trouble a durable copy is sent once, and in order at any distance.
#[tokio::test]
async fn c8_a_distant_secondary_gets_all_in_order_with_durable_delivery() {
    let (switch, backlog) = (Switch::on(Treatment::after(&Latency::between(0..=100))), Backlog::new());
    let clusters = switched(&switch, &backlog, &[]).await;
    let crowd = Crowd::catching_up(clusters.proxy.listen, writers(), 0..BATCHES);
    assert_eq!(crowd.finish().await, UNDISTURBED);
    clusters.assert_same(ALL as u64).await;
    assert_eq!(clusters.secondary.begun(), ALL);
}

/// Prompt once it is open; before, it answers each tenant with the status that the tenant is named after.
async fn door(open: &Arc<AtomicBool>) -> Receiver {
    let open = Arc::clone(open);
    Receiver::scripted(move |request, _| match request.tenant().parse() {
        Ok(status) if !open.load(Ordering::SeqCst) => Treatment::refused(status),
        _ => Treatment::prompt(),
    })
    .await
}

/// How many requests of this tenant came.
fn visits_of(receiver: &Receiver, tenant: u16) -> usize {
    receiver.visits().iter().filter(|visit| visit.request.tenant() == tenant.to_string()).count()
}

/// What a door says is no verdict on the data: the copies are held, and sent again in order.
#[tokio::test]
async fn c9_whatever_the_door_says_copies_are_held_and_sent_again() {
    const DOOR: [u16; 10] = [301, 302, 307, 401, 403, 404, 405, 407, 408, 421];
    const EACH: usize = 3;
    let (open, backlog) = (Arc::new(AtomicBool::new(false)), Backlog::new());
    let primary = Receiver::treating(Treatment::prompt()).await;
    let clusters = Clusters::durable(primary, door(&open).await, &backlog, &[]).await;
    let mut client = clusters.proxy.client().await;
    for status in DOOR {
        Writer::new("a").tenant(&status.to_string()).catch_up(&mut client, 0..EACH).await;
    }
    for status in DOOR {
        let what = format!("a second attempt after a {status}");
        until(what, async || (visits_of(&clusters.secondary, status) > 1).then_some(())).await;
    }
    open.store(true, Ordering::SeqCst);
    let ledger = clusters.assert_kept().await;
    assert_eq!(ledger.delivered(), (DOOR.len() * EACH) as u64, "{ledger:?}");
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
}

/// A verdict on the data is final: no other attempt would get another answer.
#[tokio::test]
async fn c9_a_verdict_on_the_data_is_final() {
    const VERDICTS: [u16; 5] = [400, 409, 413, 415, 422];
    let (open, backlog) = (Arc::new(AtomicBool::new(false)), Backlog::new());
    let primary = Receiver::treating(Treatment::prompt()).await;
    let clusters = Clusters::durable(primary, door(&open).await, &backlog, &[]).await;
    let mut client = clusters.proxy.client().await;
    for status in VERDICTS {
        Writer::new("a").tenant(&status.to_string()).catch_up(&mut client, 0..1).await;
    }
    let ledger = clusters.proxy.settled_at(SECONDARY, VERDICTS.len() as u64).await;
    assert_eq!(ledger.outcome("rejected"), VERDICTS.len() as u64, "{ledger:?}");
    assert!(VERDICTS.iter().all(|status| visits_of(&clusters.secondary, *status) == 1));
    clusters.is_at(COPIES, 0).await;
}

/// An answer that says "out of order" to a first attempt is a rejection; to a second one it says that the first was taken
/// though its answer was lost.
#[tokio::test]
async fn c7_only_a_second_attempt_is_counted_as_repeated() {
    let backlog = Backlog::new();
    let primary = Receiver::treating(Treatment::prompt()).await;
    let secondary = Receiver::scripted(|_, n| match n {
        0 => Treatment::cut_off(),
        _ => Treatment::refused_with(400, "out of order sample"),
    })
    .await;
    let clusters = Clusters::durable(primary, secondary, &backlog, &[]).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..2).await;
    let ledger = clusters.proxy.settled_at(SECONDARY, 2).await;
    assert_eq!((ledger.outcome("repeated"), ledger.reason("rejected", "out_of_order")), (1, 1), "{ledger:?}");
    assert_eq!(clusters.secondary.begun(), 3);
}

/// Only writes are kept: an answer to a read that comes an hour later is of no use.
#[tokio::test]
async fn c9_reads_of_a_durable_mirror_have_one_attempt() {
    let backlog = Backlog::new();
    let mut clusters = switched(&Switch::on(Treatment::prompt()), &backlog, &[]).await;
    clusters.secondary.stop().await;
    let mut client = clusters.proxy.client().await;
    for n in 0..5 {
        assert_eq!(client.exchange(&Request::get(&format!("/read/{n}"))).await.status(), 200);
    }
    let ledger = clusters.proxy.settled_at(SECONDARY, 5).await;
    assert_eq!(ledger.reason("failed", "connect_failed"), 5, "{ledger:?}");
    assert_eq!(clusters.number(COPIES).await, 0);
}

/// No copy is to blame for an outage, however short the patience with a single copy.
#[tokio::test]
async fn c9_an_outage_costs_no_copy_its_attempts() {
    let (switch, backlog) = (Switch::on(Treatment::refused(503)), Backlog::new().with("max_attempts", "2"));
    let clusters = switched(&switch, &backlog, &[]).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..10).await;
    clusters.reaches(RETRIES, 6).await;
    switch.set(Treatment::prompt());
    assert_eq!(clusters.assert_kept().await.delivered(), 10);
}

/// What is in flight when the attempt's time is over may still be taken; nothing is lost or out of order by that.
#[tokio::test]
async fn c9_a_copy_that_is_taken_late_disturbs_nothing() {
    let (gate, backlog) = (Gate::closed(), Backlog::new());
    let (switch, late) = (Switch::on(Treatment::behind(&gate)), gate.clone());
    let clusters = switched(&switch, &backlog, &[("timeout", "300ms")]).await;
    let mut client = clusters.proxy.client().await;
    Writer::new("a").catch_up(&mut client, 0..10).await;
    clusters.secondary.has_begun(3).await;
    late.open();
    switch.set(Treatment::prompt());
    clusters.assert_kept().await;
}

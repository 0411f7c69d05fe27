//! The cell's rule, step by step and over random histories.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Wake, Waker};

use tokio::sync::mpsc;

use super::super::ticket::{Handle, Held, Ticket};
use super::super::{By, Protocol};
use super::*;

const ROOM: usize = 32;
/// A worker that has no copies.
const OTHER: usize = 1;

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

struct Rig {
    cells: Rc<Handle>,
    events: mpsc::Receiver<Event>,
    permits: mpsc::Receiver<Permit>,
}

fn rig() -> Rig {
    rig_of(OTHER)
}

/// At this worker's own handle. All copies are worker 0's.
fn rig_of(worker: usize) -> Rig {
    let (event, events) = mpsc::channel(ROOM);
    let (permit, permits) = mpsc::channel(100);
    Rig { cells: Rc::new(Handle::new(Cells::new(0, event, vec![permit]), worker)), events, permits }
}

impl Rig {
    fn take_at(&self, tenant: u64, arrived_ms: u64) -> (Held, Way) {
        self.take_begun(tenant, arrived_ms, self.begin(tenant))
    }

    fn begin(&self, tenant: u64) -> u64 {
        self.cells.begin(self.cells.key(tenant))
    }

    fn take_begun(&self, tenant: u64, arrived_ms: u64, behind: u64) -> (Held, Way) {
        let entry = |place| Entry {
            place,
            arrived_ms,
            worker: 0,
            by: By::Series(Protocol::RemoteWrite),
            wire: Weak::new(),
        };
        let (ticket, way) = Ticket::take(&self.cells, self.cells.key(tenant), behind, entry);
        (Held(ticket), way)
    }

    fn take(&self) -> (Held, Way) {
        self.take_at(1, 0)
    }

    fn permitted(&mut self) -> Vec<u64> {
        std::iter::from_fn(|| self.permits.try_recv().ok()).map(|permit| permit.place.0).collect()
    }

    fn told(&mut self) -> Vec<String> {
        let told = std::iter::from_fn(|| self.events.try_recv().ok()).map(|event| match event {
            Event::Enter(_, entry) => format!("enter {}", entry.place.0),
            Event::Trail(_, place) => format!("trail {}", place.0),
            Event::Finish { place, .. } => format!("finish {}", place.0),
            Event::Forget(_) => "forget".to_owned(),
        });
        told.collect()
    }
}

#[test]
fn c8_copies_go_directly_while_nothing_trails() {
    let mut rig = rig();
    let (first, way) = rig.take();
    assert_eq!(way, Way::Direct);
    assert_eq!(rig.take().1, Way::Direct, "a request in progress is no reason to wait");
    first.0.trail();
    drop(first);
    assert_eq!(rig.take().1, Way::Direct, "it has left");
    assert!(rig.told().is_empty() && rig.permitted().is_empty());
}

#[test]
fn c8_a_newcomer_waits_for_what_trailed_when_it_arrived_and_for_nothing_else() {
    let mut rig = rig();
    let ((first, _), (second, _), (third, _)) = (rig.take(), rig.take(), rig.take());
    first.0.trail();
    second.0.trail();
    let (fourth, way) = rig.take();
    assert_eq!(way, Way::Queued);
    third.0.trail();
    let (fifth, way) = rig.take();
    assert_eq!(way, Way::Queued);
    drop(second);
    assert!(rig.permitted().is_empty(), "the first still trails");
    drop(first);
    assert_eq!(rig.permitted(), [3], "the third began to trail after the fourth had arrived");
    drop(third);
    assert_eq!(rig.permitted(), [4]);
    drop((fourth, fifth));
    assert_eq!(rig.take().1, Way::Direct);
}

#[test]
fn c8_a_workers_own_copies_need_no_channel() {
    let mut rig = rig_of(0);
    let ((first, _), (second, _)) = (rig.take(), rig.take());
    first.0.trail();
    second.0.trail();
    let (third, way) = rig.take();
    assert_eq!(way, Way::Queued);
    let cells = Rc::clone(&rig.cells);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut freed = pin!(cells.any_freed());
    let mut poll = || freed.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    drop(first);
    assert!(!woken.0.load(Relaxed) && poll().is_pending(), "the second still trails");
    drop(second);
    assert!(woken.0.load(Relaxed) && poll().is_ready());
    let places: Vec<u64> = rig.cells.freed().iter().map(|permit| permit.place.0).collect();
    assert_eq!(places, [2]);
    assert!(rig.permitted().is_empty() && rig.cells.freed().is_empty());
    drop(third);
}

#[test]
fn c8_what_begins_to_trail_while_a_request_arrives_is_no_reason_to_wait() {
    let mut rig = rig();
    let (first, _) = rig.take();
    let (second, _) = rig.take();
    first.0.trail();
    let begun = rig.begin(1);
    second.0.trail();
    let (_third, way) = rig.take_begun(1, 0, begun);
    assert_eq!(way, Way::Queued);
    drop(first);
    assert_eq!(rig.permitted(), [2], "the second was not answered yet when the third began");
}

#[test]
fn c8_a_waiting_copy_trails_as_any_other() {
    let mut rig = rig();
    let (first, _) = rig.take();
    first.0.trail();
    let (second, _) = rig.take();
    second.0.trail();
    let (_third, way) = rig.take();
    assert_eq!(way, Way::Queued);
    drop(first);
    assert_eq!(rig.permitted(), [1]);
    drop(second);
    assert_eq!(rig.permitted(), [2]);
}

#[test]
fn c8_tenants_do_not_wait_for_each_other() {
    let rig = rig();
    let (first, _) = rig.take_at(1, 0);
    first.0.trail();
    assert_eq!(rig.take_at(2, 0).1, Way::Direct);
}

#[test]
fn c8_a_long_wait_makes_the_order_thread_read_until_nothing_waits() {
    let mut rig = rig();
    let (first, _) = rig.take_at(1, 0);
    first.0.trail();
    let (second, _) = rig.take_at(1, 0);
    assert!(rig.told().is_empty());
    let (third, _) = rig.take_at(1, WAIT_MS);
    assert_eq!(rig.told(), ["enter 0", "trail 0", "enter 1", "enter 2"]);
    second.0.trail();
    drop(first);
    assert_eq!(rig.permitted(), [1, 2]);
    drop((second, third));
    drop(rig.take_at(1, WAIT_MS + 2));
    assert_eq!(rig.told(), ["trail 1", "finish 0", "finish 1", "finish 2", "enter 3", "forget"]);
}

#[test]
fn c8_an_order_thread_that_is_far_behind_is_left_alone_until_it_has_forgotten() {
    let mut rig = rig();
    let (first, _) = rig.take_at(1, 0);
    first.0.trail();
    let mut waiting: Vec<_> = (0..2 * ROOM).map(|_| rig.take_at(1, 1 + WAIT_MS).0).collect();
    waiting.push(rig.take_at(1, 2 + 2 * WAIT_MS).0);
    let told = rig.told();
    assert_eq!(told.len(), ROOM);
    assert!(told.iter().all(|event| event.starts_with("enter") || event == "trail 0"));
    let now = 3 + 3 * WAIT_MS;
    waiting.push(rig.take_at(1, now).0);
    let told = rig.told();
    assert_eq!(told[..3], ["forget", "enter 0", "trail 0"], "it begins anew");
    drop(first);
    assert_eq!(rig.permitted().len(), waiting.len(), "nobody waited for it");
}

/// Against the rule spelled out: random histories of one tenant.
#[test]
fn c8_random_histories_keep_the_rule() {
    let mut random = fastrand::Rng::with_seed(13);
    for _ in 0..200 {
        let mut rig = rig();
        let mut live: Vec<(Held, Vec<u64>, bool)> = Vec::new();
        for _ in 0..60 {
            match random.u8(0..4) {
                0 | 1 => {
                    let trailing = |(held, ..): &&(Held, Vec<u64>, bool)| held.0.number().is_some();
                    let behind: Vec<_> =
                        live.iter().filter(trailing).map(|(held, ..)| held.0.place().0).collect();
                    let (held, way) = rig.take();
                    assert_eq!(way == Way::Direct, behind.is_empty());
                    live.push((held, behind, way == Way::Direct));
                }
                2 if !live.is_empty() => live[random.usize(0..live.len())].0.0.trail(),
                _ if !live.is_empty() => drop(live.swap_remove(random.usize(0..live.len()))),
                _ => {}
            }
            let unfinished: Vec<_> = live.iter().map(|(held, ..)| held.0.place().0).collect();
            let permitted = rig.permitted();
            for (held, behind, may_go) in &mut live {
                *may_go |= permitted.contains(&held.0.place().0);
                let waits = behind.iter().any(|place| unfinished.contains(place));
                assert_eq!(*may_go, !waits, "place {}", held.0.place().0);
            }
        }
    }
}

//! Random histories of a caller, the disk and the power supply; and the proof that they would find mistakes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use super::driver::{Action, Driver};
use super::model::Call;
use crate::bugs::{Bug, with};
use crate::types::Sync;

/// Enough to find every seeded mistake many times over; 900,000 ran when this was written.
const HISTORIES: u32 = 3000;

fn sizes() -> impl Strategy<Value = Vec<u16>> {
    vec(prop_oneof![4 => 0_u16..200, 1 => 200_u16..1400, 1 => Just(3000)], 1..6)
}

fn call() -> impl Strategy<Value = Call> {
    use Call::*;
    proptest::sample::select(vec![Create, Open, Read, Write, Truncate, Sync, SyncDir, Rename, Remove])
}

/// What a caller does all day, and crashes.
fn quiet() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (sizes(), any::<bool>()).prop_map(|(sizes, swapped)| Action::Append { sizes, swapped }),
        4 => Just(Action::Sync),
        5 => (1_u8..11).prop_map(|of_ten| Action::Acknowledge { of_ten }),
        4 => Just(Action::Checkpoint),
        2 => Just(Action::ReadAll),
        2 => (0_u16..4000).prop_map(|budget| Action::ReadSome { budget }),
        2 => (0_u64..40_000, 0_u16..8000).prop_map(|(later_ms, room)| Action::Expire { later_ms, room }),
        1 => Just(Action::Close),
        1 => Just(Action::Kill),
        1 => Just(Action::LosePower),
        2 => (1_u64..30).prop_map(|calls| Action::LosePowerDuring { calls }),
        1 => any::<bool>().prop_map(Action::ShortWrites),
    ]
}

/// The same, with a disk that fails and fills up.
fn troubled() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => quiet(),
        2 => (call(), any::<bool>()).prop_map(|(call, full)| Action::Fail { call, full }),
        1 => proptest::option::of(0_u16..5000).prop_map(|spare| Action::Capacity { spare }),
    ]
}

fn mode() -> impl Strategy<Value = Sync> {
    prop_oneof![Just(Sync::Interval), Just(Sync::Interval), Just(Sync::Always), Just(Sync::Never)]
}

fn runner(cases: u32, shrink: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(20),
        failure_persistence: None,
        max_shrink_iters: shrink,
        ..Config::default()
    })
}

/// Runs `cases` histories of `action` with `bug`; the shortest broken one found, if any.
fn broken<A: Strategy<Value = Action>>(bug: Option<Bug>, cases: u32, action: A) -> Option<String> {
    let shrink = if bug.is_some() { 0 } else { 2000 };
    let histories = (any::<u64>(), mode(), vec(action, 1..40));
    let result = runner(cases, shrink).run(&histories, |(seed, mode, actions)| {
        with(bug, || Driver::new(seed, mode).run(&actions)).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => None,
        Err(TestError::Fail(reason, history)) => Some(format!("{reason}\n{history:?}")),
        Err(TestError::Abort(reason)) => Some(format!("aborted: {reason}")),
    }
}

#[test]
fn c9_no_history_breaks_a_promise() {
    assert_eq!(broken(None, HISTORIES, quiet()), None);
}

#[test]
fn c9_no_history_with_a_failing_or_full_disk_breaks_a_promise() {
    assert_eq!(broken(None, HISTORIES, troubled()), None);
}

#[test]
fn histories_find_every_seeded_mistake() {
    for bug in [
        Bug::NoChecksum,
        Bug::CheckpointBeforeData,
        Bug::UnlinkBeforeCheckpoint,
        Bug::RenameBeforeSync,
        Bug::NoDirectorySync,
    ] {
        assert!(broken(Some(bug), HISTORIES, quiet()).is_some(), "{bug:?} goes unnoticed");
    }
    for bug in [Bug::TrustFailedSync, Bug::KeepTornWrite] {
        assert!(broken(Some(bug), HISTORIES, troubled()).is_some(), "{bug:?} goes unnoticed");
    }
}

/// A history in which the process dies at every single call that it makes.
#[test]
fn c9_dying_at_any_call_breaks_no_promise() {
    assert_eq!(dying_at_every_call(None), None);
}

#[test]
fn dying_at_every_call_finds_seeded_mistakes() {
    for bug in [Bug::NoChecksum, Bug::UnlinkBeforeCheckpoint, Bug::RenameBeforeSync, Bug::NoDirectorySync] {
        assert!(dying_at_every_call(Some(bug)).is_some(), "{bug:?} goes unnoticed");
    }
}

fn dying_at_every_call(bug: Option<Bug>) -> Option<String> {
    let append = |sizes: &[u16]| Action::Append { sizes: sizes.to_vec(), swapped: false };
    let day = [
        append(&[100, 500, 30]),
        Action::Sync,
        append(&[700, 64]),
        Action::Acknowledge { of_ten: 7 },
        Action::Checkpoint,
        append(&[900, 10, 800]),
        Action::Sync,
        Action::Acknowledge { of_ten: 10 },
        append(&[1, 2, 3]),
        Action::Checkpoint,
        append(&[1200]),
        Action::Close,
        append(&[300, 300, 300]),
        Action::Acknowledge { of_ten: 5 },
        Action::Checkpoint,
    ];
    for seed in 0..8 {
        let mut whole = Driver::new(seed, Sync::Interval);
        if let Err(broken) = with(bug, || whole.run(&day)) {
            return Some(broken);
        }
        for call in 1..=whole.fs.steps() {
            let mut dying = day.to_vec();
            dying.insert(0, Action::LosePowerDuring { calls: call });
            if let Err(broken) = with(bug, || Driver::new(seed, Sync::Interval).run(&dying)) {
                return Some(format!("seed {seed}, dying at call {call}: {broken}"));
            }
        }
    }
    None
}

//! What the thread hands on, what survives it, and what trouble costs.

mod running;

use std::path::Path;
use std::sync::mpsc;

use config::model::Sync;
use tokio::sync::oneshot;

use super::*;
use running::{Folder, PATIENCE, checked, start};

/// Another process' hold on the directory.
fn hold(path: &Path) -> backlog::Backlog {
    backlog::Backlog::open(path, backlog::Options::new("secondary"), backlog::fs::RealFs).expect("opens").0
}

#[test]
fn c9_what_is_in_the_backlog_of_another_process_comes_first_and_nothing_overtakes() {
    let folder = Folder::new("locked");
    let settings = folder.settings();
    let mut other = hold(&settings.path);
    let left = backlog::NewRecord {
        place: 5,
        arrival_ms: even_unix_ms(),
        tenant: 7,
        kind: 1,
        payload: &[b"stored 5 "],
    };
    other.append(&[left]).unwrap();
    let mut running = start(settings, 100);
    for message in [101, 100, 103] {
        running.copy(message, 10_000);
        running.send(ToBacklog::Trail(message));
    }
    running.copy(102, 0);
    drop(other);
    let expected = ["recovered 1 below 6", "copy 101", "trail 101", "copy 100", "trail 100", "copy 103"];
    running.expect(&expected);
    running.expect(&["trail 103", "copy 102"]);
    assert_eq!(running.kept(), [5, 100, 101, 102, 103]);
    running.close();
}

#[test]
fn c9_copies_come_back_after_a_restart_byte_for_byte() {
    let folder = Folder::new("restart");
    for sync in [Sync::Always, Sync::Every(Duration::from_millis(1)), Sync::Never] {
        let settings = model::Backlog { sync, ..folder.settings() };
        let mut running = start(settings.clone(), 1);
        running.expect(&["recovered 0 below 1"]);
        (1..=20).for_each(|place| running.copy(place, place as usize * 1000));
        (1..=20).for_each(|place| assert_eq!(running.heard(), format!("copy {place}")));
        running.send(ToBacklog::Done(vec![3, 1, 2, 9]));
        running.close();
        let mut running = start(settings, 100);
        running.expect(&["recovered 16 below 21"]);
        let found = running.read(ToBacklog::Read(vec![20, 9, 4, 5], 24_000));
        assert_eq!(found.records.iter().map(checked).collect::<Vec<_>>(), [20]);
        assert_eq!(found.gone, vec![9], "{sync:?}");
        assert_eq!(running.kept(), [4, 5, 6, 7, 8].into_iter().chain(10..=20).collect::<Vec<u64>>());
        running.close();
        std::fs::remove_dir_all(folder.settings().path).unwrap();
    }
}

#[test]
fn c9_an_answer_that_waits_hears_when_its_copy_is_saved() {
    let folder = Folder::new("before-answer");
    let mut running = start(model::Backlog { sync: Sync::Always, ..folder.settings() }, 1);
    running.expect(&["recovered 0 below 1"]);
    let (sender, saved) = oneshot::channel();
    running.copy_with(1, 100, |copy| copy.saved = Some(sender));
    running.runtime.block_on(async { tokio::time::timeout(PATIENCE, saved).await }).unwrap().expect("saved");
    running.expect(&["copy 1"]);
    let (sender, saved) = oneshot::channel();
    running.copy_with(1, 100, |copy| copy.saved = Some(sender));
    let refused = running.runtime.block_on(async { tokio::time::timeout(PATIENCE, saved).await }).unwrap();
    refused.expect_err("its place is taken: not to be saved, and told at once");
    running.expect(&["unsaved 1"]);
    running.close();
}

#[test]
fn c9_when_the_clock_went_back_newcomers_stand_behind_what_is_kept() {
    let folder = Folder::new("clock");
    let mut running = start(folder.settings(), 1000);
    running.copy(1000, 10);
    running.expect(&["recovered 0 below 1", "copy 1000"]);
    running.close();
    let mut running = start(folder.settings(), 10);
    running.copy(10, 10);
    running.send(ToBacklog::Trail(10));
    running.expect(&["recovered 1 below 1001", "copy 1001", "trail 1001"]);
    running.send(ToBacklog::Done(vec![1001]));
    let found = running.read(ToBacklog::ReadFrom(0, u64::MAX));
    assert_eq!(found.records.iter().map(|record| record.position.place).collect::<Vec<_>>(), [1000]);
    running.close();
}

#[test]
fn c9_a_full_backlog_lets_go_of_the_oldest_that_is_not_in_flight() {
    let folder = Folder::new("full");
    let mut running = start(model::Backlog { max_bytes: 100_000, ..folder.settings() }, 1);
    running.expect(&["recovered 0 below 1"]);
    running.in_flight.begin(2);
    let (mut expired, mut handed_on) = (Vec::new(), Vec::new());
    for place in 1..=300 {
        running.copy(place, 3000);
        loop {
            match running.next() {
                ToDelivery::Expired(places, Why::Size) => expired.extend(places),
                ToDelivery::Copy(copy, true) => break handed_on.push(copy.place),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(handed_on, (1..=300).collect::<Vec<u64>>());
    let kept = running.kept();
    assert!(kept.len() > 10 && kept[0] == 2 && expired.is_sorted(), "{kept:?}, {expired:?}");
    let mut all = [kept, expired].concat();
    all.sort_unstable();
    assert_eq!(all, handed_on);
    running.wait_until("counts", |stats| stats.records.get() + stats.expired_by_size.get() == 300);
    assert_eq!((running.stats.append_failures.get(), running.stats.appended_records.get()), (0, 300));
    running.close();
}

#[test]
fn c9_what_never_fits_goes_on_in_memory() {
    let folder = Folder::new("unfit");
    let mut running = start(model::Backlog { max_bytes: 100_000, ..folder.settings() }, 1);
    running.expect(&["recovered 0 below 1"]);
    running.copy(1, 60_000);
    running.copy(2, 10);
    running.expect(&["unsaved 1", "copy 2"]);
    assert_eq!(running.kept(), [2]);
    running.close();
}

#[test]
fn c9_while_all_of_a_full_backlog_is_in_flight_newcomers_wait_in_memory_to_be_saved() {
    let folder = Folder::new("in-flight");
    let mut running = start(model::Backlog { max_bytes: 50_000, ..folder.settings() }, 1);
    running.expect(&["recovered 0 below 1"]);
    (1..=30).for_each(|place| running.in_flight.begin(place));
    let (mut unsaved, mut saved) = (Vec::new(), Vec::new());
    for place in 1..=30 {
        running.copy(place, 3000);
        match running.next() {
            ToDelivery::Copy(copy, false) => unsaved.push(copy),
            ToDelivery::Copy(copy, true) => saved.push(copy.place),
            other => panic!("{other:?}"),
        }
    }
    assert!(saved.len() >= 10 && !unsaved.is_empty(), "{saved:?}");
    // The first one unsaved has its outcome, and so have all that fill the backlog.
    let over = unsaved.remove(0);
    running.send(ToBacklog::Done([&saved[..], &[over.place]].concat()));
    drop(over);
    let mut expected: Vec<u64> = unsaved.iter().map(|copy| copy.place).collect();
    while let Some(place) = expected.first() {
        let ToDelivery::Saved(places) = running.next() else { panic!("{place} is not saved") };
        assert!(expected.starts_with(&places), "{places:?} of {expected:?}");
        expected.drain(..places.len());
    }
    assert_eq!(running.kept(), unsaved.iter().map(|copy| copy.place).collect::<Vec<_>>());
    running.close();
}

#[test]
fn c9_without_a_usable_directory_copies_go_on_and_are_saved_once_there_is_one() {
    let folder = Folder::new("unusable");
    let in_the_way = folder.0.join("file");
    std::fs::write(&in_the_way, "").unwrap();
    let settings = model::Backlog { path: in_the_way.join("backlog"), ..folder.settings() };
    let mut running = start(settings, 50);
    let (finished, unfinished): (Vec<u64>, Vec<u64>) = ((50..60).collect(), (60..70).collect());
    finished.iter().for_each(|place| running.copy(*place, 100));
    finished.iter().for_each(|place| assert_eq!(running.heard(), format!("unsaved {place}")));
    unfinished.iter().for_each(|place| running.copy(*place, 100));
    let mut held = Vec::new();
    for _ in &unfinished {
        let ToDelivery::Copy(copy, false) = running.next() else { panic!("unsaved") };
        held.push(copy);
    }
    std::fs::remove_file(&in_the_way).unwrap();
    running.expect(&["recovered 0 below 1", &format!("saved {unfinished:?}")]);
    assert_eq!(running.stats.open.get(), 1);
    running.copy(70, 100);
    running.expect(&["copy 70"]);
    assert_eq!(running.kept(), (60..=70).collect::<Vec<u64>>());
    running.close();
}

#[test]
fn c9_a_disk_that_goes_away_and_comes_back_costs_nothing_that_is_unfinished() {
    let folder = Folder::new("away");
    // Segments of 10 kB: each copy needs a new file.
    let settings = model::Backlog { max_bytes: 40_000, ..folder.settings() };
    let mut running = start(settings.clone(), 1);
    running.expect(&["recovered 0 below 1"]);
    running.copy(1, 9_000);
    running.expect(&["copy 1"]);
    let away = folder.0.join("away");
    std::fs::rename(&settings.path, &away).unwrap();
    running.copy(2, 9_000);
    let ToDelivery::Copy(second, false) = running.next() else { panic!("there is no disk") };
    running
        .wait_until("counted", |stats| stats.append_failures.get() > 0 && stats.to_append_again.get() == 1);
    std::fs::rename(&away, &settings.path).unwrap();
    running.expect(&["saved [2]"]);
    drop(second);
    assert_eq!(running.kept(), [1, 2]);
    running.wait_until("well again", |stats| stats.to_append_again.get() == 0);
    running.close();
}

#[test]
fn c9_what_is_too_old_or_skipped_is_let_go_unless_in_flight() {
    let folder = Folder::new("age");
    let mut running = start(folder.settings(), 1);
    running.expect(&["recovered 0 below 1"]);
    running.in_flight.begin(1);
    (1..=2).for_each(|place| running.copy_with(place, 10, |copy| copy.arrived_ms = 0));
    (3..=4).for_each(|place| running.copy(place, 10));
    let mut heard: Vec<String> = (0..5).map(|_| running.heard()).collect();
    heard.retain(|message| !message.starts_with("copy"));
    assert_eq!(heard, ["expired [2] Age"]);
    running.in_flight.begin(4);
    running.send(ToBacklog::Skip);
    running.copy(5, 10);
    // Number 1 is in flight until it is not.
    running.expect(&["expired [3] Skipped", "copy 5"]);
    running.in_flight.end(1);
    running.expect(&["expired [1] Age"]);
    assert_eq!(running.kept(), [4, 5]);
    running.wait_until("counts", |stats| stats.records.get() == 2 && stats.skipped.get() == 1);
    running.close();
}

#[test]
fn a_batch_is_bounded_and_what_lets_go_of_everything_ends_it() {
    let (sender, receiver) = mpsc::channel();
    let mut inbox = Inbox::new(receiver);
    (0..3).for_each(|place| sender.send(ToBacklog::Trail(place)).unwrap());
    sender.send(ToBacklog::Skip).unwrap();
    (0..2000).for_each(|place| sender.send(ToBacklog::Trail(place)).unwrap());
    let now = Instant::now();
    let lengths: Vec<usize> = (0..5).map(|_| inbox.take(now).len()).collect();
    assert_eq!(lengths, [4, 512, 512, 512, 464]);
    drop(sender);
    assert!(matches!(inbox.take(now)[..], [ToBacklog::Close]), "nobody can send any more");
}

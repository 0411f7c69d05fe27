//! Records that were appended again, and what failed writes leave: one place in two segments, or in bytes that do not
//! count.

use std::io::ErrorKind;

use super::faults::{OPTIONS, append, live, open};
use super::model::{Call, ModelFs};
use crate::{Backlog, names};

/// Places 1 and 2 in an abandoned segment, 3 in the next.
fn two_segments(fs: &ModelFs) -> Backlog<ModelFs> {
    let (mut store, _) = open(fs, OPTIONS());
    append(&mut store, 1..=2, 10).unwrap();
    fs.fail(Call::Sync, ErrorKind::Other);
    store.sync().expect_err("injected");
    append(&mut store, [3], 10).unwrap();
    store
}

/// Tears the second copy of 1 and 2 somewhere behind the copy of 1.
fn tear(fs: &ModelFs, store: &mut Backlog<ModelFs>) {
    fs.set_capacity(Some(fs.used() + 70));
    append(store, 1..=2, 10).expect_err("full, and torn behind the first record");
    fs.set_capacity(None);
}

/// Where neither writing nor cutting off works, the torn end may hold whole records. They must not count as newer
/// copies of those that the store still holds elsewhere, nor come back when those are acknowledged.
#[test]
fn c9_a_torn_end_that_stays_is_neither_a_copy_nor_a_record() {
    for acknowledged in [0, 1] {
        let fs = ModelFs::new(1);
        let mut store = two_segments(&fs);
        fs.fail(Call::Truncate, ErrorKind::Other);
        tear(&fs, &mut store);
        store.acknowledge(&[0..=acknowledged]);
        store.close().expect("the cut is not needed");
        fs.restart(false);
        let expected: Vec<u64> = (acknowledged + 1..=3).collect();
        assert_eq!(live(&mut open(&fs, OPTIONS()).0), expected);
    }
}

/// A loss of power may undo the cut and keep what was cut off.
#[test]
fn c9_a_cut_is_durable_before_an_acknowledgement_relies_on_it() {
    for seed in 0..200 {
        let fs = ModelFs::new(seed);
        let mut store = two_segments(&fs);
        store.sync().unwrap();
        tear(&fs, &mut store);
        store.acknowledge(&[1..=1]);
        store.checkpoint().unwrap();
        fs.restart(true);
        drop(store);
        let left = live(&mut open(&fs, OPTIONS()).0);
        assert!(!left.contains(&1), "seed {seed}: {left:?}");
    }
}

#[test]
fn c9_an_older_copy_stays_until_the_newer_one_is_durable() {
    for seed in 0..50 {
        let fs = ModelFs::new(seed);
        let (mut store, _) = open(&fs, OPTIONS());
        append(&mut store, [1], 10).unwrap();
        append(&mut store, [2], 980).unwrap();
        store.sync().unwrap();
        append(&mut store, [1], 10).expect("in another segment");
        fs.fail(Call::Sync, ErrorKind::Other);
        store.sync().expect_err("injected");
        assert_eq!(store.take_doubtful(), [1]);
        append(&mut store, [3], 10).unwrap();
        store.sync().unwrap();
        store.checkpoint().unwrap();
        fs.restart(true);
        drop(store);
        assert_eq!(live(&mut open(&fs, OPTIONS()).0), [1, 2, 3], "seed {seed}");
    }
}

#[test]
fn c9_an_older_copy_does_not_come_back_when_the_newer_one_is_gone() {
    let fs = ModelFs::new(1);
    let (mut store, _) = open(&fs, OPTIONS());
    append(&mut store, [4], 10).unwrap();
    store.sync().unwrap();
    append(&mut store, [5], 10).unwrap();
    fs.fail(Call::Sync, ErrorKind::Other);
    store.sync().expect_err("injected");
    append(&mut store, [5, 6], 10).unwrap();
    store.sync().unwrap();
    store.checkpoint().unwrap();
    assert_eq!(live(&mut store), [4, 5, 6]);
    store.acknowledge(&[5..=5]);
    assert_eq!(store.checkpoint().unwrap().segments, 0, "4 and 6 hold both segments");
    fs.restart(false);
    drop(store);
    assert_eq!(live(&mut open(&fs, OPTIONS()).0), [4, 6]);
}

#[test]
fn c9_expiry_lets_go_of_every_copy_and_tells_it_once() {
    let fs = ModelFs::new(1);
    let mut store = two_segments(&fs);
    let doubtful = store.take_doubtful();
    append(&mut store, doubtful, 10).unwrap();
    let mut expired = store.expire(1 << 40, 0, &mut |place| place == 3).by_age;
    expired.sort_unstable();
    assert_eq!((expired, live(&mut store)), (vec![1, 2], vec![3]));
}

#[test]
fn c9_where_the_newer_copy_is_damaged_the_older_one_is_read() {
    let fs = ModelFs::new(1);
    let mut store = two_segments(&fs);
    let doubtful = store.take_doubtful();
    append(&mut store, doubtful, 10).expect("behind 3, not yet synced");
    let newest = fs.names().into_iter().rfind(|name| names::parse(name).is_some()).expect("a segment");
    let mut bytes = fs.bytes(&newest);
    bytes.iter_mut().skip(64).for_each(|byte| *byte ^= 1);
    fs.put(&newest, &bytes);
    let batch = store.read_places(&[2, 3], u64::MAX);
    assert_eq!((batch.records.len(), batch.records[0].position.place), (1, 2));
    assert_eq!(batch.damaged, [3], "there is no other copy of it");
    assert_eq!(live(&mut store), [1, 2]);
}

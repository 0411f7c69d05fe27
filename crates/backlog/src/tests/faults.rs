//! Full and failing disks, one trouble at a time: what the caller sees, and that the store goes on.

use std::io::ErrorKind;
use std::path::Path;

use super::driver::DIR;
use super::model::{Call, ModelFs};
use crate::types::{NewRecord, Options, Position, Sync};
use crate::{AppendError, Backlog, Recovery, StoreError};

pub(super) const OPTIONS: fn() -> Options = || Options { segment_bytes: 1000, ..Options::new("secondary") };

pub(super) fn open(fs: &ModelFs, options: Options) -> (Backlog<ModelFs>, Recovery) {
    Backlog::open(Path::new(DIR), options, fs.clone()).expect("opens")
}

pub(super) fn append(
    store: &mut Backlog<ModelFs>,
    places: impl IntoIterator<Item = u64>,
    size: usize,
) -> Result<Vec<Position>, AppendError> {
    let payload = vec![7; size];
    let payload: &[&[u8]] = &[&payload];
    let record = |place| NewRecord { place, arrival_ms: 1000 + place, tenant: 1, kind: 0, payload };
    let records: Vec<NewRecord<'_>> = places.into_iter().map(record).collect();
    store.append(&records)
}

pub(super) fn live(store: &mut Backlog<ModelFs>) -> Vec<u64> {
    let batch = store.read_from(0, u64::MAX);
    assert_eq!((batch.damaged, batch.unreadable), (vec![], vec![]));
    batch.records.iter().map(|record| record.position.place).collect()
}

#[test]
fn c9_a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let fs = ModelFs::new(3);
    let (mut store, _) = open(&fs, OPTIONS());
    append(&mut store, 1..=2, 100).unwrap();
    fs.set_capacity(Some(fs.used() + 200));
    let error = append(&mut store, 3..=5, 100).expect_err("no room for three");
    assert!(matches!(error.source, StoreError::NoSpace { .. }), "{error}");
    assert_eq!(error.appended, []);
    assert_eq!(live(&mut store), [1, 2]);
    append(&mut store, [3], 100).expect("there is room for one");
    fs.set_capacity(None);
    append(&mut store, 4..=30, 100).unwrap();
    store.sync().unwrap();
    fs.restart(true);
    drop(store);
    let (mut store, recovery) = open(&fs, OPTIONS());
    assert!(recovery.is_clean(), "{recovery:?}");
    assert_eq!(live(&mut store), (1..=30).collect::<Vec<u64>>());
}

/// A store that needs room to note that room is free would be full for ever.
#[test]
fn c9_a_full_disk_can_be_emptied() {
    let fs = ModelFs::new(4);
    let (mut store, _) = open(&fs, OPTIONS());
    append(&mut store, 1..=20, 100).unwrap();
    store.checkpoint().unwrap();
    fs.set_capacity(Some(fs.used()));
    append(&mut store, [21], 500).expect_err("full to the last byte");
    store.acknowledge(&[1..=12]);
    let freed = store.checkpoint().expect("finished segments go all the same");
    assert_eq!(freed.segments, 2);
    append(&mut store, [21], 500).expect("there is room now");
    assert_eq!(live(&mut store), (13..=21).collect::<Vec<u64>>());
}

#[test]
fn c9_a_full_disk_at_the_start_does_not_prevent_it() {
    let fs = ModelFs::new(5);
    let (mut store, _) = open(&fs, OPTIONS());
    append(&mut store, 1..=10, 100).unwrap();
    store.close().unwrap();
    fs.set_capacity(Some(fs.used()));
    let (mut store, recovery) = open(&fs, OPTIONS());
    assert_eq!(recovery.records, 10);
    assert_eq!(live(&mut store).len(), 10);
}

#[test]
fn c9_after_a_failed_fsync_the_segment_is_given_up_and_its_records_are_named() {
    let fs = ModelFs::new(6);
    let (mut store, _) = open(&fs, OPTIONS());
    append(&mut store, 1..=2, 10).unwrap();
    store.sync().unwrap();
    append(&mut store, 3..=5, 10).unwrap();
    store.acknowledge(&[4..=4]);
    fs.fail(Call::Sync, ErrorKind::Other);
    assert!(matches!(store.sync(), Err(StoreError::Io { .. })));
    let doubtful = store.take_doubtful();
    assert_eq!(doubtful, [3, 5], "1 and 2 are durable, 4 is acknowledged");
    assert_eq!(store.take_doubtful(), []);
    assert_eq!(live(&mut store), [1, 2, 3, 5], "they can still be read");
    append(&mut store, [6], 10).unwrap();
    append(&mut store, doubtful, 10).unwrap();
    store.sync().expect("a new segment");
    assert_eq!(live(&mut store), [1, 2, 3, 5, 6], "each once");
    assert_eq!((store.stats().abandoned_segments, store.stats().records), (1, 5));
    fs.restart(true);
    drop(store);
    assert_eq!(live(&mut open(&fs, OPTIONS()).0), [1, 2, 3, 5, 6]);
}

#[test]
fn c9_a_sync_that_fails_when_a_segment_is_full_is_told_by_the_next_sync() {
    let fs = ModelFs::new(7);
    let (mut store, _) = open(&fs, OPTIONS());
    append(&mut store, [1], 800).unwrap();
    fs.fail(Call::SyncDir, ErrorKind::Other);
    append(&mut store, [2], 800).expect("the next segment takes it");
    assert_eq!(store.take_doubtful(), [1]);
    store.sync().expect_err("not everything is durable");
    store.sync().expect("told once");
}

#[test]
fn c9_disk_use_is_bounded_and_the_oldest_that_is_not_in_flight_goes() {
    let fs = ModelFs::new(8);
    let options = Options { max_bytes: 20_000, ..OPTIONS() };
    let (mut store, _) = open(&fs, options);
    let mut expired = Vec::new();
    for place in 1..=400 {
        if let Err(error) = append(&mut store, [place], 300) {
            let StoreError::Full { needed, .. } = error.source else { panic!("{error}") };
            let gone = store.expire(0, needed, &mut |place| place == 7);
            assert_eq!(gone.by_age, []);
            expired.extend(gone.by_size);
            store.checkpoint().unwrap();
            append(&mut store, [place], 300).expect("room was made");
        }
        assert!(store.stats().disk_bytes <= 20_000, "{:?}", store.stats());
    }
    let left = live(&mut store);
    assert_eq!(left[0], 7, "in flight all the time");
    assert!(expired.is_sorted() && !expired.contains(&7), "oldest first: {expired:?}");
    let mut all: Vec<u64> = expired.into_iter().chain(left).collect();
    all.sort_unstable();
    assert_eq!(all, (1..=400).collect::<Vec<u64>>(), "each is there or told as expired");
}

#[test]
fn c9_what_can_never_fit_is_refused_as_such() {
    let fs = ModelFs::new(9);
    let (mut store, _) = open(&fs, Options { max_bytes: 20_000, ..OPTIONS() });
    let error = append(&mut store, [1], 10_001).expect_err("more than half of the whole");
    assert!(matches!(error.source, StoreError::Unfit { place: 1 }));
    append(&mut store, [2], 9_000).expect("larger than a segment");
    let reserved = NewRecord { place: 3, arrival_ms: 0, tenant: 0, kind: 0xF0, payload: &[] };
    assert!(matches!(store.append(&[reserved]).unwrap_err().source, StoreError::Unfit { place: 3 }));
    append(&mut store, [4], 10).unwrap();
    assert!(matches!(append(&mut store, [4], 10).unwrap_err().source, StoreError::PlaceTaken { place: 4 }));
    assert_eq!(live(&mut store), [2, 4]);
}

#[test]
fn c9_each_mode_syncs_as_often_as_it_says() {
    let syncs = |mode| {
        let fs = ModelFs::new(10);
        let (mut store, _) = open(&fs, Options { sync: mode, ..OPTIONS() });
        let before = (fs.calls(Call::Sync), fs.calls(Call::SyncDir));
        for batch in 0..10 {
            append(&mut store, batch * 4 + 1..=batch * 4 + 4, 10).unwrap();
        }
        let during = fs.calls(Call::Sync) - before.0;
        store.sync().unwrap();
        store.acknowledge(&[1..=20]);
        store.close().unwrap();
        (before, during, fs.calls(Call::Sync) + fs.calls(Call::SyncDir))
    };
    assert_eq!(syncs(Sync::Never), ((0, 0), 0, 0), "never is never");
    let (_, during, _) = syncs(Sync::Always);
    assert!((10..=13).contains(&during), "one for each batch and one for each full segment: {during}");
    let (_, during, all) = syncs(Sync::Interval);
    assert!(during <= 3 && all > during, "full segments alone: {during} of {all}");
}

#[test]
fn c9_a_disk_on_which_everything_fails_stops_nothing() {
    use Call::{Create, Open, Read, Remove, Rename, Truncate, Write};
    let fs = ModelFs::new(11);
    let (mut store, _) = open(&fs, OPTIONS());
    append(&mut store, 1..=9, 100).unwrap();
    store.sync().unwrap();
    for round in 0..20 {
        for call in [Create, Open, Read, Write, Truncate, Call::Sync, Call::SyncDir, Rename, Remove] {
            fs.fail(call, ErrorKind::Other);
        }
        let place = 100 + round;
        append(&mut store, [place], 900).expect_err("nothing works");
        let _ = store.sync();
        store.acknowledge(&[round + 1..=round + 1]);
        let _ = store.checkpoint();
        let _ = store.take_doubtful();
        assert_eq!(store.read_from(0, u64::MAX).records, []);
        let _ = store.expire(0, 0, &mut |_| false);
    }
    fs.heal();
    append(&mut store, [200], 900).expect("well again");
    store.checkpoint().expect("well again");
    assert_eq!(live(&mut store), [200]);
    assert!(store.stats().failures > 20);
}

#[test]
fn c9_a_dying_disk_does_not_hold_up_a_batch_for_each_of_its_records() {
    let fs = ModelFs::new(12);
    let (mut store, _) = open(&fs, OPTIONS());
    append(&mut store, 1..=500, 10).unwrap();
    fs.fail(Call::Open, ErrorKind::Other);
    let batch = store.read_from(0, u64::MAX);
    assert_eq!((batch.records.len(), batch.unreadable.len(), batch.next), (0, 64, Some(65)));
    let places: Vec<u64> = (1..=500).collect();
    let batch = store.read_places(&places, u64::MAX);
    assert_eq!((batch.records.len(), batch.unreadable.len(), batch.left.len()), (0, 64, 436));
    fs.heal();
    assert_eq!(live(&mut store), places);
}

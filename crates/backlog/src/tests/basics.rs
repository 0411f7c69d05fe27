//! The store on real files: what it promises while nothing goes wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fs::RealFs;
use crate::inspect::inspect;
use crate::types::{NewRecord, Options, Sync};
use crate::{Backlog, CheckpointState, OpenError, ReadError, name_hash, names};

/// A directory that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mimir-mirror-backlog-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self) -> Backlog {
        self.open_with(Options { segment_bytes: 4096, ..Options::new("secondary") })
    }

    fn open_with(&self, options: Options) -> Backlog {
        Backlog::open(&self.0, options, RealFs).expect("opens").0
    }

    fn segments(&self) -> usize {
        let names = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".segment")).count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn append(store: &mut Backlog, place: u64, payload: &[&[u8]]) {
    let tenant = name_hash(if place.is_multiple_of(3) { "a" } else { "b" });
    let record = NewRecord { place, arrival_ms: 1_000_000 + place, tenant, kind: 2, payload };
    store.append(&[record]).expect("a sound disk");
}

fn places(store: &mut Backlog, from: u64) -> Vec<u64> {
    store.read_from(from, u64::MAX).records.iter().map(|record| record.position.place).collect()
}

#[test]
fn c9_what_was_appended_is_there_after_a_restart() {
    let folder = Folder::new("restart");
    let mut store = folder.open();
    append(&mut store, 5, &[b"head", b"", b"body"]);
    append(&mut store, 9, &[]);
    append(&mut store, 7, &[&[3; 10_000]]);
    // No close, no sync: as if the process had been killed.
    drop(store);
    let mut store = folder.open();
    let records = store.read_from(0, u64::MAX).records;
    let found: Vec<(u64, usize)> =
        records.iter().map(|record| (record.position.place, record.payload.len())).collect();
    assert_eq!(found, [(5, 8), (7, 10_000), (9, 0)]);
    assert_eq!(records[0].payload, b"headbody");
    assert_eq!((records[0].tenant, records[0].kind), (name_hash("b"), 2));
    assert_eq!(records[0].arrival_ms, 1_000_005);
    assert_eq!(store.read(records[1].position).unwrap(), records[1]);
    assert_eq!(store.next_place(), 10);
    store.acknowledge(&[7..=7]);
    assert!(matches!(store.read(records[1].position), Err(ReadError::Gone { place: 7 })));
}

#[test]
fn c9_only_the_owner_can_read_the_files() {
    let folder = Folder::new("modes");
    let mut store = folder.open();
    append(&mut store, 1, &[b"secret"]);
    store.checkpoint().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    let entries: Vec<PathBuf> =
        std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 3, "a lock, a checkpoint and a segment: {entries:?}");
    for path in entries {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn c9_one_process_at_a_time() {
    let folder = Folder::new("lock");
    let store = folder.open();
    let again = Backlog::open(&folder.0, Options::new("secondary"), RealFs);
    assert!(matches!(again, Err(OpenError::Locked { .. })));
    assert!(inspect(&RealFs, &folder.0, false).unwrap().in_use);
    drop(store);
    assert!(!inspect(&RealFs, &folder.0, false).unwrap().in_use);
    folder.open();
}

#[test]
fn c9_reading_never_holds_more_than_its_budget() {
    let folder = Folder::new("budget");
    let mut store = folder.open();
    for place in 1..=50 {
        append(&mut store, place, &[&vec![0; 100 * (place as usize % 7)]]);
    }
    let (mut from, mut seen) = (Some(0), Vec::new());
    while let Some(place) = from {
        let batch = store.read_from(place, 1000);
        assert!(batch.records.iter().map(|record| record.payload.len()).sum::<usize>() <= 1000);
        seen.extend(batch.records.iter().map(|record| record.position.place));
        from = batch.next;
    }
    assert_eq!(seen, (1..=50).collect::<Vec<u64>>());
    let batch = store.read_from(5, 499);
    assert_eq!((batch.records.len(), batch.next), (1, Some(6)), "the first whatever its size");
}

#[test]
fn c9_places_are_read_in_the_order_asked_for() {
    let folder = Folder::new("places-read");
    let mut store = folder.open();
    for place in 1..=20 {
        append(&mut store, place, &[&vec![place as u8; 500]]);
    }
    store.acknowledge(&[4..=4]);
    let batch = store.read_places(&[17, 4, 2, 99, 2, 11, 8, 3], 1600);
    let read: Vec<(u64, u8)> =
        batch.records.iter().map(|record| (record.position.place, record.payload[499])).collect();
    assert_eq!(read, [(17, 17), (2, 2), (2, 2)]);
    assert_eq!((batch.gone, batch.left), (vec![4, 99], vec![11, 8, 3]));
    assert_eq!((batch.damaged, batch.unreadable), (vec![], vec![]));
    let batch = store.read_places(&[4, 5, 6], 1);
    assert_eq!((batch.records.len(), batch.left), (1, vec![6]), "the first whatever its size");
}

#[test]
fn c9_acknowledgements_in_any_order_free_whole_segments() {
    let folder = Folder::new("acknowledge");
    let mut store = folder.open();
    for place in 1..=40 {
        append(&mut store, place, &[&[0; 952]]);
    }
    assert_eq!(folder.segments(), 10);
    // Every second one, backwards: nothing is free yet.
    for place in (2..=40).rev().step_by(2) {
        assert_eq!(store.acknowledge(&[place..=place]), 1);
    }
    assert_eq!(store.checkpoint().unwrap().segments, 0);
    assert_eq!(store.acknowledge(&[1..=20, 15..=22, 1000..=u64::MAX]), 11);
    let freed = store.checkpoint().unwrap();
    assert_eq!((freed.segments, folder.segments()), (5, 5));
    assert!(freed.bytes >= 20_000);
    drop(store);
    let mut store = folder.open();
    assert_eq!(places(&mut store, 0), (23..=39).step_by(2).collect::<Vec<u64>>());
    assert_eq!(places(&mut store, 30), (31..=39).step_by(2).collect::<Vec<u64>>());
    assert_eq!(store.clear().unwrap(), 9);
    assert_eq!((folder.segments(), store.stats().records), (0, 0));
    append(&mut store, 41, &[]);
    assert_eq!(places(&mut store, 0), [41]);
}

#[test]
fn c9_the_checkpoint_stays_short() {
    let folder = Folder::new("checkpoint");
    let mut store = folder.open_with(Options { sync: Sync::Never, ..Options::new("secondary") });
    for place in 1..=6000 {
        append(&mut store, place, &[]);
        if place % 2 == 0 {
            store.acknowledge(&[place - 1..=place - 1]);
            store.checkpoint().unwrap();
        }
    }
    let len = std::fs::metadata(folder.0.join(names::CHECKPOINT)).unwrap().len();
    assert!(len < 64 * 1024 + 5 * 24 * 3000, "{len} bytes for 3000 ranges of 24 bytes");
    drop(store);
    assert_eq!(places(&mut folder.open(), 0).len(), 3000);
}

#[test]
fn c9_old_records_expire_unless_in_flight() {
    let folder = Folder::new("age");
    let options = Options { max_age: Duration::from_millis(10), ..Options::new("secondary") };
    let mut store = folder.open_with(options);
    for place in 1..=30 {
        append(&mut store, place, &[b"x"]);
    }
    assert_eq!(store.expire(1_000_011, 0, &mut |_| false).by_age, [0; 0], "exactly as old as allowed");
    let expired = store.expire(1_000_021, 0, &mut |place| place == 4);
    assert_eq!(expired.by_age, [1, 2, 3, 5, 6, 7, 8, 9, 10]);
    assert_eq!(expired.by_size, [0; 0]);
    assert_eq!(store.stats().oldest_arrival_ms, Some(1_000_004));
    assert_eq!(places(&mut store, 0)[..2], [4, 11]);
    assert_eq!(store.expire(0, 0, &mut |_| false).by_age, [0; 0], "a clock that went back expires nothing");
}

/// A machine that starts without a clock believes it is 1970 until it hears the time.
#[test]
fn c9_a_clock_that_jumps_makes_nobody_elses_record_old() {
    let folder = Folder::new("clock");
    let mut store = folder.open();
    let now = 1_700_000_000_000;
    let arrivals = [5, 6, now, now + 1, 7, u64::MAX, now + 2];
    let record = |(arrival_ms, place)| NewRecord { place, arrival_ms, tenant: 0, kind: 0, payload: &[] };
    let records: Vec<NewRecord<'_>> = arrivals.into_iter().zip(1..).map(record).collect();
    store.append(&records).unwrap();
    drop(store);
    let mut store = folder.open();
    assert_eq!(store.expire(now + 3, 0, &mut |_| false).by_age, [1, 2, 5]);
    assert_eq!(places(&mut store, 0), [3, 4, 6, 7]);
}

#[test]
fn c9_an_inspection_tells_what_is_there_beside_the_process_that_uses_it() {
    let folder = Folder::new("inspect");
    let mut store = folder.open();
    for place in 1..=12 {
        append(&mut store, place, &[&[0; 952]]);
    }
    store.acknowledge(&[1..=4, 6..=6]);
    store.checkpoint().unwrap();
    for verify in [false, true] {
        let seen = inspect(&RealFs, &folder.0, verify).unwrap();
        assert_eq!((seen.in_use, seen.checkpoint), (true, CheckpointState::Loaded));
        assert_eq!(seen.mirrors, [name_hash("secondary")]);
        assert_eq!(seen.segments.len(), 2);
        let first = &seen.segments[0];
        assert_eq!((first.number, first.records, first.live, first.live_bytes), (2, 4, 3, 3 * 952));
        assert_eq!((first.places, first.sealed), (Some((5, 8)), true));
        assert_eq!(first.arrivals_ms, Some((1_000_005, 1_000_008)));
        assert_eq!((first.damaged_bytes, first.header_damaged), (0, false));
        let tenants: Vec<(u64, u64)> =
            seen.tenants.iter().map(|tenant| (tenant.tenant, tenant.records)).collect();
        assert_eq!(tenants, [(name_hash("b"), 5), (name_hash("a"), 2)]);
        assert_eq!((seen.tenants[1].oldest_ms, seen.tenants[1].payload_bytes), (1_000_009, 2 * 952));
    }
}

#[test]
fn c9_places_may_be_far_apart_and_come_late() {
    let folder = Folder::new("places");
    let mut store = folder.open();
    let record = |place| NewRecord { place, arrival_ms: 0, tenant: 0, kind: 0, payload: &[b"x"] };
    let given = [1, 2, 1 << 40, (1 << 40) + 1, u64::MAX, 7, 3, 1 << 33];
    assert_eq!(store.append(&given.map(record)).unwrap().len(), given.len());
    let mut sorted = given;
    sorted.sort_unstable();
    assert_eq!(places(&mut store, 0), sorted);
    drop(store);
    assert_eq!(places(&mut folder.open(), 0), sorted);
}

#[test]
fn the_store_can_move_to_its_thread() {
    fn moves<T: Send>() {}
    moves::<Backlog<RealFs>>();
}

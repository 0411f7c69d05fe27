//! A table of damage: each row takes what it damages and no more, says so, and never makes anything up.

use std::cell::Cell;

use super::fixture::{EACH, Fixture, SEGMENTS, offset};
use super::model::Random;
use crate::bugs::{Bug, with};
use crate::format::{FileHeader, FileKind, RecordHeader, name_hash};
use crate::recovery::{CheckpointState, Damage, ForeignReason};
use crate::{OpenError, names};

#[test]
fn c9_an_undamaged_backlog_comes_back_whole() {
    let fixture = Fixture::new();
    let (places, _, recovery) = fixture.read();
    assert_eq!(places, fixture.all_but(&[]));
    assert!(recovery.is_clean(), "{recovery:?}");
    assert_eq!((recovery.segments, recovery.records, recovery.payload_bytes), (SEGMENTS, 20, 2000));
    assert_eq!(recovery.next_place, 21);
}

#[test]
fn c9_a_tail_cut_anywhere_costs_the_records_behind_the_cut() {
    let whole = Fixture::new();
    let sealed = whole.fs.bytes(&whole.segment(2)).len();
    for (number, len) in [(SEGMENTS, offset(5)), (2, sealed)] {
        for cut in 1..len {
            let fixture = Fixture::new();
            fixture.damage(&fixture.segment(number), |bytes| bytes.truncate(cut));
            let lost: Vec<u64> = (0..5).filter(|index| cut < offset(index + 1)).map(|i| i as u64).collect();
            let lost: Vec<u64> = lost.iter().map(|index| (number - 1) * EACH + 1 + index).collect();
            let (places, _, recovery) = fixture.read();
            assert_eq!(places, fixture.all_but(&lost), "segment {number} cut at {cut}");
            let torn = recovery.damage.iter().all(|damage| damage.tail && damage.segment == number);
            assert!(torn && recovery.foreign.is_empty(), "cut at {cut}: {recovery:?}");
        }
    }
}

/// What one flipped bit at every place of every file costs; the first that costs too much, if any.
fn every_flipped_bit() -> Option<String> {
    let files = Fixture::new().fs.names();
    for (nth, name) in files.iter().filter(|name| *name != names::LOCK).enumerate() {
        for at in 0..Fixture::new().fs.bytes(name).len() {
            let fixture = Fixture::new();
            fixture.damage(name, |bytes| bytes[at] ^= 1 << (at % 8));
            let (mut store, recovery) = fixture.open();
            let batch = store.read_from(0, u64::MAX);
            let sound = batch.records.iter().filter(|record| {
                fixture.records.get(&record.position.place) == Some(&record.payload)
                    && (record.arrival_ms, record.kind) == (1000 + record.position.place, 1)
            });
            let found = sound.count();
            if found != batch.records.len() {
                return Some(format!("byte {at} of file {nth}: something was made up"));
            }
            let lost = 20 - found;
            let told = batch.damaged.len() + recovery.damage.len();
            if lost > 1 || (lost == 1 && told == 0) || (name == names::CHECKPOINT && lost > 0) {
                return Some(format!("byte {at} of file {nth}: {lost} lost, {recovery:?}"));
            }
        }
    }
    None
}

#[test]
fn c9_a_flipped_bit_costs_one_record_at_most_and_is_told() {
    assert_eq!(every_flipped_bit(), None);
}

#[test]
fn without_checksums_a_flipped_bit_is_noticed_by_this_table() {
    assert!(with(Some(Bug::NoChecksum), every_flipped_bit).is_some());
}

#[test]
fn c9_damage_is_told_once_and_by_what_it_is() {
    let fixture = Fixture::new();
    fixture.damage(&fixture.segment(SEGMENTS), |bytes| bytes[offset(1) + 60] ^= 1);
    let (places, _, recovery) = fixture.read();
    assert_eq!(places, fixture.all_but(&[17]));
    let (start, end) = (offset(1) as u64, offset(2) as u64);
    assert_eq!(recovery.damage, [Damage { segment: SEGMENTS, start, end, tail: false }]);
    assert!(!recovery.is_clean());
    let (places, _, again) = fixture.read();
    assert_eq!((places, again.damage), (fixture.all_but(&[17]), vec![]));
}

#[test]
fn c9_damage_in_a_sealed_segment_is_found_when_it_is_read_and_told_once() {
    let fixture = Fixture::new();
    fixture.damage(&fixture.segment(2), |bytes| bytes[offset(2) + 60] ^= 1);
    let (mut store, recovery) = fixture.open();
    assert!(recovery.is_clean(), "the seal is sound: {recovery:?}");
    assert_eq!(recovery.records, 20);
    let batch = store.read_from(0, u64::MAX);
    assert_eq!(batch.damaged, [8]);
    assert_eq!((store.stats().damaged, store.stats().records), (1, 19));
    assert_eq!(store.read_from(0, u64::MAX).damaged, [], "told once");
    store.close().unwrap();
    assert_eq!(fixture.open().1.records, 19);
}

#[test]
fn c9_a_missing_segment_is_named_once_and_the_others_come_back() {
    let fixture = Fixture::new();
    fixture.fs.delete(&fixture.segment(2));
    let (places, _, recovery) = fixture.read();
    assert_eq!(places, fixture.all_but(&[6, 7, 8, 9, 10]));
    assert_eq!(recovery.missing, [2..=2]);
    assert!(fixture.read().2.is_clean());
}

#[test]
fn c9_a_last_segment_that_only_the_checkpoint_knows_is_missed_too() {
    let fixture = Fixture::new();
    fixture.fs.delete(&fixture.segment(SEGMENTS));
    assert_eq!(fixture.read().2.missing, [SEGMENTS..=SEGMENTS]);
}

#[test]
fn c9_a_segment_that_disappears_while_in_use_costs_its_records() {
    let fixture = Fixture::new();
    let (mut store, _) = fixture.open();
    fixture.fs.delete(&fixture.segment(3));
    let batch = store.read_from(0, u64::MAX);
    assert_eq!(batch.damaged, [11, 12, 13, 14, 15]);
    assert_eq!(batch.records.len(), 15);
}

#[test]
fn c9_a_file_without_bytes_is_removed_and_told() {
    let fixture = Fixture::new();
    let name = fixture.segment(2);
    fixture.fs.put(&name, b"");
    let (places, _, recovery) = fixture.read();
    assert_eq!(places, fixture.all_but(&[6, 7, 8, 9, 10]));
    assert_eq!((recovery.empty, recovery.missing.len()), (1, 0));
    assert!(!fixture.fs.names().contains(&name));
    assert!(fixture.read().2.is_clean());
}

#[test]
fn c9_foreign_files_are_told_and_left_alone() {
    let fixture = Fixture::new();
    let (own_name, renamed) = (names::segment(77, 5), names::segment(8, 5));
    fixture.fs.put("notes.txt", b"mine");
    fixture.fs.put("subdirectory.d", b"");
    fixture.fs.put(&own_name, &[7; 500]);
    fixture.fs.put(&renamed, &fixture.fs.bytes(&fixture.segment(1)));
    let (places, _, recovery) = fixture.read();
    assert_eq!(places, fixture.all_but(&[]));
    let expected = [
        (renamed.as_str(), ForeignReason::Renamed),
        (&own_name, ForeignReason::Content),
        ("notes.txt", ForeignReason::Name),
        ("subdirectory.d", ForeignReason::Name),
    ];
    assert_eq!(recovery.foreign, expected.map(|(name, reason)| (name.to_owned(), reason)));
    let (mut store, _) = fixture.open();
    store.clear().unwrap();
    for (name, _) in expected {
        assert!(fixture.fs.names().contains(&name.to_owned()), "{name} is gone");
    }
}

#[test]
fn c9_a_newer_version_is_refused_and_nothing_is_touched() {
    let segment = Fixture::new().segment(3);
    for name in [segment.as_str(), names::CHECKPOINT] {
        let fixture = Fixture::new();
        fixture.fs.put(names::CHECKPOINT_NEW, b"left behind");
        fixture.damage(name, |bytes| {
            bytes[8] = 2;
            let crc = crc32c::crc32c(&bytes[..60]).to_le_bytes();
            bytes[60..64].copy_from_slice(&crc);
        });
        let before = fixture.everything();
        match fixture.try_open() {
            Err(OpenError::FutureVersion { file, version: 2 }) => assert!(file.ends_with(name)),
            other => panic!("{name}: {:?}", other.err()),
        }
        assert_eq!(fixture.everything(), before);
        // The lock is free again.
        assert!(matches!(fixture.try_open(), Err(OpenError::FutureVersion { .. })));
    }
}

#[test]
fn c9_another_mirrors_backlog_is_not_touched() {
    let mut fixture = Fixture::new();
    fixture.options.mirror = name_hash("another");
    let before = fixture.everything();
    assert!(matches!(fixture.try_open(), Err(OpenError::OtherMirror { .. })));
    assert_eq!(fixture.everything(), before);
    // Without the checkpoint the segments still say whose they are.
    fixture.fs.delete(names::CHECKPOINT);
    let (places, _, recovery) = fixture.read();
    assert_eq!(places, []);
    assert_eq!(recovery.foreign.len(), 4);
    assert!(recovery.foreign.iter().all(|foreign| foreign.1 == ForeignReason::OtherMirror));
}

#[test]
fn c9_a_lost_or_damaged_checkpoint_costs_repeated_deliveries_only() {
    type Harm = fn(&Fixture);
    let harms: [(Harm, CheckpointState); 4] = [
        (|fixture| fixture.fs.delete(names::CHECKPOINT), CheckpointState::Lost),
        (|fixture| fixture.damage(names::CHECKPOINT, |bytes| bytes[64] ^= 1), CheckpointState::Damaged),
        (|fixture| fixture.damage(names::CHECKPOINT, |bytes| bytes.truncate(30)), CheckpointState::Damaged),
        (|fixture| fixture.damage(names::CHECKPOINT, |bytes| bytes.clear()), CheckpointState::Damaged),
    ];
    for (harm, state) in harms {
        let fixture = Fixture::new();
        let (mut store, _) = fixture.open();
        assert_eq!(store.acknowledge(&[2..=4, 8..=9]), 5);
        store.close().unwrap();
        assert_eq!(fixture.read().0, fixture.all_but(&[2, 3, 4, 8, 9]));
        harm(&fixture);
        let (places, _, recovery) = fixture.read();
        assert_eq!(recovery.checkpoint, state);
        assert_eq!(places, fixture.all_but(&[]));
        assert!(recovery.missing.is_empty(), "nobody knows of any: {recovery:?}");
        assert!(recovery.next_place > 21, "places may be unknown");
        assert!(fixture.read().2.is_clean(), "a sound checkpoint was written");
    }
}

#[test]
fn c9_garbage_behind_a_checkpoint_and_a_damaged_header_of_one_cost_nothing() {
    for harm in [|bytes: &mut Vec<u8>| bytes.extend([7; 99]), |bytes: &mut Vec<u8>| bytes[3] ^= 1] {
        let fixture = Fixture::new();
        let (mut store, _) = fixture.open();
        store.acknowledge(&[2..=4]);
        store.close().unwrap();
        fixture.damage(names::CHECKPOINT, harm);
        assert_eq!(fixture.read().0, fixture.all_but(&[2, 3, 4]));
    }
}

#[test]
fn c9_a_checkpoint_ahead_of_the_data_is_told_and_new_records_are_safe() {
    let fixture = Fixture::new();
    let (mut store, _) = fixture.open();
    store.acknowledge(&[18..=20]);
    store.close().unwrap();
    fixture.damage(&fixture.segment(SEGMENTS), |bytes| bytes.truncate(offset(1)));
    let (mut store, recovery) = fixture.open();
    assert_eq!((recovery.checkpoint_ahead, recovery.damage.len()), (1, 0));
    // What the checkpoint says of lost bytes must not be taken for the bytes of new records.
    fixture.append(&mut store, 17..=20);
    store.close().unwrap();
    assert_eq!(fixture.read().0, fixture.all_but(&[]));
    assert_eq!(fixture.read().2.checkpoint_ahead, 0);
}

/// A client may put a whole record of the store into a request. Damage before it must not bring it to life.
#[test]
fn c9_a_record_inside_a_payload_is_never_taken_for_one() {
    let mut forged = Vec::new();
    for salt in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
        for offset in [0, 64, 120] {
            RecordHeader { length: 0, place: 99, arrival_ms: 1, tenant: 1, kind: 1, payload_crc: 0 }.encode(
                salt,
                offset,
                &mut forged,
            );
        }
    }
    let fixture = Fixture::with(|_| forged.clone());
    for number in 1..=SEGMENTS * EACH {
        let name = fixture.segment(number);
        // Even a true record of this very segment, moved to another place, is none.
        fixture.damage(&name, |bytes| {
            let moved = bytes[64..112].to_vec();
            bytes[120..168].copy_from_slice(&moved);
            bytes[64] ^= 1;
        });
    }
    let (places, _, recovery) = fixture.read();
    assert_eq!(places, []);
    assert!(!recovery.damage.is_empty());
}

#[test]
fn c9_a_bad_sector_costs_what_it_covers_until_it_can_be_read_again() {
    let fixture = Fixture::new();
    let name = fixture.segment(SEGMENTS);
    fixture.fs.set_bad_sector(&name, offset(1) as u64 + 50, offset(1) as u64 + 60);
    let (mut store, recovery) = fixture.open();
    assert_eq!(recovery.unreadable, [SEGMENTS]);
    let found: Vec<u64> =
        store.read_from(0, u64::MAX).records.iter().map(|record| record.position.place).collect();
    assert!(found.len() >= 16 && !found.contains(&17), "{found:?}");
    assert!(recovery.next_place > 1 << 20, "the lost places are unknown: {recovery:?}");
    store.acknowledge(&[0..=16, 18..=u64::MAX]);
    store.close().unwrap();
    assert!(fixture.fs.names().contains(&name), "kept for another try");
    fixture.fs.heal();
    let (places, _, recovery) = fixture.read();
    assert!(places.contains(&17) && recovery.unreadable.is_empty(), "{places:?} {recovery:?}");
    assert!(!places.contains(&16) && !places.contains(&1), "acknowledged: {places:?}");
}

#[test]
fn c9_a_whole_file_that_cannot_be_read_keeps_its_acknowledgements() {
    let fixture = Fixture::new();
    let (mut store, _) = fixture.open();
    store.acknowledge(&[6..=7]);
    store.close().unwrap();
    let name = fixture.segment(2);
    fixture.fs.set_bad_sector(&name, 0, 1 << 20);
    let (places, _, recovery) = fixture.read();
    assert_eq!((places, recovery.unreadable), (fixture.all_but(&[6, 7, 8, 9, 10]), vec![2]));
    fixture.fs.heal();
    assert_eq!(fixture.read().0, fixture.all_but(&[6, 7]));
}

#[test]
fn the_headers_of_the_format_do_not_change_unnoticed() {
    let header = FileHeader { kind: FileKind::Segment, mirror: 0x11, number: 0x22, salt: 0x33 }.encode();
    assert_eq!(header[..12], *b"mmBKLOG\n\x01\0\0\0");
    assert_eq!((header[16], header[24], header[32]), (0x11, 0x22, 0x33));
}

/// Bytes overwritten, moved, cut and added at random, several at a time.
#[test]
fn c9_no_damage_panics_or_makes_anything_up() {
    let random = Random(Cell::new(7));
    for round in 0..3000 {
        let fixture = Fixture::new();
        for _ in 0..=random.below(4) {
            let names = fixture.fs.names();
            let name = &names[random.below(names.len() as u64) as usize];
            let other = fixture.fs.bytes(&names[random.below(names.len() as u64) as usize]);
            fixture.damage(name, |bytes| {
                let at = random.below(bytes.len() as u64 + 1) as usize;
                let piece = random.below(300) as usize;
                let end = bytes.len().min(at + piece);
                match random.below(5) {
                    0 => bytes.truncate(at),
                    1 => bytes[at..end].fill(0),
                    2 => bytes[at..end].iter_mut().for_each(|byte| *byte = random.next() as u8),
                    3 => bytes.extend(other.iter().take(piece)),
                    _ => drop(bytes.splice(at..end, other.iter().copied().skip(at).take(piece))),
                }
            });
        }
        let (places, batch, _) = fixture.read();
        assert!(places.is_sorted_by(|a, b| a < b), "round {round}: {places:?}");
        assert_eq!(batch.next, None);
        // What is left is a backlog like any other.
        let (mut store, _) = fixture.open();
        store.clear().unwrap();
        assert_eq!(store.stats().records, 0);
    }
}

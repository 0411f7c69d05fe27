//! A backlog's directory with damage: whatever its files hold, it opens or says why not, gives back nothing that was not
//! appended, each record once and in order, and reads the same the next time.
//!
//! The first byte chooses a way. Even: the others are a segment's bytes behind a sound header or not. Odd: the others
//! are changes, four bytes each (where, where, how, with what), to a sound backlog of two segments and a checkpoint.

use std::path::Path;

use backlog::{Backlog, NewRecord, Options, ReadBatch, name_hash};

use super::disk::Disk;

const DIR: &str = "/backlog";
const RECORDS: u64 = 12;
const APART: usize = 6;

pub(crate) fn damaged_backlog(bytes: &[u8]) {
    let Some((&way, rest)) = bytes.split_first() else { return };
    let disk = Disk::default();
    fill(&disk, way);
    if way % 2 == 0 {
        let name = disk.names().into_iter().find(|name| name.ends_with(".segment")).expect("one");
        let keep = usize::from(way / 2) % 128;
        disk.change(&name, |old| {
            old.truncate(keep);
            old.extend_from_slice(rest);
        });
    } else {
        rest.chunks_exact(4).take(64).for_each(|change| damage(&disk, change));
    }
    let Some(first) = read(&disk) else { return };
    let second = read(&disk).expect("it opened once");
    assert_eq!(first, second, "another reading");
}

/// Two segments and a checkpoint, or as the way says fewer.
fn fill(disk: &Disk, way: u8) {
    let options = Options { segment_bytes: 1 << 10, ..Options::new("fuzz") };
    let (mut store, _) = Backlog::open(Path::new(DIR), options, disk.clone()).expect("a sound disk");
    for place in 1..=RECORDS {
        let payload = payload(place);
        let record =
            NewRecord { place, arrival_ms: place, tenant: name_hash("t"), kind: 1, payload: &[&payload] };
        store.append(&[record]).expect("room");
    }
    store.sync().expect("a sound disk");
    if way & 2 == 0 {
        store.acknowledge(&[2..=4, 6..=6]);
        store.checkpoint().expect("a sound disk");
    }
}

fn payload(place: u64) -> Vec<u8> {
    let length = 40 + usize::try_from(place).expect("small") * APART;
    place.to_le_bytes().iter().copied().cycle().take(length).collect()
}

fn damage(disk: &Disk, change: &[u8]) {
    let &[high, low, how, with] = change else { return };
    let names = disk.names();
    let Some(name) = names.get(usize::from(how >> 4) % names.len().max(1)) else { return };
    disk.change(name, |bytes| {
        let at = usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
        let end = (at + usize::from(with)).min(bytes.len());
        match how % 6 {
            0 => bytes.truncate(at),
            1 => bytes[at..end].fill(0),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= with | 1),
            4 => bytes.extend_from_within(at..end),
            _ => bytes.splice(at..at, [with; 8]).for_each(drop),
        }
    });
}

/// The places that are there, or nothing where it does not open.
fn read(disk: &Disk) -> Option<Vec<u64>> {
    let options = Options { segment_bytes: 1 << 10, ..Options::new("fuzz") };
    let (mut store, _) = Backlog::open(Path::new(DIR), options, disk.clone()).ok()?;
    let ReadBatch { records, .. } = store.read_from(0, u64::MAX);
    let places: Vec<_> = records.iter().map(|record| record.position.place).collect();
    assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
    for record in &records {
        assert!((1..=RECORDS).contains(&record.position.place), "{record:?}");
        assert_eq!(record.payload, payload(record.position.place), "{record:?}");
    }
    // Damage that is met by reading is told once and done with.
    store.checkpoint().expect("a sound disk");
    Some(places)
}

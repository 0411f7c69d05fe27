//! A small backlog with known contents, to be damaged.

use std::collections::BTreeMap;
use std::path::Path;

use super::driver::DIR;
use super::model::ModelFs;
use crate::types::{NewRecord, Options};
use crate::{Backlog, OpenError, ReadBatch, Recovery, names};

/// Three sealed segments and one that is not, of five records each, all on disk.
pub(crate) struct Fixture {
    pub(crate) fs: ModelFs,
    pub(crate) options: Options,
    pub(crate) records: BTreeMap<u64, Vec<u8>>,
}

pub(crate) const SEGMENTS: u64 = 4;
pub(crate) const EACH: u64 = 5;

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|place| (0..100).map(|at| (place * 7 + at) as u8).collect())
    }

    pub(crate) fn with(payload: impl Fn(u64) -> Vec<u8>) -> Self {
        let options = Options { segment_bytes: 64 + EACH * 152, ..Options::new("secondary") };
        let fixture = Self {
            fs: ModelFs::new(1),
            options,
            records: (1..=SEGMENTS * EACH).map(|place| (place, payload(place))).collect(),
        };
        let (mut store, _) = fixture.open();
        fixture.append(&mut store, 1..=SEGMENTS * EACH);
        store.close().expect("a sound disk");
        fixture
    }

    pub(crate) fn append(&self, store: &mut Backlog<ModelFs>, places: impl Iterator<Item = u64>) {
        for place in places {
            let payload: &[&[u8]] = &[&self.records[&place]];
            let record = NewRecord { place, arrival_ms: 1000 + place, tenant: place % 2, kind: 1, payload };
            store.append(&[record]).expect("a sound disk");
        }
    }

    pub(crate) fn open(&self) -> (Backlog<ModelFs>, Recovery) {
        self.try_open().expect("opens")
    }

    pub(crate) fn try_open(&self) -> Result<(Backlog<ModelFs>, Recovery), OpenError> {
        Backlog::open(Path::new(DIR), self.options, self.fs.clone())
    }

    /// Opens and reads everything; what comes back must be what was appended.
    pub(crate) fn read(&self) -> (Vec<u64>, ReadBatch, Recovery) {
        let (mut store, recovery) = self.open();
        let batch = store.read_from(0, u64::MAX);
        for record in &batch.records {
            assert_eq!(
                Some(&record.payload),
                self.records.get(&record.position.place),
                "{:?}",
                record.position
            );
        }
        (batch.records.iter().map(|record| record.position.place).collect(), batch, recovery)
    }

    /// All places but these.
    pub(crate) fn all_but(&self, missing: &[u64]) -> Vec<u64> {
        self.records.keys().copied().filter(|place| !missing.contains(place)).collect()
    }

    pub(crate) fn segment(&self, number: u64) -> String {
        let is_it = |name: &String| names::parse(name).is_some_and(|parsed| parsed.0 == number);
        self.fs.names().into_iter().find(is_it).expect("the segment is there")
    }

    pub(crate) fn damage(&self, name: &str, damage: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.fs.bytes(name);
        damage(&mut bytes);
        self.fs.put(name, &bytes);
    }

    /// Every file with its bytes.
    pub(crate) fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        self.fs.names().into_iter().map(|name| (name.clone(), self.fs.bytes(&name))).collect()
    }
}

/// Offset of the record at this index in a segment of the fixture.
pub(crate) fn offset(index: usize) -> usize {
    64 + index * 152
}

//! Reading back, in order of place over all segments, never holding more than asked for.

use std::io;

use crate::error::ReadError;
use crate::format::{RECORD_HEADER, RecordHeader};
use crate::fs::{Fs, read_full};
use crate::index::Located;
use crate::store::Backlog;
use crate::types::{PlacesBatch, Position, ReadBatch, Record};

/// Files kept open for reading.
const READERS_MAX: usize = 4;
/// Records looked up at once in one segment.
const RUN: usize = 256;
/// Damaged and unreadable records after which a batch ends: a dying disk takes its time over each.
const FAULTS_MAX: usize = 64;

/// Open files by segment number, the most recently used last.
#[derive(Debug)]
pub(crate) struct Readers<F>(Vec<(u64, F)>);

impl<F> Default for Readers<F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<F> Readers<F> {
    fn get(&mut self, number: u64, open: impl FnOnce() -> io::Result<F>) -> io::Result<&F> {
        match self.0.iter().position(|reader| reader.0 == number) {
            Some(at) => {
                let reader = self.0.remove(at);
                self.0.push(reader);
            }
            None => {
                let file = open()?;
                if self.0.len() >= READERS_MAX {
                    self.0.remove(0);
                }
                self.0.push((number, file));
            }
        }
        self.0.last().map(|reader| &reader.1).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn forget(&mut self, number: u64) {
        self.0.retain(|reader| reader.0 != number);
    }
}

enum Fault {
    Damaged,
    Io(io::Error),
}

impl<S: Fs> Backlog<S> {
    /// Reads live records in order of place, from place `from` on, until the next one would take the payloads beyond
    /// `bytes_max`; the first always, whatever its size. Records that are in flight are read again: whoever reads
    /// goes on from [`ReadBatch::next`].
    pub fn read_from(&mut self, from: u64, bytes_max: u64) -> ReadBatch {
        let mut batch = ReadBatch { next: Some(from), ..ReadBatch::default() };
        let mut left = bytes_max;
        while let Some(cursor) = batch.next {
            let Some((number, run)) = self.next_run(cursor) else {
                batch.next = None;
                break;
            };
            for located in run {
                let cost = u64::from(located.length);
                let faults = batch.damaged.len().saturating_add(batch.unreadable.len());
                if (cost > left && !batch.records.is_empty()) || faults >= FAULTS_MAX {
                    batch.next = Some(located.place);
                    return batch;
                }
                batch.next = located.place.checked_add(1);
                match self.fetch_any(number, located) {
                    Ok(record) => {
                        left = left.saturating_sub(cost);
                        batch.records.push(record);
                    }
                    Err(Fault::Damaged) => batch.damaged.push(located.place),
                    Err(Fault::Io(_)) => batch.unreadable.push(located.place),
                }
            }
        }
        batch
    }

    /// Reads the live records with these places, in this order, until the next one would take the payloads beyond
    /// `bytes_max`; the first always, whatever its size.
    pub fn read_places(&mut self, places: &[u64], bytes_max: u64) -> PlacesBatch {
        let mut batch = PlacesBatch::default();
        let mut left = bytes_max;
        for (at, place) in places.iter().enumerate() {
            let Some((number, located)) = self.find_live(*place) else {
                batch.gone.push(*place);
                continue;
            };
            let cost = u64::from(located.length);
            let faults = batch.damaged.len().saturating_add(batch.unreadable.len());
            if (cost > left && !batch.records.is_empty()) || faults >= FAULTS_MAX {
                batch.left.extend(places.iter().skip(at));
                break;
            }
            match self.fetch_any(number, located) {
                Ok(record) => {
                    left = left.saturating_sub(cost);
                    batch.records.push(record);
                }
                Err(Fault::Damaged) => batch.damaged.push(*place),
                Err(Fault::Io(_)) => batch.unreadable.push(*place),
            }
        }
        batch
    }

    /// Reads one live record.
    ///
    /// # Errors
    /// When it is damaged, unreadable or not live any more.
    pub fn read(&mut self, position: Position) -> Result<Record, ReadError> {
        let place = position.place;
        let index = self.segments.get(&position.segment).map(|segment| &segment.index);
        let located = index.and_then(|index| index.find(place).filter(|located| index.is_live(located)));
        let located = located.ok_or(ReadError::Gone { place })?;
        self.fetch(position.segment, &located).map_err(|fault| match fault {
            Fault::Damaged => {
                self.give_up(position.segment, &located);
                ReadError::Damaged { place }
            }
            Fault::Io(source) => ReadError::Io { place, source },
        })
    }

    /// The next live records from `cursor` on that lie in one segment with no other segment's in between. Where two
    /// segments hold the same place, the newer one's counts.
    fn next_run(&self, cursor: u64) -> Option<(u64, Vec<Located>)> {
        let mut first: Option<(u64, u64)> = None;
        let mut limit = u64::MAX;
        for (number, segment) in &self.segments {
            let ahead = segment.index.places().is_some_and(|places| *places.end() >= cursor);
            if !ahead || segment.index.live_records() == 0 {
                continue;
            }
            let Some(next) = segment.index.live_in(&(cursor..=u64::MAX)).next() else { continue };
            match first {
                Some((place, _)) if next.place > place => limit = limit.min(next.place.saturating_sub(1)),
                Some((place, _)) => {
                    first = Some((next.place, *number));
                    limit = limit.min(place.saturating_sub(1)).max(next.place);
                }
                None => first = Some((next.place, *number)),
            }
        }
        let (place, number) = first?;
        let segment = self.segments.get(&number)?;
        Some((number, segment.index.live_in(&(place..=limit)).take(RUN).collect()))
    }

    /// The newest live record with this place.
    fn find_live(&self, place: u64) -> Option<(u64, Located)> {
        self.segments.iter().rev().find_map(|(number, segment)| {
            let located = segment.index.find(place).filter(|located| segment.index.is_live(located))?;
            Some((*number, located))
        })
    }

    /// Reads a record; where it is damaged, an older copy of it that is still there. Damaged ones are given up.
    fn fetch_any(&mut self, mut number: u64, mut located: Located) -> Result<Record, Fault> {
        loop {
            match self.fetch(number, &located) {
                Err(Fault::Damaged) => self.give_up(number, &located),
                read => return read,
            }
            (number, located) = self.find_live(located.place).ok_or(Fault::Damaged)?;
        }
    }

    fn fetch(&mut self, number: u64, located: &Located) -> Result<Record, Fault> {
        let segment = self.segments.get(&number).ok_or(Fault::Damaged)?;
        let open = || self.fs.open(&self.dir.join(segment.file_name()));
        let file = self.readers.get(number, open).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Fault::Damaged,
            _ => Fault::Io(error),
        })?;
        let mut header = [0; RECORD_HEADER as usize];
        let mut payload = vec![0; located.length as usize];
        let read = read_full(file, &mut header, located.offset).map_err(Fault::Io)?;
        let header = header.get(..read).and_then(|bytes| {
            let header = RecordHeader::decode(bytes, segment.salt, located.offset)?;
            (header.place == located.place && header.length == located.length).then_some(header)
        });
        let header = header.ok_or(Fault::Damaged)?;
        let read =
            read_full(file, &mut payload, located.offset.saturating_add(RECORD_HEADER)).map_err(Fault::Io)?;
        if read < payload.len() || !header.payload_matches(crc32c::crc32c(&payload)) {
            return Err(Fault::Damaged);
        }
        Ok(Record {
            position: segment.position(located),
            arrival_ms: header.arrival_ms,
            tenant: header.tenant,
            kind: header.kind,
            payload,
        })
    }

    fn give_up(&mut self, number: u64, located: &Located) {
        self.counters.damaged = self.counters.damaged.saturating_add(1);
        self.finish(number, located);
    }
}

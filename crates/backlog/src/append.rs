//! Appending: records into the segment that is written, full segments sealed, torn writes cut off.

use std::io::{self, IoSlice};

use crate::bugs::{Bug, seeded};
use crate::encode::{Encoded, payload_length, span_of};
use crate::error::{AppendError, StoreError};
use crate::format::{ALIGN, FILE_HEADER, FileHeader, FileKind, KIND_MAX, PAYLOAD_MAX, span};
use crate::fs::{File, Fs, write_all};
use crate::index::{Index, Located, RECORDS_MAX, SPREAD};
use crate::names;
use crate::seal;
use crate::store::{Active, Backlog, RECORD_CHARGE, Segment};
use crate::types::{NewRecord, Position, Sync};

impl<S: Fs> Backlog<S> {
    /// Appends a batch, with one write for each segment that it touches, and returns where its records are.
    ///
    /// When it returns `Ok`, the records survive the end of this process; whether they survive a loss of power is
    /// told by [`sync`](Self::sync) (under [`Sync::Always`] it is part of the append). Look at
    /// [`take_doubtful`](Self::take_doubtful) afterwards.
    ///
    /// # Errors
    /// With the records that were appended before the trouble. The others left nothing behind, or nothing but bytes
    /// that a recovery may find again under the same places: appending them again is right.
    pub fn append(&mut self, records: &[NewRecord<'_>]) -> Result<Vec<Position>, AppendError> {
        let mut appended = Vec::with_capacity(records.len());
        match self.append_all(records, &mut appended) {
            Ok(()) => Ok(appended),
            Err(source) => {
                if matches!(source, StoreError::NoSpace { .. }) {
                    self.end_finished_segment();
                }
                Err(AppendError { appended, source })
            }
        }
    }

    /// On a full disk the segment that is written may be all that takes room: when nobody needs its records any more,
    /// it ends here, and the next checkpoint removes it.
    fn end_finished_segment(&mut self) {
        let active = self.active.as_ref().and_then(|active| self.segments.get(&active.number));
        if active.is_some_and(|segment| segment.bytes > FILE_HEADER && segment.index.live_records() == 0) {
            self.retire(false);
        }
    }

    fn append_all(
        &mut self,
        mut records: &[NewRecord<'_>],
        appended: &mut Vec<Position>,
    ) -> Result<(), StoreError> {
        self.check(records)?;
        while let Some(first) = records.first() {
            self.make_ready_for(first)?;
            let (chunk, rest) = records.split_at(self.chunk(records).max(1));
            self.write(chunk, appended)?;
            records = rest;
        }
        if self.options.sync == Sync::Always { self.sync() } else { Ok(()) }
    }

    fn check(&self, records: &[NewRecord<'_>]) -> Result<(), StoreError> {
        let mut needed = FILE_HEADER;
        for record in records {
            let length = payload_length(record);
            let too_large = length > PAYLOAD_MAX || u64::from(length) > self.options.max_bytes / 2;
            if too_large || record.kind > KIND_MAX {
                return Err(StoreError::Unfit { place: record.place });
            }
            needed = needed.saturating_add(span(length).max(RECORD_CHARGE));
        }
        let max_bytes = self.options.max_bytes;
        if self.charge().saturating_add(needed) > max_bytes {
            return Err(StoreError::Full { needed, max_bytes });
        }
        Ok(())
    }

    /// Sees to it that there is an active segment with room for `record`.
    fn make_ready_for(&mut self, record: &NewRecord<'_>) -> Result<(), StoreError> {
        if let Some(active) = &self.active {
            let index = self.segments.get(&active.number).map(|segment| &segment.index);
            if index.is_some_and(|index| index.find(record.place).is_some()) {
                return Err(StoreError::PlaceTaken { place: record.place });
            }
            let fits = index.is_some_and(|index| index.fits(record.place, record.arrival_ms));
            if fits && has_room(active.end, record, self.options.segment_bytes) {
                return Ok(());
            }
            self.retire(true);
        }
        self.begin_segment()
    }

    /// How many of `records` go into the active segment with one write; the first is known to fit.
    fn chunk(&self, records: &[NewRecord<'_>]) -> usize {
        let Some(active) = &self.active else { return 0 };
        let Some(index) = self.segments.get(&active.number).map(|segment| &segment.index) else { return 0 };
        let room = RECORDS_MAX.saturating_sub(index.entries().len());
        let newest = index.places().map(|places| *places.end());
        let first = records.first().map_or((0, 0), |record| (record.place, record.arrival_ms));
        let mut last_place = None;
        let mut end = active.end;
        let mut count = 0_usize;
        for record in records.iter().take(room) {
            // Growing places cannot occur twice in one write, and all must fit into the index that the first begins.
            let grows = last_place.is_none_or(|last| record.place > last);
            let near = record.place.abs_diff(first.0).max(record.arrival_ms.abs_diff(first.1)) <= SPREAD;
            let new = newest.is_none_or(|newest| record.place > newest) || index.find(record.place).is_none();
            let fits = grows && near && new && index.fits(record.place, record.arrival_ms);
            if count > 0 && !(fits && has_room(end, record, self.options.segment_bytes)) {
                break;
            }
            last_place = Some(record.place);
            end = end.saturating_add(span_of(record));
            count = count.saturating_add(1);
        }
        count
    }

    fn write(&mut self, chunk: &[NewRecord<'_>], appended: &mut Vec<Position>) -> Result<(), StoreError> {
        let Some(active) = &mut self.active else { return Ok(()) };
        let encoded = Encoded::new(chunk, active.salt, active.end, std::mem::take(&mut self.buffer));
        let written = write_all(&active.file, &mut encoded.slices(chunk), active.end);
        if let Err(error) = written {
            self.cut_off();
            return Err(self.failed("appending records", error));
        }
        active.end = encoded.located.last().map_or(active.end, Located::end);
        let (number, end) = (active.number, active.end);
        for located in &encoded.located {
            if located.place < self.next_place {
                self.supersede(number, located.place);
            }
            self.next_place = self.next_place.max(located.place.saturating_add(1));
        }
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.bytes = end;
            for located in &encoded.located {
                segment.index.push(located);
                appended.push(segment.position(located));
            }
        }
        self.buffer = encoded.into_buffer();
        Ok(())
    }

    /// Cuts off what a failed write left. Where that fails too, the segment ends here, and its torn end is let go: its
    /// records are not appended, and must not come back after they were appended elsewhere and acknowledged.
    fn cut_off(&mut self) {
        let Some(active) = &mut self.active else { return };
        if seeded(Bug::KeepTornWrite) {
            active.end = active.file.len().unwrap_or(active.end).next_multiple_of(ALIGN);
            return;
        }
        active.cut = true;
        let (number, end) = (active.number, active.end);
        if active.file.truncate(end).is_ok() {
            return;
        }
        let len = active.file.len().unwrap_or(u64::MAX);
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.index.finish_bytes(end, len);
            segment.bytes = segment.bytes.max(if len == u64::MAX { end } else { len });
            self.unsaved.finish(number, end, len);
        }
        self.retire(false);
    }

    /// Notes older copies of a record that was appended again.
    fn supersede(&mut self, newer: u64, place: u64) {
        let older = self.segments.range(..newer).filter(|(_, segment)| {
            segment.index.find(place).is_some_and(|located| segment.index.is_live(&located))
        });
        let older: Vec<(u64, u64)> = older.map(|(number, _)| (*number, place)).collect();
        self.has_copies |= !older.is_empty();
        self.superseded.extend(older);
        if !self.syncs() || seeded(Bug::CheckpointBeforeData) {
            self.drop_superseded();
        }
    }

    fn begin_segment(&mut self) -> Result<(), StoreError> {
        let (number, salt) = (self.next_segment, self.fs.salt());
        let path = self.dir.join(names::segment(number, salt));
        let header =
            FileHeader { kind: FileKind::Segment, mirror: self.options.mirror, number, salt }.encode();
        let file = match self.fs.create(&path) {
            Ok(file) => file,
            Err(error) => return Err(self.failed("making a segment", error)),
        };
        self.unnamed = true;
        if let Err(error) = write_all(&file, &mut [IoSlice::new(&header)], 0) {
            // The number stays free: should the file come back after a crash, it is known by its salt and empty.
            self.remove_file(names::segment(number, salt), 0);
            return Err(self.failed("making a segment", error));
        }
        self.next_segment = number.saturating_add(1);
        self.segments.insert(number, Segment::new(number, salt, FILE_HEADER, Index::default()));
        self.active = Some(Active { file, number, salt, end: FILE_HEADER, synced: FILE_HEADER, cut: false });
        Ok(())
    }

    /// Ends the active segment, with a seal if nothing is wrong with it, and makes it durable. Trouble is told by the
    /// next `sync` and by `take_doubtful`.
    pub(crate) fn retire(&mut self, sound: bool) {
        if sound {
            self.seal();
        }
        if self.syncs() {
            let _ = self.flush();
        }
        self.active = None;
    }

    fn seal(&mut self) {
        let Some(active) = &mut self.active else { return };
        let Some(segment) = self.segments.get_mut(&active.number) else { return };
        let record = seal::encode(&segment.index, active.salt, active.end);
        match write_all(&active.file, &mut [IoSlice::new(&record)], active.end) {
            Ok(()) => {
                active.end = active.end.saturating_add(record.len() as u64);
                segment.bytes = active.end;
                // Nothing to acknowledge in it; so the acknowledged bytes of a finished segment are one range.
                segment.index.finish_bytes(active.end.saturating_sub(record.len() as u64), active.end);
                segment.index.shrink();
            }
            // A segment without a seal is only slower to open. Where it cannot be cut off, it is a damaged tail.
            Err(error) => {
                let _ = active.file.truncate(active.end);
                self.failed("sealing a segment", error);
            }
        }
    }
}

/// A segment takes at least one record, however large.
fn has_room(end: u64, record: &NewRecord<'_>, segment_bytes: u64) -> bool {
    end == FILE_HEADER || end.saturating_add(span_of(record)) <= segment_bytes
}

impl<S: Fs> Backlog<S> {
    /// Removes a file that is given up; remembers it for another try if that fails.
    pub(crate) fn remove_file(&mut self, name: String, bytes: u64) {
        match self.fs.remove(&self.dir.join(&name)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => self.leftovers.push((name, bytes)),
        }
    }
}

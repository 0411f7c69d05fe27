//! What makes records and acknowledgements durable, and what happens when the disk says that it did not.

use crate::bugs::{Bug, seeded};
use crate::checkpoint::State;
use crate::error::StoreError;
use crate::fs::{File, Fs};
use crate::store::{Backlog, Segment};
use crate::types::Freed;

impl<S: Fs> Backlog<S> {
    /// Makes everything appended so far durable, but for what [`take_doubtful`](Self::take_doubtful) has named.
    /// Under [`Sync::Never`](crate::Sync::Never) it does nothing.
    ///
    /// # Errors
    /// When this sync failed, or one that the store made by itself since the last call. The segment is given up; what
    /// is in doubt is in [`take_doubtful`](Self::take_doubtful).
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if !self.syncs() {
            return Ok(());
        }
        let _ = self.flush();
        self.untold.take().map_or(Ok(()), Err)
    }

    /// Places of live records whose durability a failed sync put in doubt, each once. They can still be read, but a
    /// loss of power may cost them: whoever has them in memory should append them again, under the same places.
    #[must_use]
    pub fn take_doubtful(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.doubtful)
    }

    /// Makes the active segment and all names durable, or gives the segment up.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        let dirty = self.active.as_ref().filter(|active| active.cut || active.synced < active.end);
        let mut flushed = dirty.map_or(Ok(()), |active| active.file.sync());
        if flushed.is_ok() && self.unnamed && !seeded(Bug::NoDirectorySync) {
            flushed = self.fs.sync_dir(&self.dir);
        }
        if let Err(error) = flushed {
            let error = self.failed("syncing a segment", error);
            self.abandon(&error);
            return Err(error);
        }
        if let Some(active) = &mut self.active {
            active.synced = active.end;
            active.cut = false;
        }
        self.unnamed = false;
        self.drop_superseded();
        Ok(())
    }

    /// After a failed fsync the kernel may have marked the lost pages clean, and the next fsync would succeed without
    /// them: the segment is never written again, and nothing unsynced in it counts as durable.
    fn abandon(&mut self, error: &StoreError) {
        self.untold = Some(error.again());
        if seeded(Bug::TrustFailedSync) {
            return;
        }
        let Some(active) = self.active.take() else { return };
        self.counters.abandoned_segments = self.counters.abandoned_segments.saturating_add(1);
        if let Some(segment) = self.segments.get(&active.number) {
            let unsynced = segment.index.live().filter(|located| located.offset >= active.synced);
            self.doubtful.extend(unsynced.map(|located| located.place));
        }
        let doubtful: std::collections::HashSet<u64> = self.doubtful.iter().copied().collect();
        self.superseded.retain(|(_, place)| !doubtful.contains(place));
    }

    /// Lets go of older copies whose newer ones are durable now.
    pub(crate) fn drop_superseded(&mut self) {
        for (number, place) in std::mem::take(&mut self.superseded) {
            let Some(segment) = self.segments.get_mut(&number) else { continue };
            let Some(located) = segment.index.find(place) else { continue };
            if segment.index.finish(&located) {
                self.unsaved.finish(number, located.offset, located.end());
            }
        }
    }

    /// Makes the acknowledgements so far durable, and removes segments that nobody needs any more.
    ///
    /// The order is: data, then the checkpoint that speaks of it, then the removal of what the checkpoint gives up.
    ///
    /// # Errors
    /// Nothing is lost by one: the acknowledgements stay in memory for the next call. On a full disk finished
    /// segments are removed all the same, since nothing else would ever make room.
    pub fn checkpoint(&mut self) -> Result<Freed, StoreError> {
        if self.syncs() && !seeded(Bug::CheckpointBeforeData) {
            self.flush()?;
        }
        let finished = self.give_up_finished();
        let news = !self.unsaved.is_empty() || self.saved_segments < self.next_segment;
        if !news && self.log.is_open() {
            return Ok(self.remove(&finished));
        }
        if seeded(Bug::UnlinkBeforeCheckpoint) {
            let freed = self.remove(&finished);
            return self.save().map(|()| freed);
        }
        match self.save() {
            Ok(()) => Ok(self.remove(&finished)),
            Err(StoreError::NoSpace { .. }) if !finished.is_empty() => {
                let freed = self.remove(&finished);
                self.save().map(|()| freed)
            }
            Err(error) => {
                // They stay until a checkpoint that gives them up is durable.
                self.segments.extend(finished.into_iter().map(|segment| (segment.number, segment)));
                Err(error)
            }
        }
    }

    /// Takes the segments without live records out of the table and notes that they are given up.
    fn give_up_finished(&mut self) -> Vec<Segment> {
        let active = self.active.as_ref().map(|active| active.number);
        let finished = self.segments.extract_if(.., |number, segment| {
            segment.index.live_records() == 0 && !segment.pinned && Some(*number) != active
        });
        let finished: Vec<Segment> = finished.map(|(_, segment)| segment).collect();
        for segment in &finished {
            let end = segment.number.saturating_add(1);
            self.gone.insert(segment.number, end);
            self.unsaved.gone.insert(segment.number, end);
            self.unsaved.done.remove(&segment.number);
        }
        finished
    }

    fn remove(&mut self, finished: &[Segment]) -> Freed {
        for (name, bytes) in std::mem::take(&mut self.leftovers) {
            self.remove_file(name, bytes);
        }
        let mut freed = Freed::default();
        for segment in finished {
            self.readers.forget(segment.number);
            self.remove_file(segment.file_name(), segment.bytes);
            freed.segments = freed.segments.saturating_add(1);
            freed.bytes = freed.bytes.saturating_add(segment.bytes);
        }
        self.counters.reclaimed_segments = self.counters.reclaimed_segments.saturating_add(freed.segments);
        freed
    }

    /// Writes what is unsaved, or all of it when the file is new, long or in doubt.
    pub(crate) fn save(&mut self) -> Result<(), StoreError> {
        self.unsaved.next_segment = self.next_segment;
        self.unsaved.next_place = self.next_place;
        let (mirror, durable) = (self.options.mirror, self.syncs());
        let saved = if self.log.takes_more() {
            self.log.add(mirror, &self.unsaved, durable)
        } else {
            let whole = self.whole_state();
            self.log.rewrite(&self.fs, &self.dir, mirror, &whole, durable)
        };
        match saved {
            Ok(()) => {
                self.unsaved = State::default();
                self.saved_segments = self.next_segment;
                Ok(())
            }
            Err(error) => Err(self.failed("writing the checkpoint", error)),
        }
    }

    fn whole_state(&self) -> State {
        let mut done = self.elsewhere.clone();
        for (number, segment) in &self.segments {
            if !segment.index.done().is_empty() {
                done.insert(*number, segment.index.done().clone());
            }
        }
        State { next_segment: self.next_segment, next_place: self.next_place, gone: self.gone.clone(), done }
    }

    /// Lets go of everything. Returns how many records that were.
    ///
    /// # Errors
    /// When that could not be made durable; then some of it may come back.
    pub fn clear(&mut self) -> Result<u64, StoreError> {
        self.retire(true);
        let cleared = self.acknowledge(&[0..=u64::MAX]);
        self.checkpoint().map(|_| cleared)
    }

    /// Makes everything durable and gives the directory back.
    ///
    /// # Errors
    /// What could not be made durable; the directory is given back all the same.
    pub fn close(mut self) -> Result<(), StoreError> {
        let synced = self.sync();
        self.checkpoint()?;
        synced
    }
}

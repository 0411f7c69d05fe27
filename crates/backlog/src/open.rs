//! Opening a directory: lock it, look at everything, decide, make it durable, clean up; in this order.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::checkpoint::{self, State};
use crate::error::OpenError;
use crate::fs::{File, Fs};
use crate::names;
use crate::ranges::RangeSet;
use crate::recovery::{CheckpointState, Damage, Recovery};
use crate::store::Backlog;
use crate::survey::{Survey, Surveyed};
use crate::types::Options;

/// How far places jump when records may exist whose places could not be read: a new record must not look like a newer
/// copy of one of those.
const PLACES_UNKNOWN: u64 = 1 << 20;

impl<S: Fs> Backlog<S> {
    /// Opens the backlog in `dir`, making it if need be, and says what was found there.
    ///
    /// # Errors
    /// When the directory cannot be used, is in use, or holds what a newer version or another mirror wrote. Damage is
    /// no error.
    pub fn open(dir: &Path, options: Options, fs: S) -> Result<(Self, Recovery), OpenError> {
        let io = |what, source| OpenError::Io { what, path: dir.to_owned(), source };
        fs.make_dir(dir).map_err(|error| io("cannot make", error))?;
        let lock = fs.lock(&dir.join(names::LOCK)).map_err(|error| io("cannot lock", error))?;
        let lock = lock.ok_or_else(|| OpenError::Locked { dir: dir.to_owned() })?;
        let (checkpoint, state) = checkpoint::load(&fs, dir, Some(options.mirror))?;
        let survey = Survey::take(&fs, dir, Some(options.mirror))?;
        // Nothing was changed up to here.
        let mut recovery = Recovery { checkpoint, ..Recovery::default() };
        let mut store = Self::empty(fs, dir, options, lock);
        store.adopt(survey, &state, &mut recovery);
        recovery.durable = store.make_durable();
        store.has_copies = !recovery.durable;
        if recovery.durable {
            recovery.superseded = store.find_superseded();
        }
        store.count(&mut recovery);
        // Writes what was decided, then cleans up. A failure here is told by the next checkpoint too.
        let _ = store.checkpoint();
        Ok((store, recovery))
    }

    fn adopt(&mut self, survey: Survey, state: &State, recovery: &mut Recovery) {
        let mut present = state.gone.clone();
        for number in
            survey.segments.iter().map(|found| found.segment.number).chain(survey.unreadable.clone())
        {
            present.insert(number, number.saturating_add(1));
        }
        self.next_segment = state.next_segment.max(present.end().unwrap_or(1)).max(1);
        self.gone = state.gone.clone();
        self.adopt_missing(&survey, &present, recovery);
        for number in &survey.unreadable {
            if let Some(done) = state.done.get(number) {
                self.elsewhere.insert(*number, done.clone());
            }
        }
        for found in survey.segments {
            self.adopt_segment(found, state, recovery);
        }
        for (_, name, bytes) in survey.empty {
            self.leftovers.push((name, bytes));
            recovery.empty = recovery.empty.saturating_add(1);
        }
        recovery.foreign = survey.foreign;
        recovery.unreadable.extend(survey.unreadable);
        let last =
            self.segments.values().filter_map(|segment| segment.index.places()).map(|places| *places.end());
        self.next_place = last.max().map_or(1, |last| last.saturating_add(1)).max(state.next_place);
        let unknown =
            !recovery.damage.is_empty() || !recovery.unreadable.is_empty() || !recovery.missing.is_empty();
        if unknown || matches!(recovery.checkpoint, CheckpointState::Damaged | CheckpointState::Lost) {
            self.next_place = self.next_place.saturating_add(PLACES_UNKNOWN);
        }
    }

    /// Numbers without a file. Only a checkpoint can tell a loss from a segment that was given up.
    fn adopt_missing(&mut self, survey: &Survey, present: &RangeSet, recovery: &mut Recovery) {
        let loaded = recovery.checkpoint == CheckpointState::Loaded;
        if recovery.checkpoint == CheckpointState::Fresh && !survey.segments.is_empty() {
            recovery.checkpoint = CheckpointState::Lost;
        }
        for (start, end) in present.gaps(1, self.next_segment) {
            self.gone.insert(start, end);
            let mut rest = RangeSet::default();
            for (number, _, _) in &survey.empty {
                rest.insert(*number, number.saturating_add(1));
            }
            if loaded {
                let missing = rest.gaps(start, end).into_iter();
                recovery
                    .missing
                    .extend(missing.map(|(start, end)| RangeInclusive::new(start, end.saturating_sub(1))));
            }
        }
    }

    fn adopt_segment(&mut self, found: Surveyed, state: &State, recovery: &mut Recovery) {
        let Surveyed { mut segment, scanned, header_damaged, .. } = found;
        let number = segment.number;
        if state.gone.contains(number) {
            // A crash came between the checkpoint and the removal.
            self.leftovers.push((segment.file_name(), segment.bytes));
            recovery.leftovers = recovery.leftovers.saturating_add(1);
            return;
        }
        let done = state.done.get(&number).cloned().unwrap_or_default();
        if done.end().is_some_and(|end| end > segment.bytes) {
            recovery.checkpoint_ahead = recovery.checkpoint_ahead.saturating_add(1);
        }
        segment.index.finish_ranges(&done.clipped(segment.bytes));
        recovery.damaged_headers = recovery.damaged_headers.saturating_add(u64::from(header_damaged));
        if segment.pinned {
            recovery.unreadable.push(number);
        }
        let damaged = scanned.damaged.iter().map(|range| (*range, false));
        for ((start, end), tail) in damaged.chain(scanned.tail.map(|range| (range, true))) {
            if done.covers(start, end) {
                continue;
            }
            recovery.damage.push(Damage { segment: number, start, end, tail });
            // What the disk refused may be there at another start.
            if !segment.pinned {
                segment.index.finish_bytes(start, end);
                self.unsaved.finish(number, start, end);
            }
        }
        self.segments.insert(number, segment);
    }

    /// What survived the end of a process is in the operating system's cache; from here on it counts as durable.
    fn make_durable(&mut self) -> bool {
        if !self.syncs() {
            return true;
        }
        let live = self.segments.values().filter(|segment| segment.index.live_records() > 0);
        let paths: Vec<PathBuf> = live.map(|segment| self.dir.join(segment.file_name())).collect();
        let mut durable = true;
        let files = paths.iter().map(|path| self.fs.open(path).and_then(|file| file.sync()));
        for result in files.chain([self.fs.sync_dir(&self.dir)]) {
            durable &= result.is_ok();
        }
        self.counters.failures = self.counters.failures.saturating_add(u64::from(!durable));
        durable
    }

    /// Finds older copies of records that were appended again, and lets them go.
    fn find_superseded(&mut self) -> u64 {
        let mut newer: Vec<(u64, RangeInclusive<u64>)> = Vec::new();
        for (number, segment) in self.segments.iter().rev() {
            let Some(places) = segment.index.places() else { continue };
            for (other, theirs) in &newer {
                if theirs.start() > places.end() || places.start() > theirs.end() {
                    continue;
                }
                let Some(other) = self.segments.get(other) else { continue };
                // A newer one that is done with was acknowledged together with the older, or never really appended.
                let live = |place| other.index.find(place).is_some_and(|newer| other.index.is_live(&newer));
                let copies = segment.index.live_in(theirs).filter(|own| live(own.place));
                self.superseded.extend(copies.map(|own| (*number, own.place)));
            }
            newer.push((*number, places));
        }
        let found = self.superseded.len() as u64;
        self.drop_superseded();
        found
    }

    fn count(&self, recovery: &mut Recovery) {
        let live = self.segments.values().filter(|segment| segment.index.live_records() > 0);
        recovery.segments = live.count() as u64;
        let stats = self.stats();
        recovery.records = stats.records;
        recovery.payload_bytes = stats.payload_bytes;
        recovery.next_place = self.next_place;
    }
}

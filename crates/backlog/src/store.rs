//! The backlog in memory: its segments, the one that is written, and what waits to be made durable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::checkpoint::{Log, State};
use crate::error::StoreError;
use crate::format::FILE_HEADER;
use crate::fs::{Fs, RealFs};
use crate::index::{Index, Located};
use crate::names;
use crate::ranges::RangeSet;
use crate::read::Readers;
use crate::types::{Options, Position, Stats, Sync};

/// What a record counts at least, whatever it takes on disk.
pub(crate) const RECORD_CHARGE: u64 = 1 << 10;

/// Largest size at which a segment counts as full; offsets in the index reach 32 GiB.
const SEGMENT_MAX: u64 = 4 << 30;

/// A durable queue of records in one directory, used by one thread of one process.
///
/// The caller decides when to [`sync`](Self::sync), [`checkpoint`](Self::checkpoint) and
/// [`expire`](Self::expire); what each promises stands at the top of the crate. No method panics, and after any
/// error the store goes on.
#[derive(Debug)]
pub struct Backlog<S: Fs = RealFs> {
    pub(crate) fs: S,
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) segments: BTreeMap<u64, Segment>,
    pub(crate) active: Option<Active<S::File>>,
    pub(crate) log: Log<S::File>,
    /// What the checkpoint does not say yet.
    pub(crate) unsaved: State,
    /// `next_segment` as the checkpoint says it: it should know of every segment, to tell when one is missing.
    pub(crate) saved_segments: u64,
    /// Numbers of all segments that are given up.
    pub(crate) gone: RangeSet,
    /// Acknowledged bytes of segments that could not be read at the start, for the next start.
    pub(crate) elsewhere: BTreeMap<u64, RangeSet>,
    /// Files given up that could not be removed yet, and their bytes.
    pub(crate) leftovers: Vec<(String, u64)>,
    pub(crate) next_segment: u64,
    pub(crate) next_place: u64,
    /// Older copies (segment, place) to let go once the newer ones are durable.
    pub(crate) superseded: Vec<(u64, u64)>,
    /// Whether some place may be in two segments.
    pub(crate) has_copies: bool,
    /// Places whose durability a failed sync put in doubt, until the caller takes them.
    pub(crate) doubtful: Vec<u64>,
    /// A failed sync that `sync` has not told yet.
    pub(crate) untold: Option<StoreError>,
    /// Whether a segment's name may not be durable yet.
    pub(crate) unnamed: bool,
    /// Memory for encoding.
    pub(crate) buffer: Vec<u8>,
    pub(crate) readers: Readers<S::File>,
    pub(crate) counters: Counters,
    pub(crate) _lock: S::Lock,
}

/// A segment file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) salt: u64,
    /// On disk.
    pub(crate) bytes: u64,
    pub(crate) index: Index,
    /// Parts of it could not be read: it stays for another start.
    pub(crate) pinned: bool,
}

/// The segment that is written.
#[derive(Debug)]
pub(crate) struct Active<F> {
    pub(crate) file: F,
    pub(crate) number: u64,
    pub(crate) salt: u64,
    /// Behind the last whole record.
    pub(crate) end: u64,
    /// What is durable.
    pub(crate) synced: u64,
    /// A torn write was cut off, and the cut is not durable: its records could come back after they were
    /// appended elsewhere and acknowledged.
    pub(crate) cut: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) damaged: u64,
    pub(crate) abandoned_segments: u64,
    pub(crate) failures: u64,
    pub(crate) reclaimed_segments: u64,
}

impl Segment {
    pub(crate) fn new(number: u64, salt: u64, bytes: u64, index: Index) -> Self {
        Self { number, salt, bytes, index, pinned: false }
    }

    pub(crate) fn file_name(&self) -> String {
        names::segment(self.number, self.salt)
    }

    /// What the segment counts towards `max_bytes`.
    pub(crate) fn charge(&self) -> u64 {
        self.bytes.max((self.index.entries().len() as u64).saturating_mul(RECORD_CHARGE))
    }

    pub(crate) fn position(&self, located: &Located) -> Position {
        Position {
            place: located.place,
            segment: self.number,
            offset: located.offset,
            length: located.length,
        }
    }
}

impl<S: Fs> Backlog<S> {
    pub(crate) fn empty(fs: S, dir: &Path, mut options: Options, lock: S::Lock) -> Self {
        options.segment_bytes =
            options.segment_bytes.min(options.max_bytes / 4).clamp(FILE_HEADER, SEGMENT_MAX);
        Self {
            fs,
            dir: dir.to_owned(),
            options,
            segments: BTreeMap::new(),
            active: None,
            log: Log::new(),
            unsaved: State::default(),
            saved_segments: 0,
            gone: RangeSet::default(),
            elsewhere: BTreeMap::new(),
            leftovers: Vec::new(),
            next_segment: 1,
            next_place: 1,
            superseded: Vec::new(),
            has_copies: false,
            doubtful: Vec::new(),
            untold: None,
            unnamed: false,
            buffer: Vec::new(),
            readers: Readers::default(),
            counters: Counters::default(),
            _lock: lock,
        }
    }

    /// Whether anything is ever made durable.
    pub(crate) fn syncs(&self) -> bool {
        self.options.sync != Sync::Never
    }

    pub(crate) fn is_active(&self, number: u64) -> bool {
        self.active.as_ref().is_some_and(|active| active.number == number)
    }

    /// What all files count towards `max_bytes`.
    pub(crate) fn charge(&self) -> u64 {
        let segments = self.segments.values().map(Segment::charge);
        segments.chain(self.leftovers.iter().map(|leftover| leftover.1)).fold(0, u64::saturating_add)
    }

    /// The backlog's state.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let sum = |value: fn(&Segment) -> u64| self.segments.values().map(value).fold(0, u64::saturating_add);
        let leftovers = self.leftovers.iter().map(|leftover| leftover.1).fold(0, u64::saturating_add);
        let first_live = self.segments.values().filter_map(|segment| segment.index.live().next());
        let oldest = first_live.min_by_key(|located| located.place);
        Stats {
            segments: self.segments.len() as u64,
            disk_bytes: sum(|segment| segment.bytes).saturating_add(leftovers),
            records: sum(|segment| segment.index.live_records()),
            payload_bytes: sum(|segment| segment.index.live_bytes()),
            oldest_arrival_ms: oldest.map(|located| located.arrival_ms),
            unsynced_bytes: self.active.as_ref().map_or(0, |active| active.end.saturating_sub(active.synced)),
            damaged: self.counters.damaged,
            abandoned_segments: self.counters.abandoned_segments,
            failures: self.counters.failures,
            reclaimed_segments: self.counters.reclaimed_segments,
        }
    }

    /// Larger than every place appended so far.
    #[must_use]
    pub fn next_place(&self) -> u64 {
        self.next_place
    }

    /// Counts a failure of the disk and names it.
    pub(crate) fn failed(&mut self, doing: &'static str, error: std::io::Error) -> StoreError {
        self.counters.failures = self.counters.failures.saturating_add(1);
        StoreError::io(doing, error)
    }
}

//! Looking at a backlog from outside: reads only, takes no lock, and works beside the process that uses it (then what
//! it says was true a moment ago).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::checkpoint::{self, State};
use crate::error::OpenError;
use crate::format::{KIND_MAX, RecordHeader};
use crate::fs::{File, Fs};
use crate::names;
use crate::recovery::{CheckpointState, ForeignReason};
use crate::scan::{Depth, scan};
use crate::survey::{Survey, Surveyed};

/// What is in a directory.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Whether a process uses it now.
    pub in_use: bool,
    /// [`crate::name_hash`] of the mirrors whose files these are; more than one is a mistake.
    pub mirrors: Vec<u64>,
    /// The checkpoint.
    pub checkpoint: CheckpointState,
    /// Segment files, by number.
    pub segments: Vec<SegmentInfo>,
    /// Live records by tenant hash, most payload bytes first.
    pub tenants: Vec<TenantInfo>,
    /// Numbers of segments that the disk would not give.
    pub unreadable: Vec<u64>,
    /// Files that are not a backlog's.
    pub foreign: Vec<(String, ForeignReason)>,
}

/// One segment file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub number: u64,
    /// Its name in the directory.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Sound records in it.
    pub records: u64,
    /// Those that are not acknowledged.
    pub live: u64,
    /// Their payload bytes.
    pub live_bytes: u64,
    /// Arrival of the oldest and newest live record, in milliseconds since 1970.
    pub arrivals_ms: Option<(u64, u64)>,
    /// First and last place of the live records.
    pub places: Option<(u64, u64)>,
    /// Whether it was filled and closed in order.
    pub sealed: bool,
    /// Whether its header is damaged.
    pub header_damaged: bool,
    /// Bytes that are no sound record.
    pub damaged_bytes: u64,
}

/// The live records of one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantInfo {
    /// [`crate::name_hash`] of the tenant.
    pub tenant: u64,
    /// Live records.
    pub records: u64,
    /// Their payload bytes.
    pub payload_bytes: u64,
    /// Arrival of the oldest, in milliseconds since 1970.
    pub oldest_ms: u64,
}

/// Looks at the backlog in `dir`. With `verify` every payload is read and checked, otherwise only the headers are.
///
/// # Errors
/// When the directory cannot be read or holds what a newer version wrote.
pub fn inspect<S: Fs>(fs: &S, dir: &Path, verify: bool) -> Result<Inspection, OpenError> {
    let in_use = fs.is_locked(&dir.join(names::LOCK)).map_err(|source| OpenError::Io {
        what: "cannot look at the lock of",
        path: dir.to_owned(),
        source,
    })?;
    // The checkpoint first: segments that it gives up may disappear at any time, but not come back.
    let (mut checkpoint, state) = checkpoint::load(fs, dir, None)?;
    let survey = Survey::take(fs, dir, None)?;
    if checkpoint == CheckpointState::Fresh && !survey.segments.is_empty() {
        checkpoint = CheckpointState::Lost;
    }
    let depth = if verify { Depth::Full } else { Depth::Headers };
    let owners = survey.segments.iter().filter_map(|found| found.mirror);
    // A backlog of which everything is delivered has its checkpoint only.
    let mirrors: BTreeSet<u64> = owners.chain(checkpoint::owner(fs, dir)).collect();
    let mut tenants = BTreeMap::new();
    let live = survey.segments.iter().filter(|found| !state.gone.contains(found.segment.number));
    let segments = live.map(|found| look(fs, dir, found, &state, depth, &mut tenants)).collect();
    let mut tenants: Vec<TenantInfo> = tenants.into_values().collect();
    tenants.sort_by_key(|tenant| std::cmp::Reverse(tenant.payload_bytes));
    Ok(Inspection {
        in_use,
        mirrors: mirrors.into_iter().collect(),
        checkpoint,
        segments,
        tenants,
        unreadable: survey.unreadable,
        foreign: survey.foreign,
    })
}

fn look<S: Fs>(
    fs: &S,
    dir: &Path,
    found: &Surveyed,
    state: &State,
    depth: Depth,
    tenants: &mut BTreeMap<u64, TenantInfo>,
) -> SegmentInfo {
    let segment = &found.segment;
    let mut info = SegmentInfo {
        number: segment.number,
        file: segment.file_name(),
        sealed: found.sealed,
        header_damaged: found.header_damaged,
        ..SegmentInfo::default()
    };
    let Ok(file) = fs.open(&dir.join(&info.file)) else { return info };
    info.bytes = file.len().unwrap_or(segment.bytes);
    let done = state.done.get(&segment.number).cloned().unwrap_or_default();
    let scanned = scan(&file, info.bytes, segment.salt, depth, |offset, header| {
        if header.kind > KIND_MAX {
            return;
        }
        info.records = info.records.saturating_add(1);
        if !done.contains(offset) {
            info.add(header);
            tenants.entry(header.tenant).or_default().add(header);
        }
    });
    let damaged = scanned.damaged.iter().chain(&scanned.tail).map(|(start, end)| end.saturating_sub(*start));
    info.damaged_bytes = damaged.fold(0, u64::saturating_add);
    info
}

impl SegmentInfo {
    fn add(&mut self, header: &RecordHeader) {
        self.live = self.live.saturating_add(1);
        self.live_bytes = self.live_bytes.saturating_add(header.length.into());
        self.arrivals_ms = Some(widen(self.arrivals_ms, header.arrival_ms));
        self.places = Some(widen(self.places, header.place));
    }
}

impl TenantInfo {
    fn add(&mut self, header: &RecordHeader) {
        self.oldest_ms =
            if self.records == 0 { header.arrival_ms } else { self.oldest_ms.min(header.arrival_ms) };
        self.tenant = header.tenant;
        self.records = self.records.saturating_add(1);
        self.payload_bytes = self.payload_bytes.saturating_add(header.length.into());
    }
}

fn widen(range: Option<(u64, u64)>, number: u64) -> (u64, u64) {
    range.map_or((number, number), |(low, high)| (low.min(number), high.max(number)))
}

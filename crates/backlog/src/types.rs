//! What goes in and what comes out.

use std::time::Duration;

/// When appended records are made durable, and so what a loss of power can cost. The end of the process alone costs
/// nothing under any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// `append` returns when its whole batch is durable.
    Always,
    /// When the caller calls `sync`: a loss of power costs at most what was appended since the last one that
    /// returned `Ok`.
    Interval,
    /// Never: no fsync at all, `sync` does nothing. A loss of power can cost anything that the operating system had
    /// not written back, and damage is skipped and counted as always.
    Never,
}

/// How a backlog is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// [`crate::name_hash`] of the mirror's name.
    pub mirror: u64,
    /// Most bytes on disk. A record counts at least 1 KiB, which bounds the index in memory to a sixty-fourth of it.
    pub max_bytes: u64,
    /// How long after its arrival a record may still be delivered.
    pub max_age: Duration,
    /// A segment is full at this size (a larger record gets one of its own). At most a quarter of `max_bytes`.
    pub segment_bytes: u64,
    /// When records are made durable.
    pub sync: Sync,
}

impl Options {
    /// For this mirror: 10 GiB, 2 h, segments of 32 MiB, synced when the caller says.
    #[must_use]
    pub fn new(mirror: &str) -> Self {
        Self {
            mirror: crate::name_hash(mirror),
            max_bytes: 10 << 30,
            max_age: Duration::from_secs(2 * 60 * 60),
            segment_bytes: 32 << 20,
            sync: Sync::Interval,
        }
    }
}

/// A record to append.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    /// Its place in the order of all records. Places should grow, need not be dense, and one that comes late is fine.
    pub place: u64,
    /// When it arrived, in milliseconds since 1970.
    pub arrival_ms: u64,
    /// [`crate::name_hash`] of its tenant.
    pub tenant: u64,
    /// What the payload is; up to [`crate::KIND_MAX`], the caller's to define.
    pub kind: u8,
    /// The payload in pieces, as it lies in memory (head, body).
    pub payload: &'a [&'a [u8]],
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The record's place.
    pub place: u64,
    /// Number of the segment that holds it.
    pub segment: u64,
    /// Of the record's first byte in the segment's file.
    pub offset: u64,
    /// Bytes of payload.
    pub length: u32,
}

/// A record that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub position: Position,
    /// When it arrived, in milliseconds since 1970.
    pub arrival_ms: u64,
    /// As given to `append`.
    pub tenant: u64,
    /// As given to `append`.
    pub kind: u8,
    /// The pieces given to `append`, joined.
    pub payload: Vec<u8>,
}

/// What one `read_from` found.
#[derive(Debug, Default)]
pub struct ReadBatch {
    /// In order of place.
    pub records: Vec<Record>,
    /// Where to go on reading: every live record with a smaller place (from the place asked for on) is in this
    /// batch. `None` when there are no more.
    pub next: Option<u64>,
    /// Places whose bytes turned out to be damaged or gone. The store has given them up.
    pub damaged: Vec<u64>,
    /// Places that the disk would not give now. They stay in the store.
    pub unreadable: Vec<u64>,
}

/// What one `read_places` found. Each place that was asked for is in one of the five.
#[derive(Debug, Default)]
pub struct PlacesBatch {
    /// In the order asked for.
    pub records: Vec<Record>,
    /// Places whose bytes turned out to be damaged or gone. The store has given them up.
    pub damaged: Vec<u64>,
    /// Places that the disk would not give now. They stay in the store.
    pub unreadable: Vec<u64>,
    /// Places without a live record: acknowledged, expired or never appended.
    pub gone: Vec<u64>,
    /// Places that were not looked at because the batch was full, in the order asked for.
    pub left: Vec<u64>,
}

/// What `expire` let go, by reason. Places in no particular order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Older than `max_age`.
    pub by_age: Vec<u64>,
    /// The oldest, to make room.
    pub by_size: Vec<u64>,
}

/// What a checkpoint freed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Segments removed.
    pub segments: u64,
    /// Their bytes on disk.
    pub bytes: u64,
}

/// A backlog's state. Counters begin at 0 when it is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Segment files, the one being written included.
    pub segments: u64,
    /// Their bytes.
    pub disk_bytes: u64,
    /// Records that are neither acknowledged nor expired.
    pub records: u64,
    /// Their payload bytes.
    pub payload_bytes: u64,
    /// Arrival of the first of them in order of place, in milliseconds since 1970.
    pub oldest_arrival_ms: Option<u64>,
    /// Bytes appended since the last sync.
    pub unsynced_bytes: u64,
    /// Counter: records found damaged when they were read.
    pub damaged: u64,
    /// Counter: segments given up after an fsync that failed.
    pub abandoned_segments: u64,
    /// Counter: writes and syncs that failed.
    pub failures: u64,
    /// Counter: segments removed.
    pub reclaimed_segments: u64,
}

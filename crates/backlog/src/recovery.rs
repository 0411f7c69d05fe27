//! What opening a backlog found: for the log, the metrics and the ledger.

use std::ops::RangeInclusive;

/// The state of the checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CheckpointState {
    /// A new directory: no checkpoint, no segments.
    #[default]
    Fresh,
    /// Read.
    Loaded,
    /// Its beginning is damaged or unreadable. What was acknowledged may be delivered again.
    Damaged,
    /// There are segments but no checkpoint. What was acknowledged may be delivered again.
    Lost,
}

/// Why a file is not ours to touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignReason {
    /// No name of ours, or no plain file.
    Name,
    /// A segment's name, but neither a header nor one record.
    Content,
    /// A sound segment under another segment's name.
    Renamed,
    /// A sound segment with the number of another one. Without syncs, a loss of power on a full disk can do that.
    Twice,
    /// A sound segment of another mirror.
    OtherMirror,
}

/// Bytes that are no sound record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: u64,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// Whether the damage reaches the file's end, as that of a write that was cut off does.
    pub tail: bool,
}

/// What opening a backlog found.
///
/// Damage is reported once: it is part of the next checkpoint. Records in sealed segments are looked at when they are
/// read, so damage in those is reported then.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The checkpoint.
    pub checkpoint: CheckpointState,
    /// Segments that hold live records.
    pub segments: u64,
    /// Live records.
    pub records: u64,
    /// Their payload bytes.
    pub payload_bytes: u64,
    /// Larger than every place ever appended, as far as is known.
    pub next_place: u64,
    /// Cut tails and skipped middles.
    pub damage: Vec<Damage>,
    /// Segments whose header was damaged and whose records could be read all the same.
    pub damaged_headers: u64,
    /// Numbers of segments that should be there and are not.
    pub missing: Vec<RangeInclusive<u64>>,
    /// Files with a segment's name and no bytes; removed.
    pub empty: u64,
    /// Files that are not ours; left alone.
    pub foreign: Vec<(String, ForeignReason)>,
    /// Segments that the disk would not give; left alone, tried again at the next start.
    pub unreadable: Vec<u64>,
    /// Segments of which the checkpoint knows more bytes than there are.
    pub checkpoint_ahead: u64,
    /// Older copies of records that were appended again.
    pub superseded: u64,
    /// Segments that were given up before and only now removed.
    pub leftovers: u64,
    /// Whether what was recovered could be made durable (true where that was not asked for).
    pub durable: bool,
}

impl Recovery {
    /// Whether nothing needs anybody's attention. The tail that a crash tears off is normal.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.durable
            && matches!(self.checkpoint, CheckpointState::Fresh | CheckpointState::Loaded)
            && self.damage.iter().all(|damage| damage.tail)
            && self.damaged_headers == 0
            && self.missing.is_empty()
            && self.foreign.is_empty()
            && self.unreadable.is_empty()
            && self.checkpoint_ahead == 0
    }
}

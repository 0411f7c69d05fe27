//! What the threads of durable delivery say to each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::mirror::budget::Held;
use crate::mirror::order::{By, Wire};
use crate::paths::Kind;

/// A write whose request is complete, on its way from a worker.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// Its place in the one order of the mirror's copies, unique.
    pub(crate) place: u64,
    /// [`backlog::name_hash`] of the tenant that the mirror will see.
    pub(crate) tenant: u64,
    /// When the request was complete.
    pub(crate) arrived: Instant,
    /// The same in milliseconds since 1970.
    pub(crate) arrived_ms: u64,
    /// The part of its record before the body: see [`record`](super::record).
    pub(crate) stored: Bytes,
    /// What is sent.
    pub(crate) wire: Arc<Wire>,
    pub(crate) kind: Kind,
    pub(crate) by: By,
    /// One attempt's time.
    pub(crate) timeout: Duration,
    /// What it takes of the mirror's bounds while it is in memory.
    pub(crate) held: Held,
    /// Hears when it is in the backlog, if the answer waits for that; dropped when the backlog refuses it.
    pub(crate) saved: Option<tokio::sync::oneshot::Sender<()>>,
}

/// To the backlog thread, from workers and from the delivery thread.
#[derive(Debug)]
pub(crate) enum ToBacklog {
    /// A copy to keep, and to hand on.
    Copy(Box<Arrived>),
    /// To hand on: the client of the copy with this place may be answered from now on.
    Trail(u64),
    /// These copies have their final outcome.
    Done(Vec<u64>),
    /// Read these copies back, in this order, as long as their payloads fit into so many bytes (the first always).
    Read(Vec<u64>, u64),
    /// Read copies back in order of place from this place on, as long as they fit into so many bytes (the first always).
    ReadFrom(u64, u64),
    /// Let go of everything that is not in flight, whatever its age: what is in the backlog, and what it refused for
    /// now. (Of what it can never take it knows nothing.)
    Skip,
    /// Make everything durable, close the backlog, end.
    Close,
    /// The process before this one has given the backlog free.
    Free,
}

/// To the delivery thread, from the backlog thread and from the control thread.
#[derive(Debug)]
pub(crate) enum ToDelivery {
    /// The backlog was opened; what it holds comes before all that arrives from now on.
    Recovered(Recovered),
    /// A copy. `saved`: it is in the backlog; otherwise only in memory.
    Copy(Box<Arrived>, bool),
    /// A copy that is in the backlog, and was not kept in memory because too much is.
    OnDisk {
        /// Hash of its tenant.
        tenant: u64,
        place: u64,
    },
    /// These copies, handed on as not saved, are in the backlog now. Some may have been there all the time.
    Saved(Vec<u64>),
    /// The client of this copy may be answered from now on.
    Trail(u64),
    /// An answer to [`ToBacklog::Read`] or [`ToBacklog::ReadFrom`].
    Read(Found),
    /// Copies that the backlog let go of; those in flight are not among them.
    Expired(Vec<u64>, Why),
    /// What was told with [`ToBacklog::Done`] is known: it will not be named as expired any more.
    Forgotten(Vec<u64>),
    /// The process leaves.
    Leave,
}

/// What opening a backlog found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovered {
    /// Copies without an outcome.
    pub(crate) copies: u64,
    /// Their places are below this one; all that arrive from now on have places from this one on.
    pub(crate) end: u64,
}

/// Why copies were let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Older than the backlog's `max_age`.
    Age,
    /// The oldest, to make room.
    Size,
    /// An operator said so.
    Skipped,
}

/// What was read back.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) records: Vec<backlog::Record>,
    /// Places whose records are damaged and given up.
    pub(crate) damaged: Vec<u64>,
    /// Places that the disk would not give now. They stay in the backlog.
    pub(crate) unreadable: Vec<u64>,
    /// Places that were asked for and are not there: they had their outcome before, or expired.
    pub(crate) gone: Vec<u64>,
    /// After [`ToBacklog::ReadFrom`]: where to go on; `None` when there is no more.
    pub(crate) next: Option<u64>,
}

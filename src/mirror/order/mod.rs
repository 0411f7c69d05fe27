//! Order where it matters (contract C8): a copy never overtakes an earlier one that carries one of its series.
//!
//! A sender of remote write sends batch n+1 as soon as the *primary* has answered batch n. A copy of batch n that is
//! still on its way can then be overtaken, and the mirror would reject it as out of order. So each copy of a write
//! gets a place in its tenant's [`cell`] when its request is complete, and is said to trail from the moment its
//! client may be answered until its final outcome. A newcomer that meets nothing trailing is sent at once by its own
//! worker. Otherwise it waits, and the order thread ([`thread`]) decides on the [`board`] when it may go: without
//! reading anything if what it waits for finishes soon, else after reading which series the copies carry.
//!
//! Enters: copies, with their tenant. Leaves: the same copies, now or later. Workers hold their own waiting copies;
//! only places and permits cross threads.

pub(crate) mod board;
pub(crate) mod cell;
mod queue;
pub(crate) mod thread;

use std::sync::Weak;

use http::HeaderValue;

use board::Place;

/// The bytes of a copy, for whoever may have to read which series they carry.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Head, body, end: the bytes of the request in order.
    pub(super) chunks: Vec<bytes::Bytes>,
    /// How many of the chunks, from the second on, are the body.
    pub(super) body_chunks: usize,
    pub(super) content_type: Option<HeaderValue>,
    pub(super) content_encoding: Option<HeaderValue>,
}

/// What orders a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The series in its body.
    Series,
    /// Its sender: the hash of tenant and peer. OTLP and Influx senders promise no more.
    Sender(u64),
}

/// Names a tenant's queue of one mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) mirror: u32,
    /// Index of the cell. Tenants that share one only lose concurrency.
    pub(crate) cell: u32,
}

/// A copy as the order thread knows it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    /// Milliseconds since the process started.
    pub(crate) arrived_ms: u64,
    /// The worker that holds it.
    pub(crate) worker: usize,
    pub(crate) by: By,
    /// Not kept alive by the queue: its bytes are counted where the copy is.
    pub(crate) wire: Weak<Wire>,
}

/// What the cells tell the order thread. For one cell the order of events is the order of its places.
#[derive(Debug)]
pub(crate) enum Event {
    /// A copy joins the queue; `in_flight` if it went directly before there was a queue.
    Enter { key: Key, entry: Entry, in_flight: bool },
    /// The client of this copy may have been answered.
    Trail { key: Key, place: Place },
    /// The copy has its final outcome.
    Finish { key: Key, place: Place },
}

/// What the order thread tells a worker: this copy may be sent now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permit {
    pub(crate) key: Key,
    pub(crate) place: Place,
    /// Whether its body had to be read for it.
    pub(crate) read: bool,
}

//! Order where it matters (contract C8): a copy never overtakes an earlier one that carries one of its series.
//!
//! A sender of remote write sends batch n+1 as soon as the *primary* has answered batch n. A copy of batch n that is
//! still on its way can then be overtaken, and the mirror would reject it as out of order. So each copy of a write
//! gets a place in its tenant's [`cell`] when its request is complete, and is said to trail from the moment its
//! client may be answered until its final outcome. Two rules let a copy go, each of them enough:
//!
//! - **Nothing read** (`cell`, on the workers): all copies that trailed when its request began have their outcome. A
//!   sender that keeps the specification's order has one request in progress for each series, so what did not trail
//!   then shares no series with it. With a mirror as fast as the primary that is nearly always so at once.
//! - **Series read** ([`thread`], [`board`]): no earlier copy without an outcome carries one of its series. Only where
//!   copies have waited some milliseconds does the order thread read what they carry and let go what may go; a
//!   distant mirror so gets all the concurrency there is. When that thread is behind, or the mirror takes nothing for
//!   which reading would be of use ([`queues`]), the first rule goes on alone.
//!
//! Remote write is told apart by its series. OTLP is told apart by the `job` and `instance` of its series, since the
//! rest of their labels depends on the receiver's settings: all that one instance of a service writes goes in its
//! order, however many instances write through one collector or from one address. Influx is not read: a copy waits for
//! those of its sender.
//!
//! Enters: copies, with their tenant. Leaves: the same copies, now or later. Workers hold their own waiting copies;
//! only places and permits cross threads.

pub(crate) mod board;
pub(crate) mod cell;
pub(crate) mod crossing;
mod queue;
mod queues;
mod sync;
pub(crate) mod thread;
pub(crate) mod ticket;

use std::sync::Weak;

use http::HeaderValue;

use crate::paths::Kind;
use board::Place;
pub(super) use queue::Reader;

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
    /// The series in its body, which is of this protocol.
    Series(Protocol),
    /// Its sender: the hash of tenant and peer. Influx senders promise no more.
    Sender(u64),
}

impl By {
    /// What orders a write of this kind. `sender` is asked for where its series are not read.
    pub(super) fn of(kind: Kind, sender: impl FnOnce() -> u64) -> Self {
        match kind {
            Kind::Write => Self::Series(Protocol::RemoteWrite),
            Kind::OtlpWrite => Self::Series(Protocol::Otlp),
            _ => Self::Sender(sender()),
        }
    }
}

/// A protocol whose bodies say which series they carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    RemoteWrite,
    Otlp,
}

/// Names a tenant's queue of one mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) mirror: u32,
    /// Index of the cell. Tenants that share one only lose concurrency.
    pub(crate) cell: u32,
}

/// An unfinished copy as its cell and the order thread know it.
#[derive(Debug, Clone)]
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

/// What the cells tell the order thread while it reads for them. For one cell events come in the order of what
/// happened, and copies in the order of their places.
#[derive(Debug)]
pub(crate) enum Event {
    /// An unfinished copy.
    Enter(Key, Entry),
    /// The client of this copy may have been answered.
    Trail(Key, Place),
    /// The copy has its final outcome.
    Finish {
        key: Key,
        place: Place,
        /// The mirror has taken it, or judged what is in it: the mirror does not hang.
        taken: bool,
    },
    /// Nothing waits any more: the cell is forgotten.
    Forget(Key),
}

impl Event {
    /// Whose queue it is about.
    fn key(&self) -> Key {
        match *self {
            Self::Enter(key, _) | Self::Trail(key, _) | Self::Finish { key, .. } | Self::Forget(key) => key,
        }
    }
}

/// Tells a worker that a copy may be sent now. It may come twice, once by each rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permit {
    pub(crate) key: Key,
    pub(crate) place: Place,
    /// Whether its series were read for it.
    pub(crate) read: bool,
}

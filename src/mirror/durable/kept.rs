//! A copy that durable delivery has in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::message::Arrived;
use crate::mirror::order::{By, Wire};
use crate::mirror::pair::Pair;
use crate::mirror::send::Ends;
use crate::paths::Kind;

/// See the module.
#[derive(Debug)]
pub(super) struct Kept {
    /// Names its record.
    pub(super) place: u64,
    pub(super) arrived: Instant,
    /// Milliseconds since 1970.
    pub(super) arrived_ms: u64,
    pub(super) wire: Arc<Wire>,
    pub(super) kind: Kind,
    pub(super) by: By,
    /// One attempt's time.
    pub(super) timeout: Duration,
    /// What it counts in memory.
    pub(super) bytes: u64,
    /// It is in the backlog too.
    pub(super) saved: bool,
    pub(super) state: State,
    /// Attempts so far.
    pub(super) attempts: u32,
    /// Those that failed while the mirror took others.
    pub(super) failures: u32,
    /// The mirror may have taken it already: an earlier attempt's end is unknown, or another process's were.
    pub(super) maybe_taken: bool,
    /// It could not be sent at once.
    pub(super) waited: bool,
    /// Its series were read.
    pub(super) read: bool,
    /// Where the answers of the primary and the mirror meet; unknown of what was read back from disk.
    pub(super) pair: Option<Arc<Pair>>,
    /// When it was first sent by this process, and over which connection at last; only where there is a log.
    pub(super) sent: Option<(Instant, Ends)>,
    /// What the mirror had taken and failed when this one was tried last.
    pub(super) seen: Tally,
}

/// Where a copy in memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// For its turn.
    Waiting,
    /// On its way to the mirror.
    Flying,
    /// Until it is tried again.
    Resting,
}

/// Attempts of all copies of the mirror.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) taken: u64,
    pub(super) failed: u64,
}

impl Kept {
    /// A newcomer.
    pub(super) fn new(arrived: Arrived, saved: bool) -> Self {
        let (bytes, pair) = (arrived.held.bytes(), arrived.held.pair().cloned());
        let Arrived { place, arrived, arrived_ms, wire, kind, by, timeout, .. } = arrived;
        let (state, seen) = (State::Waiting, Tally::default());
        let (attempts, failures, maybe_taken) = (0, 0, false);
        Self {
            place,
            arrived,
            arrived_ms,
            wire,
            kind,
            by,
            timeout,
            bytes,
            saved,
            state,
            attempts,
            failures,
            maybe_taken,
            waited: false,
            read: false,
            pair,
            sent: None,
            seen,
        }
    }
}

//! One tenant's queue: its board, and what the order thread needs beside it to read bodies and to tell workers.

use std::collections::HashMap;
use std::sync::Weak;

use remote_write::fingerprint::{self, Scratch, Series};

use super::board::{Board, Bounds, Holds, Place};
use super::{By, Entry, Key, Permit, Wire};

/// A copy that waits longer than this is worth reading: on a mirror as fast as the primary none does.
const WAIT_MS: u64 = 5;
/// So is a queue of more copies than this, whatever they have waited.
const LENGTH: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    key: Key,
    board: Board,
    copies: HashMap<Place, Known>,
    /// Bodies are read from now until the queue is empty.
    reading: bool,
}

#[derive(Debug)]
struct Known {
    worker: usize,
    wire: Weak<Wire>,
    arrived_ms: u64,
    in_flight: bool,
    read: bool,
}

/// What a thread that reads bodies has for it.
pub(super) struct Reader {
    pub(super) scratch: Scratch,
    body: Vec<u8>,
    found: Vec<u64>,
}

impl Reader {
    pub(super) fn new(scratch: Scratch) -> Self {
        Self { scratch, body: Vec::new(), found: Vec::new() }
    }

    /// The series that a copy carries.
    fn read(&mut self, wire: &Wire) -> Holds {
        self.body.clear();
        wire.chunks
            .iter()
            .skip(1)
            .take(wire.body_chunks)
            .for_each(|chunk| self.body.extend_from_slice(chunk));
        let text = |value: &Option<http::HeaderValue>| {
            value.as_ref().and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let content_type = text(&wire.content_type).unwrap_or_default();
        let encoding = text(&wire.content_encoding);
        match fingerprint::series(
            &self.body,
            &content_type,
            encoding.as_deref(),
            &mut self.scratch,
            &mut self.found,
        ) {
            Series::Known(0) => Holds::Nothing,
            Series::Known(_) => Holds::Series(self.found.as_slice().into()),
            Series::Everything(_) => Holds::Everything,
        }
    }
}

impl Queue {
    pub(super) fn new(key: Key, bounds: Bounds) -> Self {
        Self { key, board: Board::new(bounds), copies: HashMap::new(), reading: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.copies.is_empty()
    }

    pub(super) fn enter(&mut self, entry: Entry, in_flight: bool) {
        let Entry { place, arrived_ms, worker, by, wire } = entry;
        let holds = match by {
            By::Series => Holds::Unknown,
            By::Sender(sender) => Holds::Sender(sender),
        };
        let entered = if in_flight {
            self.board.enter_in_flight(place, arrived_ms, holds)
        } else {
            self.board.enter(place, arrived_ms, holds)
        };
        debug_assert!(entered, "places enter in their order");
        self.copies.insert(place, Known { worker, wire, arrived_ms, in_flight, read: false });
        self.reading |= self.copies.len() > LENGTH;
    }

    pub(super) fn trail(&mut self, place: Place) {
        self.board.trail(place);
    }

    pub(super) fn finish(&mut self, place: Place) {
        self.board.finish(place);
        self.copies.remove(&place);
    }

    /// The copies that may go now, with the worker that holds each.
    pub(super) fn permits(&mut self, mut tell: impl FnMut(usize, Permit)) {
        while let Some(place) = self.board.ready() {
            if let Some(copy) = self.copies.get_mut(&place) {
                copy.in_flight = true;
                tell(copy.worker, Permit { key: self.key, place, read: copy.read });
            }
        }
    }

    /// Reads one body, if it is time for that. Returns whether there may be more to read.
    pub(super) fn read_one(&mut self, now_ms: u64, reader: &mut Reader) -> bool {
        if !self.reading {
            self.reading = self.oldest_wait(now_ms).is_some_and(|waited| waited >= WAIT_MS);
        }
        if !self.reading {
            return false;
        }
        let Some(place) = self.board.unread().next() else { return false };
        // A body that is gone belongs to a copy that has just got its outcome.
        let wire = self.copies.get(&place).and_then(|copy| copy.wire.upgrade());
        let holds = wire.map_or(Holds::Everything, |wire| reader.read(&wire));
        self.board.learn(place, holds);
        if let Some(copy) = self.copies.get_mut(&place) {
            copy.read = true;
        }
        true
    }

    /// Whether copies wait whose wait must be watched.
    pub(super) fn is_waiting(&self) -> bool {
        !self.reading && self.copies.values().any(|copy| !copy.in_flight)
    }

    fn oldest_wait(&self, now_ms: u64) -> Option<u64> {
        let waiting = self.copies.values().filter(|copy| !copy.in_flight);
        waiting.map(|copy| now_ms.saturating_sub(copy.arrived_ms)).max()
    }
}

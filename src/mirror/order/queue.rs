//! One tenant's copies while the order thread reads for them: their board, and where each copy is.

use std::collections::HashMap;
use std::sync::Weak;

use remote_write::fingerprint::{self, Scratch, Series};

use super::board::{Board, Bounds, Holds, Place, Set};
use super::{By, Entry, Key, Permit, Protocol, Wire};

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    key: Key,
    board: Board,
    copies: HashMap<Place, Known>,
}

#[derive(Debug)]
struct Known {
    worker: usize,
    wire: Weak<Wire>,
    /// What its body must be read as, until it is known what the copy holds.
    unread: Option<Protocol>,
}

/// What a thread that reads bodies has for it.
pub(in crate::mirror) struct Reader {
    scratch: Scratch,
    body: Vec<u8>,
    found: Vec<u64>,
}

impl Reader {
    pub(in crate::mirror) fn new(scratch: Scratch) -> Self {
        Self { scratch, body: Vec::new(), found: Vec::new() }
    }

    /// The series that a copy carries.
    pub(in crate::mirror) fn read(&mut self, wire: &Wire, protocol: Protocol) -> Set {
        self.body.clear();
        wire.chunks
            .iter()
            .skip(1)
            .take(wire.body_chunks)
            .for_each(|chunk| self.body.extend_from_slice(chunk));
        // What is no text is no value that anybody knows, and not a missing one.
        let text = |value: &Option<http::HeaderValue>| {
            value.as_ref().map(|value| value.to_str().unwrap_or("?").to_owned())
        };
        let content_type = text(&wire.content_type).unwrap_or_default();
        let encoding = text(&wire.content_encoding);
        let series = match protocol {
            Protocol::RemoteWrite => fingerprint::series,
            Protocol::Otlp => fingerprint::otlp_series,
        };
        match series(&self.body, &content_type, encoding.as_deref(), &mut self.scratch, &mut self.found) {
            Series::Known(0) => Set::Nothing,
            Series::Known(_) => Set::Series(self.found.as_slice().into()),
            Series::Everything(_) => Set::Everything,
        }
    }
}

impl Queue {
    pub(super) fn new(key: Key, bounds: Bounds) -> Self {
        Self { key, board: Board::new(bounds), copies: HashMap::new() }
    }

    pub(super) fn enter(&mut self, entry: Entry) {
        let Entry { place, arrived_ms, worker, by, wire } = entry;
        let (holds, unread) = match by {
            By::Series(protocol) => (Holds::Unknown, Some(protocol)),
            By::Sender(sender) => (Holds::Sender(sender), None),
        };
        let entered = self.board.enter(place, arrived_ms, holds);
        debug_assert!(entered, "places enter in their order");
        self.copies.insert(place, Known { worker, wire, unread });
    }

    pub(super) fn trail(&mut self, place: Place) {
        self.board.trail(place);
    }

    pub(super) fn finish(&mut self, place: Place) {
        self.board.finish(place);
        self.copies.remove(&place);
    }

    /// The copies that may go, with the worker that holds each. Those that are on their way already are named too.
    pub(super) fn permits(&mut self, mut tell: impl FnMut(usize, Permit)) {
        while let Some(place) = self.board.ready() {
            // One that was not read goes by the cell's rule, which is the same as the board's.
            if let Some(copy) = self.copies.get(&place).filter(|copy| copy.unread.is_none()) {
                tell(copy.worker, Permit { key: self.key, place, read: true });
            }
        }
    }

    /// Reads one body. Returns whether there was one to read.
    pub(super) fn read_one(&mut self, reader: &mut Reader) -> bool {
        let Some(place) = self.board.unread().next() else { return false };
        // A body that is gone belongs to a copy that has just got its outcome.
        let body = self.copies.get_mut(&place).and_then(|copy| copy.wire.upgrade().zip(copy.unread.take()));
        let set = body.map_or(Set::Everything, |(wire, protocol)| reader.read(&wire, protocol));
        self.board.learn(place, set);
        true
    }
}

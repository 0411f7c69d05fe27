//! One tenant's unfinished copies: those in memory, in their order, and behind them those that are only on disk.
//!
//! A copy enters memory in the order of arrival or not at all: once one had to go to disk, all later ones of its tenant
//! do, until the disk part is empty again. So the way to the disk and back is as ordered as what never left memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::kept::{Kept, State};
use crate::mirror::order::board::{Board, Bounds, Holds, Place, Set};
use crate::mirror::order::{By, Protocol, Wire};

/// See the module.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) board: Board,
    pub(super) copies: BTreeMap<Place, Kept>,
    /// Places on disk, in order of arrival.
    pub(super) spilled: VecDeque<u64>,
    /// How many of the first of them are being read.
    pub(super) asked: usize,
    /// Not to be read before: the disk would not give some.
    pub(super) not_before: Option<Instant>,
    /// Times in a row that the disk would not give the first.
    pub(super) refused: u32,
    /// In memory.
    pub(super) bytes: u64,
    /// It stands among the lanes that may have something to send.
    pub(super) turns: bool,
    /// It stands among the lanes that have something on disk.
    pub(super) hungry: bool,
    /// Its bodies are being read for their series.
    pub(super) reads: bool,
}

impl Lane {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            board: Board::new(bounds),
            copies: BTreeMap::new(),
            spilled: VecDeque::new(),
            asked: 0,
            not_before: None,
            refused: 0,
            bytes: 0,
            turns: false,
            hungry: false,
            reads: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.copies.is_empty() && self.spilled.is_empty()
    }

    /// A copy joins those in memory, at this place of the lane's order, which is above all earlier ones.
    pub(super) fn enter(&mut self, at: Place, kept: Kept, holds: Holds, trails: bool) {
        self.bytes += kept.bytes;
        let entered = self.board.enter(at, kept.arrived_ms, holds);
        debug_assert!(entered, "places enter in their order");
        if trails {
            self.board.trail(at);
        }
        self.copies.insert(at, kept);
    }

    /// The copy has its final outcome.
    pub(super) fn leave(&mut self, at: Place) -> Option<Kept> {
        let kept = self.copies.remove(&at)?;
        self.board.finish(at);
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        Some(kept)
    }

    /// The next copy whose series should be read, with what to read.
    pub(super) fn unread(&self) -> Option<(Place, Arc<Wire>, Protocol)> {
        let at = self.board.unread().next()?;
        let kept = self.copies.get(&at)?;
        let By::Series(protocol) = kept.by else { return None };
        Some((at, Arc::clone(&kept.wire), protocol))
    }

    pub(super) fn learn(&mut self, at: Place, set: Set) {
        self.board.learn(at, set);
    }

    /// Whether some copy has waited for others for so long that reading is worth it.
    pub(super) fn waits_since(&self, moment: Instant) -> bool {
        let waiting = |kept: &&Kept| kept.state == State::Waiting;
        self.copies.values().find(waiting).is_some_and(|kept| kept.arrived <= moment)
    }
}

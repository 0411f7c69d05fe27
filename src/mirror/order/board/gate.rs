//! A gate: copies that wait for whatever trailed before they arrived.
//!
//! Copies are numbered as they begin to trail. A copy that arrived when `behind` of them had begun waits until no
//! holder's number is below `behind`. Copies hold a gate from the moment they trail or not at all, so the lowest
//! number only ever rises: a gate once passed stays passed.

use std::collections::BTreeSet;

use super::Slot;

#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Numbers of unfinished copies that trail.
    holders: BTreeSet<u64>,
    /// Copies that wait, first by how many trailed when they arrived.
    waiting: BTreeSet<(u64, Slot)>,
}

impl Gate {
    pub(super) fn hold(&mut self, number: u64) {
        self.holders.insert(number);
    }

    /// The caller opens the gate afterwards.
    pub(super) fn release(&mut self, number: u64) {
        self.holders.remove(&number);
    }

    /// Answers whether a copy has to wait here; if so, [`Gate::open`] names it in time.
    pub(super) fn wait(&mut self, behind: u64, slot: Slot) -> bool {
        let waits = self.holds_up(behind);
        if waits {
            self.waiting.insert((behind, slot));
        }
        waits
    }

    pub(super) fn forget(&mut self, behind: u64, slot: Slot) {
        self.waiting.remove(&(behind, slot));
    }

    /// Takes out the next copy that need not wait any more.
    pub(super) fn open(&mut self) -> Option<Slot> {
        let &(behind, _) = self.waiting.first()?;
        if self.holds_up(behind) {
            return None;
        }
        self.waiting.pop_first().map(|(_, slot)| slot)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.waiting.is_empty()
    }

    fn holds_up(&self, behind: u64) -> bool {
        self.holders.first().is_some_and(|&number| number < behind)
    }
}

//! Places: one total order for each tenant's copies of one mirror, visible to all workers.
//!
//! A cell is the one thing that workers share on the path of a request. Its lock is held for a few instructions and
//! never while anything is computed, read or sent to a mirror; the order thread never takes it.
//!
//! Copies that begin to trail are numbered. A newcomer remembers how many had begun to trail when its request began,
//! and may go once all of those have left: a sender's next request begins after the answer to the one before. That
//! moment, and not the one when the request is complete, is what keeps large bodies from waiting: what trailed when
//! one of 1 MiB began has mostly left when its last byte arrives. The numbers that are still open are a short list
//! with a lowest one, so each step costs next to nothing however many copies wait.

// Not where `tests/order-loom` includes this file.
#[cfg(all(test, not(feature = "loom")))]
#[path = "cell/tests.rs"]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError};

use slab::Slab;
use tokio::sync::mpsc::Sender;

use super::board::Place;
use super::sync::{Mutex, MutexGuard};
use super::{Entry, Event, Key, Permit};
use crate::limits;

/// A copy that waits longer makes reading worth it.
const WAIT_MS: u64 = limits::ORDER_WAIT.as_millis() as u64;

/// The cells of one mirror, shared by all workers.
#[derive(Debug)]
pub(crate) struct Cells {
    mirror: u32,
    cells: Box<[Mutex<Cell>]>,
    hasher: RandomState,
    events: Sender<Event>,
    /// By worker. Each has room for every copy that the mirrors' bounds allow: a copy gets one permit of its cell.
    permits: Vec<Sender<Permit>>,
}

#[derive(Debug, Default)]
struct Cell {
    next: u64,
    /// How many copies have begun to trail.
    trailed: u64,
    /// From the lowest number on that has not left: whether each is still open. Empty if nothing trails.
    open: VecDeque<bool>,
    /// Newcomers that wait: each may go when all numbers below its first key have left.
    waiting: BTreeMap<(u64, Place), Waiting>,
    /// All unfinished copies, and whether each trails.
    entries: Slab<(Entry, bool)>,
    /// The order thread knows them too.
    read: bool,
    /// The order thread knows copies that it must forget before it is told of others.
    stale: bool,
}

#[derive(Debug)]
struct Waiting {
    worker: usize,
    arrived_ms: u64,
}

/// What becomes of a copy that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It may be sent at once.
    Direct,
    /// It waits for a permit.
    Queued,
}

impl Cell {
    fn lowest_open(&self) -> u64 {
        self.trailed - self.open.len() as u64
    }

    /// The number has left. Returns the copies that may go now, each with the worker that holds it.
    fn close(&mut self, number: u64) -> Vec<(Place, usize)> {
        let at = number.wrapping_sub(self.lowest_open()) as usize;
        if let Some(open) = self.open.get_mut(at) {
            *open = false;
        }
        while self.open.front() == Some(&false) {
            self.open.pop_front();
        }
        let lowest = self.lowest_open();
        let mut freed = Vec::new();
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= lowest) {
            let ((_, place), waiting) = first.remove_entry();
            freed.push((place, waiting.worker));
        }
        freed
    }
}

impl Cells {
    pub(crate) fn new(mirror: u32, events: Sender<Event>, permits: Vec<Sender<Permit>>) -> Arc<Self> {
        let cells = (0..limits::ORDER_CELLS).map(|_| Mutex::new(Cell::default())).collect();
        Arc::new(Self { mirror, cells, hasher: RandomState::new(), events, permits })
    }

    /// A hash that no client can foresee.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> u64 {
        self.hasher.hash_one(parts)
    }

    /// The cell of a tenant, by the hash of its name.
    pub(crate) fn key(&self, tenant: u64) -> Key {
        Key { mirror: self.mirror, cell: (tenant % limits::ORDER_CELLS as u64) as u32 }
    }

    /// A request of this tenant begins: how many copies have begun to trail.
    pub(crate) fn begin(&self, key: Key) -> u64 {
        self.lock(key).trailed
    }

    /// Gives a copy its place; `entry` is made from it. `behind` is what [`Cells::begin`] answered. Also returns where
    /// the cell keeps the copy.
    pub(super) fn enter(
        &self,
        key: Key,
        behind: u64,
        entry: impl FnOnce(Place) -> Entry,
    ) -> (Place, usize, Way) {
        let mut cell = self.lock(key);
        let place = Place(cell.next);
        cell.next += 1;
        let entry = entry(place);
        let (worker, arrived_ms) = (entry.worker, entry.arrived_ms);
        self.tell(&mut cell, || Event::Enter(key, entry.clone()));
        let kept = cell.entries.insert((entry, false));
        let way = if cell.lowest_open() >= behind { Way::Direct } else { Way::Queued };
        if way == Way::Queued {
            cell.waiting.insert((behind, place), Waiting { worker, arrived_ms });
        }
        self.consider_reading(key, &mut cell, arrived_ms);
        (place, kept, way)
    }

    /// Looks whether copies of this cell have waited for long.
    pub(crate) fn look(&self, key: Key, now_ms: u64) {
        self.consider_reading(key, &mut self.lock(key), now_ms);
    }

    /// Reading begins when the oldest newcomer has waited for long, and ends when none waits.
    fn consider_reading(&self, key: Key, cell: &mut Cell, now_ms: u64) {
        let oldest = cell.waiting.first_key_value();
        let waited = oldest.map(|(_, waiting)| now_ms.saturating_sub(waiting.arrived_ms));
        if waited.is_none() && cell.read {
            cell.read = false;
            cell.stale = true;
        }
        if cell.stale && self.events.try_send(Event::Forget(key)).is_ok() {
            cell.stale = false;
        }
        if cell.read || cell.stale || waited.is_none_or(|waited| waited < WAIT_MS) {
            return;
        }
        cell.read = true;
        let mut entries: Vec<_> = cell.entries.iter().map(|(_, entry)| entry.clone()).collect();
        entries.sort_unstable_by_key(|(entry, _)| entry.place);
        for (entry, trails) in entries {
            let place = entry.place;
            self.tell(cell, || Event::Enter(key, entry));
            // Told before later copies enter: at worst those wait for more than they had to.
            if trails {
                self.tell(cell, || Event::Trail(key, place));
            }
        }
    }

    /// The copy begins to trail. Returns its number.
    pub(super) fn trail(&self, key: Key, place: Place, kept: usize) -> u64 {
        let mut cell = self.lock(key);
        let number = cell.trailed;
        cell.trailed += 1;
        cell.open.push_back(true);
        if let Some((_, trails)) = cell.entries.get_mut(kept) {
            *trails = true;
        }
        self.tell(&mut cell, || Event::Trail(key, place));
        number
    }

    /// Returns the copies that may go now, each with the worker that holds it. `taken`: by the mirror.
    pub(super) fn leave(
        &self,
        key: Key,
        place: Place,
        kept: usize,
        number: Option<u64>,
        taken: bool,
    ) -> Vec<(Place, usize)> {
        let mut cell = self.lock(key);
        cell.entries.try_remove(kept);
        self.tell(&mut cell, || Event::Finish { key, place, taken });
        number.map(|number| cell.close(number)).unwrap_or_default()
    }

    /// Tells another worker that its copy may go.
    pub(super) fn permit(&self, worker: usize, permit: Permit) {
        if let Some(worker) = self.permits.get(worker) {
            // Refused only by a worker that has left.
            let _ = worker.try_send(permit);
        }
    }

    /// Tells the order thread, if it reads for this cell. Under the cell's lock, so that the order of events is the
    /// order of what happened. A thread that is too far behind is told no more: the cell's own rule goes on alone.
    fn tell(&self, cell: &mut Cell, event: impl FnOnce() -> Event) {
        if cell.read && self.events.try_send(event()).is_err() {
            cell.read = false;
            cell.stale = true;
        }
    }

    #[allow(clippy::indexing_slicing, reason = "`key` keeps the index below the number of cells")]
    fn lock(&self, key: Key) -> MutexGuard<'_, Cell> {
        // A panic elsewhere must not stop the primary's path; a cell is consistent between any two statements that
        // could panic.
        self.cells[key.cell as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Places: one total order for each tenant's copies of one mirror, visible to all workers.
//!
//! A cell is the one thing that workers share on the path of a request. Its lock is held for a few instructions and
//! never while anything is computed, read or sent to a mirror. As long as nothing trails, the cell knows the few
//! copies in flight itself and the order thread hears nothing of them. The first newcomer that must wait hands them
//! all over; from then on the order thread decides, until the last copy of the cell has left.

use std::cell::Cell as Flag;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::board::Place;
use super::{Entry, Event, Key};

/// Cells of one mirror. Fixed, since the client chooses the tenant's name.
const CELLS: usize = 1024;

/// The cells of one mirror, shared by all workers.
#[derive(Debug)]
pub(crate) struct Cells {
    mirror: u32,
    cells: Box<[Mutex<Cell>]>,
    hasher: RandomState,
    events: Sender<Event>,
}

#[derive(Debug, Default)]
struct Cell {
    next: u64,
    /// Unfinished copies that went directly. Empty while there is a queue.
    direct: Vec<Direct>,
    /// Unfinished copies that the order thread knows.
    queued: usize,
}

#[derive(Debug)]
struct Direct {
    entry: Entry,
    trails: bool,
}

/// What becomes of a copy that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It may be sent at once.
    Direct,
    /// It waits for a permit.
    Queued,
}

impl Cells {
    pub(crate) fn new(mirror: u32, events: Sender<Event>) -> Arc<Self> {
        let cells = (0..CELLS).map(|_| Mutex::default()).collect();
        Arc::new(Self { mirror, cells, hasher: RandomState::new(), events })
    }

    /// A hash that no client can foresee.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> u64 {
        self.hasher.hash_one(parts)
    }

    /// The cell of a tenant, by the hash of its name.
    pub(crate) fn key(&self, tenant: u64) -> Key {
        Key { mirror: self.mirror, cell: (tenant % CELLS as u64) as u32 }
    }

    /// Gives a copy its place. `entry` gets the place.
    fn enter(&self, key: Key, entry: impl FnOnce(Place) -> Entry) -> (Place, Way) {
        let mut cell = self.lock(key);
        let place = Place(cell.next);
        cell.next += 1;
        let entry = entry(place);
        if cell.queued == 0 && !cell.direct.iter().any(|direct| direct.trails) {
            cell.direct.push(Direct { entry, trails: false });
            return (place, Way::Direct);
        }
        for Direct { entry, trails } in std::mem::take(&mut cell.direct) {
            let place = entry.place;
            cell.queued += 1;
            self.tell(Event::Enter { key, entry, in_flight: true });
            if trails {
                self.tell(Event::Trail { key, place });
            }
        }
        cell.queued += 1;
        self.tell(Event::Enter { key, entry, in_flight: false });
        (place, Way::Queued)
    }

    fn trail(&self, key: Key, place: Place) {
        let mut cell = self.lock(key);
        if cell.queued > 0 {
            self.tell(Event::Trail { key, place });
        } else if let Some(direct) = cell.direct.iter_mut().find(|direct| direct.entry.place == place) {
            direct.trails = true;
        }
    }

    fn leave(&self, key: Key, place: Place) {
        let mut cell = self.lock(key);
        if cell.queued > 0 {
            cell.queued -= 1;
            self.tell(Event::Finish { key, place });
        } else {
            cell.direct.retain(|direct| direct.entry.place != place);
        }
    }

    /// Told under the cell's lock, so that for one cell the order of events is the order of what happened.
    fn tell(&self, event: Event) {
        // The order thread lives as long as there are cells; without it nothing is owed to anyone.
        let _ = self.events.send(event);
    }

    #[allow(clippy::indexing_slicing, reason = "`key` keeps the index below the number of cells")]
    fn lock(&self, key: Key) -> MutexGuard<'_, Cell> {
        // A panic elsewhere must not stop the primary's path; a cell is consistent between any two statements that
        // could panic.
        self.cells[key.cell as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A copy's place while it is unfinished. Shared by the copy and by its exchange, both on one worker.
#[derive(Debug)]
pub(crate) struct Ticket {
    cells: Rc<Arc<Cells>>,
    key: Key,
    place: Place,
    trails: Flag<bool>,
    left: Flag<bool>,
}

impl Ticket {
    /// Takes a place. `cells` is the worker's own handle: cloning it touches nothing shared.
    pub(crate) fn take(
        cells: &Rc<Arc<Cells>>,
        key: Key,
        entry: impl FnOnce(Place) -> Entry,
    ) -> (Rc<Self>, Way) {
        let (place, way) = cells.enter(key, entry);
        let (trails, left) = (Flag::new(false), Flag::new(false));
        (Rc::new(Self { cells: Rc::clone(cells), key, place, trails, left }), way)
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The client may be answered from now on: newcomers stand behind this copy.
    pub(crate) fn trail(&self) {
        if !self.left.get() && !self.trails.replace(true) {
            self.cells.trail(self.key, self.place);
        }
    }

    /// The copy has its final outcome.
    fn leave(&self) {
        if !self.left.replace(true) {
            self.cells.leave(self.key, self.place);
        }
    }
}

/// Held by the copy: when it goes, whatever the outcome, its place is left.
#[derive(Debug)]
pub(crate) struct Held(pub(crate) Rc<Ticket>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::mpsc::{Receiver, channel};

    use super::super::By;
    use super::*;

    fn cells() -> (Rc<Arc<Cells>>, Receiver<Event>) {
        let (events, receiver) = channel();
        (Rc::new(Cells::new(0, events)), receiver)
    }

    fn take(cells: &Rc<Arc<Cells>>, tenant: u64) -> (Held, Way) {
        let entry = |place| Entry { place, arrived_ms: 0, worker: 0, by: By::Series, wire: Weak::new() };
        let (ticket, way) = Ticket::take(cells, cells.key(tenant), entry);
        (Held(ticket), way)
    }

    fn told(receiver: &Receiver<Event>) -> Vec<String> {
        receiver
            .try_iter()
            .map(|event| match event {
                Event::Enter { entry, in_flight, .. } => {
                    format!("enter {}{}", entry.place.0, if in_flight { " in flight" } else { "" })
                }
                Event::Trail { place, .. } => format!("trail {}", place.0),
                Event::Finish { place, .. } => format!("finish {}", place.0),
            })
            .collect()
    }

    #[test]
    fn c8_copies_go_directly_while_nothing_trails() {
        let (cells, receiver) = cells();
        let (first, way) = take(&cells, 1);
        assert_eq!(way, Way::Direct);
        assert_eq!(take(&cells, 1).1, Way::Direct, "a request in progress is no reason to wait");
        first.0.trail();
        drop(first);
        assert_eq!(take(&cells, 1).1, Way::Direct, "it has left");
        assert!(told(&receiver).is_empty());
    }

    #[test]
    fn c8_a_newcomer_behind_a_trailing_copy_queues_and_hands_over_what_is_in_flight() {
        let (cells, receiver) = cells();
        let (first, second) = (take(&cells, 1).0, take(&cells, 1).0);
        second.0.trail();
        let (third, way) = take(&cells, 1);
        assert_eq!(way, Way::Queued);
        first.0.trail();
        drop(second);
        drop(first);
        third.0.trail();
        let (fourth, way) = take(&cells, 1);
        assert_eq!(way, Way::Queued, "the way back to direct sending is as ordered as the way in");
        drop((third, fourth));
        assert_eq!(
            told(&receiver),
            [
                "enter 0 in flight",
                "enter 1 in flight",
                "trail 1",
                "enter 2",
                "trail 0",
                "finish 1",
                "finish 0",
                "trail 2",
                "enter 3",
                "finish 2",
                "finish 3"
            ]
        );
        assert_eq!(take(&cells, 1).1, Way::Direct, "the queue has emptied");
    }

    #[test]
    fn c8_tenants_do_not_wait_for_each_other() {
        let (cells, _receiver) = cells();
        let (first, _) = take(&cells, 1);
        first.0.trail();
        assert_eq!(take(&cells, 2).1, Way::Direct);
    }

    #[test]
    fn c8_trailing_and_leaving_are_told_once() {
        let (cells, receiver) = cells();
        let (first, _) = take(&cells, 1);
        first.0.trail();
        let (second, _) = take(&cells, 1);
        first.0.trail();
        let ticket = Rc::clone(&second.0);
        drop(second);
        ticket.trail();
        assert_eq!(told(&receiver), ["enter 0 in flight", "trail 0", "enter 1", "finish 1"]);
    }
}

//! The scoreboard: which of one tenant's queued copies may be sent to one mirror now.
//!
//! Pure: no input or output, no threads, no clock; times are handed in. A copy enters with its place and leaves
//! with its final outcome. In between it waits for earlier copies of the board by one rule each:
//!
//! - **Both sets known**: it waits for every earlier copy that shares a series with it.
//! - **One of the two not known** (not read yet, or unreadable): it waits for the earlier copies that trailed when
//!   it arrived, that is, whose exchange with the primary had ended by then. A sender that keeps the
//!   specification's order has one request in progress for each series, so whatever still was in progress shares no
//!   series with it. This is what lets copies go without being read while the mirror is about as fast as the
//!   primary.
//! - **Ordered by sender** (Influx): it waits for the earlier copies of its sender that trailed when it arrived. Such
//!   senders promise no order among requests in progress at the same time, and would be slowed for nothing if they got
//!   one.
//! - **One by its series, one by its sender**: they do not wait for each other. A sender's order exists between a
//!   request and an answer that it has seen, and nobody splits one series over two protocols and alternates between
//!   them in step; as a rule the two protocols do not even yield equal labels. The other choice would make each
//!   Influx copy a barrier for all other writes of its tenant. For the same reason the sets of OTLP and of remote
//!   write never meet: their fingerprints are made under different keys.
//! - **No series at all**: it waits for none, and none waits for it.
//!
//! Besides, the arrival times of copies in flight stay within a spread of the oldest unfinished one, because a TSDB
//! rejects samples that are too far behind the newest of the tenant.
//!
//! Waiting always points to earlier places, so the oldest unfinished copy waits for nothing: the board cannot lock
//! up. A copy in flight counts as unfinished: dependent copies are never pipelined, since one that fails would be
//! overtaken by its successor.
//!
//! `gate` keeps who waits for what trailed, `lines` who waits for which series; `obstacles` puts copies there by
//! what they hold (`holds`).

mod gate;
mod holds;
mod lines;
mod obstacles;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use slab::Slab;

use gate::Gate;
pub(crate) use holds::{Holds, Set};
use lines::Lines;

/// A copy's place in the one order of its tenant's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(pub(crate) u64);

/// A copy's index in the board's tables.
type Slot = u32;

/// Room for this many copies stays when the board is empty: a queue that comes and goes would pay for it each time.
const SLOTS_KEPT: usize = 64;

/// The bounds of a board. The number of copies is bounded by whoever enters them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How far arrival times of copies in flight may lie behind the oldest unfinished one, in milliseconds.
    pub(crate) max_spread_ms: u64,
    /// Most fingerprints on the board, counted once for each copy that holds them. A set that does not fit is held
    /// as [`Set::Everything`].
    pub(crate) max_fingerprints: usize,
}

#[cfg(test)]
/// What is on a board.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Unfinished copies.
    pub(crate) copies: usize,
    /// Those that were started.
    pub(crate) in_flight: usize,
    /// Those that wait for no other copy; the spread may still hold them.
    pub(crate) free: usize,
    /// Those whose set is not known yet.
    pub(crate) unread: usize,
    /// Fingerprints, counted once for each copy that holds them.
    pub(crate) fingerprints: usize,
    /// Sets that did not fit, since the board was made.
    pub(crate) did_not_fit: u64,
}

#[derive(Debug)]
struct Copy {
    place: Place,
    arrived_ms: u64,
    /// How many copies had begun to trail when it arrived: those are what it may have to wait for.
    behind: u64,
    /// As how manieth copy of the board it began to trail.
    trails: Option<u64>,
    role: Role,
    in_flight: bool,
    /// Gates and lines that it waits at.
    obstacles: u32,
}

/// [`Holds`] without the fingerprints, which [`Lines`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Unread,
    Everything,
    Series,
    Nothing,
    Sender(u64),
}

/// One tenant's unfinished copies for one mirror. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Board {
    bounds: Bounds,
    copies: Slab<Copy>,
    places: BTreeMap<Place, Slot>,
    /// Waiting copies without obstacles.
    free: BTreeSet<(Place, Slot)>,
    unread: BTreeSet<Place>,
    /// Held by whatever trails and holds a series. Copies that hold any series wait here.
    any: Gate,
    /// Held by copies that trail and hold any series. Copies with a known set wait here.
    barriers: Gate,
    /// By sender: held by its copies that trail. Its others wait here.
    senders: HashMap<u64, Gate>,
    lines: Lines,
    in_flight: usize,
    /// How many copies have begun to trail.
    trailed: u64,
    /// Of the newest copy. Arrival times follow the places, so that the oldest place is never held by the spread.
    newest_ms: u64,
    did_not_fit: u64,
}

impl Board {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            copies: Slab::new(),
            places: BTreeMap::new(),
            free: BTreeSet::new(),
            unread: BTreeSet::new(),
            any: Gate::default(),
            barriers: Gate::default(),
            senders: HashMap::new(),
            lines: Lines::new(),
            in_flight: 0,
            trailed: 0,
            newest_ms: 0,
            did_not_fit: 0,
        }
    }

    /// A copy joins the queue. Whatever trails now ([`Board::trail`]) trailed when it arrived. `arrived_ms` counts
    /// from any fixed moment; one that is smaller than an earlier copy's is taken as equal to it.
    ///
    /// Changes nothing and answers `false` if `place` is not above those of all copies on the board.
    pub(crate) fn enter(&mut self, place: Place, arrived_ms: u64, holds: Holds) -> bool {
        self.add(place, arrived_ms, holds, false)
    }

    #[cfg(test)]
    /// As [`Board::enter`], for a copy that is already being sent: one that went directly, before there was a queue.
    pub(crate) fn enter_in_flight(&mut self, place: Place, arrived_ms: u64, holds: Holds) -> bool {
        self.add(place, arrived_ms, holds, true)
    }

    /// The copy's exchange with the primary has ended: those that enter from now on stand behind it. A copy from a
    /// backlog trails as soon as it has entered. Answers `false` if it is not on the board or trails already.
    pub(crate) fn trail(&mut self, place: Place) -> bool {
        let Some(slot) = self.slot(place) else { return false };
        let copy = &mut self.copies[slot as usize];
        if copy.trails.is_some() {
            return false;
        }
        let (number, role) = (self.trailed, copy.role);
        copy.trails = Some(number);
        self.trailed += 1;
        self.hold(role, number);
        true
    }

    /// The set of a copy that entered as [`Holds::Unknown`], waiting or in flight. Best in the order of places:
    /// a set that comes after those of later copies costs a step for each of them.
    ///
    /// Answers `false` if the copy has left or its set is known.
    pub(crate) fn learn(&mut self, place: Place, set: Set) -> bool {
        if !self.unread.contains(&place) {
            return false;
        }
        let Some(slot) = self.slot(place) else { return false };
        self.detach(slot);
        self.attach(slot, Holds::Known(set));
        self.open_gates(None);
        true
    }

    /// Whether [`Board::ready`] would name a copy.
    pub(crate) fn has_ready(&self) -> bool {
        self.first_free().is_some()
    }

    fn first_free(&self) -> Option<(Place, Slot)> {
        let &(place, slot) = self.free.first()?;
        let (_, oldest_ms) = self.oldest()?;
        let ahead = self.copies[slot as usize].arrived_ms - oldest_ms;
        (ahead <= self.bounds.max_spread_ms).then_some((place, slot))
    }

    /// The next copy to be sent, which is in flight from now on: always the oldest that may go.
    pub(crate) fn ready(&mut self) -> Option<Place> {
        let (place, slot) = self.first_free()?;
        let copy = &mut self.copies[slot as usize];
        copy.in_flight = true;
        self.in_flight += 1;
        self.free.pop_first();
        Some(place)
    }

    /// The copy has its final outcome, wherever it was: it leaves, and what waited for it may go. Answers `false` if
    /// it is not on the board.
    pub(crate) fn finish(&mut self, place: Place) -> bool {
        let Some(slot) = self.places.remove(&place) else { return false };
        self.detach(slot);
        let copy = self.copies.remove(slot as usize);
        self.in_flight -= usize::from(copy.in_flight);
        let sender = if let Role::Sender(sender) = copy.role { Some(sender) } else { None };
        self.open_gates(sender);
        if self.places.is_empty() {
            self.newest_ms = 0;
            if self.copies.capacity() > SLOTS_KEPT {
                self.copies.shrink_to_fit();
            }
        }
        true
    }

    #[cfg(test)]
    /// The copy goes back from flight to its old place in the queue; nothing that depends on it may pass. It is
    /// offered again at once: one that must pause first is left in flight until then. Answers `false` if it is not
    /// in flight.
    pub(crate) fn retry(&mut self, place: Place) -> bool {
        let Some(slot) = self.slot(place) else { return false };
        let copy = &mut self.copies[slot as usize];
        if !copy.in_flight {
            return false;
        }
        copy.in_flight = false;
        self.in_flight -= 1;
        if copy.obstacles == 0 {
            self.free.insert((place, slot));
        }
        true
    }

    /// The oldest unfinished copy and when it arrived.
    pub(crate) fn oldest(&self) -> Option<(Place, u64)> {
        let (&place, &slot) = self.places.first_key_value()?;
        Some((place, self.copies[slot as usize].arrived_ms))
    }

    /// Copies, waiting and in flight, whose sets are not known yet, in the order in which they are best learnt.
    pub(crate) fn unread(&self) -> impl Iterator<Item = Place> {
        self.unread.iter().copied()
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            copies: self.places.len(),
            in_flight: self.in_flight,
            free: self.free.len(),
            unread: self.unread.len(),
            fingerprints: self.lines.len(),
            did_not_fit: self.did_not_fit,
        }
    }

    #[cfg(test)]
    /// Bytes held, never less than there are.
    pub(crate) fn memory(&self) -> usize {
        // The nodes of std's trees have room for 11 entries, all but the root at least 5; the largest entry here has
        // 16 bytes. A copy is in at most `places`, `unread`, one of `free` and two gates to wait at, and in two
        // gates that it holds.
        const TREE_ENTRY: usize = 64;
        const TREES: usize = 6;
        const TREE_ROOT: usize = 256;
        size_of::<Self>()
            + (7 + 2 * self.senders.len()) * TREE_ROOT
            + self.copies.capacity() * (size_of::<Copy>() + size_of::<usize>())
            + self.places.len() * TREES * TREE_ENTRY
            + self.senders.allocation_size()
            + self.lines.memory()
    }

    fn slot(&self, place: Place) -> Option<Slot> {
        self.places.get(&place).copied()
    }

    fn add(&mut self, place: Place, arrived_ms: u64, holds: Holds, in_flight: bool) -> bool {
        if self.places.last_key_value().is_some_and(|(&last, _)| place <= last) {
            return false;
        }
        let Ok(slot) = Slot::try_from(self.copies.vacant_key()) else { return false };
        self.newest_ms = self.newest_ms.max(arrived_ms);
        self.copies.insert(Copy {
            place,
            arrived_ms: self.newest_ms,
            behind: self.trailed,
            trails: None,
            role: Role::Unread,
            in_flight,
            obstacles: 0,
        });
        self.places.insert(place, slot);
        self.in_flight += usize::from(in_flight);
        self.attach(slot, holds);
        true
    }
}

//! What durable delivery knows of one mirror's unfinished copies: which are in memory, which only on disk, and which
//! may be sent now. Pure: no input or output, no clock.
//!
//! Memory holds a window. Copies that do not fit, and all later ones of their tenant, are known by their place only and
//! are read back in time. No tenant gets more than half of the window, so that one which the mirror refuses leaves room
//! for the others.
//!
//! What an earlier process left in the backlog is read in order of place (`recovery`). Until that is through, all
//! newcomers stand behind it: their tenants may have copies there.

mod reading;
mod refill;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use super::kept::{Kept, State};
use super::lane::Lane;
use super::message::Recovered;
use crate::mirror::order::By;
use crate::mirror::order::board::{self, Holds, Place, Set};
use refill::Recovery;
pub(super) use refill::{Back, Brought, Want};

/// A copy in memory: its tenant, and its place in that tenant's order.
pub(super) type Key = (u64, Place);

/// The window's bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    pub(super) copies: usize,
    pub(super) board: board::Bounds,
    /// Whether copies are kept in order at all.
    pub(super) ordered: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    bounds: Bounds,
    lanes: HashMap<u64, Lane>,
    /// The place in order of the next copy that comes into memory: no two copies ever have the same.
    next: u64,
    /// Places that wait on disk, by what is known of lanes and recovery, but have their outcome.
    ended: HashSet<u64>,
    /// Copies in memory by their place in the backlog.
    known: HashMap<u64, Key>,
    /// Copies that are in no backlog, but have to wait behind others that are only there.
    unsaved: HashMap<u64, Kept>,
    /// Copies that have just come.
    fresh: Vec<Key>,
    /// Lanes that may have something to send, in turn.
    turns: VecDeque<u64>,
    /// Lanes that have something on disk, in turn.
    hungry: VecDeque<u64>,
    /// Lanes whose bodies are read.
    reading: VecDeque<u64>,
    recovery: Option<Recovery>,
    /// Reads that were asked for and have not come back.
    reads: usize,
    bytes: u64,
    copies: usize,
    flying: usize,
}

/// What became of a newcomer.
#[derive(Debug)]
pub(super) enum Whereto {
    /// In memory.
    Window,
    /// On disk only.
    Disk,
    /// Nowhere: it is in no backlog, and memory is full.
    Refused(Box<Kept>),
}

impl Window {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lanes: HashMap::new(),
            next: 0,
            ended: HashSet::new(),
            known: HashMap::new(),
            unsaved: HashMap::new(),
            fresh: Vec::new(),
            turns: VecDeque::new(),
            hungry: VecDeque::new(),
            reading: VecDeque::new(),
            recovery: None,
            reads: 0,
            bytes: 0,
            copies: 0,
            flying: 0,
        }
    }

    /// Bytes of copies in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies on their way to the mirror.
    pub(super) fn flying(&self) -> usize {
        self.flying
    }

    /// What an earlier process left comes before all newcomers.
    pub(super) fn recovered(&mut self, recovered: Recovered) {
        if recovered.copies > 0 {
            self.recovery = Some(Recovery::new(recovered.end));
        }
    }

    /// A newcomer, in the order of arrival.
    pub(super) fn arrive(&mut self, tenant: u64, kept: Kept) -> Whereto {
        // Let go in the course of its own append.
        if self.ended.remove(&kept.place) {
            return Whereto::Disk;
        }
        let waits = self.recovery.is_some()
            || self.lanes.get(&tenant).is_some_and(|lane| !lane.spilled.is_empty())
            || !self.has_room(tenant, kept.bytes);
        if !waits {
            self.enter(tenant, kept, Holds::Unknown, false);
            return Whereto::Window;
        }
        let place = kept.place;
        let whereto = self.set_aside(kept);
        if !matches!(whereto, Whereto::Refused(_)) {
            self.arrive_on_disk(tenant, place);
        }
        whereto
    }

    /// A newcomer that is on disk only.
    pub(super) fn arrive_on_disk(&mut self, tenant: u64, place: u64) {
        if self.ended.remove(&place) {
            return;
        }
        if let Some(recovery) = &mut self.recovery {
            recovery.behind.push_back((tenant, place));
            return;
        }
        self.lane(tenant).spilled.push_back(place);
        self.grow_hungry(tenant);
    }

    /// A copy that waits on disk leaves memory; one that is in no backlog stays as long as there is room.
    fn set_aside(&mut self, kept: Kept) -> Whereto {
        if kept.saved {
            return Whereto::Disk;
        }
        // Half of the window stays for what has to be read back before it.
        if self.bytes + kept.bytes > self.bounds.bytes / 2 || self.copies >= self.bounds.copies / 2 {
            return Whereto::Refused(Box::new(kept));
        }
        self.bytes += kept.bytes;
        self.copies += 1;
        self.unsaved.insert(kept.place, kept);
        Whereto::Window
    }

    fn has_room(&self, tenant: u64, bytes: u64) -> bool {
        let own = self.lanes.get(&tenant).map_or(0, |lane| lane.bytes);
        own == 0 && self.bytes == 0
            || (self.bytes + bytes <= self.bounds.bytes
                && self.copies < self.bounds.copies
                && own + bytes <= self.bounds.bytes / 2)
    }

    fn lane(&mut self, tenant: u64) -> &mut Lane {
        self.lanes.entry(tenant).or_insert_with(|| Lane::new(self.bounds.board))
    }

    /// A copy joins those in memory.
    fn enter(&mut self, tenant: u64, kept: Kept, holds: Holds, trails: bool) {
        let holds = match (self.bounds.ordered, kept.by) {
            (false, _) => Holds::Known(Set::Nothing),
            (true, By::Sender(sender)) => Holds::Sender(sender),
            (true, By::Series(_)) => holds,
        };
        self.bytes += kept.bytes;
        self.copies += 1;
        let (place, at) = (kept.place, Place(self.next));
        self.next += 1;
        self.lane(tenant).enter(at, kept, holds, trails);
        self.known.insert(place, (tenant, at));
        self.fresh.push((tenant, at));
        self.take_turns(tenant);
    }

    /// The client of this copy may be answered: newcomers stand behind it. What went to disk does so anyway.
    pub(super) fn trail(&mut self, place: u64) {
        if let Some(&(tenant, at)) = self.known.get(&place)
            && let Some(lane) = self.lanes.get_mut(&tenant)
        {
            lane.board.trail(at);
        }
    }

    /// These copies are in the backlog now.
    pub(super) fn saved(&mut self, places: &[u64]) {
        for place in places {
            if let Some(&key) = self.known.get(place) {
                if let Some(kept) = self.get_mut(key) {
                    kept.saved = true;
                }
            } else if let Some(kept) = self.unsaved.remove(place) {
                // It waits on disk from here on, like those before it.
                self.forget_unsaved(&kept);
            }
        }
    }

    /// Something of this tenant's may go now.
    pub(super) fn take_turns(&mut self, tenant: u64) {
        if let Some(lane) = self.lanes.get_mut(&tenant)
            && !std::mem::replace(&mut lane.turns, true)
        {
            self.turns.push_back(tenant);
        }
    }

    /// The next copy to be sent, which flies from now on. `may` is asked for a tenant before one of its copies goes.
    pub(super) fn start(&mut self, mut may: impl FnMut(u64) -> bool) -> Option<Key> {
        while let Some(tenant) = self.turns.pop_front() {
            let Some(lane) = self.lanes.get_mut(&tenant) else { continue };
            lane.turns = false;
            // Asked for only when there is something: an answer may use up the tenant's one try.
            if !lane.board.has_ready() || !may(tenant) {
                continue;
            }
            let Some(at) = lane.board.ready() else { continue };
            self.take_turns(tenant);
            self.fly((tenant, at));
            return Some((tenant, at));
        }
        None
    }

    /// The copy is on its way, first or again.
    pub(super) fn fly(&mut self, key: Key) {
        if let Some(kept) = self.get_mut(key)
            && std::mem::replace(&mut kept.state, State::Flying) != State::Flying
        {
            self.flying += 1;
        }
    }

    /// The copy is back and rests before it is tried again; what depends on it goes on waiting.
    pub(super) fn rest(&mut self, key: Key) {
        if let Some(kept) = self.get_mut(key)
            && std::mem::replace(&mut kept.state, State::Resting) == State::Flying
        {
            self.flying -= 1;
        }
    }

    pub(super) fn get_mut(&mut self, (tenant, at): Key) -> Option<&mut Kept> {
        self.lanes.get_mut(&tenant)?.copies.get_mut(&at)
    }

    /// The copy has its final outcome.
    pub(super) fn finish(&mut self, (tenant, at): Key) -> Option<Kept> {
        let lane = self.lanes.get_mut(&tenant)?;
        let kept = lane.leave(at)?;
        self.known.remove(&kept.place);
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        self.copies -= 1;
        self.flying -= usize::from(kept.state == State::Flying);
        self.take_turns(tenant);
        self.forget_empty(tenant);
        Some(kept)
    }

    fn forget_empty(&mut self, tenant: u64) {
        if self.lanes.get(&tenant).is_some_and(Lane::is_empty) {
            self.lanes.remove(&tenant);
        }
        if self.is_empty() {
            // Nothing is left that they could stand in.
            self.ended = HashSet::new();
        }
    }

    /// The backlog let go of this copy. `None` if it flies: then its attempt decides. Otherwise whether it was known
    /// here at all is of no matter: it has no outcome yet, and gets one now.
    pub(super) fn expire(&mut self, place: u64) -> Option<Option<Key>> {
        let Some(&key) = self.known.get(&place) else {
            if let Some(kept) = self.unsaved.remove(&place) {
                self.forget_unsaved(&kept);
            }
            self.ended.insert(place);
            return Some(None);
        };
        let kept = self.get_mut(key)?;
        if kept.state == State::Flying {
            // It is in memory only from now on.
            kept.saved = false;
            return None;
        }
        Some(Some(key))
    }

    /// Copies that are in no backlog and do not fly, for which `is_over` holds: those in order, and those set aside.
    pub(super) fn unsaved(&mut self, is_over: impl Fn(&Kept) -> bool) -> (Vec<Key>, Vec<Kept>) {
        let keys = self.unsaved_keys(|kept| kept.state != State::Flying && is_over(kept));
        let aside: Vec<Kept> =
            self.unsaved.extract_if(|_, kept| is_over(kept)).map(|(_, kept)| kept).collect();
        for kept in &aside {
            self.forget_unsaved(kept);
            self.ended.insert(kept.place);
        }
        (keys, aside)
    }

    /// A copy that was set aside is set aside no more.
    fn forget_unsaved(&mut self, kept: &Kept) {
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        self.copies -= 1;
    }

    /// Newcomers that were not sent at once have to wait.
    pub(super) fn mark_waiting(&mut self) {
        for key in std::mem::take(&mut self.fresh) {
            if let Some(kept) = self.get_mut(key) {
                kept.waited = kept.state == State::Waiting;
            }
        }
    }

    /// Something is on disk that should be in memory.
    pub(super) fn wants(&self) -> bool {
        !self.hungry.is_empty() || self.recovery.is_some()
    }

    /// Copies on their way that are in no backlog.
    pub(super) fn unsaved_flying(&self) -> Vec<Key> {
        self.unsaved_keys(|kept| kept.state == State::Flying)
    }

    /// Tenants with unfinished copies.
    pub(super) fn tenants(&self) -> impl Iterator<Item = u64> {
        self.lanes.keys().copied()
    }

    /// How many there are of one tenant. What an earlier process left is known once it was read.
    pub(super) fn copies_of(&self, tenant: u64) -> u64 {
        self.lanes.get(&tenant).map_or(0, |lane| (lane.copies.len() + lane.spilled.len()) as u64)
    }

    /// Copies of lanes that are in no backlog.
    fn unsaved_keys(&self, wanted: impl Fn(&Kept) -> bool) -> Vec<Key> {
        let wanted = |kept: &Kept| !kept.saved && wanted(kept);
        let lanes = self.lanes.iter();
        let keys = lanes.flat_map(|(&tenant, lane)| {
            lane.copies.iter().filter(|(_, kept)| wanted(kept)).map(move |(&at, _)| (tenant, at))
        });
        keys.collect()
    }

    /// Nothing is in memory, and nothing waits to be read back.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty() && self.recovery.is_none() && self.unsaved.is_empty()
    }

    /// When the oldest copy in memory arrived, for those that no backlog knows of.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let lanes = self.lanes.values().flat_map(|lane| lane.copies.values().next());
        lanes.chain(self.unsaved.values()).map(|kept| kept.arrived).min()
    }
}

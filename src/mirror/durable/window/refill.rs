//! Reading copies back from disk into the window.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::{Bounds, Kept, Window};
use crate::limits;
use crate::mirror::order::board::{Holds, Set};

/// What an earlier process left, while it is being read.
#[derive(Debug)]
pub(super) struct Recovery {
    /// Where to go on.
    next: u64,
    /// It ends before this place.
    end: u64,
    asked: bool,
    not_before: Option<Instant>,
    refused: u32,
    /// Newcomers, which stand behind it: tenant and place.
    pub(super) behind: VecDeque<(u64, u64)>,
}

impl Recovery {
    pub(super) fn new(end: u64) -> Self {
        Self { next: 0, end, asked: false, not_before: None, refused: 0, behind: VecDeque::new() }
    }
}

/// What should be read next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::mirror::durable) enum Want {
    /// These places of a tenant, up to so many bytes.
    Places(u64, Vec<u64>, u64),
    /// What an earlier process left, from this place on, up to so many bytes.
    From(u64, u64),
}

/// A record that was read back, made into a copy, and the series that it carries.
#[derive(Debug)]
pub(in crate::mirror::durable) struct Back {
    pub(in crate::mirror::durable) tenant: u64,
    pub(in crate::mirror::durable) kept: Kept,
    pub(in crate::mirror::durable) set: Set,
}

/// What reading brought.
#[derive(Debug, Default)]
pub(in crate::mirror::durable) struct Brought {
    pub(in crate::mirror::durable) back: Vec<Back>,
    /// Damaged: they are given up.
    pub(in crate::mirror::durable) damaged: Vec<u64>,
    /// The disk would not give them now.
    pub(in crate::mirror::durable) unreadable: Vec<u64>,
    /// They had their outcome before.
    pub(in crate::mirror::durable) gone: Vec<u64>,
    /// After [`Want::From`].
    pub(in crate::mirror::durable) next: Option<u64>,
}

impl Window {
    pub(super) fn grow_hungry(&mut self, tenant: u64) {
        if let Some(lane) = self.lanes.get_mut(&tenant)
            && !std::mem::replace(&mut lane.hungry, true)
        {
            self.hungry.push_back(tenant);
        }
    }

    /// What should be read now, if there is room for it. The caller asks until there is nothing, and later tells what
    /// reading brought.
    pub(in crate::mirror::durable) fn want(&mut self, now: Instant) -> Option<Want> {
        if self.reads >= limits::BACKLOG_READS {
            return None;
        }
        if let Some(want) = self.want_recovery(now) {
            self.reads += 1;
            return Some(want);
        }
        for _ in 0..self.hungry.len() {
            let tenant = self.hungry.pop_front()?;
            self.pass_ended(tenant);
            self.admit_unsaved(tenant);
            let room = self.room(tenant);
            let Some(lane) = self.lanes.get_mut(&tenant) else { continue };
            if lane.spilled.is_empty() {
                lane.hungry = false;
                self.forget_empty(tenant);
                continue;
            }
            self.hungry.push_back(tenant);
            if lane.asked > 0 || room == 0 || lane.not_before.is_some_and(|at| at > now) {
                continue;
            }
            let unsaved = &self.unsaved;
            let places = lane.spilled.iter().take(limits::BACKLOG_READ_COPIES).copied();
            let places: Vec<u64> = places.take_while(|place| !unsaved.contains_key(place)).collect();
            if !places.is_empty() {
                lane.asked = places.len();
                self.reads += 1;
                return Some(Want::Places(tenant, places, room));
            }
        }
        None
    }

    fn want_recovery(&mut self, now: Instant) -> Option<Want> {
        let room = self.bounds.bytes.saturating_sub(self.bytes).min(limits::BACKLOG_READ_BYTES);
        let full = self.bytes > 0 && (room == 0 || self.copies >= self.bounds.copies);
        let recovery = self.recovery.as_mut()?;
        if recovery.asked || full || recovery.not_before.is_some_and(|at| at > now) {
            return None;
        }
        recovery.asked = true;
        Some(Want::From(recovery.next, room))
    }

    /// Bytes that a lane may bring into memory. One that has nothing there gets a little even when the window is full:
    /// whoever fills it may be waiting for long.
    fn room(&self, tenant: u64) -> u64 {
        let Bounds { bytes, copies, .. } = self.bounds;
        let own = self.lanes.get(&tenant).map_or(0, |lane| lane.bytes);
        let share = (bytes / 2).saturating_sub(own);
        if own == 0 {
            let whole = (bytes + bytes / 8).saturating_sub(self.bytes);
            let few = self.copies < copies + copies / 8;
            return if few { whole.min(share.max(1)).min(limits::BACKLOG_READ_BYTES) } else { 0 };
        }
        let room = bytes.saturating_sub(self.bytes).min(share);
        // Small pieces are not worth a read.
        if self.copies >= copies || room < bytes / 16 { 0 } else { room.min(limits::BACKLOG_READ_BYTES) }
    }

    /// Passes over those that have had their outcome meanwhile.
    fn pass_ended(&mut self, tenant: u64) {
        let Some(lane) = self.lanes.get_mut(&tenant).filter(|lane| lane.asked == 0) else { return };
        while lane.spilled.front().is_some_and(|place| self.ended.remove(place)) {
            lane.spilled.pop_front();
        }
    }

    /// Copies that are in no backlog and whose turn has come.
    fn admit_unsaved(&mut self, tenant: u64) {
        while let Some(lane) = self.lanes.get_mut(&tenant) {
            let first = lane.spilled.front().filter(|_| lane.asked == 0);
            let Some(kept) = first.and_then(|place| self.unsaved.remove(place)) else { return };
            lane.spilled.pop_front();
            self.forget_unsaved(&kept);
            self.enter(tenant, kept, Holds::Unknown, true);
            self.pass_ended(tenant);
        }
    }

    /// What reading a tenant's places brought. Returns those that are given up, for their outcome.
    pub(in crate::mirror::durable) fn brought(
        &mut self,
        tenant: u64,
        brought: Brought,
        now: Instant,
    ) -> Vec<u64> {
        self.reads = self.reads.saturating_sub(1);
        let mut back: HashMap<u64, Back> =
            brought.back.into_iter().map(|back| (back.kept.place, back)).collect();
        let mut given_up = Vec::new();
        let asked = self.lanes.get_mut(&tenant).map_or(0, |lane| std::mem::take(&mut lane.asked));
        for _ in 0..asked {
            let Some(lane) = self.lanes.get_mut(&tenant) else { break };
            let Some(&place) = lane.spilled.front() else { break };
            if self.ended.remove(&place) {
                lane.spilled.pop_front();
            } else if let Some(Back { kept, set, .. }) = back.remove(&place) {
                lane.spilled.pop_front();
                lane.refused = 0;
                self.enter(tenant, kept, Holds::Known(set), true);
            } else if brought.gone.contains(&place) {
                lane.spilled.pop_front();
            } else if brought.damaged.contains(&place)
                || (brought.unreadable.contains(&place) && lane.refused >= limits::BACKLOG_READ_ATTEMPTS)
            {
                lane.spilled.pop_front();
                lane.refused = 0;
                given_up.push(place);
            } else {
                // Nothing behind it may pass: it is asked for again.
                if brought.unreadable.contains(&place) {
                    lane.refused += 1;
                    lane.not_before = Some(now + limits::BACKLOG_READ_PAUSE);
                }
                break;
            }
        }
        // The backlog has given them up, wherever they stand.
        for place in brought.damaged {
            if !given_up.contains(&place) {
                self.ended.insert(place);
                given_up.push(place);
            }
        }
        given_up
    }

    /// What reading on in the backlog brought. Returns places that are given up, for their outcome.
    pub(in crate::mirror::durable) fn brought_recovery(
        &mut self,
        brought: Brought,
        now: Instant,
    ) -> Vec<u64> {
        self.reads = self.reads.saturating_sub(1);
        let Some(mut recovery) = self.recovery.take() else { return Vec::new() };
        recovery.asked = false;
        // Newcomers stand behind `end`: what is read of them here is read again in its turn.
        let (mut given_up, newcomers): (Vec<u64>, Vec<u64>) =
            brought.damaged.into_iter().partition(|&place| place < recovery.end);
        self.ended.extend(&newcomers);
        given_up.extend(newcomers);
        let unreadable: Vec<u64> =
            brought.unreadable.into_iter().filter(|&place| place < recovery.end).collect();
        let mut next = brought.next.unwrap_or(recovery.end);
        let mut stop = recovery.end;
        if unreadable.is_empty() {
            recovery.refused = 0;
        }
        if let Some(&place) = unreadable.iter().min() {
            recovery.refused += 1;
            if recovery.refused > limits::BACKLOG_READ_ATTEMPTS {
                given_up.extend(unreadable);
                recovery.refused = 0;
            } else {
                recovery.not_before = Some(now + limits::BACKLOG_READ_PAUSE);
                (next, stop) = (place, place);
            }
        }
        for Back { tenant, kept, set } in brought.back {
            if kept.place < stop && !self.ended.remove(&kept.place) {
                self.bring(tenant, kept, set);
            }
        }
        recovery.next = next;
        if next < recovery.end {
            self.recovery = Some(recovery);
            return given_up;
        }
        for (tenant, place) in recovery.behind {
            self.lane(tenant).spilled.push_back(place);
            self.grow_hungry(tenant);
        }
        given_up
    }

    /// A copy of an earlier process: into memory, or, if its tenant has its share already, known by its place.
    fn bring(&mut self, tenant: u64, kept: Kept, set: Set) {
        let has_room = self.has_room(tenant, kept.bytes);
        let lane = self.lane(tenant);
        if lane.spilled.is_empty() && has_room {
            self.enter(tenant, kept, Holds::Known(set), true);
        } else {
            lane.spilled.push_back(kept.place);
            self.grow_hungry(tenant);
        }
    }
}

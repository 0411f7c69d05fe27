//! What stands in a copy's way: puts copies at gates and into lines by what they hold, and takes them out again.

use std::collections::BTreeSet;

use slab::Slab;

use super::{Board, Copy, Holds, Place, Role, Set, Slot};

impl Board {
    /// Gives a copy its role: what it holds, what it waits for.
    pub(super) fn attach(&mut self, slot: Slot, holds: Holds) {
        let Copy { place, behind, trails, .. } = self.copies[slot as usize];
        let (role, obstacles) = match holds {
            Holds::Unknown => {
                self.unread.insert(place);
                (Role::Unread, u32::from(self.any.wait(behind, slot)))
            }
            Holds::Known(set) => match self.fitting(set) {
                Set::Everything => (Role::Everything, u32::from(self.any.wait(behind, slot))),
                Set::Nothing => (Role::Nothing, 0),
                Set::Series(set) => {
                    let barriers = u32::from(self.barriers.wait(behind, slot));
                    (Role::Series, barriers + self.line_up(slot, place, &set))
                }
            },
            Holds::Sender(sender) => {
                let own = self.senders.entry(sender).or_default();
                let own = u32::from(own.wait(behind, slot));
                (Role::Sender(sender), own + u32::from(self.barriers.wait(behind, slot)))
            }
        };
        if let Some(number) = trails {
            self.hold(role, number);
        }
        let copy = &mut self.copies[slot as usize];
        (copy.role, copy.obstacles) = (role, obstacles);
        if obstacles == 0 && !copy.in_flight {
            self.free.insert((place, slot));
        }
    }

    /// Undoes [`Board::attach`], but for opening the gates.
    pub(super) fn detach(&mut self, slot: Slot) {
        let Copy { place, behind, trails, role, obstacles, .. } = self.copies[slot as usize];
        if obstacles == 0 {
            self.free.remove(&(place, slot));
        }
        if let Some(number) = trails {
            self.release(role, number);
        }
        match role {
            Role::Unread => {
                self.unread.remove(&place);
                self.any.forget(behind, slot);
            }
            Role::Everything => self.any.forget(behind, slot),
            Role::Nothing => {}
            Role::Series => {
                self.barriers.forget(behind, slot);
                let Self { lines, copies, free, .. } = self;
                lines.leave(slot, |next| remove_obstacle(copies, free, next));
            }
            Role::Sender(sender) => {
                self.barriers.forget(behind, slot);
                if let Some(own) = self.senders.get_mut(&sender) {
                    own.forget(behind, slot);
                }
            }
        }
    }

    /// Puts a copy into the lines of its series. Answers at how many of them it waits.
    fn line_up(&mut self, slot: Slot, place: Place, set: &[u64]) -> u32 {
        let Self { lines, copies, free, .. } = self;
        lines.join(slot, place, set, |later| {
            let copy = &mut copies[later as usize];
            if copy.obstacles == 0 {
                free.remove(&(copy.place, later));
            }
            copy.obstacles += 1;
        })
    }

    /// Brings a set into its regular form: ascending, without duplicates, not empty, within the bound.
    fn fitting(&mut self, set: Set) -> Set {
        let Set::Series(mut set) = set else { return set };
        if !set.is_sorted_by(|a, b| a < b) {
            let mut sorted = set.into_vec();
            sorted.sort_unstable();
            sorted.dedup();
            set = sorted.into_boxed_slice();
        }
        if set.is_empty() {
            return Set::Nothing;
        }
        if set.len() > self.bounds.max_fingerprints - self.lines.len() {
            self.did_not_fit += 1;
            return Set::Everything;
        }
        Set::Series(set)
    }

    /// Newcomers stand behind a copy that trails.
    pub(super) fn hold(&mut self, role: Role, number: u64) {
        match role {
            Role::Nothing => return,
            Role::Unread | Role::Everything => self.barriers.hold(number),
            Role::Series => {}
            Role::Sender(sender) => self.senders.entry(sender).or_default().hold(number),
        }
        self.any.hold(number);
    }

    fn release(&mut self, role: Role, number: u64) {
        match role {
            Role::Nothing => return,
            Role::Unread | Role::Everything => self.barriers.release(number),
            Role::Series => {}
            Role::Sender(sender) => {
                if let Some(own) = self.senders.get_mut(&sender) {
                    own.release(number);
                }
            }
        }
        self.any.release(number);
    }

    /// Lets through whoever waits at a gate for nothing any more. `sender` is the one that a copy has just left.
    pub(super) fn open_gates(&mut self, sender: Option<u64>) {
        let Self { any, barriers, senders, copies, free, .. } = self;
        while let Some(slot) = any.open().or_else(|| barriers.open()) {
            remove_obstacle(copies, free, slot);
        }
        let Some((sender, own)) = sender.and_then(|sender| Some((sender, senders.get_mut(&sender)?))) else {
            return;
        };
        while let Some(slot) = own.open() {
            remove_obstacle(copies, free, slot);
        }
        if own.is_empty() {
            senders.remove(&sender);
            if senders.is_empty() {
                senders.shrink_to_fit();
            }
        }
    }
}

fn remove_obstacle(copies: &mut Slab<Copy>, free: &mut BTreeSet<(Place, Slot)>, slot: Slot) {
    let copy = &mut copies[slot as usize];
    copy.obstacles -= 1;
    if copy.obstacles == 0 && !copy.in_flight {
        free.insert((copy.place, slot));
    }
}

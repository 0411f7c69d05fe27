//! One line for each series: the unfinished copies that hold it, in the order of their places.
//!
//! Only the head of a line may go. A line is a list through the sets of its copies; the table knows each line's last
//! member. Joining and leaving cost one step for each series of the copy, whatever the number of copies.

use hashbrown::HashMap;

use super::{Place, Slot};

/// A table below this many entries is never shrunk: a queue that comes and goes would pay for it each time.
const TABLE_KEPT: usize = 1 << 12;

/// One copy's membership in one line, by its index in the copy's set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    slot: Slot,
    index: u32,
}

const NOBODY: Member = Member { slot: Slot::MAX, index: u32::MAX };

#[derive(Debug)]
struct Link {
    fingerprint: u64,
    before: Member,
    after: Member,
}

/// One copy in its lines.
#[derive(Debug)]
struct Linked {
    place: Place,
    links: Box<[Link]>,
}

#[derive(Debug)]
pub(super) struct Lines {
    /// Hashed once more, with a secret: clients choose what the fingerprints are made of.
    last: HashMap<u64, Member>,
    /// By slot.
    sets: Vec<Linked>,
    /// Links in all sets.
    len: usize,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { last: HashMap::new(), sets: Vec::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    /// Bytes held beside `Self`.
    pub(super) fn memory(&self) -> usize {
        self.last.allocation_size()
            + self.sets.capacity() * size_of::<Linked>()
            + self.len * size_of::<Link>()
    }

    /// Joins the lines of `set`, which has no duplicates. Answers in how many of them somebody stands before this
    /// copy. `overtaken` hears of each copy that was the head of a line and now stands behind this one.
    pub(super) fn join(
        &mut self,
        slot: Slot,
        place: Place,
        set: &[u64],
        mut overtaken: impl FnMut(Slot),
    ) -> u32 {
        // All look-ups first: they do not depend on each other, so the processor waits for many at once. In a table
        // beyond its caches this halves the cost.
        let look_up = |&fingerprint| {
            let before = self.last.get(&fingerprint).copied().unwrap_or(NOBODY);
            Link { fingerprint, before, after: NOBODY }
        };
        let links: Box<[Link]> = set.iter().map(look_up).collect();
        while self.sets.len() <= slot as usize {
            self.sets.push(Linked { place, links: Box::default() });
        }
        self.sets[slot as usize] = Linked { place, links };
        self.len += set.len();
        let mut obstacles = 0;
        for (index, &fingerprint) in (0..).zip(set) {
            let member = Member { slot, index };
            let last = self.link(member).before;
            let before = if last == NOBODY || self.sets[last.slot as usize].place < place {
                self.last.insert(fingerprint, member);
                last
            } else {
                self.cut_in(member, place, last)
            };
            if before != NOBODY {
                self.link(before).after = member;
                obstacles += 1;
            } else if last != NOBODY {
                overtaken(self.link(member).after.slot);
            }
        }
        obstacles
    }

    /// Leaves all lines. `freed` hears of each copy that is the head of a line now.
    pub(super) fn leave(&mut self, slot: Slot, mut freed: impl FnMut(Slot)) {
        let links = std::mem::take(&mut self.sets[slot as usize].links);
        self.len -= links.len();
        for &Link { fingerprint, before, after } in &links {
            match (before, after) {
                (NOBODY, NOBODY) => drop(self.last.remove(&fingerprint)),
                (NOBODY, after) => {
                    self.link(after).before = NOBODY;
                    freed(after.slot);
                }
                (before, NOBODY) => {
                    self.link(before).after = NOBODY;
                    self.last.insert(fingerprint, before);
                }
                (before, after) => {
                    self.link(before).after = after;
                    self.link(after).before = before;
                }
            }
        }
        self.shrink();
    }

    /// Links `member` with the first of its line whose place is later; there is one, namely `last`. Answers who
    /// stands before it.
    fn cut_in(&mut self, member: Member, place: Place, last: Member) -> Member {
        let mut after = last;
        let mut before = self.link(after).before;
        while before != NOBODY && self.sets[before.slot as usize].place > place {
            after = before;
            before = self.link(after).before;
        }
        self.link(after).before = member;
        *self.link(member) = Link { fingerprint: self.link(member).fingerprint, before, after };
        before
    }

    fn link(&mut self, member: Member) -> &mut Link {
        &mut self.sets[member.slot as usize].links[member.index as usize]
    }

    fn shrink(&mut self) {
        let room = self.last.capacity();
        if room > TABLE_KEPT && self.last.len() < room / 8 {
            self.last.shrink_to((self.last.len() * 2).max(TABLE_KEPT));
        }
        if self.len == 0 && self.sets.capacity() > TABLE_KEPT {
            self.sets = Vec::new();
        }
    }
}

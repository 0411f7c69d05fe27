//! One line for each series: the unfinished copies that hold it, in the order of their places.
//!
//! Only the head of a line may go. A line is a list through the sets of its copies; the table knows each line's last
//! member. Joining and leaving cost one step for each series of the copy, whatever the number of copies.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

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

#[derive(Debug)]
struct Set {
    place: Place,
    links: Box<[Link]>,
}

#[derive(Debug)]
pub(super) struct Lines {
    /// Hashed once more, with a secret: clients choose what the fingerprints are made of.
    last: HashMap<u64, Member>,
    /// By slot.
    sets: Vec<Set>,
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

    /// Bytes held beside `Self`.
    pub(super) fn memory(&self) -> usize {
        self.last.allocation_size() + self.sets.capacity() * size_of::<Set>() + self.len * size_of::<Link>()
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
        let unlinked = |&fingerprint| Link { fingerprint, before: NOBODY, after: NOBODY };
        let links: Box<[Link]> = set.iter().map(unlinked).collect();
        while self.sets.len() <= slot as usize {
            self.sets.push(Set { place, links: Box::default() });
        }
        self.sets[slot as usize] = Set { place, links };
        self.len += set.len();
        let mut obstacles = 0;
        for (index, &fingerprint) in (0..).zip(set) {
            let member = Member { slot, index };
            let before = match self.last.entry(fingerprint) {
                Entry::Vacant(line) => {
                    line.insert(member);
                    continue;
                }
                Entry::Occupied(mut line) if self.sets[line.get().slot as usize].place < place => {
                    line.insert(member)
                }
                Entry::Occupied(line) => {
                    let last = *line.get();
                    let before = self.cut_in(member, place, last);
                    if before == NOBODY {
                        overtaken(self.link(member).after.slot);
                        continue;
                    }
                    before
                }
            };
            self.link(before).after = member;
            self.link(member).before = before;
            obstacles += 1;
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
        self.link(member).after = after;
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

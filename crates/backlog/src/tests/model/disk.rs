//! Bytes and names on the model's disk, and what a loss of power leaves of their changes.

use std::cell::Cell;
use std::collections::BTreeMap;

/// A write is torn into pieces of this many bytes.
const SECTOR: usize = 64;

#[derive(Debug, Default, Clone)]
pub(super) struct Node {
    /// What a reader sees.
    pub(super) seen: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Create(String, usize),
    Rename(String, String, usize),
    Remove(String, usize),
}

/// SplitMix64: good enough to choose, and the same everywhere.
#[derive(Debug, Default, Clone)]
pub(crate) struct Random(pub(crate) Cell<u64>);

impl Random {
    pub(crate) fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let z = self.0.get();
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub(super) fn coin(&self) -> bool {
        self.next() & 1 == 1
    }
}

impl Change {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, written) => {
                bytes.resize(bytes.len().max(offset + written.len()), 0);
                bytes[*offset..offset + written.len()].copy_from_slice(written);
            }
        }
    }

    /// What a loss of power may leave of it.
    pub(super) fn survive(&self, random: &Random, bytes: &mut Vec<u8>) {
        match (random.below(4), self) {
            (0, _) => {}
            (1, _) => self.apply(bytes),
            // The length reached the disk, the bytes did not.
            (2, Self::Write(offset, written)) => bytes.resize(bytes.len().max(offset + written.len()), 0),
            (_, Self::Length(_)) => self.apply(bytes),
            (_, Self::Write(offset, written)) => {
                for (piece, chunk) in written.chunks(SECTOR).enumerate() {
                    if random.coin() {
                        Self::Write(offset + piece * SECTOR, chunk.to_vec()).apply(bytes);
                    }
                }
            }
        }
    }
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, node) => {
                names.insert(name.clone(), *node);
            }
            Self::Rename(from, to, node) => {
                if names.get(from) == Some(node) {
                    names.remove(from);
                }
                names.insert(to.clone(), *node);
            }
            Self::Remove(name, node) => {
                if names.get(name) == Some(node) {
                    names.remove(name);
                }
            }
        }
    }
}

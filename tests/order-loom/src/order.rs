//! What the cells know of their surroundings.

#[path = "../../../src/mirror/order/cell.rs"]
pub(crate) mod cell;
#[path = "../../../src/mirror/order/ticket.rs"]
pub(crate) mod ticket;

pub(crate) mod board {
    /// A copy's place.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Place(pub u64);
}

pub(crate) mod sync {
    pub(in crate::order) use model::sync::{Mutex, MutexGuard};
}

use board::Place;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub mirror: u32,
    pub cell: u32,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub place: Place,
    pub arrived_ms: u64,
    pub worker: usize,
}

#[derive(Debug)]
pub enum Event {
    Enter(Key, Entry),
    Trail(Key, Place),
    Finish { key: Key, place: Place, taken: bool },
    Forget(Key),
}

#[derive(Debug, Clone, Copy)]
pub struct Permit {
    pub key: Key,
    pub place: Place,
    pub read: bool,
}

//! Which copies are being sent: those the backlog does not let go of, however old or full.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Places of the copies in flight. The delivery thread writes, the backlog thread looks while it lets go of others.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashSet<u64>>);

impl InFlight {
    /// A copy is being sent from now on. If it was let go a moment before, that is told all the same, and its sending
    /// decides.
    pub(crate) fn begin(&self, place: u64) {
        self.with(|places| places.insert(place));
    }

    /// It is not being sent any more.
    pub(crate) fn end(&self, place: u64) {
        self.with(|places| places.remove(&place));
    }

    /// A copy of the set: there are as many as connections, and letting go of others may wait for the disk.
    pub(crate) fn places(&self) -> HashSet<u64> {
        self.with(|places| places.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashSet<u64>) -> T) -> T {
        // Nothing in here can be left half done.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! One mirror's queues at the order thread, and how far reading may run ahead of the mirror.
//!
//! Reading lets copies go side by side, which is of use only to a mirror that takes some. One that hangs takes none, and
//! to read all that comes meanwhile would cost about as much as to serve it. So no more than a few hundred bodies are
//! read since the mirror last took a copy; each one that it takes makes room for as many again.
//!
//! Nothing locks up for want of room. Unread copies go by the cells' own rule, which asks nobody here and always lets
//! the oldest go; and where a mirror takes nothing, there is nothing to send side by side. As soon as it takes one copy,
//! reading goes on. Only that counts: copies that expire, time out or are refused all leave a mirror that hangs.

#[cfg(test)]
#[path = "queues/tests.rs"]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use super::board::Bounds;
use super::queue::{Queue, Reader};
use super::{Event, Permit};
use crate::limits;

/// Copies wait in memory for minutes at most (`max_age`), far below half a TSDB block: their arrival times need no
/// bound of their own.
const BOUNDS: Bounds = Bounds { max_spread_ms: u64::MAX, max_fingerprints: limits::ORDER_FINGERPRINTS };

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Of tenants whose copies have waited for long, by cell.
    queues: BTreeMap<u32, Queue>,
    /// Bodies read since the mirror took a copy.
    ahead: usize,
    /// Whose body was read last: the next one after it has its turn, wherever the room ended.
    last: u32,
}

impl Queues {
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Enter(key, entry) => {
                self.queues.entry(key.cell).or_insert_with(|| Queue::new(key, BOUNDS)).enter(entry);
            }
            Event::Trail(key, place) => {
                if let Some(queue) = self.queues.get_mut(&key.cell) {
                    queue.trail(place);
                }
            }
            Event::Finish { key, place, taken } => {
                if taken {
                    self.ahead = 0;
                }
                if let Some(queue) = self.queues.get_mut(&key.cell) {
                    queue.finish(place);
                }
            }
            Event::Forget(key) => drop(self.queues.remove(&key.cell)),
        }
    }

    /// Reads one body of each queue, as far as there is room. Returns whether any was read.
    pub(super) fn read(&mut self, reader: &mut Reader) -> bool {
        let mut any = false;
        for turn in [(Excluded(self.last), Unbounded), (Unbounded, Included(self.last))] {
            for (&cell, queue) in self.queues.range_mut(turn) {
                if self.ahead >= limits::ORDER_READ_AHEAD {
                    return any;
                }
                if queue.read_one(reader) {
                    (self.ahead, self.last, any) = (self.ahead + 1, cell, true);
                }
            }
        }
        any
    }

    /// The copies that may go, with the worker that holds each.
    pub(super) fn permits(&mut self, mut tell: impl FnMut(usize, Permit)) {
        self.queues.values_mut().for_each(|queue| queue.permits(&mut tell));
    }
}

//! The program's own order cells (`src/mirror/order/cell.rs` and `ticket.rs`) on loom's locks, and as little of their surroundings as they
//! need. The models are in `tests/`.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "the module is the program's, and the rest stands in for it"
)]

mod limits {
    use std::time::Duration;

    pub(crate) const ORDER_CELLS: usize = 1;
    pub(crate) const ORDER_WAIT: Duration = Duration::from_millis(25);
}

pub mod order;

use std::rc::Rc;
use std::sync::Arc;

use order::cell::{Cells, Way};
use order::ticket::{Handle, Held, Ticket};
use order::{Entry, Key, Permit};

/// The cells, for any thread.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Cells>);

/// One worker's side.
#[derive(Debug)]
pub struct Worker {
    cells: Rc<Handle>,
    index: usize,
}

/// A copy that has its place.
#[derive(Debug)]
pub struct Copy {
    held: Held,
    way: Way,
}

/// Permits for one worker.
pub type Permits = tokio::sync::mpsc::Receiver<Permit>;

impl Shared {
    /// For so many workers, with where each gets its permits.
    #[must_use]
    pub fn new(workers: usize) -> (Self, Vec<Permits>) {
        let (permits, permitted): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| tokio::sync::mpsc::channel(8)).unzip();
        // Nobody reads: reading needs copies that waited for long.
        let (events, _) = tokio::sync::mpsc::channel(1);
        (Self(Cells::new(0, events, permits)), permitted)
    }

    #[must_use]
    pub fn worker(&self, index: usize) -> Worker {
        Worker { cells: Rc::new(Handle::new(Arc::clone(&self.0), index)), index }
    }
}

impl Worker {
    fn key(&self) -> Key {
        self.cells.key(0)
    }

    /// A request begins.
    #[must_use]
    pub fn begin(&self) -> u64 {
        self.cells.begin(self.key())
    }

    /// It is complete.
    #[must_use]
    pub fn take(&self, behind: u64) -> Copy {
        let worker = self.index;
        let entry = |place| Entry { place, arrived_ms: 0, worker };
        let (ticket, way) = Ticket::take(&self.cells, self.key(), behind, entry);
        Copy { held: Held(ticket), way }
    }
}

impl Copy {
    /// Its client may be answered.
    pub fn trail(&self) {
        self.held.0.trail();
    }

    /// Whether it may be sent without a permit.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.way == Way::Direct
    }

    #[must_use]
    pub fn place(&self) -> u64 {
        self.held.0.place().0
    }
}

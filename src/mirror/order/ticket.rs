//! A worker's side of the cells: what its own copies do there, and which of them may go.
//!
//! A copy of one worker often lets go others of the same worker. Those need no channel, and above all no turn of that
//! worker's loop for each step of the way: what stands behind a copy goes out when its outcome is known.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::board::Place;
use super::cell::{Cells, Way};
use super::{Entry, Key, Permit};

/// A worker's own handle: to clone an `Rc` of it touches nothing that other workers share.
#[derive(Debug)]
pub(crate) struct Handle {
    cells: Arc<Cells>,
    worker: usize,
    /// Permits for copies of this very worker, which need no channel.
    freed: RefCell<Vec<Permit>>,
    /// Of whoever looks after them.
    waker: RefCell<Option<Waker>>,
}

impl Handle {
    pub(crate) fn new(cells: Arc<Cells>, worker: usize) -> Self {
        Self { cells, worker, freed: RefCell::default(), waker: RefCell::default() }
    }

    /// Tells those who hold these copies that they may go.
    fn permit(&self, key: Key, freed: Vec<(Place, usize)>) {
        for (place, worker) in freed {
            let permit = Permit { key, place, read: false };
            if worker == self.worker {
                self.freed.borrow_mut().push(permit);
            } else {
                self.cells.permit(worker, permit);
            }
        }
        if !self.freed.borrow().is_empty()
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    /// What may go of this worker's copies since the last question.
    pub(crate) fn freed(&self) -> Vec<Permit> {
        self.freed.take()
    }

    /// Ready when there are any.
    pub(crate) async fn any_freed(&self) {
        poll_fn(|cx| {
            if self.freed.borrow().is_empty() {
                *self.waker.borrow_mut() = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }
}

impl std::ops::Deref for Handle {
    type Target = Cells;

    fn deref(&self) -> &Cells {
        &self.cells
    }
}

/// A copy's place while it is unfinished. Shared by the copy and by its exchange, both on one worker.
#[derive(Debug)]
pub(crate) struct Ticket {
    cells: Rc<Handle>,
    key: Key,
    place: Place,
    /// Where the cell keeps it.
    kept: usize,
    /// Its number, once it trails.
    number: Cell<Option<u64>>,
    /// The mirror has taken the copy.
    taken: Cell<bool>,
    left: Cell<bool>,
}

impl Ticket {
    /// Takes a place. `behind` is what [`Cells::begin`] answered when the request began.
    pub(crate) fn take(
        cells: &Rc<Handle>,
        key: Key,
        behind: u64,
        entry: impl FnOnce(Place) -> Entry,
    ) -> (Rc<Self>, Way) {
        let (place, kept, way) = cells.enter(key, behind, entry);
        let (number, taken, left) = (Cell::new(None), Cell::new(false), Cell::new(false));
        (Rc::new(Self { cells: Rc::clone(cells), key, place, kept, number, taken, left }), way)
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Its number, once it trails.
    #[cfg(test)]
    pub(super) fn number(&self) -> Option<u64> {
        self.number.get()
    }

    /// The client may be answered from now on: newcomers stand behind this copy.
    pub(crate) fn trail(&self) {
        if !self.left.get() && self.number.get().is_none() {
            self.number.set(Some(self.cells.trail(self.key, self.place, self.kept)));
        }
    }

    /// The copy has its final outcome.
    fn leave(&self) {
        if !self.left.replace(true) {
            let (number, taken) = (self.number.get(), self.taken.get());
            let freed = self.cells.leave(self.key, self.place, self.kept, number, taken);
            self.cells.permit(self.key, freed);
        }
    }
}

/// Held by the copy: when it goes, whatever the outcome, its place is left.
#[derive(Debug)]
pub(crate) struct Held(pub(crate) Rc<Ticket>);

impl Held {
    /// The mirror has taken the copy, or judged what is in it.
    pub(crate) fn taken(&self) {
        self.0.taken.set(true);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.leave();
    }
}

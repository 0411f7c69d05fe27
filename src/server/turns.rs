//! How many requests begin in one turn of a worker's loop.
//!
//! A worker takes its tasks in turn. With a thousand busy connections it would read a thousand requests before it
//! writes the first of them to the primary: 80 MB of bodies, which leave every cache meanwhile and are held by their
//! copies for one more turn. So where a worker has many connections, a few requests begin in each turn, those first
//! that have waited longest; the bytes of the others stay with the kernel until then. How many are in progress is not
//! limited: a cluster that takes its time lets no turn wait.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use super::watched::Watched;
use crate::limits::{REQUESTS_A_TURN, UNTURNED_CONNECTIONS};

/// Where one connection stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has not asked.
    #[default]
    NotAsked,
    /// It will be woken.
    Waits,
    /// It may read.
    Has,
}

/// Of one worker.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Connections of the worker.
    open: Cell<usize>,
    /// Requests that began in this turn.
    begun: Cell<usize>,
    /// Connections with a request that has not begun, in the order in which it came.
    waiting: RefCell<VecDeque<Weak<Watched>>>,
    /// The task that begins the next turn.
    task: RefCell<Option<Waker>>,
}

impl Turns {
    /// One more connection.
    pub(super) fn opened(&self) {
        self.open.set(self.open.get() + 1);
    }

    /// One fewer.
    pub(super) fn closed(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }

    /// Whether there are so many connections that they have to ask.
    pub(super) fn are_short(&self) -> bool {
        self.open.get() > UNTURNED_CONNECTIONS
    }

    /// Whether this connection, of whose next request there are bytes, may read them. It is woken when it may.
    pub(super) fn ask(&self, watched: &Rc<Watched>) -> bool {
        match watched.turn.get() {
            Turn::Has => true,
            Turn::Waits => false,
            Turn::NotAsked if self.take() => true,
            Turn::NotAsked => {
                watched.turn.set(Turn::Waits);
                self.waiting.borrow_mut().push_back(Rc::downgrade(watched));
                false
            }
        }
    }

    /// Takes one of this turn, if any is left.
    fn take(&self) -> bool {
        let begun = self.begun.get();
        if begun >= REQUESTS_A_TURN || !self.waiting.borrow().is_empty() {
            return false;
        }
        if begun == 0
            && let Some(task) = &*self.task.borrow()
        {
            // It comes after all that are to run in this turn.
            task.wake_by_ref();
        }
        self.begun.set(begun + 1);
        true
    }

    /// Begins one turn after the other, as long as the worker runs.
    pub(super) async fn run(self: Rc<Self>) {
        poll_fn(|cx| {
            self.next(cx);
            Poll::Pending
        })
        .await
    }

    fn next(&self, cx: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        let mut begun = 0;
        while begun < REQUESTS_A_TURN {
            let Some(watched) = self.waiting.borrow_mut().pop_front() else { break };
            // Those whose client has left do not count.
            if let Some(watched) = watched.upgrade() {
                watched.has_turn();
                begun += 1;
            }
        }
        self.begun.set(begun);
        if begun > 0 {
            cx.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::model::{Config, Node, Process};

    use super::*;
    use crate::server::buffers::Buffers;
    use crate::stats::WorkerStats;

    fn connections(turns: &Rc<Turns>, n: usize) -> Vec<Rc<Watched>> {
        let config = Config {
            origin: String::new(),
            node: Node::default(),
            process: Process::default(),
            admin: None,
            listeners: Vec::new(),
            clusters: Vec::new(),
            mirrors: Vec::new(),
            warnings: Vec::new(),
            document: serde_json::Value::Null,
        };
        let stats = Arc::new(WorkerStats::new(&config));
        let shared = || (Rc::clone(turns), Rc::<Buffers>::default());
        (0..n).map(|_| Watched::new(0, Arc::clone(&stats), Rc::default(), shared())).collect()
    }

    fn next(turns: &Turns) {
        turns.next(&Context::from_waker(Waker::noop()));
    }

    #[test]
    fn few_connections_need_no_turn() {
        let turns = Rc::<Turns>::default();
        let mut all = connections(&turns, UNTURNED_CONNECTIONS);
        assert!(!turns.are_short());
        all.extend(connections(&turns, 1));
        assert!(turns.are_short());
        drop(all);
        assert_eq!(turns.open.get(), 0);
    }

    #[test]
    fn so_many_begin_in_a_turn_and_the_others_in_their_order() {
        let turns = Rc::<Turns>::default();
        let mut all = connections(&turns, 3 * REQUESTS_A_TURN + 1);
        let may = |all: &[Rc<Watched>]| -> Vec<usize> {
            all.iter().enumerate().filter(|(_, one)| turns.ask(one)).map(|(at, _)| at).collect()
        };
        assert_eq!(may(&all), Vec::from_iter(0..REQUESTS_A_TURN));
        let first: Vec<_> = all.drain(..REQUESTS_A_TURN).collect();
        // Who has left takes no place of those who wait.
        drop(all.remove(0));
        next(&turns);
        assert_eq!(may(&all), Vec::from_iter(0..REQUESTS_A_TURN));
        // Who comes again stands behind them.
        assert!(first.iter().all(|one| !turns.ask(one)));
        all.drain(..REQUESTS_A_TURN);
        next(&turns);
        assert_eq!(may(&all), Vec::from_iter(0..REQUESTS_A_TURN));
        assert!(first.iter().all(|one| !turns.ask(one)));
        next(&turns);
        assert_eq!(may(&first), Vec::from_iter(0..REQUESTS_A_TURN));
        // With nobody waiting the next turn is free again.
        next(&turns);
        assert!(turns.ask(&connections(&turns, 1).remove(0)));
    }

    #[test]
    fn a_turn_is_over_with_the_bytes_that_were_read_in_it() {
        let turns = Rc::<Turns>::default();
        let all = connections(&turns, REQUESTS_A_TURN + 1);
        let Some(last) = all.last() else { return };
        assert_eq!(all.iter().filter(|one| turns.ask(one)).count(), REQUESTS_A_TURN);
        next(&turns);
        assert_eq!(last.turn.get(), Turn::Has);
        last.received(1);
        assert_eq!(last.turn.get(), Turn::NotAsked);
    }
}

//! Where requests wait for a connection, in a cluster whose connections are limited (`circuit_breakers`).
//!
//! One line for each endpoint, and for each name that the cluster is asked for. Who comes first is served first. A
//! connection or stream that becomes free, or a connection that ends, calls the first of its line; whoever is called and
//! then gives up passes the call on. A line without any connection may always make one, or its requests would wait for
//! what other workers hold. Runs on the worker and touches nothing shared but the [`Breakers`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::cluster::Host;
use crate::cluster::breakers::{Breakers, Permit};

/// The lines of one worker for one cluster.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) breakers: Arc<Breakers>,
    lines: RefCell<Vec<Rc<Line>>>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    breakers: Arc<Breakers>,
    host: Rc<Host>,
    name: Option<Box<str>>,
    /// Open or being made.
    connections: Cell<u32>,
    waiting: RefCell<VecDeque<oneshot::Sender<Call>>>,
    /// Called, and not there yet.
    called: Cell<u32>,
}

/// It is someone's turn.
#[derive(Debug)]
struct Call(Option<Rc<Line>>);

/// A connection, open or being made. Ends when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    line: Rc<Line>,
    #[expect(dead_code, reason = "held for its Drop")]
    permit: Permit,
}

/// A request that has a connection or a stream. Ends when dropped.
#[derive(Debug)]
pub(super) struct InUse {
    line: Rc<Line>,
    #[expect(dead_code, reason = "held for its Drop")]
    permit: Permit,
}

impl Lines {
    pub(super) fn new(breakers: Arc<Breakers>) -> Self {
        Self { breakers, lines: RefCell::default() }
    }

    /// The line for `host`, asked for by this name.
    pub(super) fn of(&self, host: &Rc<Host>, name: Option<&str>) -> Rc<Line> {
        let mut lines = self.lines.borrow_mut();
        let found = lines.iter().find(|line| Rc::ptr_eq(&line.host, host) && line.name.as_deref() == name);
        if let Some(line) = found {
            return Rc::clone(line);
        }
        let line = Rc::new(Line {
            breakers: Arc::clone(&self.breakers),
            host: Rc::clone(host),
            name: name.map(Into::into),
            connections: Cell::default(),
            waiting: RefCell::default(),
            called: Cell::default(),
        });
        lines.push(Rc::clone(&line));
        line
    }

    /// About once a second: forgets lines that nobody uses, and lets the first of each look whether the cluster has
    /// room again for a connection, of which only other lines and workers have heard.
    pub(super) fn sweep(&self) {
        self.lines.borrow_mut().retain(|line| Rc::strong_count(line) > 1);
        self.lines.borrow().iter().for_each(Line::call);
    }
}

impl Line {
    /// Whether nobody stands before who comes now.
    pub(super) fn is_free(&self) -> bool {
        self.called.get() == 0 && self.waiting.borrow().is_empty()
    }

    /// A place among those who wait for a connection.
    pub(super) fn pending(&self) -> Option<Permit> {
        self.breakers.permit(|breakers| &breakers.pending)
    }

    /// Leave to make a connection.
    pub(super) fn slot(self: &Rc<Self>) -> Option<Slot> {
        let permit = if self.connections.get() == 0 {
            self.breakers.permit_anyway(|breakers| &breakers.connections)
        } else {
            self.breakers.permit(|breakers| &breakers.connections)?
        };
        self.connections.set(self.connections.get() + 1);
        Some(Slot { line: Rc::clone(self), permit })
    }

    /// Leave to use a connection.
    pub(super) fn begin(self: &Rc<Self>) -> Option<InUse> {
        let permit = self.breakers.permit(|breakers| &breakers.requests)?;
        Some(InUse { line: Rc::clone(self), permit })
    }

    /// Waits for a call. `again`: who was called for nothing stands at the front.
    pub(super) async fn wait(&self, again: bool) {
        let called = self.join(again);
        if let Ok(call) = called.await {
            call.heard();
        }
    }

    fn join(&self, again: bool) -> oneshot::Receiver<Call> {
        let (call, called) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        if again {
            waiting.push_front(call)
        } else {
            waiting.push_back(call)
        }
        called
    }

    /// Something became free: calls the first who still waits.
    pub(super) fn call(self: &Rc<Self>) {
        while let Some(first) = self.next() {
            self.called.set(self.called.get() + 1);
            match first.send(Call(Some(Rc::clone(self)))) {
                Ok(()) => return,
                Err(unheard) => unheard.heard(),
            }
        }
    }

    /// Everyone who waits.
    pub(super) fn call_all(self: &Rc<Self>) {
        for _ in 0..self.waiting.borrow().len() {
            self.call();
        }
    }

    fn next(&self) -> Option<oneshot::Sender<Call>> {
        self.waiting.borrow_mut().pop_front()
    }
}

impl Call {
    fn heard(mut self) {
        if let Some(line) = self.0.take() {
            line.called.set(line.called.get() - 1);
        }
    }
}

impl Drop for Call {
    /// Who was called had just given up.
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            line.called.set(line.called.get() - 1);
            line.call();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.line.connections.set(self.line.connections.get() - 1);
        self.line.call();
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.line.call();
    }
}

//! What is known of a client's connection outside of its task, and what it is told.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::buffers::{Buffer, Buffers};
use super::protocols::Protocol;
use super::turns::{Turn, Turns};
use crate::limits;
use crate::stats::{HttpStats, WorkerStats};

/// What a connection is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Finish what is in progress, then close.
    Drain,
    /// Close now.
    Kill,
    /// Give back what is not needed without a request.
    Rest,
}

/// What is known of a connection outside of its task. Times are seconds of the worker's clock.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) listener: usize,
    stats: Arc<WorkerStats>,
    clock: Rc<Cell<u64>>,
    /// When bytes last moved.
    pub(super) moved: Cell<u64>,
    /// Since when the first bytes of a request's head wait for the rest.
    pub(super) head_since: Cell<Option<u64>>,
    /// Since when the client takes no bytes.
    pub(super) blocked_since: Cell<Option<u64>>,
    /// Requests in progress.
    pub(super) active: Rc<Cell<u32>>,
    /// Requests whose body has not been read to its end.
    pub(super) unread: Rc<Cell<u32>>,
    /// Of the worker, and where this connection stands in them.
    turns: Rc<Turns>,
    pub(super) turn: Cell<Turn>,
    /// The same of read buffers.
    buffers: Rc<Buffers>,
    buffer: Cell<Buffer>,
    /// The connection is being closed from this side.
    pub(super) closing: Cell<bool>,
    /// Only the socket is kept, until bytes come.
    pub(super) resting: Cell<bool>,
    pub(super) is_h2: Cell<bool>,
    /// Told to finish because the process goes.
    pub(super) told: Cell<bool>,
    /// Requests begun.
    pub(super) requests: Cell<u32>,
    /// No request is to follow those in progress: answers say so. Since when, in seconds of the worker's clock.
    retiring_since: Cell<Option<u64>>,
    pub(super) retiring: Rc<Cell<bool>>,
    accepted: Instant,
    /// Once its first bytes have said which protocol it speaks: whether that is HTTP/2.
    began: Cell<Option<bool>>,
    /// The client closed first: whether in the middle of a request.
    left: Cell<Option<bool>>,
    order: Cell<Option<Order>>,
    waker: RefCell<Option<Waker>>,
}

impl Watched {
    pub(super) fn new(
        listener: usize,
        stats: Arc<WorkerStats>,
        clock: Rc<Cell<u64>>,
        (turns, buffers): (Rc<Turns>, Rc<Buffers>),
    ) -> Rc<Self> {
        let moved = Cell::new(clock.get());
        turns.opened();
        Rc::new(Self {
            listener,
            stats,
            clock,
            moved,
            head_since: Cell::new(None),
            blocked_since: Cell::new(None),
            active: Rc::default(),
            unread: Rc::default(),
            turns,
            turn: Cell::default(),
            buffers,
            buffer: Cell::default(),
            closing: Cell::new(false),
            resting: Cell::new(false),
            is_h2: Cell::new(false),
            told: Cell::new(false),
            requests: Cell::new(0),
            retiring_since: Cell::new(None),
            retiring: Rc::default(),
            accepted: Instant::now(),
            began: Cell::new(None),
            left: Cell::new(None),
            order: Cell::new(None),
            waker: RefCell::default(),
        })
    }

    pub(super) fn http(&self) -> Option<&HttpStats> {
        self.stats.http.get(self.listener)
    }

    /// The connection is over: the last that is counted of it. `draining`: clients are asked to connect elsewhere.
    pub(super) fn ended(&self, draining: bool) {
        let Some(http) = self.http() else { return };
        http.cx_active.dec();
        http.cx_destroy.inc();
        let left = self.left.get();
        http.cx_ends.count(left.is_some(), left.unwrap_or_else(|| self.active.get() > 0));
        if draining {
            http.cx_drain_close.inc();
        }
        http.cx_length.record(self.accepted.elapsed());
        match self.began.get() {
            Some(true) => http.cx_http2_active.dec(),
            Some(false) => http.cx_http1_active.dec(),
            None => {}
        }
    }

    /// Lets the client connect anew soon: over HTTP/2 it is told at once (GOAWAY), over HTTP/1.1 with the next answer.
    pub(super) fn retire(&self) {
        if self.retiring.replace(true) {
            return;
        }
        self.retiring_since.set(Some(self.clock.get()));
        if self.is_h2.get() {
            self.order(Order::Drain);
        }
    }

    /// A retiring connection over which no answer could say so for long: it is closed. Once.
    pub(super) fn is_retired(&self, now: u64) -> bool {
        let patience = limits::RETIRING.as_secs();
        let is_over = self.retiring_since.get().is_some_and(|since| now.saturating_sub(since) > patience);
        if is_over {
            self.retiring_since.set(None);
        }
        is_over
    }

    /// Its client opens streams only to reset them.
    pub(super) fn reset_too_often(&self) {
        self.http().inspect(|http| http.rq_too_many_premature_resets.inc());
        self.order(Order::Kill);
    }

    /// How old the connection is.
    pub(super) fn age(&self) -> Duration {
        self.accepted.elapsed()
    }

    pub(super) fn order(&self, order: Order) {
        self.order.set(Some(order));
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether bytes may be read without a turn: those that begin no request, or where there are few connections.
    pub(super) fn needs_no_turn(&self) -> bool {
        !self.turns.are_short() || !self.is_between()
    }

    /// There are bytes that begin a request: whether it may begin now. If not, the connection is woken when it may.
    pub(super) fn asks_for_turn(self: &Rc<Self>) -> bool {
        self.turns.ask(self)
    }

    /// Whether what comes next begins a request.
    fn is_between(&self) -> bool {
        self.active.get() == 0
            && self.unread.get() == 0
            && self.head_since.get().is_none()
            && !self.is_h2.get()
    }

    /// The turn has come for which it waits.
    pub(super) fn has_turn(&self) {
        self.turn.set(Turn::Has);
        self.wake();
    }

    pub(super) fn poll_order(&self, cx: &Context<'_>) -> Option<Order> {
        let order = self.order.take();
        if order.is_none() {
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        order
    }

    /// Bytes came.
    pub(super) fn received(&self, bytes: usize) {
        let now = self.clock.get();
        self.moved.set(now);
        self.turn.set(Turn::NotAsked);
        if bytes >= limits::READ_BUFFER_FIRST && self.buffer.get() == Buffer::Small && !self.is_h2.get() {
            self.buffer.set(self.buffers.grown());
        }
        if self.active.get() > 0 {
            self.head_since.set(None);
        } else if self.head_since.get().is_none() {
            self.head_since.set(Some(now));
        }
        if let Some(http) = self.http() {
            http.cx_rx_bytes_total.add(bytes as u64);
        }
    }

    /// The client has told which protocol it speaks.
    pub(super) fn speaks(&self, protocol: Protocol) {
        let is_h2 = protocol == Protocol::Http2;
        self.is_h2.set(is_h2);
        self.began.set(Some(is_h2));
        let Some(http) = self.http() else { return };
        let (total, active) = if is_h2 {
            (&http.cx_http2_total, &http.cx_http2_active)
        } else {
            (&http.cx_http1_total, &http.cx_http1_active)
        };
        total.inc();
        active.inc();
    }

    /// The client closed its side, or the connection failed.
    pub(super) fn closed(&self, ended: bool) {
        self.left.set(ended.then_some(self.active.get() > 0));
    }

    /// Whether nothing of a request or an answer is on its way, so that only the socket is needed.
    pub(super) fn may_rest(&self) -> bool {
        !self.resting.get() && self.is_between() && self.blocked_since.get().is_none() && !self.closing.get()
    }

    /// Whether that is so, and the worker's connections keep too many buffers.
    pub(super) fn has_to_rest(&self) -> bool {
        self.buffer.get() == Buffer::Lent && self.may_rest()
    }

    /// Its buffers are given back.
    pub(super) fn rests(&self) {
        self.resting.set(true);
        self.buffers.gone(self.buffer.take());
    }

    /// Lets it rest, unless it has been told something that matters more.
    pub(super) fn rest(&self) {
        if self.order.get().is_none() {
            self.order(Order::Rest);
        }
    }

    /// Bytes went out, or could not.
    pub(super) fn sent(&self, result: &Poll<io::Result<usize>>) {
        match result {
            Poll::Ready(Ok(n)) => {
                self.moved.set(self.clock.get());
                self.blocked_since.set(None);
                // Once an answer leaves, what was read before was a whole head.
                self.head_since.set(None);
                if let Some(http) = self.http() {
                    http.cx_tx_bytes_total.add(*n as u64);
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                if self.blocked_since.get().is_none() {
                    self.blocked_since.set(Some(self.clock.get()));
                }
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.turns.closed();
        self.buffers.gone(self.buffer.get());
    }
}

//! The client connections of one worker: takes new ones, and looks after all of them about once a second: what idles,
//! stalls, is too old or is drained closes; what is quiet gives its buffers back.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::accept::Accepted;
use super::connection::Connection;
use super::protocols::Builders;
use super::watched::{Order, Watched};
use crate::exchange::Core;
use crate::limits;
use crate::stats::HttpStats;
use crate::stats::counter::Counter;

/// The counter of a reason to close.
type Why = fn(&HttpStats) -> &Counter;

/// The client connections of one worker.
#[derive(Debug)]
pub(crate) struct Connections {
    core: Rc<Core>,
    /// By listener.
    builders: Vec<Rc<Builders>>,
    open: RefCell<Vec<Weak<Watched>>>,
    /// Seconds since the worker started, moved by [`Connections::sweep`].
    clock: Rc<Cell<u64>>,
    draining: Cell<bool>,
    /// Since when another process takes the new connections, on `clock`.
    parting: Cell<Option<u64>>,
}

impl Connections {
    pub(crate) fn new(core: Rc<Core>) -> Rc<Self> {
        let builders = core.sites.iter().map(|site| Rc::new(Builders::new(&site.http))).collect();
        Rc::new(Self {
            core,
            builders,
            open: RefCell::default(),
            clock: Rc::default(),
            draining: Cell::new(false),
            parting: Cell::new(None),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.borrow().iter().all(|watched| watched.strong_count() == 0)
    }

    /// Serves a connection to its end, as a task of its own.
    pub(crate) fn serve(self: &Rc<Self>, accepted: Accepted) {
        let stats = &self.core.stats;
        let (Some(http), Some(builders)) =
            (stats.http.get(accepted.listener), self.builders.get(accepted.listener))
        else {
            return;
        };
        // Counted even if it fails below: the acceptor reads from it what this worker has taken.
        http.cx_total.inc();
        let Ok(stream) = TcpStream::from_std(accepted.stream) else { return };
        let Ok(local) = stream.local_addr() else { return };
        // Answers are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        let watched = Watched::new(accepted.listener, Arc::clone(stats), Rc::clone(&self.clock));
        self.open.borrow_mut().push(Rc::downgrade(&watched));
        if self.draining.get() {
            watched.order(Order::Drain);
        }
        http.cx_active.inc();
        let connection = Connection::new(&self.core, builders, watched, (accepted.peer, local));
        tokio::task::spawn_local(connection.drive(stream));
    }

    /// Lets every connection finish what is in progress and close.
    pub(crate) fn drain(&self) {
        self.draining.set(true);
        self.each_open(|watched| watched.order(Order::Drain));
    }

    /// Another process takes the new connections: answers ask the clients of these to close them, and [`Self::sweep`]
    /// closes those that have nothing to ask.
    pub(crate) fn part(&self) {
        self.parting.set(Some(self.clock.get()));
    }

    /// About once a second: closes connections that are idle or stalled. `elapsed` since the worker started.
    pub(crate) fn sweep(&self, elapsed: Duration) {
        let now = elapsed.as_secs();
        self.clock.set(now);
        self.open.borrow_mut().retain(|watched| watched.strong_count() > 0);
        self.each_open(|watched| {
            if self.is_parted(watched, now) {
                watched.order(Order::Drain);
            }
            if let Some((order, why)) = self.verdict(watched, now) {
                watched.http().inspect(|http| why(http).inc());
                watched.order(order);
            } else if watched.may_rest() && now.saturating_sub(watched.moved.get()) > limits::QUIET.as_secs()
            {
                watched.rest();
            }
        });
    }

    /// What to do with a connection that is idle or stalled, and what counts it.
    fn verdict(&self, watched: &Watched, now: u64) -> Option<(Order, Why)> {
        let http = &self.core.sites.get(watched.listener)?.http;
        let over = |since: u64, limit: Duration| now.saturating_sub(since) > limit.as_secs();
        if watched.blocked_since.get().is_some_and(|since| over(since, limits::CLIENT_STALL)) {
            return Some((Order::Kill, |http| &http.cx_idle_timeout));
        }
        let age = http.protocols.connections.max_duration;
        if !watched.retiring.get() && age.is_some_and(|limit| watched.age() >= limit) {
            watched.http().inspect(|http| http.cx_max_duration_reached.inc());
            watched.retire();
        }
        if watched.is_retired(now) {
            return Some((Order::Drain, |http| &http.cx_drain_close));
        }
        if watched.active.get() > 0 {
            return None;
        }
        let head_limit = http.request_headers_timeout.unwrap_or(limits::CLIENT_STALL);
        if !watched.is_h2.get() && watched.head_since.get().is_some_and(|since| over(since, head_limit)) {
            return Some((Order::Kill, |http| &http.rq_header_timeout));
        }
        let is_idle = http.idle_timeout.is_some_and(|limit| over(watched.moved.get(), limit));
        is_idle.then_some((Order::Drain, |http| &http.cx_idle_timeout))
    }

    /// Whether a connection may be told to finish, when another process takes the new ones.
    fn is_parted(&self, watched: &Watched, now: u64) -> bool {
        let Some(parting) = self.parting.get() else { return false };
        // GOAWAY lets the requests on their way through, so nothing has to be waited for.
        if watched.is_h2.get() {
            return !watched.told.replace(true);
        }
        let quiet = now.saturating_sub(parting.max(watched.moved.get()));
        watched.active.get() == 0
            && watched.head_since.get().is_none()
            && quiet > limits::PARTING_IDLE.as_secs()
    }

    fn each_open(&self, act: impl Fn(&Watched)) {
        let open: Vec<_> = self.open.borrow().iter().filter_map(Weak::upgrade).collect();
        open.iter().for_each(|watched| act(watched));
    }
}

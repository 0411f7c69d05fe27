//! The client connections of one worker: takes new ones, and looks after all of them about once a second: what idles,
//! stalls, is too old or is drained closes; what is quiet gives its buffers back.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::accept::Accepted;
use super::buffers::Buffers;
use super::connection::Connection;
use super::protocols::Builders;
use super::turns::Turns;
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
    turns: Rc<Turns>,
    buffers: Rc<Buffers>,
    /// Seconds since the worker started, moved by [`Connections::sweep`].
    clock: Rc<Cell<u64>>,
    /// No new ones come, and these are to go.
    going: Cell<Option<Going>>,
}

/// How connections go whose clients were asked, by the answer to whatever they send, to close them: one whose client has
/// nothing to send is closed when it has been quiet for a while. What is sent in that very moment meets a closed
/// connection and is the client's to send again.
#[derive(Debug, Clone, Copy)]
struct Going {
    /// What was before does not count as quiet, in seconds on the connections' clock.
    since: u64,
    quiet: Duration,
    /// Whether a head that has not come to its end in that time is cut.
    cuts_heads: bool,
}

impl Connections {
    pub(crate) fn new(core: Rc<Core>) -> Rc<Self> {
        let turns = Rc::<Turns>::default();
        tokio::task::spawn_local(Rc::clone(&turns).run());
        let builders = core.sites.iter().map(|site| Rc::new(Builders::new(&site.http))).collect();
        Rc::new(Self {
            core,
            builders,
            open: RefCell::default(),
            turns,
            buffers: Rc::default(),
            clock: Rc::default(),
            going: Cell::new(None),
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
        let shared = (Rc::clone(&self.turns), Rc::clone(&self.buffers));
        let watched = Watched::new(accepted.listener, Arc::clone(stats), Rc::clone(&self.clock), shared);
        self.open.borrow_mut().push(Rc::downgrade(&watched));
        http.cx_active.inc();
        let connection = Connection::new(&self.core, builders, watched, (accepted.peer, local));
        tokio::task::spawn_local(connection.drive(stream));
    }

    /// The process ends: answers ask clients to close their connections, and [`Self::sweep`] closes the quiet ones.
    pub(crate) fn drain(&self) {
        self.going.set(Some(Going { since: 0, quiet: limits::DRAINING_QUIET, cuts_heads: true }));
    }

    /// Another process takes the new connections. The same with more patience.
    pub(crate) fn part(&self) {
        let since = self.clock.get();
        self.going.set(Some(Going { since, quiet: limits::PARTING_QUIET, cuts_heads: false }));
    }

    /// About once a second: closes connections that are idle or stalled. `elapsed` since the worker started.
    pub(crate) fn sweep(&self, elapsed: Duration) {
        let now = elapsed.as_secs();
        self.clock.set(now);
        self.open.borrow_mut().retain(|watched| watched.strong_count() > 0);
        self.each_open(|watched| {
            if let Some(order) = self.farewell(watched, now)
                && !watched.told.replace(true)
            {
                watched.http().inspect(|http| http.cx_drain_close.inc());
                watched.order(order);
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

    /// What a connection is to be told that is to go.
    fn farewell(&self, watched: &Watched, now: u64) -> Option<Order> {
        let going = self.going.get()?;
        // GOAWAY lets the requests on their way through, so nothing has to be waited for.
        if watched.is_h2.get() {
            return Some(Order::Drain);
        }
        let is_quiet = |since: u64| now.saturating_sub(going.since.max(since)) > going.quiet.as_secs();
        match watched.head_since.get() {
            _ if watched.active.get() > 0 => None,
            // It may come in drops, each of which moves something; and whoever is in it does not hear of a drain.
            Some(begun) => (going.cuts_heads && is_quiet(begun)).then_some(Order::Kill),
            None => is_quiet(watched.moved.get()).then_some(Order::Drain),
        }
    }

    fn each_open(&self, act: impl Fn(&Watched)) {
        let open: Vec<_> = self.open.borrow().iter().filter_map(Weak::upgrade).collect();
        open.iter().for_each(|watched| act(watched));
    }
}

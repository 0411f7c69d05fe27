//! The copy.
//!
//! Enters: the head of a request that is on its way to the primary, then its body frame by frame ([`tap::Tap`]).
//! Leaves: the same request, whole, to each mirror of its route, and one outcome in the ledger for each. Runs on the
//! worker that serves the request.
//!
//! The promise: nothing here can make the primary's path wait, fail or grow without bound. The tap returns nothing
//! that could tell a mirror's state; it counts and gives up where a bound is reached. Copies are sent by tasks of
//! their own over connections of their own.
//!
//! In the order a copy meets them: `tap` collects (`head`, `body`) within the `budget`, `ledger` books it, `send`
//! carries it. Copies of one series are not yet kept in order; that belongs between `ledger` and `send`.

pub(crate) mod budget;
pub(crate) mod ledger;
pub(crate) mod send;
pub(crate) mod tap;

mod body;
mod head;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::model::{Config, Mirror};
use http::HeaderValue;

use crate::cluster::Endpoints;
use crate::deadline::Wheel;
use crate::limits;
use crate::paths::Kind;
use crate::stats::WorkerStats;
use budget::{Account, Budget, Lease, Reservation};
use ledger::{Ledger, Token};
use send::Sender;

/// A complete request, ready to be written to a mirror.
#[derive(Debug)]
pub(crate) struct Copy {
    /// Head, body, end: the bytes of the request in order.
    wire: Vec<Bytes>,
    /// Whether an answer may carry a body (not to HEAD).
    answer_has_body: bool,
    /// What the request was, for the verdict on its answer.
    kind: Kind,
    /// One attempt's time.
    timeout: Duration,
    /// When the request was complete.
    arrived: Instant,
    /// How often it was given back by a reused connection that turned out to be closed.
    stale: u32,
    /// Its place in the ledger.
    token: Token,
    /// Its bytes in the budget.
    _reservation: Reservation,
    /// Its place among the copies of its mirror.
    _place: Place,
}

/// One copy's place in the bound on copies. Given back when dropped.
#[derive(Debug)]
struct Place(Rc<Lease>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.release(1);
    }
}

/// The process-wide bounds of one mirror.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    bytes: Arc<Budget>,
    copies: Arc<Budget>,
    workers: usize,
}

impl Bounds {
    pub(crate) fn new(mirror: &Mirror, workers: usize) -> Self {
        Self {
            bytes: Arc::new(Budget::new(mirror.buffer)),
            copies: Arc::new(Budget::new(u64::from(mirror.max_copies))),
            workers,
        }
    }
}

/// One worker's side of one mirror.
#[derive(Debug)]
pub(crate) struct Target {
    settings: Mirror,
    ledger: Rc<Ledger>,
    account: Rc<Account>,
    copies: Rc<Lease>,
    sender: Rc<Sender>,
}

/// One worker's side of all mirrors.
#[derive(Debug)]
pub(crate) struct Mirrors {
    targets: Vec<Target>,
    /// The proxy's own address, which Envoy adds to a copy's `x-forwarded-for`.
    own_address: HeaderValue,
}

impl Mirrors {
    /// `endpoints` by cluster, `bounds` by mirror.
    pub(crate) fn new(
        config: &Config,
        bounds: &[Bounds],
        endpoints: &[Rc<Endpoints>],
        stats: &Arc<WorkerStats>,
        wheel: &Rc<Wheel>,
        own_address: HeaderValue,
    ) -> Self {
        let target = |(index, (mirror, bounds)): (usize, (&Mirror, &Bounds))| {
            let ledger = Rc::new(Ledger::new(Arc::clone(stats), index)?);
            let cluster = config.clusters.get(mirror.cluster)?;
            let bytes = Lease::new(Arc::clone(&bounds.bytes), limits::LEASE_BYTES, bounds.workers);
            let copies = Lease::new(Arc::clone(&bounds.copies), limits::LEASE_COPIES, bounds.workers);
            let sender = Sender::new(send::Settings {
                cluster: mirror.cluster,
                connect_timeout: cluster.connect_timeout,
                max_age: mirror.max_age,
                connections: (mirror.max_connections as usize / bounds.workers).max(1),
                endpoints: Rc::clone(endpoints.get(mirror.cluster)?),
                ledger: Rc::clone(&ledger),
                stats: Arc::clone(stats),
                wheel: Rc::clone(wheel),
            });
            Some(Target {
                settings: mirror.clone(),
                account: Account::new(bytes, Rc::clone(&ledger)),
                copies: Rc::new(copies),
                sender,
                ledger,
            })
        };
        let targets = config.mirrors.iter().zip(bounds).enumerate().filter_map(target).collect();
        Self { targets, own_address }
    }

    /// Regular housekeeping, about once a second: expires what waited too long, measures the lag.
    pub(crate) fn sweep(&self) {
        self.targets.iter().for_each(|target| target.sender.sweep());
    }

    /// Copies without an outcome.
    pub(crate) fn pending(&self) -> u64 {
        self.targets.iter().map(|target| target.ledger.pending.get()).sum()
    }

    /// Books what is still waiting or in flight, because the process leaves now.
    pub(crate) fn shutdown(&self) {
        self.targets.iter().for_each(|target| target.sender.shutdown());
    }
}

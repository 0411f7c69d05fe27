//! One worker's connections to one cluster, for requests.
//!
//! Enters: a request with its head ready. Leaves: the answer, as it arrives, or the reason there is none. Runs on
//! the worker; connections are never shared between workers, and never with copies.
//!
//! Nothing is repeated once bytes were written, with one exception: a reused connection may turn out to have been
//! closed by the server while it was idle, and then a request that is safe to repeat is sent once more over a fresh
//! one. Idle connections are used again last in, first out, and closed before the server would.

pub(crate) mod dial;
pub(crate) mod io;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use crate::cluster::Endpoints;
use crate::limits;
use crate::stats::WorkerStats;
use dial::DialError;
use io::{Counters, Life, UpstreamIo};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer. `route::reply` has Envoy's words for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The cluster has no address.
    NoEndpoint,
    /// The connection could not be made.
    Connect,
    /// The connection was not made in time.
    ConnectTimeout,
    /// The connection ended before an answer.
    Closed,
}

/// How a request can be sent again.
pub(crate) trait Repeat<B> {
    /// Called before the first attempt over a reused connection.
    fn keep(&self, request: &Request<B>);
    /// The request once more, if it is safe to repeat and nothing of it was lost.
    fn again(&self) -> Option<Request<B>>;
}

/// One worker's connections to one cluster.
#[derive(Debug)]
pub(crate) struct Upstream<B> {
    endpoints: Rc<Endpoints>,
    connect_timeout: Duration,
    idle: RefCell<Vec<Connection<B>>>,
    counters: Rc<Counters>,
}

/// An established connection that serves one request at a time.
#[derive(Debug)]
struct Connection<B> {
    sender: SendRequest<B>,
    address: SocketAddr,
    idle_since: Instant,
    life: Rc<Life>,
}

/// A connection in use; [`Lease::release`] gives it back.
#[derive(Debug)]
pub(crate) struct Lease<B> {
    upstream: Rc<Upstream<B>>,
    connection: Connection<B>,
}

impl<B> Upstream<B>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(
        cluster: usize,
        endpoints: Rc<Endpoints>,
        connect_timeout: Duration,
        stats: Arc<WorkerStats>,
    ) -> Rc<Self> {
        let counters = Rc::new(Counters { stats, cluster });
        Rc::new(Self { endpoints, connect_timeout, idle: RefCell::default(), counters })
    }

    /// Whether there is an address to send to.
    pub(crate) fn pick(&self) -> Option<SocketAddr> {
        self.endpoints.pick()
    }

    /// Sends a request to `address` and waits for the head of the answer.
    pub(crate) async fn send(
        self: &Rc<Self>,
        address: SocketAddr,
        mut request: Request<B>,
        repeat: &impl Repeat<B>,
    ) -> Result<(Response<Incoming>, Lease<B>), Failure> {
        if let Some(mut lease) = self.checkout(address) {
            repeat.keep(&request);
            let received = lease.connection.life.received.get();
            match lease.attempt(request).await {
                Ok(answer) => return Ok((answer, lease)),
                Err(unsent) => {
                    let nothing_back = lease.connection.life.received.get() == received;
                    let repeated = unsent.or_else(|| nothing_back.then(|| repeat.again()).flatten());
                    request = repeated.ok_or(Failure::Closed)?;
                    self.counters.get().inspect(|stats| stats.rq_retry.inc());
                }
            }
        }
        let mut lease = self.connect(address).await?;
        let answer = lease.attempt(request).await.map_err(|_| Failure::Closed)?;
        Ok((answer, lease))
    }

    /// The idle connection to `address` that was used last.
    fn checkout(self: &Rc<Self>, address: SocketAddr) -> Option<Lease<B>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(at) = idle.iter().rposition(|connection| connection.address == address) {
            let connection = idle.remove(at);
            if connection.sender.is_ready() {
                return Some(Lease { upstream: Rc::clone(self), connection });
            }
        }
        None
    }

    async fn connect(self: &Rc<Self>, address: SocketAddr) -> Result<Lease<B>, Failure> {
        let stats = self.counters.get();
        stats.inspect(|stats| {
            stats.cx_total.inc();
            stats.rq_pending_total.inc();
            stats.rq_pending_active.inc();
        });
        let begun = Instant::now();
        let dialed = dial::dial(address, self.connect_timeout, None).await;
        stats.inspect(|stats| stats.rq_pending_active.dec());
        let stream = dialed.inspect_err(|_| {
            stats.inspect(|stats| stats.rq_pending_failure_eject.inc());
        });
        let stream = stream.map_err(|error| match error {
            DialError::Timeout => {
                stats.inspect(|stats| stats.cx_connect_timeout.inc());
                Failure::ConnectTimeout
            }
            DialError::Failed => {
                stats.inspect(|stats| stats.cx_connect_fail.inc());
                Failure::Connect
            }
        })?;
        let life = Life::begin();
        let io = UpstreamIo::new(stream, Rc::clone(&self.counters), Rc::clone(&life));
        let handshake = Builder::new()
            .max_buf_size(limits::READ_BUFFER_MAX)
            .max_headers(limits::HEADERS_MAX)
            .handshake(TokioIo::new(io))
            .await;
        let (sender, driver) = handshake.map_err(|_| Failure::Closed)?;
        stats.inspect(|stats| {
            stats.cx_active.inc();
            stats.cx_http1_total.inc();
            stats.cx_connect.record(begun.elapsed());
        });
        let (counters, ending) = (Rc::clone(&self.counters), Rc::clone(&life));
        tokio::task::spawn_local(async move {
            // Its error reaches the request that was in flight, if there was one.
            let ended = driver.await;
            counters.get().inspect(|stats| {
                ending.ended(stats);
                if ended.is_err_and(|error| error.is_parse()) {
                    stats.cx_protocol_error.inc();
                }
            });
        });
        let connection = Connection { sender, address, idle_since: Instant::now(), life };
        Ok(Lease { upstream: Rc::clone(self), connection })
    }

    /// About once a second: closes connections that were idle too long or lead to an address no longer in use.
    pub(crate) fn sweep(&self) {
        self.idle.borrow_mut().retain(|connection| {
            let fresh = connection.idle_since.elapsed() < limits::UPSTREAM_IDLE;
            if !fresh {
                self.counters.get().inspect(|stats| stats.cx_idle_timeout.inc());
            }
            fresh && !connection.sender.is_closed() && self.endpoints.contains(connection.address)
        });
    }
}

impl<B> Lease<B>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// One attempt; where nothing of it was sent, the error is the request itself.
    async fn attempt(&mut self, request: Request<B>) -> Result<Response<Incoming>, Option<Request<B>>> {
        let stats = self.upstream.counters.get();
        stats.inspect(|stats| stats.rq_total.inc());
        let life = &self.connection.life;
        life.requests.set(life.requests.get() + 1);
        life.active.set(1);
        let sent = self.connection.sender.try_send_request(request).await;
        sent.map_err(|mut error| error.take_message())
    }
}

impl<B> Lease<B> {
    /// Where this connection counts.
    pub(crate) fn counters(&self) -> &Counters {
        &self.upstream.counters
    }

    /// The answer has been read to its end: the connection is free for the next request.
    pub(crate) fn release(mut self) {
        let mut idle = self.upstream.idle.borrow_mut();
        if !self.connection.sender.is_closed() && idle.len() < limits::UPSTREAM_IDLE_MAX {
            self.connection.idle_since = Instant::now();
            self.connection.life.active.set(0);
            idle.push(self.connection);
        }
    }
}

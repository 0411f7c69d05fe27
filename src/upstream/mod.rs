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
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::cluster::{Asked, Connected, Endpoints, Host};
use crate::limits;
use crate::stats::WorkerStats;
use dial::DialError;
use io::{Counters, Life, UpstreamIo};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer. `route::reply` has Envoy's words for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The cluster has no endpoint that can be used.
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
    to: Connected,
    idle_since: Instant,
    life: Rc<Life>,
}

/// A connection in use; [`Lease::release`] gives it back.
#[derive(Debug)]
pub(crate) struct Lease<B> {
    upstream: Rc<Upstream<B>>,
    connection: Connection<B>,
    /// Until the answer's end.
    #[expect(dead_code, reason = "held for its Drop")]
    asked: Asked,
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

    /// Which endpoint is next, if there is one.
    pub(crate) fn pick(&self) -> Option<Rc<Host>> {
        self.endpoints.pick()
    }

    /// Sends a request to `host` and waits for the head of the answer.
    pub(crate) async fn send(
        self: &Rc<Self>,
        host: &Rc<Host>,
        request: Request<B>,
        repeat: &impl Repeat<B>,
    ) -> Result<(Response<Incoming>, Lease<B>), Failure> {
        let mut asked = Asked::of(host);
        let result = self.exchange(host, request, repeat).await;
        asked.answered(result.as_ref().ok().map(|(answer, _)| answer.status().as_u16()));
        let (answer, connection) = result?;
        Ok((answer, Lease { upstream: Rc::clone(self), connection, asked }))
    }

    async fn exchange(
        self: &Rc<Self>,
        host: &Rc<Host>,
        mut request: Request<B>,
        repeat: &impl Repeat<B>,
    ) -> Result<(Response<Incoming>, Connection<B>), Failure> {
        if let Some(mut connection) = self.checkout(host) {
            repeat.keep(&request);
            let received = connection.life.received.get();
            match self.attempt(&mut connection, request).await {
                Ok(answer) => return Ok((answer, connection)),
                Err(unsent) => {
                    let nothing_back = connection.life.received.get() == received;
                    let repeated = unsent.or_else(|| nothing_back.then(|| repeat.again()).flatten());
                    request = repeated.ok_or(Failure::Closed)?;
                    self.counters.get().inspect(|stats| stats.rq_retry.inc());
                }
            }
        }
        let mut connection = self.connect(host).await?;
        let answer = self.attempt(&mut connection, request).await.map_err(|_| Failure::Closed)?;
        Ok((answer, connection))
    }

    /// One attempt; where nothing of it was sent, the error is the request itself.
    async fn attempt(
        &self,
        connection: &mut Connection<B>,
        request: Request<B>,
    ) -> Result<Response<Incoming>, Option<Request<B>>> {
        self.counters.get().inspect(|stats| stats.rq_total.inc());
        connection.to.host().stats.rq_total.inc();
        connection.life.requests.set(connection.life.requests.get() + 1);
        connection.life.active.set(1);
        let sent = connection.sender.try_send_request(request).await;
        sent.map_err(|mut error| error.take_message())
    }

    /// The idle connection to `host` that was used last.
    fn checkout(&self, host: &Rc<Host>) -> Option<Connection<B>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(at) = idle.iter().rposition(|connection| Rc::ptr_eq(connection.to.host(), host)) {
            let connection = idle.remove(at);
            if connection.sender.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    async fn dial(&self, host: &Rc<Host>) -> Result<TcpStream, Failure> {
        let stats = self.counters.get();
        stats.inspect(|stats| {
            stats.cx_total.inc();
            stats.rq_pending_total.inc();
            stats.rq_pending_active.inc();
        });
        host.stats.cx_total.inc();
        host.stats.rq_pending_active.inc();
        let dialed = dial::dial(host.address(), self.connect_timeout, None).await;
        stats.inspect(|stats| stats.rq_pending_active.dec());
        host.stats.rq_pending_active.dec();
        let failed = dialed.inspect_err(|_| {
            host.stats.cx_connect_fail.inc();
            stats.inspect(|stats| stats.rq_pending_failure_eject.inc());
        });
        failed.map_err(|error| match error {
            DialError::Timeout => {
                stats.inspect(|stats| stats.cx_connect_timeout.inc());
                Failure::ConnectTimeout
            }
            DialError::Failed => {
                stats.inspect(|stats| stats.cx_connect_fail.inc());
                Failure::Connect
            }
        })
    }

    async fn connect(&self, host: &Rc<Host>) -> Result<Connection<B>, Failure> {
        let stats = self.counters.get();
        let begun = Instant::now();
        let stream = self.dial(host).await?;
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
        Ok(Connection { sender, to: Connected::to(host), idle_since: Instant::now(), life })
    }

    /// About once a second: closes connections that were idle too long or lead to an endpoint no longer in use.
    pub(crate) fn sweep(&self) {
        self.idle.borrow_mut().retain(|connection| {
            let fresh = connection.idle_since.elapsed() < limits::UPSTREAM_IDLE;
            if !fresh {
                self.counters.get().inspect(|stats| stats.cx_idle_timeout.inc());
            }
            fresh && !connection.sender.is_closed() && self.endpoints.keeps(connection.to.host())
        });
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

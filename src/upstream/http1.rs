//! HTTP/1.1 connections of one worker to one cluster: each serves one request at a time.
//!
//! Idle connections are used again last in, first out, and closed before the server would.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use config::model::{ConnectionLimits, UpstreamHttp};
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::io::{Counters, Life, UpstreamIo};
use super::{BoxError, Failure, Over};
use crate::cluster::{Connected, Host};
use crate::limits;

/// Idle connections, and how new ones are made.
#[derive(Debug)]
pub(super) struct Pool<B> {
    idle: RefCell<Vec<Connection<B>>>,
    limits: ConnectionLimits,
    idle_timeout: Option<Duration>,
    title_case: bool,
    counters: Rc<Counters>,
}

/// An established connection.
#[derive(Debug)]
struct Connection<B> {
    sender: SendRequest<B>,
    to: Connected,
    /// The request's `Host`, where the cluster is asked for it by that name.
    name: Option<Box<str>>,
    idle_since: Instant,
    life: Rc<Life>,
}

/// Why an attempt has no answer.
#[derive(Debug)]
pub(super) struct Unanswered<B> {
    /// The request, where nothing of it was sent.
    pub(super) unsent: Option<Request<B>>,
    pub(super) failure: Failure,
}

/// A connection in use; [`Lease::release`] gives it back.
#[derive(Debug)]
pub(crate) struct Lease<B> {
    pool: Rc<Pool<B>>,
    connection: Connection<B>,
}

impl<B> Pool<B>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(http: &UpstreamHttp, counters: Rc<Counters>) -> Rc<Self> {
        Rc::new(Self {
            idle: RefCell::default(),
            limits: http.connections.clone(),
            idle_timeout: http.idle_timeout,
            title_case: http.http1.title_case,
            counters,
        })
    }

    /// The idle connection to `host`, asked for by this name, that was used last.
    pub(super) fn checkout(self: &Rc<Self>, host: &Rc<Host>, name: Option<&str>) -> Option<Lease<B>> {
        let mut idle = self.idle.borrow_mut();
        let fits = |connection: &Connection<B>| {
            Rc::ptr_eq(connection.to.host(), host) && connection.name.as_deref() == name
        };
        while let Some(at) = idle.iter().rposition(fits) {
            let connection = idle.remove(at);
            if connection.sender.is_ready() && !self.is_old(&connection) {
                return Some(Lease { pool: Rc::clone(self), connection });
            }
        }
        None
    }

    /// Whether there is an idle connection to `host`, asked for by this name.
    pub(super) fn is_ready(&self, host: &Rc<Host>, name: Option<&str>) -> bool {
        self.idle.borrow().iter().any(|connection| {
            Rc::ptr_eq(connection.to.host(), host)
                && connection.name.as_deref() == name
                && connection.sender.is_ready()
        })
    }

    /// Begins to speak HTTP/1.1 on a new connection.
    pub(super) async fn adopt(
        self: &Rc<Self>,
        io: UpstreamIo,
        host: &Rc<Host>,
        name: Option<Box<str>>,
    ) -> Result<Lease<B>, Failure> {
        let life = io.life();
        let handshake = Builder::new()
            .max_buf_size(limits::READ_BUFFER_MAX)
            .max_headers(limits::HEADERS_MAX)
            .title_case_headers(self.title_case)
            .handshake(TokioIo::new(io))
            .await;
        let (sender, driver) = handshake.map_err(|_| Failure::Closed)?;
        self.counters.get().inspect(|stats| stats.cx_http1_total.inc());
        let counters = Rc::clone(&self.counters);
        tokio::task::spawn_local(async move {
            // Its error reaches the request that was in flight, if there was one, and counts there.
            if driver.await.is_err_and(|error| error.is_parse()) {
                counters.get().inspect(|stats| stats.cx_protocol_error.inc());
            }
        });
        let connection =
            Connection { sender, to: Connected::to(host), name, idle_since: Instant::now(), life };
        Ok(Lease { pool: Rc::clone(self), connection })
    }

    /// Closes connections that were idle too long, are too old or lead to an address that is not used any more.
    pub(super) fn sweep(&self, is_used: impl Fn(&Rc<Host>) -> bool) {
        self.idle.borrow_mut().retain(|connection| {
            let stale = self.idle_timeout.is_some_and(|limit| connection.idle_since.elapsed() >= limit);
            if stale {
                self.counters.get().inspect(|stats| stats.cx_idle_timeout.inc());
            }
            !stale
                && !connection.sender.is_closed()
                && is_used(connection.to.host())
                && !self.is_old(connection)
        });
    }
}

impl<B> Pool<B> {
    /// Whether a connection without a request has reached its age.
    fn is_old(&self, connection: &Connection<B>) -> bool {
        let old = self.limits.max_duration.is_some_and(|limit| connection.life.age() >= limit);
        if old {
            self.counters.get().inspect(|stats| stats.cx_max_duration_reached.inc());
        }
        old
    }

    /// Whether a connection has served as many requests as it may.
    fn is_spent(&self, connection: &Connection<B>) -> bool {
        let spent =
            self.limits.max_requests.is_some_and(|limit| connection.life.requests.get() >= u64::from(limit));
        if spent {
            self.counters.get().inspect(|stats| stats.cx_max_requests.inc());
        }
        spent
    }
}

impl<B> Lease<B>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// One attempt.
    pub(super) async fn attempt(
        &mut self,
        mut request: Request<B>,
    ) -> Result<Response<Incoming>, Unanswered<B>> {
        *request.version_mut() = Version::HTTP_11;
        self.connection.life.request();
        let stats = self.pool.counters.get();
        stats.inspect(|stats| stats.rq_total.inc());
        self.connection.to.host().stats.rq_total.inc();
        let received = self.received();
        let sent = self.connection.sender.try_send_request(request).await;
        // No request asks for another protocol, and what follows is no HTTP that a client could be given.
        if sent.as_ref().is_ok_and(|answer| answer.status() == StatusCode::SWITCHING_PROTOCOLS) {
            return Err(Unanswered { unsent: None, failure: self.broke() });
        }
        sent.map_err(|mut error| {
            let unsent = error.take_message();
            // Half a head is no HTTP either.
            let begun = unsent.is_none() && self.received() > received;
            if error.error().is_parse() || begun {
                self.count_protocol_error();
                return Unanswered { unsent, failure: Failure::Protocol };
            }
            Unanswered { unsent, failure: Failure::Closed }
        })
    }
}

impl<B> Lease<B> {
    /// The connection, for who asks what a request went over.
    pub(super) fn over(&self) -> Over {
        Over { local: self.connection.life.local, version: Version::HTTP_11 }
    }

    /// Bytes that came over the connection so far.
    pub(super) fn received(&self) -> u64 {
        self.connection.life.received.get()
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.pool.counters
    }

    /// The answer broke off: what came is not what its head said.
    pub(super) fn broke(&self) -> Failure {
        self.count_protocol_error();
        Failure::Protocol
    }

    fn count_protocol_error(&self) {
        self.pool.counters.get().inspect(|stats| stats.cx_protocol_error.inc());
    }

    /// The answer has been read to its end: the connection is free for the next request.
    pub(super) fn release(mut self) {
        let pool = self.pool;
        let mut idle = pool.idle.borrow_mut();
        let usable = !self.connection.sender.is_closed() && idle.len() < limits::UPSTREAM_IDLE_MAX;
        if usable && !pool.is_spent(&self.connection) && !pool.is_old(&self.connection) {
            self.connection.life.answered();
            self.connection.idle_since = Instant::now();
            idle.push(self.connection);
        }
    }
}

//! HTTP/2 connections of one worker to one cluster: each serves many requests at the same time.
//!
//! A request takes a stream of a connection that has one left, by our limit and the server's. Where none has, one
//! more connection is made; requests that come while it is made wait for it, as many as it will have streams. A
//! connection that the server is about to close (GOAWAY), that is too old or has served enough gets no new requests
//! and ends with its last stream.

mod head;
mod lease;
mod refusal;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use config::model::{ConnectionLimits, Http2, UpstreamHttp};
use http_body::Body;
use hyper::client::conn::http2::{self, Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::io::{Counters, Life, UpstreamIo};
use super::{BoxError, Failure};
use crate::cluster::{Connected, Host};
use crate::executor::LocalExecutor;
use crate::limits;
pub(super) use lease::Lease;

/// Open connections, and how new ones are made.
#[derive(Debug)]
pub(super) struct Pool<B> {
    open: RefCell<Vec<Rc<Connection<B>>>>,
    options: Http2,
    /// Streams that the server is taken to allow until it has said so: what it said last.
    assumed: Cell<u32>,
    limits: ConnectionLimits,
    idle_timeout: Option<Duration>,
    counters: Rc<Counters>,
}

/// An established connection.
#[derive(Debug)]
struct Connection<B> {
    sender: SendRequest<B>,
    to: Connected,
    /// The request's `Host`, where the cluster is asked for it by that name.
    name: Option<Box<str>>,
    secure: bool,
    idle_since: Cell<Instant>,
    life: Rc<Life>,
    allowed: Allowed,
    /// It takes no more streams.
    retired: Cell<bool>,
}

/// Asks how many streams the server allows at the moment; `None` once the connection takes no more.
struct Allowed(Box<dyn Fn() -> Option<usize>>);

impl std::fmt::Debug for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Allowed").field(&self.0()).finish()
    }
}

type Driver<B> = http2::Connection<TokioIo<UpstreamIo>, B, LocalExecutor>;

impl<B> Pool<B>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(http: &UpstreamHttp, counters: Rc<Counters>) -> Self {
        Self {
            open: RefCell::default(),
            options: http.http2.clone(),
            assumed: Cell::new(http.http2.max_concurrent_streams),
            limits: http.connections.clone(),
            idle_timeout: http.idle_timeout,
            counters,
        }
    }

    /// A stream of an open connection to `host`, asked for by this name.
    pub(super) fn checkout(&self, host: &Rc<Host>, name: Option<&str>) -> Option<Lease<B>> {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| !self.is_over(connection));
        let fits = |connection: &Connection<B>| {
            Rc::ptr_eq(connection.to.host(), host) && connection.name.as_deref() == name
        };
        let connection = open.iter().find(|connection| fits(connection) && self.has_room(connection))?;
        Some(Lease::of(connection, &self.counters))
    }

    /// Whether an open connection to `host`, asked for by this name, has a stream left.
    pub(super) fn is_ready(&self, host: &Rc<Host>, name: Option<&str>) -> bool {
        let open = self.open.borrow();
        open.iter().any(|connection| {
            Rc::ptr_eq(connection.to.host(), host)
                && connection.name.as_deref() == name
                && !connection.is_gone()
                && self.has_room(connection)
        })
    }

    /// Begins to speak HTTP/2 on a new connection.
    pub(super) async fn adopt(
        &self,
        io: UpstreamIo,
        host: &Rc<Host>,
        name: Option<Box<str>>,
    ) -> Result<(), Failure> {
        let secure = io.is_secure();
        let keepalive = self.options.keepalive;
        let mut builder = Builder::new(LocalExecutor);
        builder
            .timer(TokioTimer::new())
            .initial_max_send_streams(self.assumed.get() as usize)
            .initial_stream_window_size(self.options.stream_window)
            .initial_connection_window_size(self.options.connection_window)
            .max_send_buf_size(limits::H2_SEND_BUFFER)
            .max_header_list_size(limits::UPSTREAM_HEAD_MAX)
            .keep_alive_interval(keepalive.map(|keepalive| keepalive.interval))
            .keep_alive_while_idle(keepalive.is_some());
        if let Some(keepalive) = keepalive {
            builder.keep_alive_timeout(keepalive.timeout);
        }
        let life = io.life();
        let handshake = builder.handshake(TokioIo::new(io)).await;
        let (sender, driver) = handshake.map_err(|_| Failure::Closed)?;
        self.counters.get().inspect(|stats| stats.cx_http2_total.inc());
        let driver = Rc::new(RefCell::new(Some(driver)));
        tokio::task::spawn_local(drive(Rc::clone(&driver)));
        let allowed = move || driver.borrow().as_ref().map(Driver::current_max_send_streams);
        let allowed = Allowed(Box::new(allowed));
        self.open.borrow_mut().push(Rc::new(Connection {
            sender,
            to: Connected::to(host),
            name,
            secure,
            idle_since: Cell::new(Instant::now()),
            life,
            allowed,
            retired: Cell::new(false),
        }));
        Ok(())
    }

    /// Closes connections that were idle too long, are too old or lead to an address that is not used any more; those
    /// with streams once these have ended.
    pub(super) fn sweep(&self, is_used: impl Fn(&Rc<Host>) -> bool) {
        self.open.borrow_mut().retain(|connection| {
            let idle = connection.life.active.get() == 0;
            let limit = self.idle_timeout.filter(|_| idle);
            let stale = limit.is_some_and(|limit| connection.idle_since.get().elapsed() >= limit);
            if stale {
                self.counters.get().inspect(|stats| stats.cx_idle_timeout.inc());
            }
            !stale && is_used(connection.to.host()) && !self.is_over(connection)
        });
    }

    /// How many requests may wait for one connection that is being made.
    pub(super) fn streams(&self) -> u32 {
        self.assumed.get()
    }

    /// Whether a connection has a stream left, by our limit and the server's.
    fn has_room(&self, connection: &Connection<B>) -> bool {
        let ours = self.options.max_concurrent_streams;
        let Some(theirs) = connection.allowed.0() else { return false };
        let limit = ours.min(u32::try_from(theirs).unwrap_or(u32::MAX)).max(1);
        self.assumed.set(limit);
        connection.life.active.get() < u64::from(limit)
    }

    /// Whether a connection must not be given new requests.
    fn is_over(&self, connection: &Connection<B>) -> bool {
        let stats = self.counters.get();
        if self.limits.max_duration.is_some_and(|limit| connection.life.age() >= limit) {
            stats.inspect(|stats| stats.cx_max_duration_reached.inc());
            return true;
        }
        if self.limits.max_requests.is_some_and(|limit| connection.life.requests.get() >= u64::from(limit)) {
            stats.inspect(|stats| stats.cx_max_requests.inc());
            return true;
        }
        connection.is_gone()
    }
}

impl<B> Connection<B> {
    /// It takes no more streams.
    fn is_gone(&self) -> bool {
        self.sender.is_closed() || self.retired.get()
    }
}

/// Runs a connection to its end. What still waits to be sent then is handed back.
async fn drive<B>(driver: Rc<RefCell<Option<Driver<B>>>>)
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let ended = poll_fn(|cx| match driver.borrow_mut().as_mut() {
        Some(driver) => Pin::new(driver).poll(cx).map(drop),
        None => Poll::Ready(()),
    });
    ended.await;
    drop(driver.take());
}

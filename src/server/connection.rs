//! One client connection: HTTP/1.1 or HTTP/2 with prior knowledge, told apart by its first bytes.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use config::model::{Codec, HttpManager};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;

use super::accept::Accepted;
use super::io::{ClientIo, OpenTls, Order, Watched};
use super::resets::{Resets, Resettable};
use crate::exchange::{Client, Core, Departure, Detached, exchange};
use crate::executor::LocalExecutor;
use crate::limits;
use crate::stats::HttpStats;
use crate::stats::counter::Counter;
use crate::tls::{Stream, server};

/// Client connections of the process so far: each has a number, for format strings. Touched once a connection.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// The counter of a reason to close.
type Why = fn(&HttpStats) -> &Counter;

/// The client connections of one worker.
#[derive(Debug)]
pub(crate) struct Connections {
    core: Rc<Core>,
    builders: Vec<Builder<LocalExecutor>>,
    open: RefCell<Vec<Weak<Watched>>>,
    /// Seconds since the worker started, moved by [`Connections::sweep`].
    clock: Rc<Cell<u64>>,
    draining: Cell<bool>,
    /// Since when another process takes the new connections, on `clock`.
    parting: Cell<Option<u64>>,
}

impl Connections {
    pub(crate) fn new(core: Rc<Core>) -> Rc<Self> {
        let builders = core.sites.iter().map(|site| builder(&site.http)).collect();
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
        let Some(http) = stats.http.get(accepted.listener) else { return };
        // Counted even if it fails below: the acceptor reads from it what this worker has taken.
        http.cx_total.inc();
        let Ok(stream) = TcpStream::from_std(accepted.stream) else { return };
        let Ok(local) = stream.local_addr() else { return };
        // Answers are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        let watched = Watched::new(accepted.listener, std::sync::Arc::clone(stats), Rc::clone(&self.clock));
        self.open.borrow_mut().push(Rc::downgrade(&watched));
        if self.draining.get() {
            watched.order(Order::Drain);
        }
        http.cx_active.inc();
        tokio::task::spawn_local(Rc::clone(self).drive(stream, (accepted.peer, local), watched));
    }

    async fn drive(
        self: Rc<Self>,
        stream: TcpStream,
        (peer, local): (SocketAddr, SocketAddr),
        watched: Rc<Watched>,
    ) {
        let Some(builder) = self.builders.get(watched.listener) else { return };
        let Some(server::Accepted { stream, secured }) = self.handshake(stream, &watched).await else {
            return watched.ended(self.core.lifecycle.asks_to_leave());
        };
        let _tls = secured.as_ref().and_then(|_| OpenTls::count(&watched));
        let core = Rc::clone(&self.core);
        let listener = watched.listener;
        let own = Rc::clone(&watched);
        let resets = Rc::<Resets>::default();
        let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        let service = service_fn(move |request| {
            let departure = Rc::<Departure>::default();
            begin(&core, &own);
            let client = Client {
                listener,
                peer,
                local,
                connection,
                secured: secured.clone(),
                active: Rc::clone(&own.active),
                departure: Rc::clone(&departure),
                retiring: Rc::clone(&own.retiring),
            };
            let exchange = Detached::new(exchange(Rc::clone(&core), client, request), departure);
            let watched = Rc::clone(&own);
            Resettable::new(exchange, Rc::clone(&resets), move || watched.reset_too_often())
        });
        let io = TokioIo::new(ClientIo::new(stream, Rc::clone(&watched)));
        let mut connection = pin!(builder.serve_connection(io, service));
        let ended = poll_fn(|cx| {
            match watched.poll_order(cx) {
                Some(Order::Kill) => return Poll::Ready(Ok(())),
                Some(Order::Drain) => {
                    connection.as_mut().graceful_shutdown();
                    // Polled again below, and woken for the next order.
                    let _ = watched.poll_order(cx);
                }
                None => {}
            }
            connection.as_mut().poll(cx)
        });
        let ended = ended.await;
        watched.ended(self.core.lifecycle.asks_to_leave());
        if ended.as_ref().is_err_and(|error| is_protocol_error(error.as_ref())) {
            watched.http().inspect(|http| count_malformed(http));
        }
    }

    /// Ends the client's TLS, if the listener has any. `None`: it failed, or the worker drains.
    async fn handshake(&self, stream: TcpStream, watched: &Watched) -> Option<server::Accepted> {
        let Some(tls) = self.core.tls.listener(watched.listener) else {
            return Some(server::Accepted { stream: Stream::Plain(stream), secured: None });
        };
        let mut handshake = pin!(tls.accept(stream, &watched.http()?.tls));
        // Nothing was asked yet: whatever the order is, the connection may close.
        poll_fn(|cx| match watched.poll_order(cx) {
            Some(_) => Poll::Ready(None),
            None => handshake.as_mut().poll(cx),
        })
        .await
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

/// A request that the HTTP library could not read, and answered with a 4xx of its own.
fn count_malformed(http: &HttpStats) {
    http.cx_protocol_error.inc();
    http.rq_total.inc();
    http.rq_http1_total.inc();
    http.rq_completed.inc();
    if let Some(client_errors) = http.rq_by_class.get(3) {
        client_errors.inc();
    }
}

/// A request begins, perhaps the connection's last.
fn begin(core: &Core, watched: &Watched) {
    let requests = watched.requests.get().saturating_add(1);
    watched.requests.set(requests);
    let limit =
        core.sites.get(watched.listener).and_then(|site| site.http.protocols.connections.max_requests);
    if limit.is_some_and(|limit| requests >= limit) && !watched.retiring.get() {
        watched.http().inspect(|http| http.cx_max_requests_reached.inc());
        watched.retire();
    }
}

fn is_protocol_error(error: &(dyn std::error::Error + 'static)) -> bool {
    let hyper = error.downcast_ref::<hyper::Error>();
    hyper.is_some_and(|error| error.is_parse() || error.is_parse_status())
}

fn builder(http: &HttpManager) -> Builder<LocalExecutor> {
    let head_max = (http.max_request_headers_kb as usize) << 10;
    let protocols = &http.protocols;
    let mut builder = match protocols.codec {
        Codec::Auto => Builder::new(LocalExecutor),
        Codec::Http1 => Builder::new(LocalExecutor).http1_only(),
        Codec::Http2 => Builder::new(LocalExecutor).http2_only(),
    };
    builder
        .http1()
        .auto_date_header(false)
        .max_headers(protocols.max_headers as usize)
        .max_buf_size(head_max.max(limits::READ_BUFFER_MAX))
        .title_case_headers(protocols.http1.title_case)
        .pipeline_flush(false);
    let options = &protocols.http2;
    let keepalive = options.keepalive;
    let mut http2 = builder.http2();
    http2
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .initial_stream_window_size(options.stream_window)
        .initial_connection_window_size(options.connection_window)
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_send_buf_size(limits::H2_SEND_BUFFER)
        .max_header_list_size(head_max as u32)
        .keep_alive_interval(keepalive.map(|keepalive| keepalive.interval));
    if let Some(keepalive) = keepalive {
        http2.keep_alive_timeout(keepalive.timeout);
    }
    builder
}

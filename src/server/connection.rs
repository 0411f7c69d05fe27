//! One client connection: HTTP/1.1 or HTTP/2 with prior knowledge, told apart by its first bytes.
//!
//! A connection without a request rests: only its socket and what is counted of it are kept, until bytes come. The
//! HTTP library's state is made for them, and for HTTP/1.1 given back once the connection has been quiet: a read buffer
//! that a batch of remote write has passed through is 80 KiB, which ten thousand idle senders would hold for good.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::io::{ClientIo, OpenTls};
use super::protocols::{Builders, Protocol};
use super::resets::{Resets, Resettable};
use super::watched::{Order, Watched};
use crate::exchange::{AnswerBody, Client, Core, Departure, Detached, Unanswered, exchange};
use crate::stats::HttpStats;
use crate::tls::{Secured, Stream, server};

/// Client connections of the process so far: each has a number, for format strings. Touched once a connection.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// How serving HTTP ended.
enum Served {
    /// The connection is over, well or not.
    Over(hyper::Result<()>),
    /// It is quiet, and nothing of a request has been read.
    Quiet(ClientIo),
}

/// See the module.
pub(super) struct Connection {
    core: Rc<Core>,
    builders: Rc<Builders>,
    watched: Rc<Watched>,
    peer: SocketAddr,
    local: SocketAddr,
    /// From 0, in the order of acceptance.
    number: u64,
    secured: Option<Rc<Secured>>,
}

impl Connection {
    pub(super) fn new(
        core: &Rc<Core>,
        builders: &Rc<Builders>,
        watched: Rc<Watched>,
        (peer, local): (SocketAddr, SocketAddr),
    ) -> Self {
        let (core, builders) = (Rc::clone(core), Rc::clone(builders));
        let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        Self { core, builders, watched, peer, local, number, secured: None }
    }

    /// Serves the connection to its end.
    pub(super) async fn drive(mut self, stream: TcpStream) {
        if let Some(server::Accepted { stream, secured }) = self.handshake(stream).await {
            let watched = Rc::clone(&self.watched);
            let _tls = secured.as_ref().and_then(|_| OpenTls::count(&watched));
            self.secured = secured;
            let ended = Rc::new(self).serve(stream).await;
            if ended.is_err_and(|error| error.is_parse() || error.is_parse_status()) {
                watched.http().inspect(|http| count_malformed(http));
            }
        }
    }

    /// Ends the client's TLS, if the listener has any. `None`: it failed, or the worker drains.
    async fn handshake(&self, stream: TcpStream) -> Option<server::Accepted> {
        let watched = &self.watched;
        let Some(tls) = self.core.tls.listener(watched.listener) else {
            return Some(server::Accepted { stream: Stream::Plain(stream), secured: None });
        };
        // Boxed, so that a connection is small that has it behind it, or has no TLS.
        let mut handshake = Box::pin(tls.accept(stream, &watched.http()?.tls));
        // Nothing was asked yet: whatever the order is, the connection may close.
        poll_fn(|cx| match watched.poll_order(cx) {
            Some(Order::Drain | Order::Kill) => Poll::Ready(None),
            _ => handshake.as_mut().poll(cx),
        })
        .await
    }

    async fn serve(self: Rc<Self>, stream: Stream) -> hyper::Result<()> {
        // The first bytes may have come with the handshake's last: TLS has read them from the socket already.
        let mut comes = matches!(stream, Stream::Tls(_));
        let mut io = ClientIo::new(stream, Rc::clone(&self.watched));
        let mut protocol = None;
        loop {
            self.watched.rests();
            let spoken = unless_ordered(&self.watched, pin!(self.arrival(&mut io, comes, protocol))).await;
            self.watched.resting.set(false);
            let Some(spoken) = spoken.flatten() else { return Ok(()) };
            comes = false;
            protocol = Some(spoken);
            let served = match spoken {
                // Boxed, so that a connection that rests is small.
                Protocol::Http1 => Box::pin(self.http1(io)).await,
                Protocol::Http2 => Box::pin(self.http2(io)).await,
            };
            match served {
                Served::Over(ended) => return ended,
                Served::Quiet(back) => io = back,
            }
        }
    }

    /// Waits until bytes come. What the client speaks; `None` if it leaves before it has told.
    async fn arrival(&self, io: &mut ClientIo, comes: bool, known: Option<Protocol>) -> Option<Protocol> {
        if !comes {
            poll_fn(|cx| io.poll_arrival(cx)).await;
        }
        if known.is_some() {
            return known;
        }
        let protocol = self.builders.tell(io).await.ok().flatten()?;
        self.watched.speaks(protocol);
        Some(protocol)
    }

    /// Serves HTTP/1.1 until the connection is over or quiet.
    async fn http1(self: &Rc<Self>, io: ClientIo) -> Served {
        let origin = Rc::clone(self);
        let service = service_fn(move |request| origin.exchange(request));
        let mut connection = self.builders.http1.serve_connection(TokioIo::new(io), service);
        let ended = poll_fn(|cx| {
            match self.watched.poll_order(cx) {
                Some(Order::Kill) => return Poll::Ready(Some(Ok(()))),
                Some(Order::Drain) => {
                    Pin::new(&mut connection).graceful_shutdown();
                    // Polled again below, and woken for the next order.
                    let _ = self.watched.poll_order(cx);
                }
                Some(Order::Rest) if self.watched.may_rest() => return Poll::Ready(None),
                Some(Order::Rest) => drop(self.watched.poll_order(cx)),
                None => {}
            }
            let served = Pin::new(&mut connection).poll(cx).map(Some);
            if served.is_pending() && self.watched.has_to_rest() { Poll::Ready(None) } else { served }
        });
        if let Some(ended) = ended.await {
            return Served::Over(ended);
        }
        let parts = connection.into_parts();
        let mut io = parts.io.into_inner();
        // As a rule there is nothing in it, but its room; that is what is given back.
        if !parts.read_buf.is_empty() {
            io.unread(parts.read_buf);
        }
        Served::Quiet(io)
    }

    /// Serves HTTP/2, whose connections do not rest: the library keeps little for those that are idle.
    async fn http2(self: &Rc<Self>, io: ClientIo) -> Served {
        let (origin, resets) = (Rc::clone(self), Rc::<Resets>::default());
        let service = service_fn(move |request| {
            let watched = Rc::clone(&origin.watched);
            Resettable::new(origin.exchange(request), Rc::clone(&resets), move || watched.reset_too_often())
        });
        let mut connection = pin!(self.builders.http2.serve_connection(TokioIo::new(io), service));
        let ended = poll_fn(|cx| {
            match self.watched.poll_order(cx) {
                Some(Order::Kill) => return Poll::Ready(Ok(())),
                Some(Order::Drain) => {
                    connection.as_mut().graceful_shutdown();
                    let _ = self.watched.poll_order(cx);
                }
                Some(Order::Rest) => drop(self.watched.poll_order(cx)),
                None => {}
            }
            connection.as_mut().poll(cx)
        });
        Served::Over(ended.await)
    }

    fn exchange(
        &self,
        request: Request<Incoming>,
    ) -> Detached<impl Future<Output = Result<Response<AnswerBody>, Unanswered>> + use<>> {
        let departure = Rc::<Departure>::default();
        self.begin();
        let watched = &self.watched;
        let client = Client {
            listener: watched.listener,
            peer: self.peer,
            local: self.local,
            connection: self.number,
            secured: self.secured.clone(),
            active: Rc::clone(&watched.active),
            unread: Rc::clone(&watched.unread),
            departure: Rc::clone(&departure),
            retiring: Rc::clone(&watched.retiring),
        };
        Detached::new(exchange(Rc::clone(&self.core), client, request), departure)
    }

    /// A request begins, perhaps the connection's last.
    fn begin(&self) {
        let watched = &self.watched;
        let requests = watched.requests.get().saturating_add(1);
        watched.requests.set(requests);
        let site = self.core.sites.get(watched.listener);
        let limit = site.and_then(|site| site.http.protocols.connections.max_requests);
        if limit.is_some_and(|limit| requests >= limit) && !watched.retiring.get() {
            watched.http().inspect(|http| http.cx_max_requests_reached.inc());
            watched.retire();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.watched.ended(self.core.lifecycle.asks_to_leave());
    }
}

/// Waits for something while nothing has been asked: an order to close is followed at once. `None`: it was given.
async fn unless_ordered<F: Future>(watched: &Watched, mut future: Pin<&mut F>) -> Option<F::Output> {
    let ordered = |cx: &Context<'_>| loop {
        match watched.poll_order(cx) {
            Some(Order::Drain | Order::Kill) => return true,
            Some(Order::Rest) => {}
            None => return false,
        }
    };
    poll_fn(|cx| if ordered(cx) { Poll::Ready(None) } else { future.as_mut().poll(cx).map(Some) }).await
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

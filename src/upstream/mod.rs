//! One worker's connections to one cluster, for requests.
//!
//! Enters: a request with its head ready. Leaves: the answer, as it arrives, or the reason there is none. Runs on
//! the worker; connections are never shared between workers, and never with copies.
//!
//! Nothing is repeated once bytes were written, with two exceptions: a reused connection may turn out to have been
//! closed by the server while it was idle, and then a request that is safe to repeat is sent once more over a fresh
//! one; and over HTTP/2 a server can say that it did nothing with a request. `http1` and `http2` hold the
//! connections, `dialing` those that several requests wait for, `obtain` finds one for a request, and `line` is where
//! requests wait where circuit breakers limit the cluster.

pub(crate) mod dial;
mod dialing;
mod http1;
mod http2;
pub(crate) mod io;
mod line;
mod obtain;
mod waiting;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::model::{Cluster, Sockets, UpstreamVersion};
use http::{Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;

use crate::cluster::breakers::Breakers;
use crate::cluster::{Asked, Endpoints, Host};
use crate::stats::WorkerStats;
use crate::tls::Transport;
use dial::{DialError, Wanted};
use dialing::Dialing;
use io::{Counters, UpstreamIo};
use line::{InUse, Lines, Slot};
pub(crate) use obtain::Full;
use waiting::Waiting;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connections that one request tries over HTTP/2: each may turn out to be full or going away.
const HTTP2_ATTEMPTS: u32 = 4;
/// Connections that one request waits for where others take their streams first.
const HTTP2_DIALS: u32 = 16;
/// Reused connections that one request may find closed by the server.
const STALE_MAX: u32 = 3;

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
    /// The server reset the stream (HTTP/2).
    Reset,
    /// The server refused the stream and did nothing with its request (HTTP/2).
    Refused,
    /// What came was not HTTP.
    Protocol,
    /// A circuit breaker refused the request.
    Overflow,
    /// An attempt took longer than its retry policy allows.
    PerTryTimeout,
}

/// The connection that a request went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over {
    /// This end's address.
    pub(crate) local: Option<SocketAddr>,
    /// What is spoken on it.
    pub(crate) version: Version,
}

/// What becomes of a request on its way, and how it can be sent again.
pub(crate) trait Repeat<B> {
    /// Whether the request waits for one of a limited number of connections now.
    fn waits(&self, pending: bool);
    /// A connection was found, and it goes over that.
    fn goes(&self, over: Over);
    /// Called before an attempt that may have to be repeated. `refusable` where the server can say that it did
    /// nothing with the request, so that any request may be.
    fn keep(&self, request: &Request<B>, refusable: bool);
    /// The request once more, if nothing of it was lost, and it is safe to repeat or was `refused` by the server.
    fn again(&self, refused: bool) -> Option<Request<B>>;
}

/// One worker's connections to one cluster.
#[derive(Debug)]
pub(crate) struct Upstream<B> {
    endpoints: Rc<Endpoints>,
    connect_timeout: Duration,
    sockets: Sockets,
    version: UpstreamVersion,
    http1: Rc<http1::Pool<B>>,
    http2: http2::Pool<B>,
    dialing: Rc<Dialing>,
    /// Where the cluster has circuit breakers.
    lines: Option<Lines>,
    tls: Transport,
    counters: Rc<Counters>,
}

/// What an [`Upstream`] is made of, beside the configuration of its cluster.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) index: usize,
    pub(crate) endpoints: Rc<Endpoints>,
    pub(crate) tls: Transport,
    /// Of the whole process.
    pub(crate) breakers: Option<Arc<Breakers>>,
    pub(crate) stats: &'a Arc<WorkerStats>,
}

/// A connection or stream in use.
#[derive(Debug)]
pub(crate) struct Lease<B> {
    held: Held<B>,
    /// Until the answer's end.
    #[expect(dead_code, reason = "held for its Drop")]
    asked: Asked,
    /// After the connection: who waits for it is called then.
    #[expect(dead_code, reason = "held for its Drop")]
    in_use: Option<InUse>,
}

#[derive(Debug)]
enum Held<B> {
    Http1(http1::Lease<B>),
    Http2(http2::Lease<B>),
}

impl<B> Upstream<B>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(cluster: &Cluster, parts: Parts<'_>) -> Rc<Self> {
        let Parts { index, endpoints, tls, breakers, stats } = parts;
        let counters = Rc::new(Counters { stats: Arc::clone(stats), cluster: index });
        let http = &cluster.http;
        Rc::new(Self {
            endpoints,
            connect_timeout: cluster.connect_timeout,
            sockets: cluster.sockets,
            version: http.version,
            http1: http1::Pool::new(http, Rc::clone(&counters)),
            http2: http2::Pool::new(http, Rc::clone(&counters)),
            dialing: Rc::default(),
            lines: breakers.map(Lines::new),
            tls,
            counters,
        })
    }

    /// Which endpoint is next, if there is one.
    pub(crate) fn pick(&self) -> Option<Rc<Host>> {
        self.endpoints.pick()
    }

    /// Whether a request of a client that speaks `client` goes over HTTP/2.
    pub(crate) fn is_http2(&self, client: Version) -> bool {
        match self.version {
            UpstreamVersion::Http1 | UpstreamVersion::Negotiated => false,
            UpstreamVersion::Http2 => true,
            UpstreamVersion::AsClient => client == Version::HTTP_2,
        }
    }

    /// Sends a request to `host` and waits for the head of the answer. `client`: what its client speaks.
    pub(crate) async fn send(
        self: &Rc<Self>,
        host: &Rc<Host>,
        client: Version,
        request: Request<B>,
        repeat: &impl Repeat<B>,
    ) -> Result<(Response<Incoming>, Lease<B>), Failure> {
        let mut asked = Asked::of(host);
        let result = if self.is_http2(client) {
            let sent = Box::pin(self.send_http2(host, request, repeat)).await;
            sent.map(|(answer, lease, in_use)| (answer, Held::Http2(lease), in_use))
        } else {
            let sent = self.send_http1(host, request, repeat).await;
            sent.map(|(answer, lease, in_use)| (answer, Held::Http1(lease), in_use))
        };
        match &result {
            Ok((answer, ..)) => asked.answered(Some(answer.status().as_u16())),
            Err(Failure::Overflow) => asked.refused(),
            Err(_) => asked.answered(None),
        }
        let (answer, held, in_use) = result?;
        Ok((answer, Lease { held, asked, in_use }))
    }

    async fn send_http1(
        &self,
        host: &Rc<Host>,
        mut request: Request<B>,
        repeat: &impl Repeat<B>,
    ) -> Result<(Response<Incoming>, http1::Lease<B>, Option<InUse>), Failure> {
        let name = self.tls.host_in(request.headers());
        let line = self.line(host, name.as_deref());
        let mut stale = 0;
        loop {
            line.as_ref().inspect(|_| repeat.waits(true));
            let (mut lease, reused) = self.obtain(host, name.as_deref(), line.as_ref(), stale > 0).await?;
            line.as_ref().inspect(|_| repeat.waits(false));
            let in_use = match self.begin(line.as_ref()) {
                Ok(in_use) => in_use,
                Err(full) => {
                    lease.release();
                    line.inspect(|line| line.call());
                    return Err(full);
                }
            };
            repeat.goes(lease.over());
            if reused && stale == 0 {
                repeat.keep(&request, false);
            }
            let received = lease.received();
            let http1::Unanswered { unsent, failure } = match lease.attempt(request).await {
                Ok(answer) => return Ok((answer, lease, in_use)),
                Err(unanswered) => unanswered,
            };
            if !reused || stale == STALE_MAX {
                return Err(failure);
            }
            let may = stale == 0 && lease.received() == received;
            request = unsent.or_else(|| may.then(|| repeat.again(false)).flatten()).ok_or(failure)?;
            stale += 1;
            self.counters.get().inspect(|stats| stats.rq_retry.inc());
        }
    }

    async fn send_http2(
        self: &Rc<Self>,
        host: &Rc<Host>,
        mut request: Request<B>,
        repeat: &impl Repeat<B>,
    ) -> Result<(Response<Incoming>, http2::Lease<B>, Option<InUse>), Failure> {
        let name = self.tls.host_in(request.headers());
        let line = self.line(host, name.as_deref());
        let mut failure = Failure::Closed;
        let mut repeated = false;
        for _ in 0..HTTP2_ATTEMPTS {
            line.as_ref().inspect(|_| repeat.waits(true));
            let lease = self.stream(host, name.as_deref(), line.as_ref()).await?;
            line.as_ref().inspect(|_| repeat.waits(false));
            let in_use = self.begin(line.as_ref()).inspect_err(|_| {
                line.as_ref().inspect(|line| line.call());
            })?;
            repeat.goes(lease.over());
            if !repeated {
                repeat.keep(&request, true);
            }
            let refusal = match lease.attempt(request).await {
                Ok(answer) => return Ok((answer, lease, in_use)),
                Err(refusal) => refusal,
            };
            if refusal.going_away {
                lease.retire();
            }
            failure = refusal.failure;
            request = match refusal.unsent {
                Some(request) => request,
                None if repeated => return Err(failure),
                None if refusal.unprocessed || (failure == Failure::Closed && lease.reused) => {
                    repeated = true;
                    repeat.again(refusal.unprocessed).ok_or(failure)?
                }
                None => return Err(failure),
            };
            self.counters.get().inspect(|stats| stats.rq_retry.inc());
        }
        Err(failure)
    }

    /// A new connection, asked for by this name if the cluster is asked for by the request's `Host`.
    async fn connect(
        &self,
        host: &Host,
        name: Option<&str>,
        http2: bool,
        slot: Option<Slot>,
    ) -> Result<UpstreamIo, Failure> {
        let stats = self.counters.get();
        stats.inspect(|stats| stats.cx_total.inc());
        host.stats.cx_total.inc();
        let begun = Instant::now();
        let wanted = Wanted {
            timeout: self.connect_timeout,
            send_buffer: None,
            sockets: &self.sockets,
            tls: &self.tls,
            host: name,
            http2,
            stats: stats.map(|stats| &stats.tls),
        };
        let dialed = dial::dial(host.address(), wanted).await;
        let dialed = dialed.inspect_err(|_| host.stats.cx_connect_fail.inc());
        let stream = dialed.map_err(|error| match error {
            DialError::Timeout => {
                stats.inspect(|stats| stats.cx_connect_timeout.inc());
                Failure::ConnectTimeout
            }
            DialError::Failed | DialError::Tls => {
                stats.inspect(|stats| stats.cx_connect_fail.inc());
                Failure::Connect
            }
        })?;
        stats.inspect(|stats| stats.cx_connect.record(begun.elapsed()));
        Ok(UpstreamIo::new(stream, Rc::clone(&self.counters), slot))
    }

    /// A request waits for a connection.
    async fn pend<T>(
        &self,
        host: &Host,
        connection: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let waiting = Waiting::begin(&self.counters, host);
        let connected = connection.await;
        waiting.end();
        connected.inspect_err(|_| {
            self.counters.get().inspect(|stats| stats.rq_pending_failure_eject.inc());
        })
    }

    /// About once a second: closes connections that were idle too long or lead to an address no longer in use.
    pub(crate) fn sweep(&self) {
        let is_used = |host: &Rc<Host>| self.endpoints.keeps(host);
        self.http1.sweep(is_used);
        self.http2.sweep(is_used);
        self.lines.as_ref().inspect(|lines| lines.sweep());
    }
}

impl<B> Lease<B> {
    /// Where this connection counts.
    pub(crate) fn counters(&self) -> &Counters {
        match &self.held {
            Held::Http1(lease) => lease.counters(),
            Held::Http2(lease) => lease.counters(),
        }
    }

    /// The answer has been read to its end: the connection is free for the next request.
    pub(crate) fn release(self) {
        match self.held {
            Held::Http1(lease) => lease.release(),
            Held::Http2(lease) => lease.release(),
        }
    }

    /// The answer broke off, and why.
    pub(crate) fn broke(&self, error: &hyper::Error) -> Failure {
        match &self.held {
            Held::Http1(lease) => lease.broke(),
            Held::Http2(lease) => lease.broke(error),
        }
    }
}

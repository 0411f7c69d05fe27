//! A connection or stream for one request: one that is free, a new one, or, where circuit breakers limit the cluster, a
//! place in a line ([`super::line`]). All thresholds are looked at here, in Envoy's order: a request that finds nothing
//! free has to fit among those that wait, then its connection among the connections, at last itself among the requests.

use std::rc::Rc;

use http::{HeaderMap, Version};
use http_body::Body;

use super::line::{InUse, Line, Slot};
use super::{BoxError, Failure, HTTP2_DIALS, Upstream, http1, http2};
use crate::cluster::Host;

/// What a circuit breaker refuses a request for, before anything is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// Too many wait for a connection.
    Pending,
    /// A connection is free, but too many requests are in progress.
    Requests,
}

/// What the front of a line leads to.
enum Turn<B> {
    Free(http1::Lease<B>),
    Dial(Slot),
}

impl<B> Upstream<B>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// Whether a request to `host` would be refused at once; counted, if so. What happens later is [`Self::send`]'s
    /// business, and what other workers do in between.
    pub(crate) fn refuses(&self, host: &Rc<Host>, client: Version, head: &HeaderMap) -> Option<Full> {
        let lines = self.lines.as_ref()?;
        if self.tls.host_in(head).is_some() {
            // Which name that will be is not known before the head has all its changes.
            return None;
        }
        let free = lines.of(host, None).is_free();
        let ready = if self.is_http2(client) {
            self.http2.is_ready(host, None)
        } else {
            self.http1.is_ready(host, None)
        };
        let stats = self.counters.get();
        if free && ready {
            lines.breakers.requests.is_full().then(|| {
                stats.inspect(|stats| stats.rq_active_overflow.inc());
                Full::Requests
            })
        } else {
            lines.breakers.pending.is_full().then(|| {
                stats.inspect(|stats| stats.rq_pending_overflow.inc());
                Full::Pending
            })
        }
    }

    /// The line for `host`, where there are lines.
    pub(super) fn line(&self, host: &Rc<Host>, name: Option<&str>) -> Option<Rc<Line>> {
        self.lines.as_ref().map(|lines| lines.of(host, name))
    }

    /// The request goes over a connection now.
    pub(super) fn begin(&self, line: Option<&Rc<Line>>) -> Result<Option<InUse>, Failure> {
        let Some(line) = line else { return Ok(None) };
        if let Some(in_use) = line.begin() {
            return Ok(Some(in_use));
        }
        self.counters.get().inspect(|stats| stats.rq_active_overflow.inc());
        Err(Failure::Overflow)
    }

    /// A connection to `host` that serves nothing else, and whether it has served others. `fresh`: rather a new one.
    pub(super) async fn obtain(
        &self,
        host: &Rc<Host>,
        name: Option<&str>,
        line: Option<&Rc<Line>>,
        fresh: bool,
    ) -> Result<(http1::Lease<B>, bool), Failure> {
        let may = !fresh && line.is_none_or(|line| line.is_free());
        if let Some(lease) = may.then(|| self.http1.checkout(host, name)).flatten() {
            return Ok((lease, true));
        }
        // Boxed: what a new connection needs room for, requests over one that is there should not carry about.
        Box::pin(self.obtain_new(host, name, line)).await
    }

    async fn obtain_new(
        &self,
        host: &Rc<Host>,
        name: Option<&str>,
        line: Option<&Rc<Line>>,
    ) -> Result<(http1::Lease<B>, bool), Failure> {
        let Some(line) = line else {
            let io = self.pend(host, self.connect(host, name, false, None)).await?;
            return Ok((self.http1.adopt(io, host, name.map(Into::into)).await?, false));
        };
        let _pending = self.pending(line)?;
        let connected = async {
            match self.turn(line, || self.http1.checkout(host, name)).await {
                Turn::Free(lease) => Ok((lease, true)),
                Turn::Dial(slot) => {
                    let io = self.connect(host, name, false, Some(slot)).await?;
                    Ok((self.http1.adopt(io, host, name.map(Into::into)).await?, false))
                }
            }
        };
        self.pend(host, connected).await
    }

    fn pending(&self, line: &Line) -> Result<crate::cluster::breakers::Permit, Failure> {
        line.pending().ok_or_else(|| {
            self.counters.get().inspect(|stats| stats.rq_pending_overflow.inc());
            Failure::Overflow
        })
    }

    /// Leave to make a connection, or one that became free.
    async fn turn(&self, line: &Rc<Line>, take: impl Fn() -> Option<http1::Lease<B>>) -> Turn<B> {
        if let Some(slot) = line.slot() {
            return Turn::Dial(slot);
        }
        self.counters.get().inspect(|stats| stats.cx_overflow.inc());
        let mut again = false;
        loop {
            line.wait(again).await;
            if let Some(lease) = take() {
                // There may be more than one.
                line.call();
                return Turn::Free(lease);
            }
            if let Some(slot) = line.slot() {
                return Turn::Dial(slot);
            }
            again = true;
        }
    }

    /// A stream to `host`, of an open connection or of one that is made now.
    pub(super) async fn stream(
        self: &Rc<Self>,
        host: &Rc<Host>,
        name: Option<&str>,
        line: Option<&Rc<Line>>,
    ) -> Result<http2::Lease<B>, Failure> {
        if let Some(line) = line {
            if let Some(lease) = line.is_free().then(|| self.http2.checkout(host, name)).flatten() {
                return Ok(lease);
            }
            let _pending = self.pending(line)?;
            return self.pend(host, self.stream_in_turn(host, name, line)).await;
        }
        for _ in 0..HTTP2_DIALS {
            if let Some(lease) = self.http2.checkout(host, name) {
                return Ok(lease);
            }
            self.pend(host, self.dial_http2(host, name, None)).await?;
        }
        Err(Failure::Closed)
    }

    async fn stream_in_turn(
        self: &Rc<Self>,
        host: &Rc<Host>,
        name: Option<&str>,
        line: &Rc<Line>,
    ) -> Result<http2::Lease<B>, Failure> {
        let (mut dials, mut waited) = (0, false);
        while dials < HTTP2_DIALS {
            let joins = self.dialing.has_room(host.address(), name, self.http2.streams());
            let slot = if joins { None } else { line.slot() };
            if joins || slot.is_some() {
                dials += 1;
                self.dial_http2(host, name, slot).await?;
            } else {
                if !waited {
                    self.counters.get().inspect(|stats| stats.cx_overflow.inc());
                }
                line.wait(waited).await;
                waited = true;
            }
            if let Some(lease) = self.http2.checkout(host, name) {
                line.call();
                return Ok(lease);
            }
        }
        Err(Failure::Closed)
    }

    /// Waits for a new connection, one that is being made or the one that this begins.
    async fn dial_http2(
        self: &Rc<Self>,
        host: &Rc<Host>,
        name: Option<&str>,
        slot: Option<Slot>,
    ) -> Result<(), Failure> {
        let dial = || {
            let (upstream, host, name) = (Rc::clone(self), Rc::clone(host), name.map(Box::<str>::from));
            async move {
                let io = upstream.connect(&host, name.as_deref(), true, slot).await?;
                upstream.http2.adopt(io, &host, name.clone()).await?;
                upstream.line(&host, name.as_deref()).inspect(|line| line.call_all());
                Ok(())
            }
        };
        self.dialing.wait(host.address(), name, self.http2.streams(), dial).await
    }
}

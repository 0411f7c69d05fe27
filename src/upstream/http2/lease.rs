//! A stream in use, and how it ended.
//!
//! Envoy's counters of resets move where a reset passes over the wire: `rx_reset` where the server sends one, `tx_reset`
//! where we do, because the request was given up or what came was not HTTP/2.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use http::{Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;

use super::refusal::{self, Refusal};
use super::{BoxError, Connection, Counters, Failure, head};
use crate::stats::ClusterStats;
use crate::upstream::Over;

/// A place on a connection, and the stream in it; dropping it frees the place. The stream itself ends with its bodies.
#[derive(Debug)]
pub(crate) struct Lease<B> {
    connection: Rc<Connection<B>>,
    counters: Rc<Counters>,
    /// Whether the connection had served other requests before.
    pub(in crate::upstream) reused: bool,
    /// A request is on its way, and its answer has no end yet.
    open: Cell<bool>,
}

impl<B> Lease<B>
where
    B: Body + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// One attempt.
    pub(in crate::upstream) async fn attempt(
        &self,
        request: Request<B>,
    ) -> Result<Response<Incoming>, Refusal<B>> {
        let stats = self.counters.get();
        stats.inspect(|stats| {
            stats.rq_total.inc();
            stats.http2.streams_active.inc();
        });
        self.open.set(true);
        self.connection.to.host().stats.rq_total.inc();
        let request = head::to_http2(request, self.connection.secure);
        let sent = self.connection.sender.clone().try_send_request(request).await;
        sent.map_err(|mut error| {
            let refusal = Refusal::of(error.take_message(), error.error());
            if refusal.unsent.is_some() {
                self.close();
            } else {
                self.end(refusal.failure, error.error());
            }
            refusal
        })
    }
}

impl<B> Lease<B> {
    pub(super) fn of(connection: &Rc<Connection<B>>, counters: &Rc<Counters>) -> Self {
        let reused = connection.life.requests.get() > 0;
        connection.life.request();
        let (connection, counters) = (Rc::clone(connection), Rc::clone(counters));
        Self { connection, counters, reused, open: Cell::new(false) }
    }

    /// The connection, for who asks what a request went over.
    pub(in crate::upstream) fn over(&self) -> Over {
        Over { local: self.connection.life.local, version: Version::HTTP_2 }
    }

    pub(in crate::upstream) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The connection takes no further streams: it gets no more requests.
    pub(in crate::upstream) fn retire(&self) {
        self.connection.retired.set(true);
    }

    /// The answer has been read to its end.
    pub(in crate::upstream) fn release(self) {
        self.close();
    }

    /// The answer broke off.
    pub(in crate::upstream) fn broke(&self, error: &hyper::Error) -> Failure {
        let failure = refusal::failure(error);
        self.end(failure, error);
        failure
    }

    fn end(&self, failure: Failure, error: &hyper::Error) {
        let (true, Some(stats)) = (self.close(), self.counters.get()) else { return };
        match failure {
            // The client left inside its request.
            _ if refusal::is_ours(error) => reset(stats),
            Failure::Reset => {
                stats.rq_rx_reset.inc();
                stats.http2.rx_reset.inc();
            }
            // As in Envoy not one of `upstream_rq_rx_reset`.
            Failure::Refused => stats.http2.rx_reset.inc(),
            Failure::Protocol => {
                stats.cx_protocol_error.inc();
                stats.rq_tx_reset.inc();
                // The whole connection, otherwise, which takes no reset.
                if refusal::is_of_stream(error) {
                    stats.http2.tx_reset.inc();
                }
            }
            // As in Envoy, although these no longer waited.
            _ => stats.rq_pending_failure_eject.inc(),
        }
    }

    /// Whether the stream was open until now.
    fn close(&self) -> bool {
        let open = self.open.replace(false);
        if open {
            self.counters.get().inspect(|stats| stats.http2.streams_active.dec());
        }
        open
    }
}

fn reset(stats: &ClusterStats) {
    stats.rq_tx_reset.inc();
    stats.http2.tx_reset.inc();
}

impl<B> Drop for Lease<B> {
    fn drop(&mut self) {
        if self.close() {
            // Nobody waits for its end any more.
            self.counters.get().inspect(|stats| reset(stats));
        }
        let connection = &self.connection;
        connection.life.answered();
        connection.idle_since.set(Instant::now());
    }
}

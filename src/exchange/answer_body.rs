//! An answer's body on its way to the client, and the end of an exchange.
//!
//! When the primary's answer has been read to its end, its connection is free for the next request. When the client
//! leaves before that, the rest is read for a moment, so that the primary is not cut off in its work.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::TRAILER;
use http::{Version, response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Client;
use super::cut::Cut;
use super::logged::Logged;
use super::record::Record;
use super::replay::Outgoing;
use super::request_body::RequestBody;
use crate::format::Flags;
use crate::limits;
use crate::stats::{ClusterStats, HttpStats, WorkerStats};
use crate::upstream::Lease;

/// A request in progress, for the gauges. Ends when dropped.
#[derive(Debug)]
pub(super) struct Active {
    stats: Arc<WorkerStats>,
    listener: usize,
    on_connection: Rc<Cell<u32>>,
    begun: Instant,
    pub(super) record: Record,
    pub(super) logged: Option<Box<Logged>>,
}

impl Active {
    pub(super) fn begin(stats: &Arc<WorkerStats>, client: &Client, version: Version) -> Self {
        let on_connection = Rc::clone(&client.active);
        on_connection.set(on_connection.get() + 1);
        if let Some(http) = stats.http.get(client.listener) {
            http.rq_total.inc();
            http.rq_active.inc();
            if version == Version::HTTP_2 { http.rq_http2_total.inc() } else { http.rq_http1_total.inc() }
        }
        Self {
            stats: Arc::clone(stats),
            listener: client.listener,
            on_connection,
            begun: Instant::now(),
            record: Record::default(),
            logged: None,
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.on_connection.set(self.on_connection.get() - 1);
        if let Some(http) = self.stats.http.get(self.listener) {
            http.rq_active.dec();
            http.rq_time.record(self.begun.elapsed());
        }
        if let Some(logged) = &self.logged {
            logged.write(&self.record);
        }
    }
}

/// What belongs to the primary's answer.
#[derive(Debug)]
pub(super) struct Relayed {
    pub(super) lease: Lease<Outgoing>,
    pub(super) request: Rc<RequestBody>,
    pub(super) active: Active,
    pub(super) sent_at: Instant,
    /// Whether the client can be sent trailers.
    pub(super) answers_with_trailers: bool,
}

/// The body of every answer.
#[derive(Debug)]
pub(crate) struct AnswerBody(Kind);

#[derive(Debug)]
enum Kind {
    /// The proxy's own words, and the end of the exchange.
    Local(Option<Bytes>, #[expect(dead_code, reason = "held for its Drop")] Active),
    /// The primary's, as it arrives.
    Relay(Box<Relay>),
}

#[derive(Debug)]
struct Relay {
    incoming: Option<Incoming>,
    relayed: Option<Relayed>,
    status: u16,
    passes_trailers: bool,
}

impl AnswerBody {
    pub(super) fn local(body: Bytes, active: Active) -> Self {
        Self(Kind::Local((!body.is_empty()).then_some(body), active))
    }

    pub(super) fn relayed(incoming: Incoming, relayed: Relayed, head: &response::Parts) -> Self {
        let h2 = head.version == Version::HTTP_2;
        let passes_trailers = relayed.answers_with_trailers && (h2 || head.headers.contains_key(TRAILER));
        let ended = incoming.is_end_stream();
        relayed.request.answer_moved();
        if let Some(stats) = cluster(&relayed) {
            stats.rq_active.inc();
        }
        let status = head.status.as_u16();
        let mut relay = Relay { incoming: Some(incoming), relayed: Some(relayed), status, passes_trailers };
        if ended {
            relay.ended();
        }
        Self(Kind::Relay(Box::new(relay)))
    }
}

fn cluster(relayed: &Relayed) -> Option<&ClusterStats> {
    relayed.lease.counters().get()
}

impl Relay {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let (Some(incoming), Some(relayed)) = (&mut self.incoming, &mut self.relayed) else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
            return match relayed.request.deadline().poll_expired(cx) {
                Poll::Ready(()) => {
                    self.cut(Cut::Timeout);
                    Poll::Ready(Some(Err(Cut::Timeout)))
                }
                Poll::Pending => Poll::Pending,
            };
        };
        let ends = incoming.is_end_stream();
        relayed.request.answer_moved();
        Poll::Ready(match frame {
            Some(Ok(frame)) if frame.is_data() => {
                relayed.active.record.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                if ends {
                    self.ended();
                }
                Some(Ok(frame))
            }
            Some(Ok(trailers)) => {
                if !self.passes_trailers {
                    relayed.active.http(|http| http.trailers_dropped.inc());
                }
                if let Some(logged) = &mut relayed.active.logged {
                    logged.trailers = trailers.trailers_ref().cloned();
                }
                self.ended();
                self.passes_trailers.then_some(Ok(trailers))
            }
            Some(Err(error)) => {
                let cut = Cut::Upstream(relayed.lease.broke(&error));
                self.cut(cut);
                Some(Err(cut))
            }
            None => {
                self.ended();
                None
            }
        })
    }

    /// The answer is complete: its connection is free, unless the request is still arriving.
    fn ended(&mut self) {
        self.incoming = None;
        let Some(relayed) = self.relayed.take() else { return };
        self.count(&relayed);
        if relayed.request.is_complete() {
            relayed.lease.release();
        } else {
            relayed.request.linger();
        }
    }

    fn cut(&mut self, cut: Cut) {
        self.incoming = None;
        let Some(mut relayed) = self.relayed.take() else { return };
        let (flags, details) = cut.why();
        relayed.active.record.broken(flags, details);
        self.count(&relayed);
        if let Some(stats) = cluster(&relayed) {
            match cut {
                Cut::Upstream(_) => stats.rq_broken.inc(),
                Cut::Timeout => stats.rq_timeout.inc(),
            }
        }
    }

    fn count(&self, relayed: &Relayed) {
        if let Some(stats) = cluster(relayed) {
            stats.rq_active.dec();
            stats.external.count(self.status);
            stats.external.time.record(relayed.sent_at.elapsed());
        }
    }
}

impl Active {
    /// Where the listener counts.
    fn http(&self, count: impl FnOnce(&HttpStats)) {
        self.stats.http.get(self.listener).map(count);
    }
}

impl Drop for Relay {
    /// The client left inside the answer.
    fn drop(&mut self) {
        let (Some(mut incoming), Some(mut relayed)) = (self.incoming.take(), self.relayed.take()) else {
            return;
        };
        self.count(&relayed);
        relayed.active.http(|http| http.rq_rx_reset.inc());
        relayed.active.record.broken(Flags::DOWNSTREAM_TERMINATION, "downstream_remote_disconnect");
        if !relayed.request.is_complete() {
            return;
        }
        tokio::task::spawn_local(async move {
            let mut read = 0;
            relayed.request.deadline().set(limits::LINGER_TIME);
            while read <= limits::LINGER_BYTES {
                match relayed.request.deadline().race(pin!(incoming.frame())).await {
                    Ok(Some(Ok(frame))) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
                    Ok(Some(Err(error))) => {
                        relayed.lease.broke(&error);
                        return;
                    }
                    Ok(None) => return relayed.lease.release(),
                    Err(_) => return,
                }
            }
        });
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut self.0 {
            Kind::Local(body, _) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Kind::Relay(relay) => relay.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Local(body, _) => body.is_none(),
            Kind::Relay(relay) => relay.incoming.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Local(body, _) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Kind::Relay(relay) => {
                relay.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
            }
        }
    }
}

//! A request's body on its way from the client to the primary.
//!
//! One [`RequestBody`] is shared by the exchange, the upstream connection that pulls it ([`Outgoing`](super::replay::Outgoing)) and the
//! answer. It shows each frame to the tap, knows when the request is complete and moves the exchange's deadline:
//! while the request arrives, the longest silence; once it is complete, the route's timeout, as Envoy counts it.

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::replay::Replay;
use super::timeouts::Timeouts;
use super::{Client, Core};
use crate::deadline::Deadline;
use crate::limits;
use crate::mirror::tap::{Tap, Unsaved};
use crate::route::reply::LocalReply;
use crate::stats::WorkerStats;

/// The body is not to be had any more: the client left, or the exchange was given up.
#[derive(Debug, thiserror::Error)]
#[error("the request body ended early")]
pub(crate) struct Interrupted(
    /// What an HTTP/2 stream is reset with.
    #[source]
    h2::Error,
);

impl Default for Interrupted {
    fn default() -> Self {
        Self(h2::Reason::CANCEL.into())
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct RequestBody {
    source: RefCell<Option<Incoming>>,
    tap: RefCell<Tap>,
    replay: Replay,
    deadline: Deadline,
    timeouts: Cell<Timeouts>,
    begun: Instant,
    size: SizeHint,
    complete: Cell<bool>,
    completed_at: Cell<Option<Instant>>,
    /// Bytes of the body so far.
    received_bytes: Cell<u64>,
    /// The client has left.
    gone: Cell<bool>,
    /// The client left before the request was complete.
    broken: Cell<bool>,
    /// Waiting for the client: its silence is measured.
    waiting: Cell<bool>,
    /// Waiting for a connection to the primary, and not read meanwhile.
    pending: Cell<bool>,
    trailers_announced: Cell<bool>,
    /// It goes out over HTTP/2.
    over_http2: Cell<bool>,
    /// The HTTP/2 stream that waits for the next frame.
    stream: RefCell<Option<Waker>>,
    /// The client waits for `100 Continue`, which goes out when the body is first asked for.
    expects_continue: Cell<bool>,
    stats: Arc<WorkerStats>,
    listener: usize,
    /// Requests of the connection that are not complete.
    unread: Rc<Cell<u32>>,
}

impl RequestBody {
    pub(super) fn new(core: &Core, client: &Client, incoming: Incoming, expects_continue: bool) -> Rc<Self> {
        let size = incoming.size_hint();
        let complete = incoming.is_end_stream();
        client.unread.set(client.unread.get() + u32::from(!complete));
        Rc::new(Self {
            source: RefCell::new((!complete).then_some(incoming)),
            tap: RefCell::default(),
            replay: Replay::new(core.replay.clone()),
            deadline: core.wheel.deadline(),
            timeouts: Cell::default(),
            begun: Instant::now(),
            size,
            complete: Cell::new(complete),
            completed_at: Cell::new(complete.then(Instant::now)),
            received_bytes: Cell::new(0),
            gone: Cell::new(false),
            broken: Cell::new(false),
            waiting: Cell::new(false),
            pending: Cell::new(false),
            trailers_announced: Cell::new(false),
            over_http2: Cell::new(false),
            stream: RefCell::default(),
            expects_continue: Cell::new(expects_continue),
            stats: Arc::clone(&core.stats),
            listener: client.listener,
            unread: Rc::clone(&client.unread),
        })
    }

    /// The request has a route: what is collected and how long it may take.
    pub(super) fn begin(&self, tap: Tap, timeouts: Timeouts, trailers_announced: bool) {
        *self.tap.borrow_mut() = tap;
        self.timeouts.set(timeouts);
        self.trailers_announced.set(trailers_announced);
        if self.complete.get() {
            self.completed(None);
        }
    }

    /// When its head had been read.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// When its last byte had been read.
    pub(super) fn completed_at(&self) -> Option<Instant> {
        self.completed_at.get()
    }

    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes.get()
    }

    pub(super) fn has_left(&self) -> bool {
        self.gone.get()
    }

    /// It goes out over HTTP/2, where every trailer can be passed on.
    pub(super) fn goes_over_http2(&self) {
        self.over_http2.set(true);
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete.get()
    }

    /// The length that the client stated.
    pub(super) fn size_hint(&self) -> SizeHint {
        // HTTP/2 says by itself where a body ends; a length that the client did not state must not appear.
        if self.over_http2.get() { SizeHint::default() } else { self.size }
    }

    /// What has been sent of it.
    pub(super) fn replay(&self) -> &Replay {
        &self.replay
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    pub(super) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// A part of the answer came. While the request still arrives that ends the silence of both; after that the
    /// route's timeout bounds the whole answer, and where there is none, its silences are bounded.
    pub(super) fn answer_moved(&self) {
        let timeouts = self.timeouts.get();
        if !self.complete.get() {
            self.measure_silence();
        } else if timeouts.route.is_none()
            && let Some(idle) = timeouts.idle
        {
            self.deadline.set(idle);
        }
    }

    /// What the deadline means that has just passed.
    pub(super) fn expired(&self) -> LocalReply {
        let timeouts = self.timeouts.get();
        let too_slow = timeouts.request.is_some_and(|limit| self.begun.elapsed() >= limit);
        match (self.complete.get() || self.pending.get(), timeouts.route, timeouts.idle) {
            (false, _, _) if too_slow => LocalReply::TooSlow,
            (false, _, _) => LocalReply::Stalled,
            (true, Some(route), Some(idle)) if idle < route => LocalReply::Idle,
            (true, Some(_), _) => LocalReply::Timeout,
            (true, None, _) => LocalReply::Idle,
        }
    }

    /// The request waits in a line for a connection, or does so no longer. Nobody reads it meanwhile, so that its end is
    /// not seen: the route's timeout counts from here, as in Envoy, which has read most requests to their end by now.
    pub(super) fn waits(&self, pending: bool) {
        if self.complete.get() {
            return;
        }
        self.pending.set(pending);
        if pending {
            let timeouts = self.timeouts.get();
            self.deadline.set_or_clear([timeouts.route, timeouts.idle].into_iter().flatten().min());
        } else {
            self.measure_silence();
        }
    }

    fn completed(&self, trailers: Option<&HeaderMap>) {
        if !self.complete.replace(true) {
            self.unread.set(self.unread.get().saturating_sub(1));
        }
        if self.completed_at.get().is_none() {
            self.completed_at.set(Some(Instant::now()));
        }
        self.waiting.set(false);
        self.source.take();
        let timeouts = self.timeouts.get();
        self.deadline.set_or_clear([timeouts.route, timeouts.idle].into_iter().flatten().min());
        self.tap.borrow_mut().finish(trailers);
    }

    /// The client is silent, or was and is not any more: its silence counts from now.
    fn measure_silence(&self) {
        let timeouts = self.timeouts.get();
        let left = timeouts.request.map(|limit| limit.saturating_sub(self.begun.elapsed()));
        self.deadline.set_or_clear([timeouts.idle, left].into_iter().flatten().min());
    }

    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        self.expects_continue.set(false);
        let mut source = self.source.borrow_mut();
        let Some(incoming) = source.as_mut() else {
            return Poll::Ready((!self.complete.get()).then(|| Err(Interrupted::default())));
        };
        let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
            self.waiting.set(true);
            self.measure_silence();
            if self.over_http2.get() {
                *self.stream.borrow_mut() = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        let ends = incoming.is_end_stream();
        drop(source);
        if self.waiting.get() {
            self.measure_silence();
        }
        Poll::Ready(self.received(frame, ends))
    }

    /// Shows a frame to the tap and to the replay.
    fn received(
        &self,
        frame: Option<Result<Frame<Bytes>, hyper::Error>>,
        ends: bool,
    ) -> Option<Result<Frame<Bytes>, Interrupted>> {
        match frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.received_bytes.set(self.received_bytes.get() + data.len() as u64);
                    self.tap.borrow_mut().push(data);
                    self.replay.push(data);
                    if ends {
                        self.completed(None);
                    }
                    return Some(Ok(frame));
                }
                let announced = self.trailers_announced.get();
                self.completed(frame.trailers_ref().filter(|_| announced));
                if announced || self.over_http2.get() {
                    if let Some(trailers) = frame.trailers_ref() {
                        self.replay.push_trailers(trailers);
                    }
                    return Some(Ok(frame));
                }
                self.stats.http.get(self.listener).inspect(|http| http.trailers_dropped.inc());
                None
            }
            Some(Err(_)) => {
                self.broken.set(true);
                self.gone.set(true);
                self.source.take();
                drop(self.tap.take());
                Some(Err(Interrupted::default()))
            }
            None => {
                self.completed(None);
                None
            }
        }
    }

    /// The answer has begun, or there will be none: what was kept for a repetition can go.
    pub(super) fn forget_replay(&self) {
        self.replay.forget();
    }

    /// The client may be answered from now on.
    pub(super) fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        self.tap.borrow_mut().answered(status, headers);
    }

    /// The client has left.
    pub(super) fn left(&self) {
        self.gone.set(true);
        self.tap.borrow_mut().left();
    }

    /// Copies that the answer waits for, where the configuration says so.
    pub(super) fn unsaved(&self) -> Option<Unsaved> {
        self.tap.borrow_mut().unsaved()
    }

    /// Reads what is left of the request for a moment, within [`limits::LINGER_BYTES`] and [`limits::LINGER_TIME`]:
    /// closing with unread bytes would reset the connection under the answer. A request that turns out to be complete
    /// is still copied.
    pub(super) fn linger(self: Rc<Self>) {
        if self.expects_continue.get() {
            // The client has not begun its body; asking for it now would.
            self.source.take();
        }
        let Some(mut source) = self.source.take() else { return };
        // A connection of HTTP/1.1 ends with the answer; a stream has to hear that no more will come.
        if let Some(stream) = self.stream.take() {
            stream.wake();
        }
        tokio::task::spawn_local(async move {
            self.deadline.set(limits::LINGER_TIME);
            let mut read = 0;
            while read <= limits::LINGER_BYTES {
                let Ok(frame) = self.deadline.race(pin!(source.frame())).await else { break };
                let ends = source.is_end_stream();
                match self.received(frame, ends) {
                    Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
                    _ => break,
                }
                if self.complete.get() {
                    break;
                }
            }
            drop(self.tap.take());
        });
    }
}

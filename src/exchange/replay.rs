//! What has been sent of a request's body, kept for the case that it has to be sent once more.
//!
//! The upstream connection pulls an [`Outgoing`]: first what is kept, then what still arrives. A new attempt gets a new
//! one, and the one before hears no more. Bounds: [`limits::REPLAY_BYTES`] for each exchange, and
//! [`limits::REPLAY_WORKER_BYTES`] for all of a worker.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body::{Body, Frame, SizeHint};

use super::request_body::{Interrupted, RequestBody};
use crate::limits;
use crate::upstream::{Over, Repeat};

/// The body as an upstream connection pulls it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    body: Rc<RequestBody>,
    /// How many frames it has given.
    given: usize,
    /// Which attempt it belongs to.
    turn: u32,
}

impl Outgoing {
    /// For the attempt that begins now; those before it end.
    pub(super) fn new(body: &Rc<RequestBody>) -> Self {
        Self { body: Rc::clone(body), given: 0, turn: body.replay().next_turn() }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        if self.turn != self.body.replay().turn.get() {
            return Poll::Ready(Some(Err(Interrupted::default())));
        }
        let frame = match self.body.replay().frame(self.given) {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => self.body.poll_frame(cx),
        };
        if let Poll::Ready(Some(Ok(_))) = &frame {
            self.given += 1;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_complete() && self.body.replay().len() <= self.given
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that one worker holds for repetitions, bounded by [`limits::REPLAY_WORKER_BYTES`].
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplayBudget(Rc<Cell<usize>>);

/// What is kept of one body.
#[derive(Debug)]
pub(super) struct Replay {
    kept: RefCell<State>,
    /// The number of the attempt that may pull.
    turn: Cell<u32>,
    budget: ReplayBudget,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Unasked,
    Kept(Kept),
    /// It has become too large.
    Outgrown,
}

#[derive(Debug)]
struct Kept {
    frames: Vec<Part>,
    bytes: usize,
    budget: ReplayBudget,
}

#[derive(Debug, Clone)]
enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Replay {
    pub(super) fn new(budget: ReplayBudget) -> Self {
        Self { kept: RefCell::default(), turn: Cell::new(0), budget }
    }

    /// From now on what is sent is kept. Nothing has been sent yet, or has been kept already.
    pub(super) fn keep(&self) {
        let mut kept = self.kept.borrow_mut();
        if matches!(*kept, State::Unasked) {
            *kept = State::Kept(Kept { frames: Vec::new(), bytes: 0, budget: self.budget.clone() });
        }
    }

    /// Whether all that has been sent is here.
    pub(super) fn is_kept(&self) -> bool {
        matches!(*self.kept.borrow(), State::Kept(_))
    }

    pub(super) fn is_outgrown(&self) -> bool {
        matches!(*self.kept.borrow(), State::Outgrown)
    }

    /// What was kept can go.
    pub(super) fn forget(&self) {
        *self.kept.borrow_mut() = State::Unasked;
    }

    pub(super) fn push(&self, data: &Bytes) {
        self.add(Part::Data(data.clone()), data.len());
    }

    pub(super) fn push_trailers(&self, trailers: &HeaderMap) {
        let bytes = trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.add(Part::Trailers(trailers.clone()), bytes);
    }

    fn add(&self, part: Part, bytes: usize) {
        let mut state = self.kept.borrow_mut();
        if let State::Kept(kept) = &mut *state
            && !kept.add(part, bytes)
        {
            *state = State::Outgrown;
        }
    }

    fn next_turn(&self) -> u32 {
        self.turn.set(self.turn.get() + 1);
        self.turn.get()
    }

    fn frame(&self, at: usize) -> Option<Frame<Bytes>> {
        match &*self.kept.borrow() {
            State::Kept(kept) => kept.frames.get(at).cloned().map(|part| match part {
                Part::Data(data) => Frame::data(data),
                Part::Trailers(trailers) => Frame::trailers(trailers),
            }),
            State::Unasked | State::Outgrown => None,
        }
    }

    fn len(&self) -> usize {
        match &*self.kept.borrow() {
            State::Kept(kept) => kept.frames.len(),
            State::Unasked | State::Outgrown => 0,
        }
    }
}

impl Kept {
    /// `false` once the body has outgrown what is kept.
    fn add(&mut self, part: Part, bytes: usize) -> bool {
        let held = self.budget.0.get() + bytes;
        if self.bytes + bytes > limits::REPLAY_BYTES || held > limits::REPLAY_WORKER_BYTES {
            return false;
        }
        self.budget.0.set(held);
        self.bytes += bytes;
        self.frames.push(part);
        true
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.0.set(self.budget.0.get() - self.bytes);
    }
}

/// How an exchange's request is sent once more: see [`Repeat`].
#[derive(Debug)]
pub(super) struct Repeatable<'a> {
    body: &'a Rc<RequestBody>,
    head: RefCell<Option<(Method, Uri, HeaderMap)>>,
    allowed: bool,
    over: &'a Cell<Option<Over>>,
    /// When the attempt that is made now got its connection.
    pub(super) gone_at: Cell<Option<Instant>>,
}

impl<'a> Repeatable<'a> {
    /// `allowed` for idempotent methods and remote-write pushes: identical samples are accepted twice.
    /// `over` is told which connection the request went over.
    pub(super) fn new(body: &'a Rc<RequestBody>, allowed: bool, over: &'a Cell<Option<Over>>) -> Self {
        Self { body, head: RefCell::default(), allowed, over, gone_at: Cell::default() }
    }
}

impl Repeat<Outgoing> for Repeatable<'_> {
    fn waits(&self, pending: bool) {
        self.body.waits(pending);
    }

    fn goes(&self, over: Over) {
        self.over.set(Some(over));
        self.gone_at.set(Some(Instant::now()));
    }

    fn keep(&self, request: &Request<Outgoing>, refusable: bool) {
        if self.allowed || refusable {
            // Cheap: the header values are counted references.
            let head = (request.method().clone(), request.uri().clone(), request.headers().clone());
            *self.head.borrow_mut() = Some(head);
            self.body.replay().keep();
        }
    }

    fn again(&self, refused: bool) -> Option<Request<Outgoing>> {
        if !self.allowed && !refused {
            return None;
        }
        let (method, uri, headers) = self.head.take()?;
        if self.body.is_broken() || !self.body.replay().is_kept() {
            return None;
        }
        let mut request = Request::new(Outgoing::new(self.body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_within_bounds_is_kept_whole() {
        let replay = Replay::new(ReplayBudget::default());
        replay.push(&Bytes::from_static(b"nobody asked"));
        assert!(!replay.is_kept() && replay.frame(0).is_none());
        replay.keep();
        replay.push(&Bytes::from_static(b"a"));
        replay.push_trailers(&HeaderMap::new());
        assert_eq!(replay.frame(0).unwrap().into_data().unwrap(), "a");
        assert!(replay.frame(1).unwrap().is_trailers() && replay.frame(2).is_none());
        assert!(replay.is_kept() && !replay.is_outgrown());
    }

    #[test]
    fn what_outgrows_the_bounds_is_given_up_and_its_bytes_are_free() {
        let budget = ReplayBudget::default();
        let replay = Replay::new(budget.clone());
        replay.keep();
        replay.push(&Bytes::from(vec![0; limits::REPLAY_BYTES]));
        assert_eq!(budget.0.get(), limits::REPLAY_BYTES);
        replay.push(&Bytes::from_static(b"x"));
        assert!(replay.is_outgrown() && replay.frame(0).is_none());
        assert_eq!(budget.0.get(), 0);
        replay.keep();
        assert!(replay.is_outgrown(), "what has been sent is lost");
    }

    #[test]
    fn a_worker_keeps_so_much_and_no_more() {
        let budget = ReplayBudget(Rc::new(Cell::new(limits::REPLAY_WORKER_BYTES)));
        let replay = Replay::new(budget);
        replay.keep();
        replay.push(&Bytes::from_static(b"x"));
        assert!(replay.is_outgrown());
    }
}

//! A request once more: what is kept of it while its first attempt may have to be repeated.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};

use super::{Outgoing, RequestBody};
use crate::limits;
use crate::upstream::Repeat;

/// Bytes that one worker holds for repetitions, bounded by [`limits::REPLAY_WORKER_BYTES`].
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplayBudget(Rc<Cell<usize>>);

/// The frames sent so far over a reused connection.
#[derive(Debug)]
pub(super) struct Replay {
    frames: Vec<Bytes>,
    bytes: usize,
    budget: ReplayBudget,
}

impl Replay {
    /// `false` once the body has outgrown what is kept.
    pub(super) fn keep(&mut self, data: &Bytes) -> bool {
        let held = self.budget.0.get() + data.len();
        if self.bytes + data.len() > limits::REPLAY_BYTES || held > limits::REPLAY_WORKER_BYTES {
            return false;
        }
        self.budget.0.set(held);
        self.bytes += data.len();
        self.frames.push(data.clone());
        true
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.budget.0.set(self.budget.0.get() - self.bytes);
    }
}

/// How an exchange's request is sent once more: see [`Repeat`].
#[derive(Debug)]
pub(in crate::exchange) struct Repeatable<'a> {
    body: &'a Rc<RequestBody>,
    head: RefCell<Option<(Method, Uri, HeaderMap)>>,
    allowed: bool,
}

impl<'a> Repeatable<'a> {
    /// `allowed` for idempotent methods and remote-write pushes: identical samples are accepted twice.
    pub(in crate::exchange) fn new(body: &'a Rc<RequestBody>, allowed: bool) -> Self {
        Self { body, head: RefCell::default(), allowed }
    }
}

impl Repeat<Outgoing> for Repeatable<'_> {
    fn waits(&self, pending: bool) {
        self.body.waits(pending);
    }

    fn keep(&self, request: &Request<Outgoing>, refusable: bool) {
        if self.allowed || refusable {
            // Cheap: the header values are counted references.
            let head = (request.method().clone(), request.uri().clone(), request.headers().clone());
            *self.head.borrow_mut() = Some(head);
            let budget = self.body.replay_budget.clone();
            *self.body.replay.borrow_mut() = Some(Replay { frames: Vec::new(), bytes: 0, budget });
        }
    }

    fn again(&self, refused: bool) -> Option<Request<Outgoing>> {
        if !self.allowed && !refused {
            return None;
        }
        let (method, uri, headers) = self.head.take()?;
        if self.body.broken.get() {
            return None;
        }
        let replay = self.body.replay.take()?;
        let mut request = Request::new(Outgoing {
            body: Rc::clone(self.body),
            replayed: replay.frames.clone().into_iter(),
        });
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Some(request)
    }
}

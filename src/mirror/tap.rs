//! The tap on a request that flows to the primary.
//!
//! `begin` sees the head, `push` each frame, `finish` the end; dropping the tap before that discards everything.
//! None of them can fail, block or await, and none returns anything, so the primary's path cannot depend on a
//! mirror. A copy is whole or not at all (contract C5): where a bound refuses a byte, collecting stops for that
//! mirror, and the loss is booked when the request turns out to be complete.
//!
//! One exception, off by default: with `before_answer` an answer waits for a moment until its request's copy is in the
//! backlog ([`Tap::unsaved`]).

use std::rc::Rc;

use bytes::Bytes;
use config::model::When;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, request::Parts};

use super::Mirrors;
use super::body::CopyBody;
pub(crate) use super::hand_over::Unsaved;
use super::hand_over::{Collected, Complete, Trailing};
use super::head::{self, Framing};
use super::ledger::Outcome;
pub(crate) use super::leg::Facts;
use super::leg::Leg;
use super::written::written;
use crate::stats::pairs::Class;

/// Collects one request for its mirrors. Empty (and free) where the route has none.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    collector: Option<Box<Collector>>,
    /// A complete request for mirrors that want to know the primary's answer first.
    later: Option<Box<Later>>,
    /// The copies, once the request is complete: newcomers stand behind them from the answer on.
    trailing: Vec<Trailing>,
    answered: Answered,
}

/// What the client was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Answered {
    #[default]
    NotYet,
    /// It left before.
    Left,
    With(Reply),
}

/// What the primary said, or the proxy in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reply {
    status: StatusCode,
    /// Samples that it has written.
    written: u64,
}

#[derive(Debug)]
struct Collector {
    mirrors: Rc<Mirrors>,
    legs: Vec<Leg>,
    body: CopyBody,
    /// Bytes of the body that came, kept or not.
    received: u64,
    announced: Option<u64>,
    request: Collected,
}

#[derive(Debug)]
struct Later {
    mirrors: Rc<Mirrors>,
    legs: Vec<Leg>,
    complete: Complete,
}

impl Tap {
    /// Starts collecting for the mirrors that want this request. `head` is what goes to the primary.
    pub(crate) fn begin(mirrors: &Rc<Mirrors>, head: &Parts, facts: Facts<'_>) -> Self {
        let legs: Vec<Leg> =
            facts.policies.iter().filter_map(|policy| Leg::begin(mirrors, policy, head, facts)).collect();
        if legs.is_empty() {
            return Self::default();
        }
        let length = head.headers.get(http::header::CONTENT_LENGTH);
        let collector = Box::new(Collector {
            mirrors: Rc::clone(mirrors),
            legs,
            body: CopyBody::default(),
            received: 0,
            announced: length.and_then(|value| value.to_str().ok()?.parse().ok()),
            request: Collected {
                framing: Framing::of(&head.headers),
                kind: facts.kind,
                peer: facts.peer,
                content_type: mirrors.content_type.of(&head.headers, &CONTENT_TYPE),
                content_encoding: mirrors.content_encoding.of(&head.headers, &CONTENT_ENCODING),
                answer_has_body: head.method != Method::HEAD,
                timeout: facts.timeout,
            },
        });
        Self { collector: Some(collector), later: None, trailing: Vec::new(), answered: Answered::NotYet }
    }

    /// One frame of the body has been received.
    pub(crate) fn push(&mut self, frame: &Bytes) {
        if let Some(collector) = &mut self.collector {
            collector.push(frame);
        }
    }

    /// The request is complete: books it for each mirror and hands the copies on.
    pub(crate) fn finish(&mut self, trailers: Option<&HeaderMap>) {
        let Some(collector) = self.collector.take() else { return };
        let Collector { mirrors, legs, body, received, request, .. } = *collector;
        let (len, trailers) = (body.len(), trailers.map(head::trailers));
        let complete = Complete { len, received, chunks: body.finish(), trailers, request };
        let is_later =
            |leg: &Leg| mirrors.target(leg.mirror).is_some_and(|t| t.settings.when == When::Answered);
        let (later, now): (Vec<_>, Vec<_>) = legs.into_iter().partition(is_later);
        self.trailing.extend(complete.hand_over(&mirrors, now));
        if !later.is_empty() {
            self.later = Some(Box::new(Later { mirrors, legs: later, complete }));
        }
        match self.answered {
            Answered::NotYet => {}
            Answered::Left => self.left(),
            Answered::With(reply) => self.replied(reply),
        }
    }

    /// The client may be answered from now on, and may then send what must not overtake this request's copies.
    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        if self.collector.is_some() || self.later.is_some() || !self.trailing.is_empty() {
            let written = written(|name| headers.get(name).map(HeaderValue::as_bytes));
            self.replied(Reply { status, written });
        }
    }

    fn replied(&mut self, reply: Reply) {
        self.answered = Answered::With(reply);
        if let Some(later) = self.later.take() {
            let Later { mirrors, legs, complete } = *later;
            if reply.status.is_server_error() {
                count_refused(&mirrors, &legs);
            } else {
                self.trailing.extend(complete.hand_over(&mirrors, legs));
            }
        }
        for trailing in &self.trailing {
            trailing.trail();
            trailing.answered(Class::of(Some(reply.status.as_u16())), reply.written);
        }
    }

    /// The client has left, and may send the same again.
    pub(crate) fn left(&mut self) {
        if self.answered == Answered::NotYet {
            self.answered = Answered::Left;
        }
        self.trailing.iter().for_each(Trailing::trail);
    }

    /// What the answer has to wait for, for a moment at most: copies that are not in the backlog yet.
    pub(crate) fn unsaved(&mut self) -> Option<Unsaved> {
        Unsaved::of(&mut self.trailing)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        for trailing in &self.trailing {
            trailing.trail();
            // Unless it was.
            trailing.answered(Class::None, 0);
        }
        if let Some(later) = &self.later {
            count_refused(&later.mirrors, &later.legs);
        }
        let Some(collector) = &self.collector else { return };
        for target in collector.legs.iter().filter_map(|leg| collector.mirrors.target(leg.mirror)) {
            target.ledger.incomplete.inc();
        }
    }
}

/// The primary did not take the request.
fn count_refused(mirrors: &Mirrors, legs: &[Leg]) {
    for target in legs.iter().filter_map(|leg| mirrors.target(leg.mirror)) {
        target.ledger.not_answered.inc();
    }
}

impl Collector {
    fn push(&mut self, frame: &Bytes) {
        self.received += frame.len() as u64;
        if self.legs.iter().all(|leg| leg.refused.is_some()) {
            return;
        }
        let plan = self.body.plan(frame.len(), self.announced);
        let len = self.body.len() + frame.len() as u64;
        for leg in self.legs.iter_mut().filter(|leg| leg.refused.is_none()) {
            let limit = self.mirrors.target(leg.mirror).map_or(0, |target| target.settings.max_request);
            if len > limit {
                leg.refuse(Outcome::DroppedTooLarge);
            } else if !leg.reservation.grow(plan.cost()) {
                leg.refuse(Outcome::DroppedBufferFull);
            }
        }
        if self.legs.iter().all(|leg| leg.refused.is_some()) {
            self.body = CopyBody::default();
        } else {
            self.body.push(frame, plan);
        }
    }
}

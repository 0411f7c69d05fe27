//! The tap on a request that flows to the primary.
//!
//! `begin` sees the head, `push` each frame, `finish` the end; dropping the tap before that discards everything.
//! None of them can fail, block or await, and none returns anything, so the primary's path cannot depend on a
//! mirror. A copy is whole or not at all (contract C5): where a bound refuses a byte, collecting stops for that
//! mirror, and the loss is booked when the request turns out to be complete.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::model::{MirrorPolicy, Requests};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, request::Parts};

use super::body::CopyBody;
use super::budget::Reservation;
use super::head::{self, Framing};
use super::ledger::Outcome;
use super::{Copy, Mirrors, Place, Target};
use crate::limits::COPY_OVERHEAD;
use crate::paths::Kind;

/// Collects one request for its mirrors. Empty (and free) where the route has none.
#[derive(Debug, Default)]
pub(crate) struct Tap(Option<Box<Collector>>);

/// What the exchange knows of a request beside its head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// What its path means.
    pub(crate) kind: Kind,
    /// One random number for all fractions.
    pub(crate) random: u64,
    /// Whether Envoy's own headers are added to copies.
    pub(crate) envoy_headers: bool,
    /// The route's timeout.
    pub(crate) timeout: Option<Duration>,
    /// The route's mirrors.
    pub(crate) policies: &'a [MirrorPolicy],
}

#[derive(Debug)]
struct Collector {
    mirrors: Rc<Mirrors>,
    legs: Vec<Leg>,
    body: CopyBody,
    announced: Option<u64>,
    framing: Framing,
    kind: Kind,
    answer_has_body: bool,
    timeout: Option<Duration>,
}

/// One mirror's part of a collected request.
#[derive(Debug)]
struct Leg {
    mirror: usize,
    head: Vec<u8>,
    reservation: Reservation,
    refused: Option<Outcome>,
}

impl Tap {
    /// Starts collecting for the mirrors that want this request. `head` is what goes to the primary.
    pub(crate) fn begin(mirrors: &Rc<Mirrors>, head: &Parts, facts: Facts<'_>) -> Self {
        let legs: Vec<Leg> =
            facts.policies.iter().filter_map(|policy| Leg::begin(mirrors, policy, head, facts)).collect();
        if legs.is_empty() {
            return Self(None);
        }
        let length = head.headers.get(http::header::CONTENT_LENGTH);
        Self(Some(Box::new(Collector {
            mirrors: Rc::clone(mirrors),
            legs,
            body: CopyBody::default(),
            announced: length.and_then(|value| value.to_str().ok()?.parse().ok()),
            framing: Framing::of(&head.headers),
            kind: facts.kind,
            answer_has_body: head.method != Method::HEAD,
            timeout: facts.timeout,
        })))
    }

    /// One frame of the body has been received.
    pub(crate) fn push(&mut self, frame: &Bytes) {
        if let Some(collector) = &mut self.0 {
            collector.push(frame);
        }
    }

    /// The request is complete: books it for each mirror and hands the copies on.
    pub(crate) fn finish(&mut self, trailers: Option<&HeaderMap>) {
        if let Some(collector) = self.0.take() {
            collector.finish(trailers);
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let Some(collector) = &self.0 else { return };
        for leg in &collector.legs {
            if let Some(target) = collector.mirrors.targets.get(leg.mirror) {
                target.ledger.incomplete.inc();
            }
        }
    }
}

impl Collector {
    fn push(&mut self, frame: &Bytes) {
        if self.legs.iter().all(|leg| leg.refused.is_some()) {
            return;
        }
        let plan = self.body.plan(frame.len(), self.announced);
        let len = self.body.len() + frame.len() as u64;
        for leg in self.legs.iter_mut().filter(|leg| leg.refused.is_none()) {
            let limit = self.mirrors.targets.get(leg.mirror).map_or(0, |target| target.settings.max_request);
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

    fn finish(self, trailers: Option<&HeaderMap>) {
        let len = self.body.len();
        let chunks = self.body.finish();
        for leg in self.legs {
            let Some(target) = self.mirrors.targets.get(leg.mirror) else { continue };
            let token = target.ledger.receive();
            if let Some(outcome) = leg.refused {
                token.finish(outcome);
                continue;
            }
            if !target.copies.reserve(1) {
                token.finish(Outcome::DroppedTooManyCopies);
                continue;
            }
            target.sender.submit(Copy {
                wire: wire(leg.head, self.framing, len, &chunks, trailers),
                answer_has_body: self.answer_has_body,
                kind: self.kind,
                // Without a timeout of the route a silent mirror would hold its connection for ever.
                timeout: target.settings.timeout.or(self.timeout).unwrap_or(target.settings.max_age),
                arrived: Instant::now(),
                stale: 0,
                token,
                _reservation: leg.reservation,
                _place: Place(Rc::clone(&target.copies)),
            });
        }
    }
}

impl Leg {
    fn begin(mirrors: &Mirrors, policy: &MirrorPolicy, head: &Parts, facts: Facts<'_>) -> Option<Self> {
        let target = mirrors.targets.get(policy.mirror)?;
        if is_excluded(target, head, facts.kind) {
            target.ledger.excluded.inc();
            return None;
        }
        if !policy.fraction.chooses(facts.random) {
            target.ledger.not_chosen.inc();
            return None;
        }
        let rules = head::Rules {
            policy,
            auth: target.settings.auth.as_ref(),
            forwarded_for: facts.envoy_headers.then_some(&mirrors.own_address),
        };
        let bytes = head::begin(head, rules);
        let mut reservation = Reservation::empty(&target.account);
        let granted = reservation.grow(COPY_OVERHEAD + bytes.capacity() as u64);
        let refused = (!granted).then_some(Outcome::DroppedBufferFull);
        Some(Self { mirror: policy.mirror, head: bytes, reservation, refused })
    }

    fn refuse(&mut self, outcome: Outcome) {
        self.refused = Some(outcome);
        self.reservation.clear();
    }
}

/// Requests that this mirror never gets.
fn is_excluded(target: &Target, head: &Parts, kind: Kind) -> bool {
    let not_a_write = target.settings.requests == Requests::Writes && !kind.is_write();
    let destructive = kind == Kind::Destructive && !target.settings.copy_admin;
    // An HTTP/1.1 copy of a gRPC call would be another request.
    let grpc = head.headers.get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
    not_a_write || destructive || grpc
}

/// The bytes of a copy in the order they are written.
fn wire(
    mut head: Vec<u8>,
    framing: Framing,
    len: u64,
    chunks: &[Bytes],
    trailers: Option<&HeaderMap>,
) -> Vec<Bytes> {
    head::finish(&mut head, framing, len);
    let mut wire = Vec::with_capacity(chunks.len() + 2);
    if framing == Framing::Chunked && len > 0 {
        head.extend_from_slice(format!("{len:x}\r\n").as_bytes());
    }
    wire.push(Bytes::from(head));
    wire.extend(chunks.iter().cloned());
    if framing == Framing::Chunked {
        let mut end = if len > 0 { b"\r\n".to_vec() } else { Vec::new() };
        end.extend(head::chunked_end(trailers));
        wire.push(Bytes::from(end));
    }
    wire
}

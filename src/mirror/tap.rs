//! The tap on a request that flows to the primary.
//!
//! `begin` sees the head, `push` each frame, `finish` the end; dropping the tap before that discards everything.
//! None of them can fail, block or await, and none returns anything, so the primary's path cannot depend on a
//! mirror. A copy is whole or not at all (contract C5): where a bound refuses a byte, collecting stops for that
//! mirror, and the loss is booked when the request turns out to be complete.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::model::{HeaderMutation, MirrorPolicy, Order, Requests};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, request::Parts};

use super::body::CopyBody;
use super::budget::Reservation;
use super::head::{self, Framing};
use super::ledger::Outcome;
use super::order::cell::{Held, Ticket, Way};
use super::order::{By, Entry, Key, Protocol, Wire};
use super::{Copy, Mirrors, One, Target};
use crate::limits::COPY_OVERHEAD;
use crate::paths::Kind;

/// Names the tenant of a request, in Mimir as in Cortex.
const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");

/// Collects one request for its mirrors. Empty (and free) where the route has none.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    collector: Option<Box<Collector>>,
    /// Places of the copies, once the request is complete.
    tickets: Vec<Rc<Ticket>>,
    answered: bool,
}

/// What the exchange knows of a request beside its head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// What its path means.
    pub(crate) kind: Kind,
    /// One random number for all fractions.
    pub(crate) random: u64,
    /// The client's address, which orders what has no series to read.
    pub(crate) peer: IpAddr,
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
    request: Collected,
}

/// What is kept of the request beside its body and heads.
#[derive(Debug)]
struct Collected {
    framing: Framing,
    kind: Kind,
    peer: IpAddr,
    content_type: Option<HeaderValue>,
    content_encoding: Option<HeaderValue>,
    answer_has_body: bool,
    timeout: Option<Duration>,
}

/// A request that will take a place in its tenant's order.
#[derive(Debug, Clone, Copy)]
struct Begun {
    /// Hash of the tenant that the mirror will see.
    tenant: u64,
    key: Key,
    /// See [`Cells::begin`](super::order::cell::Cells::begin).
    behind: u64,
}

/// One mirror's part of a collected request.
#[derive(Debug)]
struct Leg {
    mirror: usize,
    /// Where its place will be taken; `None` if its copies are not kept in order.
    order: Option<Begun>,
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
            return Self::default();
        }
        let length = head.headers.get(http::header::CONTENT_LENGTH);
        let collector = Box::new(Collector {
            mirrors: Rc::clone(mirrors),
            legs,
            body: CopyBody::default(),
            announced: length.and_then(|value| value.to_str().ok()?.parse().ok()),
            request: Collected {
                framing: Framing::of(&head.headers),
                kind: facts.kind,
                peer: facts.peer,
                content_type: head.headers.get(CONTENT_TYPE).cloned(),
                content_encoding: head.headers.get(CONTENT_ENCODING).cloned(),
                answer_has_body: head.method != Method::HEAD,
                timeout: facts.timeout,
            },
        });
        Self { collector: Some(collector), tickets: Vec::new(), answered: false }
    }

    /// One frame of the body has been received.
    pub(crate) fn push(&mut self, frame: &Bytes) {
        if let Some(collector) = &mut self.collector {
            collector.push(frame);
        }
    }

    /// The request is complete: books it for each mirror and hands the copies on.
    pub(crate) fn finish(&mut self, trailers: Option<&HeaderMap>) {
        if let Some(collector) = self.collector.take() {
            self.tickets = collector.finish(trailers);
        }
        if self.answered {
            self.answered();
        }
    }

    /// The client may be answered from now on, and may then send what must not overtake this request's copies.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
        self.tickets.iter().for_each(|ticket| ticket.trail());
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.answered();
        let Some(collector) = &self.collector else { return };
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

    /// Books the request for each mirror and hands the copies on. Returns their places.
    fn finish(self, trailers: Option<&HeaderMap>) -> Vec<Rc<Ticket>> {
        let len = self.body.len();
        let chunks = self.body.finish();
        let mut tickets = Vec::new();
        for leg in self.legs {
            if let Some(target) = self.mirrors.targets.get(leg.mirror) {
                let ticket = self.request.hand_on(&self.mirrors, target, leg, (len, &chunks, trailers));
                tickets.extend(ticket);
            }
        }
        tickets
    }
}

impl Collected {
    /// Books one mirror's copy and hands it on, or books why there is none. Returns its place if it has one.
    fn hand_on(
        &self,
        mirrors: &Mirrors,
        target: &Rc<Target>,
        leg: Leg,
        (len, chunks, trailers): (u64, &[Bytes], Option<&HeaderMap>),
    ) -> Option<Rc<Ticket>> {
        let token = target.ledger.receive();
        if let Some(outcome) = leg.refused {
            token.finish(outcome);
            return None;
        }
        if !target.copies.reserve(1) {
            token.finish(Outcome::DroppedTooManyCopies);
            return None;
        }
        let wire = Arc::new(Wire {
            chunks: wire(leg.head, self.framing, len, chunks, trailers),
            body_chunks: chunks.len(),
            content_type: self.content_type.clone(),
            content_encoding: self.content_encoding.clone(),
        });
        let ticket = leg.order.map(|begun| self.take_place(mirrors, target, begun, &wire));
        let copy = Copy {
            wire,
            answer_has_body: self.answer_has_body,
            kind: self.kind,
            // Without a timeout of the route a silent mirror would hold its connection for ever.
            timeout: target.settings.timeout.or(self.timeout).unwrap_or(target.settings.max_age),
            arrived: Instant::now(),
            stale: 0,
            token,
            _reservation: leg.reservation,
            _one: One(Rc::clone(&target.copies)),
            _place: ticket.as_ref().map(|(ticket, _)| Held(Rc::clone(ticket))),
        };
        target.go(copy, ticket.as_ref().map(|(ticket, way)| (&**ticket, *way)));
        ticket.map(|(ticket, _)| ticket)
    }

    fn take_place(
        &self,
        mirrors: &Mirrors,
        target: &Target,
        begun: Begun,
        wire: &Arc<Wire>,
    ) -> (Rc<Ticket>, Way) {
        let by = match self.kind {
            Kind::Write => By::Series(Protocol::RemoteWrite),
            Kind::OtlpWrite => By::Series(Protocol::Otlp),
            _ => {
                let peer = self.peer.to_canonical().to_string();
                By::Sender(target.cells.hash(&[&begun.tenant.to_ne_bytes(), peer.as_bytes()]))
            }
        };
        let arrived_ms = mirrors.started.elapsed().as_millis() as u64;
        let entry =
            |place| Entry { place, arrived_ms, worker: mirrors.worker, by, wire: Arc::downgrade(wire) };
        Ticket::take(&target.cells, begun.key, begun.behind, entry)
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
        let ordered = facts.kind.is_write() && target.settings.order == Order::Series;
        let order = ordered.then(|| {
            let tenant = tenant(target, policy, head);
            let key = target.cells.key(tenant);
            Begun { tenant, key, behind: target.cells.begin(key) }
        });
        Some(Self { mirror: policy.mirror, order, head: bytes, reservation, refused })
    }

    fn refuse(&mut self, outcome: Outcome) {
        self.refused = Some(outcome);
        self.reservation.clear();
    }
}

/// The tenant as the mirror will see it; where the request names none, whoever its credentials stand for.
fn tenant(target: &Target, policy: &MirrorPolicy, head: &Parts) -> u64 {
    let received = head.headers.get(&TENANT);
    let tenant = policy.headers.iter().fold(received, |tenant, mutation| match mutation {
        HeaderMutation::Set(name, value) if *name == TENANT => Some(value),
        HeaderMutation::Append(name, value) | HeaderMutation::AddIfAbsent(name, value) if *name == TENANT => {
            tenant.or(Some(value))
        }
        HeaderMutation::OverwriteIfPresent(name, value) if *name == TENANT => tenant.map(|_| value),
        HeaderMutation::Remove(name) if *name == TENANT => None,
        _ => tenant,
    });
    let credentials = || target.settings.auth.as_ref().or_else(|| head.headers.get(AUTHORIZATION));
    match tenant {
        Some(tenant) => target.cells.hash(&[b"tenant", tenant.as_bytes()]),
        None => target.cells.hash(&[b"credentials", credentials().map_or(b"", HeaderValue::as_bytes)]),
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

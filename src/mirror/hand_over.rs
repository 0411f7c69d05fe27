//! From a complete request to its copies: each mirror's is booked and handed on, to be sent from memory or to be kept
//! in the backlog.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::budget::One;
use super::durable::intake::{Sent, Write};
use super::head::{self, Framing};
use super::ledger::{Ledger, Outcome, Token};
use super::leg::{Leg, Way};
use super::logged::{CopyLog, CopyLogs};
use super::once::Once;
use super::order::cell;
use super::order::ticket::{Held, Ticket};
use super::order::{By, Entry, Key, Wire};
use super::pair::Pair;
use super::send::Copy;
use super::{Mirrors, Target};
use crate::paths::Kind;
use crate::stats::pairs::Class;

/// What is kept of a request beside its body and its copies' heads.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) framing: Framing,
    pub(super) kind: Kind,
    pub(super) peer: IpAddr,
    pub(super) content_type: Option<HeaderValue>,
    pub(super) content_encoding: Option<HeaderValue>,
    pub(super) answer_has_body: bool,
    pub(super) timeout: Option<Duration>,
}

/// A complete request.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) request: Collected,
    /// Of the body that is kept.
    pub(super) len: u64,
    /// Of the body that came, kept or not.
    pub(super) received: u64,
    pub(super) chunks: Vec<Bytes>,
    pub(super) trailers: Option<HeaderMap>,
}

/// What an exchange has to do with a copy once its client may be answered.
#[derive(Debug)]
pub(super) struct Trailing {
    ledger: Rc<Ledger>,
    pair: Arc<Pair>,
    place: Behind,
}

/// What newcomers will have to stand behind.
#[derive(Debug)]
enum Behind {
    Nothing,
    Memory(Rc<Ticket>),
    Durable(Sent),
}

impl Trailing {
    pub(super) fn trail(&self) {
        match &self.place {
            Behind::Nothing => {}
            Behind::Memory(ticket) => ticket.trail(),
            Behind::Durable(sent) => sent.trail(),
        }
    }

    /// What the primary answered, if it did. Only the first time counts.
    pub(super) fn answered(&self, class: Class, written: u64) {
        self.ledger.primary_answered(&self.pair, class, written);
    }
}

impl Complete {
    /// Books the request for each of the mirrors and hands its copies on.
    pub(super) fn hand_over(&self, mirrors: &Mirrors, legs: Vec<Leg>) -> Vec<Trailing> {
        let mut trailing = Vec::new();
        for mut leg in legs {
            if let Some(target) = mirrors.target(leg.mirror) {
                let mut token = target.ledger.receive();
                token.belongs(leg.counted.take());
                if let Some(logs) = &target.logs {
                    token.log(self.log(logs, &leg.head));
                }
                let (ledger, pair) = (Rc::clone(&target.ledger), Arc::clone(token.pair()));
                trailing.push(Trailing { ledger, pair, place: self.one(mirrors, target, leg, token) });
            }
        }
        trailing
    }

    /// What the copy's line will be made of.
    fn log(&self, logs: &Rc<CopyLogs>, head: &[u8]) -> CopyLog {
        CopyLog {
            logs: Rc::clone(logs),
            // With its end, which is otherwise added with the framing.
            head: [head, b"\r\n"].concat().into(),
            body: self.received,
            arrived: Instant::now(),
            sent: Cell::new(None),
        }
    }

    fn one(&self, mirrors: &Mirrors, target: &Rc<Target>, leg: Leg, token: Token) -> Behind {
        if let Some(outcome) = leg.refused {
            token.finish(outcome);
            return Behind::Nothing;
        }
        if !target.copies.reserve(1) {
            token.finish(Outcome::DroppedTooManyCopies);
            return Behind::Nothing;
        }
        let one = One::of(&target.copies);
        let request = &self.request;
        let wire = Arc::new(Wire {
            chunks: wire(leg.head, request.framing, self.len, &self.chunks, self.trailers.as_ref()),
            body_chunks: self.chunks.len(),
            content_type: request.content_type.clone(),
            content_encoding: request.content_encoding.clone(),
        });
        let timeout = target.timeout(request.timeout);
        let (tenant, reservation) = (leg.tenant, leg.reservation);
        let ordered = match leg.way {
            Way::Durable(stored, by) => {
                let (kind, held) = (request.kind, reservation.into_held(one, token.pair()));
                let write = Write { stored, wire, tenant, kind, by, timeout, held };
                return self.keep(target, write, token).map_or(Behind::Nothing, Behind::Durable);
            }
            Way::Ordered { key, behind } => Some((tenant, key, behind)),
            Way::Unordered => None,
        };
        let place = ordered.map(|ordered| self.take_place(mirrors, target, ordered, &wire));
        let load = Once {
            token,
            _reservation: reservation,
            _one: one,
            _place: place.as_ref().map(|(ticket, _)| Held(Rc::clone(ticket))),
            target: Rc::downgrade(target),
        };
        let copy = self.copy(wire, tenant, timeout, load);
        target.go(copy, place.as_ref().map(|(ticket, way)| (&**ticket, *way)));
        place.map_or(Behind::Nothing, |(ticket, _)| Behind::Memory(ticket))
    }

    fn copy(&self, wire: Arc<Wire>, tenant: u64, timeout: Duration, load: Once) -> Copy<Once> {
        let Collected { answer_has_body, kind, .. } = self.request;
        Copy { wire, answer_has_body, kind, tenant, timeout, arrived: Instant::now(), stale: 0, load }
    }

    /// Hands the copy to durable delivery.
    fn keep(&self, target: &Target, write: Write, token: Token) -> Option<Sent> {
        let sent = target.intake.as_ref().and_then(|intake| intake.send(write, self.trailers.as_ref()));
        match &sent {
            Some(_) => token.hand_over(),
            None => token.finish(Outcome::DroppedShutdown),
        }
        sent
    }

    fn take_place(
        &self,
        mirrors: &Mirrors,
        target: &Target,
        (tenant, key, behind): (u64, Key, u64),
        wire: &Arc<Wire>,
    ) -> (Rc<Ticket>, cell::Way) {
        let by = By::of(self.request.kind, || {
            let peer = self.request.peer.to_canonical().to_string();
            target.cells.hash(&[&tenant.to_ne_bytes(), peer.as_bytes()])
        });
        let arrived_ms = mirrors.started.elapsed().as_millis() as u64;
        let entry =
            |place| Entry { place, arrived_ms, worker: mirrors.worker, by, wire: Arc::downgrade(wire) };
        Ticket::take(&target.cells, key, behind, entry)
    }
}

/// Copies whose backlog an answer waits for.
#[derive(Debug)]
pub(crate) struct Unsaved(Vec<super::durable::intake::Saving>);

impl Unsaved {
    pub(super) fn of(trailing: &mut [Trailing]) -> Option<Self> {
        let saving: Vec<_> = trailing
            .iter_mut()
            .filter_map(|trailing| match &mut trailing.place {
                Behind::Durable(sent) => sent.saving(),
                Behind::Memory(_) | Behind::Nothing => None,
            })
            .collect();
        (!saving.is_empty()).then_some(Self(saving))
    }

    /// Waits until they are in the backlog, each at most as long as its mirror's `before_answer` allows.
    pub(crate) async fn wait(self) {
        for saving in self.0 {
            saving.wait().await;
        }
    }
}

/// The bytes of a copy in the order they are written.
pub(super) fn wire(
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

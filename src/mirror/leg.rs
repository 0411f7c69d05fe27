//! One mirror's part of a request that is collected: what its copy's head is, where its place will be taken.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::model::{HeaderMutation, MirrorPolicy, Order, Requests};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, request::Parts};

use super::budget::Reservation;
use super::durable::intake::About;
use super::head::{self, Framing};
use super::ledger::Outcome;
use super::order::{By, Key};
use super::resolve::resolve;
use super::{Mirrors, Target};
use crate::format;
use crate::limits::COPY_OVERHEAD;
use crate::paths::Kind;
use crate::stats::tenants::TenantStats;

/// Names the tenant of a request, in Mimir as in Cortex.
const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");

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
    /// What a policy's header changes can ask for.
    pub(crate) known: &'a format::Facts<'a>,
}

/// One mirror's part of a collected request.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) mirror: usize,
    /// Hash of the tenant that the mirror will see.
    pub(super) tenant: u64,
    /// The same, where it is counted.
    pub(super) counted: Option<Arc<TenantStats>>,
    pub(super) way: Way,
    pub(super) head: Vec<u8>,
    pub(super) reservation: Reservation,
    pub(super) refused: Option<Outcome>,
}

/// How the copy will be delivered.
#[derive(Debug)]
pub(super) enum Way {
    /// From memory, as it comes.
    Unordered,
    /// From memory, in its tenant's order.
    Ordered {
        key: Key,
        /// See [`Cells::begin`](super::order::cell::Cells::begin).
        behind: u64,
    },
    /// Through the backlog: what stands before the body in its record, and what orders it.
    Durable(Bytes, By),
}

impl Leg {
    pub(super) fn begin(
        mirrors: &Mirrors,
        policy: &MirrorPolicy,
        head: &Parts,
        facts: Facts<'_>,
    ) -> Option<Self> {
        let target = mirrors.target(policy.mirror)?;
        if is_excluded(target, head, facts.kind) {
            target.ledger.excluded.inc();
            return None;
        }
        if !policy.fraction.chooses(facts.random) {
            target.ledger.not_chosen.inc();
            return None;
        }
        let resolved = resolve(policy, head, facts.known);
        let rules = head::Rules {
            policy: &resolved,
            auth: target.settings.auth.as_ref(),
            forwarded_for: facts.envoy_headers.then_some(&mirrors.own_address),
        };
        let bytes = head::begin(head, rules);
        let name = tenant(&resolved, head);
        let (tenant, way) = way(target, (policy, name), head, facts);
        let counted = target.ledger.tenant(tenant, || Some(name.map_or(b"", HeaderValue::as_bytes)));
        let stored = if let Way::Durable(stored, _) = &way { stored.len() } else { 0 };
        let mut reservation = Reservation::empty(&target.account);
        let granted = reservation.grow(COPY_OVERHEAD + (bytes.capacity() + stored) as u64);
        let refused = (!granted).then_some(Outcome::DroppedBufferFull);
        Some(Self { mirror: policy.mirror, tenant, counted, way, head: bytes, reservation, refused })
    }

    pub(super) fn refuse(&mut self, outcome: Outcome) {
        self.refused = Some(outcome);
        self.reservation.clear();
    }
}

/// `tenant` is what the mirror will see.
fn way(
    target: &Target,
    (policy, tenant): (&MirrorPolicy, Option<&HeaderValue>),
    head: &Parts,
    facts: Facts<'_>,
) -> (u64, Way) {
    if let Some(intake) = target.intake.as_ref().filter(|_| facts.kind.is_write()) {
        // Known by its name alone, as after a restart: credentials are not kept, not even as a hash.
        let name = tenant.map(|tenant| String::from_utf8_lossy(tenant.as_bytes()));
        let hash = backlog::name_hash(&name.unwrap_or_default());
        let by = by_name(facts.kind, hash, facts.peer);
        let about = About {
            framing: Framing::of(&head.headers),
            envoy_headers: facts.envoy_headers,
            kind: facts.kind,
            timeout: target.timeout(facts.timeout),
            by,
        };
        if let Some(stored) = intake.encode(head, policy, about) {
            return (hash, Way::Durable(stored, by));
        }
    }
    let credentials = || target.settings.auth.as_ref().or_else(|| head.headers.get(AUTHORIZATION));
    let hash = match tenant {
        Some(tenant) => target.cells.hash(&[b"tenant", tenant.as_bytes()]),
        None => target.cells.hash(&[b"credentials", credentials().map_or(b"", HeaderValue::as_bytes)]),
    };
    if !facts.kind.is_write() || target.settings.order == Order::None {
        return (hash, Way::Unordered);
    }
    let key = target.cells.key(hash);
    (hash, Way::Ordered { key, behind: target.cells.begin(key) })
}

/// What orders a copy that may be read back by another process: no hash that this one alone knows.
fn by_name(kind: Kind, tenant: u64, peer: IpAddr) -> By {
    By::of(kind, || backlog::name_hash(&format!("{tenant:x} {}", peer.to_canonical())))
}

/// The tenant as the mirror will see it.
fn tenant<'a>(policy: &'a MirrorPolicy, head: &'a Parts) -> Option<&'a HeaderValue> {
    let received = head.headers.get(&TENANT);
    policy.headers.iter().fold(received, |tenant, mutation| match mutation {
        HeaderMutation::Set(name, value) if *name == TENANT => Some(value),
        HeaderMutation::Append(name, value) | HeaderMutation::AddIfAbsent(name, value) if *name == TENANT => {
            tenant.or(Some(value))
        }
        HeaderMutation::OverwriteIfPresent(name, value) if *name == TENANT => tenant.map(|_| value),
        HeaderMutation::Remove(name) if *name == TENANT => None,
        _ => tenant,
    })
}

/// Requests that this mirror never gets.
fn is_excluded(target: &Target, head: &Parts, kind: Kind) -> bool {
    let not_a_write = target.settings.requests == Requests::Writes && !kind.is_write();
    let destructive = kind == Kind::Destructive && !target.settings.copy_admin;
    // An HTTP/1.1 copy of a gRPC call would be another request.
    let grpc = head.headers.get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"));
    not_a_write || destructive || grpc
}

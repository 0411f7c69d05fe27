//! What happens to a request, as it happens: plain values, set on the way.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Instant;

use http::{StatusCode, response};

use crate::format::{Facts, Flags};
use crate::route::reply::LocalReply;
use crate::upstream::Over;

/// How far the asking of the primary has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) attempts: Cell<u32>,
    /// The endpoint that was asked last.
    pub(super) to: Cell<Option<SocketAddr>>,
    /// What the last attempt goes over, once it has a connection.
    pub(super) over: Cell<Option<Over>>,
    /// Why there was no other attempt, if there should have been one.
    pub(super) gave_up: Cell<Flags>,
}

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Record {
    /// Of the answer that the client got.
    pub(super) code: Option<StatusCode>,
    pub(super) flags: Flags,
    pub(super) details: Option<&'static str>,
    /// The endpoint that was chosen.
    pub(super) upstream: Option<SocketAddr>,
    /// What the request went over, if there was a connection for it.
    over: Option<Over>,
    answered_at: Option<Instant>,
    /// Bytes of the answer's body.
    pub(super) sent: u64,
    pub(super) attempts: u32,
}

impl Record {
    /// The primary was asked: how often, whom at last, and over what.
    pub(super) fn asked(&mut self, asked: &Progress) {
        self.attempts = asked.attempts.get();
        self.upstream = asked.to.get();
        self.over = asked.over.get();
        self.flags = self.flags.with(asked.gave_up.get());
    }

    /// Whether there was a connection for the request.
    pub(super) fn is_connected(&self) -> bool {
        self.over.is_some()
    }

    /// The primary answers.
    pub(super) fn answered(&mut self, head: &response::Parts) {
        self.code = Some(head.status);
        self.details = Some("via_upstream");
        self.answered_at = Some(Instant::now());
    }

    /// The proxy answers itself.
    pub(super) fn replied(&mut self, reply: LocalReply) {
        let (flags, details) = reply.why();
        self.flags = self.flags.with(flags);
        self.details = Some(details);
    }

    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.answered_at
    }

    /// The answer broke off.
    pub(super) fn broken(&mut self, flags: Flags, details: &'static str) {
        self.flags = self.flags.with(flags);
        self.details = Some(details);
    }

    /// What a format can ask for of it. `begun` is when the request began.
    pub(super) fn facts<'a>(&self, begun: Instant) -> Facts<'a> {
        Facts {
            code: self.code,
            flags: self.flags,
            details: self.details.map(Cow::Borrowed),
            sent: self.sent,
            upstream: self.upstream,
            upstream_local: self.over.and_then(|over| over.local),
            connected: self.is_connected(),
            upstream_version: self.over.map(|over| over.version),
            answered_after: self.answered_at.map(|at| at.saturating_duration_since(begun)),
            attempts: Some(self.attempts),
            ..Facts::default()
        }
    }
}

//! What happens to a request, as it happens: plain values, set on the way.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Instant;

use http::{StatusCode, Version, response};

use crate::format::{Facts, Flags};
use crate::route::reply::LocalReply;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Record {
    /// Of the answer that the client got.
    pub(super) code: Option<StatusCode>,
    pub(super) flags: Flags,
    pub(super) details: Option<&'static str>,
    /// The endpoint that was chosen.
    pub(super) upstream: Option<SocketAddr>,
    /// It took the request.
    pub(super) connected: bool,
    /// What it answered in.
    version: Option<Version>,
    answered_at: Option<Instant>,
    /// Bytes of the answer's body.
    pub(super) sent: u64,
    pub(super) attempts: u32,
}

impl Record {
    /// The primary answers.
    pub(super) fn answered(&mut self, head: &response::Parts) {
        self.code = Some(head.status);
        self.version = Some(head.version);
        self.details = Some("via_upstream");
        self.connected = true;
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
            connected: self.connected,
            upstream_version: self.connected.then(|| self.version.unwrap_or(Version::HTTP_11)),
            answered_after: self.answered_at.map(|at| at.saturating_duration_since(begun)),
            attempts: Some(self.attempts),
            ..Facts::default()
        }
    }
}

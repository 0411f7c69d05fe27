//! A record of the backlog becomes a copy again: what its mirror changes is applied now, by the configuration in force.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backlog::Record;
use bytes::Bytes;
use config::model::{CopyHost, Fraction, Mirror, MirrorPolicy};
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::format::Facts;
use crate::limits::COPY_OVERHEAD;
use crate::mirror::durable::kept::{Kept, State, Tally};
use crate::mirror::durable::record::{self, Malformed};
use crate::mirror::durable::window::Back;
use crate::mirror::hand_over::wire;
use crate::mirror::head;
use crate::mirror::order::board::Set;
use crate::mirror::order::{By, Reader, Wire};
use crate::mirror::resolve::resolve;
use crate::stats::mirror::even_unix_ms;

/// What a mirror's copies are made with.
pub(super) struct Rebuild {
    pub(super) settings: Mirror,
    /// The mirror's policies in the order of the configuration.
    pub(super) policies: Arc<[MirrorPolicy]>,
    pub(super) own_address: HeaderValue,
    /// Copies with places below are an earlier process'.
    pub(super) recovered_end: Cell<u64>,
    /// It was said that credentials are missing.
    pub(super) warned: Cell<bool>,
}

impl Rebuild {
    pub(super) fn mirror(&self) -> &str {
        &self.settings.name
    }

    /// The copy, and the series that it carries.
    pub(super) fn copy(&self, record: Record, reader: &mut Reader) -> Result<Back, Malformed> {
        let Record { position, arrival_ms, tenant, payload, .. } = record;
        let decoded = record::decode(&Bytes::from(payload))?;
        if decoded.credentials_left_out {
            self.warn_of_credentials();
        }
        let facts = decoded.facts;
        let policy = self.policy(facts.policy);
        // What was known of the connection then is gone.
        let policy = &*resolve(&policy, &decoded.head, &Facts::default());
        let rules = head::Rules {
            policy,
            auth: self.settings.auth.as_ref(),
            forwarded_for: facts.envoy_headers.then_some(&self.own_address),
        };
        let head = head::begin(&decoded.head, rules);
        let (len, chunks) = (decoded.body.len() as u64, [decoded.body]);
        let bytes = COPY_OVERHEAD + head.capacity() as u64 + len;
        let wire = Arc::new(Wire {
            chunks: wire(head, facts.framing, len, &chunks, decoded.trailers.as_ref()),
            body_chunks: chunks.len(),
            content_type: decoded.head.headers.get(CONTENT_TYPE).cloned(),
            content_encoding: decoded.head.headers.get(CONTENT_ENCODING).cloned(),
        });
        let by = By::of(facts.kind, || facts.sender);
        let set = match by {
            By::Series(protocol) => reader.read(&wire, protocol),
            // Of no matter: it is known by its sender.
            By::Sender(_) => Set::Everything,
        };
        let kept = Kept {
            place: position.place,
            arrived: instant(arrival_ms),
            arrived_ms: arrival_ms,
            wire,
            kind: facts.kind,
            by,
            timeout: facts.timeout,
            bytes,
            saved: true,
            state: State::Waiting,
            attempts: 0,
            failures: 0,
            // An earlier process may have sent it.
            maybe_taken: position.place < self.recovered_end.get(),
            waited: true,
            read: true,
            pair: None,
            sent: None,
            seen: Tally::default(),
        };
        Ok(Back { tenant, kept, set })
    }

    /// The policy of this index; the configuration may have fewer now than when the copy was kept.
    fn policy(&self, index: u16) -> Cow<'_, MirrorPolicy> {
        let known = self.policies.get(usize::from(index)).or_else(|| self.policies.first());
        known.map_or_else(
            || {
                let (fraction, host) = (Fraction::ALL, CopyHost::Same);
                Cow::Owned(MirrorPolicy { mirror: 0, fraction, host, headers: Vec::new() })
            },
            Cow::Borrowed,
        )
    }

    fn warn_of_credentials(&self) {
        if self.settings.auth.is_none() && !self.warned.replace(true) {
            tracing::warn!(
                mirror = self.settings.name,
                "clients' credentials are not kept on disk: copies that are read back go without them; give the \
                 mirror an `auth` of its own, or set `backlog: {{credentials: keep}}`"
            );
        }
    }
}

/// When that was, by this process' clock; now if it lies too far back for it.
fn instant(unix: u64) -> Instant {
    let ago = Duration::from_millis(even_unix_ms().saturating_sub(unix));
    let now = Instant::now();
    now.checked_sub(ago).unwrap_or(now)
}

//! Where workers hand writes to durable delivery. Nothing here waits: a message is put into a channel that the
//! mirror's bounds keep short.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::model::{Backlog, MirrorPolicy};
use http::HeaderMap;
use http::request::Parts;
use tokio::sync::oneshot;

use super::message::{Arrived, ToBacklog};
use super::record;
use crate::mirror::budget::Held;
use crate::mirror::head::Framing;
use crate::mirror::ledger::Ledger;
use crate::mirror::order::{By, Wire};
use crate::paths::Kind;
use crate::stats::mirror::even_unix_ms;

/// The way into one mirror's durable delivery, for any worker.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(super) sender: Sender<ToBacklog>,
    /// The next place.
    pub(super) places: Arc<AtomicU64>,
    pub(super) policies: Arc<[MirrorPolicy]>,
    pub(super) settings: Backlog,
}

impl Gate {
    /// One worker's way in.
    pub(crate) fn intake(&self, ledger: &Rc<Ledger>) -> Intake {
        let Self { sender, places, policies, settings } = self.clone();
        Intake { sender, places, policies, settings, ledger: Rc::clone(ledger) }
    }
}

/// One worker's way into one mirror's durable delivery.
#[derive(Debug)]
pub(crate) struct Intake {
    sender: Sender<ToBacklog>,
    places: Arc<AtomicU64>,
    policies: Arc<[MirrorPolicy]>,
    settings: Backlog,
    ledger: Rc<Ledger>,
}

/// A complete write.
#[derive(Debug)]
pub(crate) struct Write {
    /// See [`Intake::encode`].
    pub(crate) stored: Bytes,
    pub(crate) wire: Arc<Wire>,
    pub(crate) tenant: u64,
    pub(crate) kind: Kind,
    pub(crate) by: By,
    /// One attempt's time.
    pub(crate) timeout: Duration,
    pub(crate) held: Held,
}

/// What is known of a write when its head has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) framing: Framing,
    /// Whether Envoy's own headers are added to its copy.
    pub(crate) envoy_headers: bool,
    pub(crate) kind: Kind,
    /// One attempt's time.
    pub(crate) timeout: Duration,
    pub(crate) by: By,
}

/// A write that was handed over.
#[derive(Debug)]
pub(crate) struct Sent {
    sender: Sender<ToBacklog>,
    place: u64,
    trails: Cell<bool>,
    saving: Option<Saving>,
}

/// Hears when a copy is in the backlog.
#[derive(Debug)]
pub(crate) struct Saving {
    saved: oneshot::Receiver<()>,
    longest: Duration,
    ledger: Rc<Ledger>,
}

impl Intake {
    /// What stands in a write's record before its body. `None` if it cannot be kept.
    pub(crate) fn encode(&self, head: &Parts, policy: &MirrorPolicy, about: About) -> Option<Bytes> {
        let policy = self.policies.iter().position(|known| known == policy).unwrap_or_default();
        let About { framing, envoy_headers, kind, timeout, by } = about;
        let facts = record::Facts {
            framing,
            envoy_headers,
            policy: u16::try_from(policy).unwrap_or_default(),
            kind,
            timeout,
            sender: if let By::Sender(sender) = by { sender } else { 0 },
        };
        record::encode(head, &facts, self.settings.keep_credentials)
    }

    /// Hands a write over. `None` if nobody takes it any more, because the process is about to end.
    pub(crate) fn send(&self, write: Write, trailers: Option<&HeaderMap>) -> Option<Sent> {
        let Write { mut stored, wire, tenant, kind, by, timeout, held } = write;
        if let Some(trailers) = trailers {
            stored = record::with_trailers(&stored, trailers, self.settings.keep_credentials)?;
        }
        let place = self.places.fetch_add(1, Relaxed);
        let waits = !self.settings.before_answer.is_zero();
        let (saved, saving) = if waits { Some(oneshot::channel()).unzip() } else { (None, None) };
        let arrived = Arrived {
            place,
            tenant,
            arrived: Instant::now(),
            arrived_ms: even_unix_ms(),
            stored,
            wire,
            kind,
            by,
            timeout,
            held,
            saved,
        };
        self.sender.send(ToBacklog::Copy(Box::new(arrived))).ok()?;
        let longest = self.settings.before_answer;
        let saving = saving.map(|saved| Saving { saved, longest, ledger: Rc::clone(&self.ledger) });
        Some(Sent { sender: self.sender.clone(), place, trails: Cell::new(false), saving })
    }
}

impl Sent {
    /// The client may be answered from now on: newcomers stand behind this copy.
    pub(crate) fn trail(&self) {
        if !self.trails.replace(true) {
            // Refused only at the process's end.
            let _ = self.sender.send(ToBacklog::Trail(self.place));
        }
    }

    /// What the answer waits for, once.
    pub(crate) fn saving(&mut self) -> Option<Saving> {
        self.saving.take()
    }
}

impl Saving {
    /// Until the copy is in the backlog, or the time is over, which is counted.
    pub(crate) async fn wait(self) {
        // Not the worker's coarse wheel: a few milliseconds are meant.
        if !matches!(tokio::time::timeout(self.longest, self.saved).await, Ok(Ok(()))) {
            self.ledger.late_answers.inc();
        }
    }
}

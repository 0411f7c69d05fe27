//! The open backlog: everything that the thread does with it, and after each of these what a failed sync put in doubt.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use backlog::{Backlog, Stats, StoreError};
use config::model::Sync;
use tokio::sync::mpsc::UnboundedSender;

use super::super::in_flight::InFlight;
use super::super::message::{Found, ToDelivery, Why};
use super::kept::Copies;
use super::trouble::Trouble;
use crate::stats::backlog::BacklogStats;

/// Copies remembered because the next sync may fail. Beyond, it comes early.
const UNSYNCED_MAX: usize = 8192;

/// What the parts of the thread have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mirror: String,
    pub(super) delivery: UnboundedSender<ToDelivery>,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) stats: Arc<BacklogStats>,
    pub(super) trouble: Trouble,
    /// Unfinished copies that the disk refused or that are in doubt.
    pub(super) again: Copies,
}

impl Shared {
    pub(super) fn tell(&self, message: ToDelivery) {
        // It fails only when the process leaves and nobody delivers any more.
        let _ = self.delivery.send(message);
    }

    pub(super) fn tell_trouble(&mut self, error: &StoreError) {
        match error {
            // One copy's fate says nothing of the next.
            StoreError::Unfit { .. } | StoreError::PlaceTaken { .. } => {
                self.trouble.warn(&self.mirror, error);
            }
            _ => self.trouble.failed(&self.mirror, error),
        }
    }
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) backlog: Backlog,
    pub(super) sync: Sync,
    /// Appended since the last sync that worked.
    pub(super) unsynced: Copies,
    pub(super) sync_due: Option<Instant>,
    /// Whether the next checkpoint has something to say.
    pub(super) changed: bool,
    /// The state that the metrics know.
    seen: Stats,
}

impl Store {
    pub(super) fn new(backlog: Backlog, sync: Sync) -> Self {
        let (unsynced, seen) = (Copies::default(), Stats::default());
        Self { backlog, sync, unsynced, sync_due: None, changed: true, seen }
    }

    /// Moves what a failed sync put in doubt to what is appended again. Returns whether there was anything.
    pub(super) fn take_doubtful(&mut self, shared: &mut Shared) -> bool {
        let doubtful = self.backlog.take_doubtful();
        shared.stats.doubtful_records.add(doubtful.len() as u64);
        for place in &doubtful {
            self.unsynced.pass(*place, &mut shared.again);
        }
        if self.sync == Sync::Always {
            // Every append was synced, and what is in doubt was named.
            self.unsynced.clear();
        }
        !doubtful.is_empty()
    }

    /// When the next sync is due.
    pub(super) fn sync_due(&self) -> Option<Instant> {
        let early = self.unsynced.len() >= UNSYNCED_MAX;
        if early { Some(Instant::now()) } else { self.sync_due }
    }

    pub(super) fn sync(&mut self, shared: &mut Shared) {
        self.sync_due = None;
        match self.backlog.sync() {
            Ok(()) => shared.trouble.worked(),
            Err(error) => {
                shared.stats.sync_failures.inc();
                shared.tell_trouble(&error);
            }
        }
        let doubtful = self.take_doubtful(shared);
        self.unsynced.clear();
        if doubtful {
            self.append_again(shared);
        }
    }

    pub(super) fn checkpoint(&mut self, shared: &mut Shared) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        if let Err(error) = self.backlog.checkpoint() {
            self.changed = true;
            shared.stats.sync_failures.inc();
            shared.tell_trouble(&error);
        }
        // Appended again with the next batch or tick: this may be part of an append.
        self.take_doubtful(shared);
    }

    /// These copies have their outcome.
    pub(super) fn acknowledge(&mut self, places: &mut [u64]) {
        places.sort_unstable();
        let runs = places.chunk_by(|place, next| next.checked_sub(*place) == Some(1));
        let ranges = runs.filter_map(|run| Some(*run.first()?..=*run.last()?));
        self.backlog.acknowledge(&ranges.collect::<Vec<_>>());
        places.iter().for_each(|place| self.unsynced.remove(*place));
        self.changed = true;
    }

    /// Lets go of what is too old, and of the oldest until `room` more bytes fit.
    pub(super) fn expire(&mut self, now_ms: u64, room: u64, shared: &mut Shared) {
        let in_flight = shared.in_flight.places();
        let expired = self.backlog.expire(now_ms, room, &mut |place| in_flight.contains(&place));
        self.take_doubtful(shared);
        shared.stats.expired_by_age.add(expired.by_age.len() as u64);
        shared.stats.expired_by_size.add(expired.by_size.len() as u64);
        self.let_go(expired.by_age, Why::Age, shared);
        self.let_go(expired.by_size, Why::Size, shared);
    }

    /// Lets go of everything but `in_flight`, and with it of `others`.
    pub(super) fn skip(&mut self, in_flight: &HashSet<u64>, others: Vec<u64>, shared: &mut Shared) {
        // At the end of all time everything is too old.
        let mut expired = self.backlog.expire(u64::MAX, 0, &mut |place| in_flight.contains(&place));
        expired.by_age.extend(others);
        self.take_doubtful(shared);
        shared.stats.skipped.add(expired.by_age.len() as u64);
        self.let_go(expired.by_age, Why::Skipped, shared);
    }

    fn let_go(&mut self, mut places: Vec<u64>, why: Why, shared: &mut Shared) {
        if places.is_empty() {
            return;
        }
        places.sort_unstable();
        places.dedup();
        for place in &places {
            self.unsynced.remove(*place);
            shared.again.remove(*place);
        }
        self.changed = true;
        shared.tell(ToDelivery::Expired(places, why));
    }

    pub(super) fn read(&mut self, places: &[u64], bytes_max: u64) -> Found {
        let batch = self.backlog.read_places(places, bytes_max);
        self.changed |= !batch.damaged.is_empty();
        // What did not fit stays where it is, and is asked for again.
        let backlog::PlacesBatch { records, damaged, unreadable, gone, .. } = batch;
        Found { records, damaged, unreadable, gone, next: None }
    }

    pub(super) fn read_from(&mut self, place: u64, bytes_max: u64) -> Found {
        let batch = self.backlog.read_from(place, bytes_max);
        self.changed |= !batch.damaged.is_empty();
        let backlog::ReadBatch { records, next, damaged, unreadable } = batch;
        Found { records, damaged, unreadable, next, ..Found::default() }
    }

    /// Makes the metrics say what is.
    pub(super) fn show(&mut self, shared: &Shared) {
        let (now, stats) = (self.backlog.stats(), &shared.stats);
        stats.disk_bytes.set(now.disk_bytes);
        stats.records.set(now.records);
        stats.segments.set(now.segments);
        stats.oldest_arrival_ms.set(now.oldest_arrival_ms.unwrap_or(0));
        stats.damaged_records.add(now.damaged.saturating_sub(self.seen.damaged));
        stats.abandoned_segments.add(now.abandoned_segments.saturating_sub(self.seen.abandoned_segments));
        self.seen = now;
    }

    /// Makes everything durable and gives the directory back.
    pub(super) fn close(mut self, shared: &mut Shared) {
        self.append_again(shared);
        self.sync(shared);
        self.show(shared);
        if let Err(error) = self.backlog.close() {
            shared.stats.sync_failures.inc();
            tracing::warn!(mirror = shared.mirror, %error, "the backlog could not be made durable");
        }
    }
}

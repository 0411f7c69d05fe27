//! Appending: a whole batch with one call, room made where there is none, and what was refused tried again.

use std::collections::HashSet;
use std::time::Instant;

use backlog::{NewRecord, StoreError};
use config::model::Sync;

use super::super::message::ToDelivery;
use super::kept::Piece;
use super::store::{Shared, Store};
use crate::stats::mirror::even_unix_ms;

impl Store {
    /// Appends copies, sorted by place, and makes room for them where that is needed. Returns the places that were
    /// refused; those that may be taken another time are with the ones to append again.
    pub(super) fn append(&mut self, pieces: &[Piece], shared: &mut Shared) -> HashSet<u64> {
        let refused = self.append_once(pieces, shared);
        if self.take_doubtful(shared) {
            self.append_again(shared);
        }
        refused
    }

    /// Appends again what is still unfinished.
    pub(super) fn append_again(&mut self, shared: &mut Shared) {
        loop {
            let pieces = shared.again.some();
            if pieces.is_empty() {
                return;
            }
            let refused = self.append_once(&pieces, shared);
            let saved = pieces.iter().map(|piece| piece.place).filter(|place| !refused.contains(place));
            let saved: Vec<u64> = saved.collect();
            if !saved.is_empty() {
                shared.tell(ToDelivery::Saved(saved));
            }
            if self.take_doubtful(shared) || !refused.is_empty() {
                return;
            }
        }
    }

    fn append_once(&mut self, pieces: &[Piece], shared: &mut Shared) -> HashSet<u64> {
        let payloads: Vec<Vec<&[u8]>> = pieces.iter().map(Piece::payload).collect();
        let mut rest: Vec<NewRecord<'_>> =
            pieces.iter().zip(&payloads).map(|(piece, payload)| piece.record(payload)).collect();
        let (mut refused, mut never) = (HashSet::new(), HashSet::new());
        // All with one call; when there is no room for all, one by one.
        let (mut room_made, mut each) = (false, usize::MAX);
        while !rest.is_empty() {
            let (taken, error) = self.try_append(rest.get(..each).unwrap_or(&rest), shared);
            rest.drain(..taken);
            match error {
                None => {}
                Some(StoreError::Full { needed, .. }) if !room_made => {
                    room_made = true;
                    self.expire(even_unix_ms(), needed, shared);
                    self.checkpoint(shared);
                }
                Some(StoreError::Full { .. }) if each > 1 => each = 1,
                // What is finished may take the room that is missing.
                Some(StoreError::NoSpace { .. }) if !room_made => {
                    room_made = true;
                    self.checkpoint(shared);
                }
                Some(error) => {
                    shared.stats.append_failures.inc();
                    shared.tell_trouble(&error);
                    match error {
                        StoreError::Unfit { place } | StoreError::PlaceTaken { place } => {
                            rest.retain(|record| record.place != place);
                            never.insert(place);
                        }
                        StoreError::Full { .. } => {
                            refused.extend(rest.drain(..1).map(|record| record.place));
                        }
                        _ => refused.extend(rest.drain(..).map(|record| record.place)),
                    }
                }
            }
        }
        self.remember(pieces, &refused, &never, shared);
        refused.extend(never);
        refused
    }

    /// Returns how many of the records were taken, and why no more were.
    fn try_append(&mut self, records: &[NewRecord<'_>], shared: &mut Shared) -> (usize, Option<StoreError>) {
        let (taken, error) = match self.backlog.append(records) {
            Ok(positions) => {
                shared.trouble.worked();
                (positions, None)
            }
            Err(error) => (error.appended, Some(error.source)),
        };
        let bytes: u64 = taken.iter().map(|position| u64::from(position.length)).sum();
        shared.stats.appended_records.add(taken.len() as u64);
        shared.stats.appended_bytes.add(bytes);
        (taken.len(), error)
    }

    fn remember(
        &mut self,
        pieces: &[Piece],
        refused: &HashSet<u64>,
        never: &HashSet<u64>,
        shared: &mut Shared,
    ) {
        for piece in pieces {
            if refused.contains(&piece.place) {
                shared.again.insert(piece);
                continue;
            }
            shared.again.remove(piece.place);
            if self.sync != Sync::Never && !never.contains(&piece.place) {
                self.unsynced.insert(piece);
            }
        }
        self.changed = true;
        if let Sync::Every(interval) = self.sync {
            self.sync_due.get_or_insert_with(|| Instant::now() + interval);
        }
    }
}

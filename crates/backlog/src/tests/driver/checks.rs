//! What the caller checks: while the store runs, and after every restart.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Check, DIR, Driver, Truth};
use crate::recovery::CheckpointState;
use crate::types::{ReadBatch, Sync};
use crate::{Backlog, Recovery};

impl Driver {
    pub(super) fn read_some(&mut self, budget: u64) -> Check {
        let batch = self.store().read_from(0, budget);
        let held: u64 = batch.records.iter().map(|record| record.payload.len() as u64).sum();
        let first = batch.records.first().map_or(0, |record| record.payload.len() as u64);
        ensure!(held <= budget.max(first), "{held} bytes held, {budget} allowed");
        if self.fs.crashed() || !batch.unreadable.is_empty() {
            return Ok(());
        }
        let expected: Vec<u64> = self.live().collect();
        let places: Vec<u64> = batch.records.iter().map(|record| record.position.place).collect();
        ensure!(batch.damaged.is_empty(), "damaged: {:?}", batch.damaged);
        ensure!(expected.starts_with(&places), "read {places:?} of {expected:?}");
        let next = expected.get(places.len()).copied();
        ensure!(batch.next == next, "goes on at {:?}, not at {next:?}", batch.next);
        ensure!(next.is_none() || !places.is_empty(), "does not go on");
        self.read_places(budget, &expected)
    }

    /// Backwards, with places that are not there: each place comes back once, what is live with its bytes.
    fn read_places(&mut self, budget: u64, live: &[u64]) -> Check {
        let asked: Vec<u64> = (0..=self.next_place).rev().collect();
        let batch = self.store().read_places(&asked, budget);
        if self.fs.crashed() || !batch.unreadable.is_empty() {
            return Ok(());
        }
        ensure!(batch.damaged.is_empty(), "damaged: {:?}", batch.damaged);
        let read: Vec<u64> = batch.records.iter().map(|record| record.position.place).collect();
        let mut all = [&read[..], &batch.gone, &batch.left].concat();
        all.sort_unstable();
        ensure!(all.iter().rev().eq(&asked), "not each place once: {all:?}");
        ensure!(live.iter().rev().take(read.len()).eq(&read), "read {read:?} of {live:?}");
        ensure!(batch.gone.iter().all(|place| !live.contains(place)), "gone, but live: {:?}", batch.gone);
        ensure!(live.is_empty() || !read.is_empty(), "does not go on");
        let records = batch.records;
        self.check_contents(&ReadBatch { records, ..ReadBatch::default() })
    }

    fn live(&self) -> impl Iterator<Item = u64> + '_ {
        self.truth.iter().filter(|(_, truth)| truth.taken && !truth.acknowledged).map(|(place, _)| *place)
    }

    /// In one life of the store, what was taken and not acknowledged is there, in order, and nothing else.
    pub(super) fn read_all(&mut self) -> Check {
        let batch = self.store().read_from(0, u64::MAX);
        if self.fs.crashed() || !batch.unreadable.is_empty() {
            return Ok(());
        }
        let places: Vec<u64> = batch.records.iter().map(|record| record.position.place).collect();
        let expected: Vec<u64> = self.live().collect();
        ensure!(places == expected, "read {places:?}, expected {expected:?}");
        ensure!(batch.damaged.is_empty(), "damaged: {:?}", batch.damaged);
        self.check_contents(&batch)
    }

    fn check_contents(&self, batch: &ReadBatch) -> Check {
        for record in &batch.records {
            let place = record.position.place;
            let former = self.former.iter().filter(|_| self.options.sync == Sync::Never || self.sync_failed);
            let known = self.truth.iter().map(|(place, truth)| (*place, truth));
            let mut known = known.chain(former.map(|(place, truth)| (*place, truth)));
            let same = known.any(|(known, truth)| {
                known == place
                    && record.payload == truth.payload
                    && (record.tenant, record.kind, record.arrival_ms)
                        == (truth.tenant, truth.kind, truth.arrival_ms)
            });
            ensure!(same, "{place} is not what was appended, or was never");
        }
        Ok(())
    }

    pub(super) fn open(&mut self, power_lost: bool) -> Check {
        let (store, recovery) = Backlog::open(Path::new(DIR), self.options, self.fs.clone())
            .map_err(|error| format!("does not open: {error}"))?;
        self.store = Some(store);
        let batch = self.store().read_from(0, u64::MAX);
        self.check_report(&recovery, power_lost)?;
        self.check_recovered(&batch, &recovery, power_lost)?;
        self.take_over(&batch, &recovery, power_lost);
        self.read_all()
    }

    /// Nothing was damaged or taken away: the report must not say so.
    fn check_report(&self, recovery: &Recovery, power_lost: bool) -> Check {
        // A number can be used twice when neither the checkpoint nor the removal of the first file lasted.
        let twice = self.options.sync == Sync::Never && self.full && power_lost;
        ensure!(recovery.foreign.is_empty() || twice, "foreign: {:?}", recovery.foreign);
        ensure!(recovery.unreadable.is_empty(), "unreadable: {:?}", recovery.unreadable);
        let promised = !power_lost || (self.options.sync != Sync::Never && !self.sync_failed);
        if promised {
            ensure!(recovery.missing.is_empty() || self.full, "missing: {:?}", recovery.missing);
            ensure!(
                recovery.checkpoint_ahead == 0 || self.full,
                "{} checkpoints ahead",
                recovery.checkpoint_ahead
            );
            let sound = matches!(recovery.checkpoint, CheckpointState::Fresh | CheckpointState::Loaded);
            // What a loss of power did to one that is never synced stays while the disk has no room for another.
            let sound = sound || (self.full && self.options.sync == Sync::Never);
            ensure!(sound, "checkpoint: {:?}", recovery.checkpoint);
        }
        Ok(())
    }

    fn check_recovered(&self, batch: &ReadBatch, recovery: &Recovery, power_lost: bool) -> Check {
        let places: Vec<u64> = batch.records.iter().map(|record| record.position.place).collect();
        ensure!(places.is_sorted_by(|a, b| a < b), "not in order, or twice: {places:?}");
        self.check_contents(batch)?;
        let found: BTreeSet<u64> = places.iter().copied().collect();
        for (place, truth) in &self.truth {
            let promised = if power_lost { truth.durable } else { truth.taken };
            ensure!(found.contains(place) || !promised || truth.acknowledged, "{place} is lost");
            let durable_checkpoint = !power_lost || self.options.sync != Sync::Never;
            let comes_back = found.contains(place) && truth.forgotten && durable_checkpoint;
            ensure!(!comes_back, "{place} was acknowledged and comes back");
        }
        let told = recovery.records;
        let there = (batch.records.len() + batch.damaged.len()) as u64;
        ensure!(told == there || !recovery.durable, "{told} records told, {there} there");
        let last = places.last().copied().unwrap_or(0);
        ensure!(recovery.next_place > last, "places go on at {}, {last} is taken", recovery.next_place);
        Ok(())
    }

    fn take_over(&mut self, batch: &ReadBatch, recovery: &Recovery, power_lost: bool) {
        let found: BTreeSet<u64> = batch.records.iter().map(|record| record.position.place).collect();
        let former = self.truth.extract_if(.., |place, _| !found.contains(place));
        self.former.extend(former);
        if self.options.sync == Sync::Never || self.sync_failed {
            for record in &batch.records {
                let place = record.position.place;
                let known =
                    |truth: &Truth| truth.payload == record.payload && truth.arrival_ms == record.arrival_ms;
                if self.truth.get(&place).is_some_and(known) {
                    continue;
                }
                let back = self.former.iter().rev().find(|former| former.0 == place && known(&former.1));
                if let Some((_, truth)) = back {
                    self.truth.insert(place, truth.clone());
                }
            }
        }
        for truth in self.truth.values_mut() {
            // The store names doubtful records only while they are wanted, and those that it took.
            let unnamed = (truth.acknowledged || !truth.taken) && !truth.durable;
            truth.doubtful = !power_lost && (truth.doubtful || (unnamed && self.sync_failed));
            truth.taken = true;
            truth.durable |= recovery.durable && !truth.doubtful && self.options.sync != Sync::Never;
            (truth.acknowledged, truth.forgotten) = (false, false);
        }
        self.retries.clear();
        self.next_place = recovery.next_place;
        self.sync_failed &= !power_lost;
        self.full = self.fs.has_capacity() || (self.full && !power_lost);
    }
}

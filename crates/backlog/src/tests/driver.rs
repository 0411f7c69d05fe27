//! A caller of the store that remembers everything it was promised, and checks it after every restart.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::model::{Call, ModelFs, Random};
use crate::error::StoreError;
use crate::recovery::CheckpointState;
use crate::types::{NewRecord, Options, ReadBatch, Sync};
use crate::{Backlog, Recovery};

pub(crate) const DIR: &str = "/backlog";

/// What the caller knows of one record.
#[derive(Debug, Clone)]
struct Truth {
    payload: Vec<u8>,
    tenant: u64,
    kind: u8,
    arrival_ms: u64,
    /// The store took it (else it failed, and may or may not be on the disk).
    taken: bool,
    durable: bool,
    /// A sync of it failed; only appending it again helps.
    doubtful: bool,
    acknowledged: bool,
    /// A checkpoint after the acknowledgement succeeded.
    forgotten: bool,
}

/// One step of a history.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Append { sizes: Vec<u16>, swapped: bool },
    Sync,
    Acknowledge { of_ten: u8 },
    Checkpoint,
    ReadAll,
    ReadSome { budget: u16 },
    Expire { later_ms: u64, room: u16 },
    Close,
    Kill,
    LosePower,
    LosePowerDuring { calls: u64 },
    Fail { call: Call, full: bool },
    Capacity { spare: Option<u16> },
    ShortWrites(bool),
}

pub(crate) struct Driver {
    pub(crate) fs: ModelFs,
    pub(crate) options: Options,
    store: Option<Backlog<ModelFs>>,
    truth: BTreeMap<u64, Truth>,
    /// What was once appended and is over: without syncs, or after one that failed, a loss of power may bring it back.
    former: Vec<(u64, Truth)>,
    retries: BTreeSet<u64>,
    next_place: u64,
    now_ms: u64,
    random: Random,
    /// A sync failed since power was last lost: then bytes or names may be gone that still look well in the cache.
    sync_failed: bool,
    /// The disk was full since power was last lost: then finished segments may be removed without a checkpoint.
    full: bool,
}

type Check = Result<(), String>;

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

impl Driver {
    pub(crate) fn new(seed: u64, sync: Sync) -> Self {
        let options = Options {
            max_bytes: 24 << 10,
            max_age: Duration::from_secs(100),
            segment_bytes: 1500,
            sync,
            ..Options::new("secondary")
        };
        Self {
            fs: ModelFs::new(seed),
            options,
            store: None,
            truth: BTreeMap::new(),
            former: Vec::new(),
            retries: BTreeSet::new(),
            next_place: 1,
            now_ms: 1_700_000_000_000,
            random: Random(Cell::new(seed ^ 0x5555)),
            sync_failed: false,
            full: false,
        }
    }

    /// Runs a history; the first broken promise ends it.
    pub(crate) fn run(&mut self, actions: &[Action]) -> Check {
        self.open(false)?;
        for action in actions {
            self.step(action).map_err(|broken| format!("{action:?}: {broken}"))?;
            if self.fs.crashed() {
                self.restart(true)?;
            }
        }
        self.restart(true)
    }

    fn step(&mut self, action: &Action) -> Check {
        match action {
            Action::Append { sizes, swapped } => return self.append(sizes, *swapped),
            Action::Sync => self.sync(),
            Action::Acknowledge { of_ten } => self.acknowledge(*of_ten),
            Action::Checkpoint => return self.checkpoint(),
            Action::ReadAll => return self.read_all(),
            Action::ReadSome { budget } => return self.read_some(u64::from(*budget)),
            Action::Expire { later_ms, room } => return self.expire(*later_ms, u64::from(*room)),
            Action::Close => return self.close(),
            Action::Kill => return self.restart(false),
            Action::LosePower => return self.restart(true),
            Action::LosePowerDuring { calls } => self.fs.crash_after(*calls),
            Action::Fail { call, full } => {
                self.sync_failed |= matches!(call, Call::Sync | Call::SyncDir);
                self.full |= *full;
                let kind = if *full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
                self.fs.fail(*call, kind);
            }
            Action::Capacity { spare } => {
                self.full |= spare.is_some();
                self.fs.set_capacity(spare.map(|spare| self.fs.used() + u64::from(spare)));
            }
            Action::ShortWrites(short) => self.fs.set_short_writes(*short),
        }
        Ok(())
    }

    fn store(&mut self) -> &mut Backlog<ModelFs> {
        self.store.as_mut().expect("open between steps")
    }

    fn append(&mut self, sizes: &[u16], swapped: bool) -> Check {
        let first_new = self.next_place;
        let mut places: Vec<u64> = std::mem::take(&mut self.retries).into_iter().collect();
        for size in sizes {
            let place = self.next_place;
            self.next_place += 1 + self.random.below(3);
            self.now_ms += 1;
            let truth = Truth {
                payload: (0..*size).map(|at| (place as u8).wrapping_mul(31).wrapping_add(at as u8)).collect(),
                tenant: self.random.below(3),
                kind: self.random.below(5) as u8,
                arrival_ms: self.now_ms,
                taken: false,
                durable: false,
                doubtful: false,
                acknowledged: false,
                forgotten: false,
            };
            self.truth.insert(place, truth);
            places.push(place);
        }
        if swapped && places.len() > 1 {
            let last = places.len() - 1;
            places.swap(last, last / 2);
        }
        self.append_places(&places, first_new)
    }

    fn append_places(&mut self, places: &[u64], first_new: u64) -> Check {
        let truth = self.truth.clone();
        let halves: Vec<[&[u8]; 2]> = places
            .iter()
            .map(|place| truth[place].payload.split_at(truth[place].payload.len() / 3).into())
            .collect();
        let records: Vec<NewRecord<'_>> = places
            .iter()
            .zip(&halves)
            .map(|(place, payload)| {
                let Truth { arrival_ms, tenant, kind, .. } = truth[place];
                NewRecord { place: *place, arrival_ms, tenant, kind, payload }
            })
            .collect();
        let result = self.store().append(&records);
        let (appended, source) = match result {
            Ok(appended) => (appended, None),
            Err(error) => (error.appended, Some(error.source)),
        };
        let complete = source.is_none();
        ensure!(source.is_some() || appended.len() == places.len(), "Ok, but not all were appended");
        for (position, place) in appended.iter().zip(places) {
            ensure!(position.place == *place, "the position of {} is told for {place}", position.place);
            let truth = self.truth.get_mut(place).expect("known");
            (truth.taken, truth.doubtful) = (true, false);
        }
        let rest = places[appended.len()..].iter().copied();
        match source {
            // New ones that were refused were not tried: nothing of them may ever appear.
            Some(StoreError::Full { .. }) => {
                self.truth.retain(|place, truth| truth.taken || *place < first_new);
                self.retries.extend(rest.filter(|place| *place < first_new));
            }
            Some(_) => self.retries.extend(rest),
            None => {}
        }
        self.take_doubtful();
        if self.options.sync == Sync::Always && complete {
            self.all_durable();
        }
        Ok(())
    }

    fn take_doubtful(&mut self) {
        for place in self.store().take_doubtful() {
            let truth = self.truth.get_mut(&place).expect("the store names what it was given");
            (truth.durable, truth.doubtful) = (false, true);
            if !truth.acknowledged {
                self.retries.insert(place);
            }
        }
    }

    fn all_durable(&mut self) {
        for (place, truth) in &mut self.truth {
            let promised =
                truth.taken && !truth.doubtful && !truth.acknowledged && !self.retries.contains(place);
            truth.durable |= promised && self.options.sync != Sync::Never;
        }
    }

    fn sync(&mut self) {
        let synced = self.store().sync();
        self.take_doubtful();
        if synced.is_ok() {
            self.all_durable();
        }
    }

    fn acknowledge(&mut self, of_ten: u8) {
        let mut places = Vec::new();
        for (place, truth) in &mut self.truth {
            if truth.taken && !truth.acknowledged && self.random.below(10) < u64::from(of_ten) {
                truth.acknowledged = true;
                self.retries.remove(place);
                places.push(*place..=*place);
            }
        }
        let expected = places.len() as u64;
        let finished = self.store().acknowledge(&places);
        // An older copy of the same record may be finished with it.
        assert!(finished >= expected, "{finished} of {expected} acknowledged");
    }

    fn checkpoint(&mut self) -> Check {
        let done = self.store().checkpoint().is_ok();
        self.take_doubtful();
        if done {
            self.truth.values_mut().for_each(|truth| truth.forgotten |= truth.acknowledged);
        }
        Ok(())
    }

    fn expire(&mut self, later_ms: u64, room: u64) -> Check {
        self.now_ms += later_ms;
        let now_ms = self.now_ms;
        let expired = self.store().expire(now_ms, room, &mut |place| place % 5 == 0);
        self.take_doubtful();
        for (place, aged) in expired
            .by_age
            .iter()
            .map(|place| (place, true))
            .chain(expired.by_size.iter().map(|place| (place, false)))
        {
            ensure!(place % 5 != 0, "{place} is in flight and expired");
            let truth =
                self.truth.get_mut(place).ok_or_else(|| format!("{place} expired, never appended"))?;
            let old = truth.arrival_ms + 100_000 < now_ms;
            ensure!(old == aged, "{place} expired by {}", if aged { "age" } else { "size" });
            truth.acknowledged = true;
            self.retries.remove(place);
        }
        self.checkpoint()
    }

    fn read_some(&mut self, budget: u64) -> Check {
        let batch = self.store().read_from(0, budget);
        let held: u64 = batch.records.iter().map(|record| record.payload.len() as u64).sum();
        ensure!(held <= budget, "{held} bytes held, {budget} allowed");
        if self.fs.crashed() || !batch.unreadable.is_empty() {
            return Ok(());
        }
        let expected: Vec<u64> = self.live().collect();
        let places: Vec<u64> = batch.records.iter().map(|record| record.position.place).collect();
        ensure!(batch.damaged.is_empty(), "damaged: {:?}", batch.damaged);
        ensure!(expected.starts_with(&places), "read {places:?} of {expected:?}");
        let next = expected.get(places.len()).copied();
        ensure!(batch.next == next, "goes on at {:?}, not at {next:?}", batch.next);
        ensure!(batch.needs.is_none() || places.is_empty(), "needs more although it read something");
        Ok(())
    }

    fn live(&self) -> impl Iterator<Item = u64> + '_ {
        self.truth.iter().filter(|(_, truth)| truth.taken && !truth.acknowledged).map(|(place, _)| *place)
    }

    /// In one life of the store, what was taken and not acknowledged is there, in order, and nothing else.
    fn read_all(&mut self) -> Check {
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

    fn close(&mut self) -> Check {
        let store = self.store.take().expect("open between steps");
        let closed = store.close().is_ok();
        if !closed {
            // Who is told this and ends cannot append again; the next process cannot tell from the cache.
            self.truth.values_mut().for_each(|truth| truth.doubtful |= !truth.durable);
        }
        if closed && !self.fs.crashed() {
            self.all_durable();
            self.truth.values_mut().for_each(|truth| truth.forgotten |= truth.acknowledged);
        }
        self.restart(false)
    }

    pub(crate) fn restart(&mut self, power_lost: bool) -> Check {
        let power_lost = power_lost || self.fs.crashed();
        self.store = None;
        self.fs.restart(power_lost);
        self.fs.set_short_writes(false);
        self.open(power_lost)
    }

    fn open(&mut self, power_lost: bool) -> Check {
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
                let back = self
                    .former
                    .iter()
                    .rev()
                    .find(|former| former.0 == place && former.1.payload == record.payload);
                if let Some((_, truth)) = back {
                    self.truth.entry(place).or_insert_with(|| truth.clone());
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

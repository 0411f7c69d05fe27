//! A caller of the store that remembers everything it was promised, and checks it after every restart.

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

mod checks;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use super::model::{Call, ModelFs, Random};
use crate::Backlog;
use crate::error::StoreError;
use crate::types::{NewRecord, Options, Sync};

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
}

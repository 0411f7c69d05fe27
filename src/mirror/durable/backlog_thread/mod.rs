//! The thread of one mirror's backlog: keeps copies on disk, so that no worker ever waits for one.
//!
//! Enters: copies from the workers, and from the delivery thread what became of them ([`ToBacklog`]). Leaves: the
//! same copies in the same order, appended or not ([`ToDelivery`]). Whatever the disk does costs copies their safety
//! at most: those that it refuses go on in memory, and are appended again as long as they are unfinished. Only while
//! another process has the backlog does everything wait: order spans what that process leaves.

mod append;
mod inbox;
mod kept;
mod opening;
mod store;
#[cfg(test)]
mod tests;
mod trouble;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use config::model;
use tokio::sync::mpsc::UnboundedSender;

use super::in_flight::InFlight;
use super::message::{Found, Recovered, ToBacklog, ToDelivery, Why};
use crate::stats::backlog::BacklogStats;
use crate::stats::mirror::even_unix_ms;
use inbox::Inbox;
use kept::{Copies, Piece};
use opening::{Closed, Opening};
use store::{Shared, Store};
use trouble::Trouble;

/// What a backlog thread is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The mirror's name.
    pub(crate) mirror: String,
    pub(crate) settings: model::Backlog,
    /// The workers take places from this one on.
    pub(crate) first_place: u64,
    pub(crate) inbox: Receiver<ToBacklog>,
    pub(crate) delivery: UnboundedSender<ToDelivery>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) stats: Arc<BacklogStats>,
    pub(crate) pace: Pace,
    /// Opens the backlog only when [`ToBacklog::Free`] comes: another process has it, and yet another may want it too.
    pub(crate) waits: bool,
}

/// Longer than any process runs.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How often things are done that no message asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Expiry, checkpoint, appending again, metrics.
    pub(crate) tick: Duration,
    /// Opening, while another process has the backlog.
    pub(crate) locked: Duration,
    /// Opening, while the disk says no.
    pub(crate) unusable: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self { tick: second, locked: second, unusable: 10 * second }
    }
}

/// Starts the thread. It ends with [`ToBacklog::Close`], or when nobody is left who could send a message.
pub(crate) fn spawn(parts: Parts) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("backlog".to_owned()).spawn(move || {
        // At the workers' priority: it computes little, and what it does not write in time is not safe.
        Thread::new(parts).run();
    })
}

struct Thread {
    settings: model::Backlog,
    pace: Pace,
    inbox: Inbox,
    shared: Shared,
    opening: Opening,
    state: State,
    first_place: u64,
    /// What is added to the workers' places.
    shift: u64,
    /// Copies were handed on before the backlog was open.
    handed_on_without: bool,
    tick_due: Instant,
}

enum State {
    Open(Box<Store>),
    /// Opening is tried again at this moment.
    Closed(Closed, Instant),
}

impl Thread {
    fn new(parts: Parts) -> Self {
        let Parts { mirror, settings, first_place, inbox, delivery, in_flight, stats, pace, waits } = parts;
        let (trouble, again) = (Trouble::default(), Copies::default());
        Self {
            settings,
            pace,
            inbox: Inbox::new(inbox),
            shared: Shared { mirror, delivery, in_flight, stats, trouble, again },
            opening: Opening::default(),
            state: State::Closed(
                Closed::Locked,
                Instant::now() + if waits { FOREVER } else { Duration::ZERO },
            ),
            first_place,
            shift: 0,
            handed_on_without: false,
            tick_due: Instant::now(),
        }
    }

    fn run(mut self) {
        loop {
            if let State::Closed(why, due) = self.state {
                if Instant::now() >= due || self.inbox.take_free() {
                    self.open();
                    continue;
                }
                if why == Closed::Locked {
                    let goes_on = self.inbox.hold(due);
                    self.inbox.free_answers();
                    if goes_on {
                        continue;
                    }
                    // The last chance of those that waited: the other process may have ended meanwhile.
                    self.open();
                }
            }
            let batch = self.inbox.take(self.due());
            if self.act(batch) {
                return self.close();
            }
            self.look_after();
        }
    }

    fn open(&mut self) {
        let taken_from = self.handed_on_without.then_some(self.first_place);
        match self.opening.try_open(&self.shared.mirror, &self.settings, taken_from) {
            Ok((backlog, recovery)) => {
                // The clock went back since those in the backlog got their places.
                self.shift = recovery.next_place.saturating_sub(self.first_place);
                self.shared.stats.open.set(1);
                self.shared.stats.damaged_records.add(opening::damaged(&recovery));
                let recovered = Recovered { copies: recovery.records, end: recovery.next_place };
                self.shared.tell(ToDelivery::Recovered(recovered));
                let mut store = Box::new(Store::new(backlog, self.settings.sync));
                store.append_again(&mut self.shared);
                store.show(&self.shared);
                self.state = State::Open(store);
            }
            Err(why) => {
                let pace = if why == Closed::Locked { self.pace.locked } else { self.pace.unusable };
                self.state = State::Closed(why, Instant::now() + pace);
            }
        }
    }

    /// When something is to be done although no message comes.
    fn due(&self) -> Instant {
        match &self.state {
            State::Open(store) => store.sync_due().map_or(self.tick_due, |sync| sync.min(self.tick_due)),
            State::Closed(_, due) => *due,
        }
    }

    /// Appends a batch's copies with one call, then does message by message what each asks for. Returns whether the
    /// thread is to end.
    fn act(&mut self, mut batch: Vec<ToBacklog>) -> bool {
        for message in &mut batch {
            match message {
                ToBacklog::Copy(copy) => copy.place = copy.place.saturating_add(self.shift),
                ToBacklog::Trail(place) => *place = place.saturating_add(self.shift),
                _ => {}
            }
        }
        let refused = self.append(&mut batch);
        for message in batch {
            match message {
                ToBacklog::Copy(copy) => {
                    let saved = !refused.contains(&copy.place);
                    // What is safe need not fill the memory that newcomers need, should delivery be behind.
                    if saved && copy.held.is_short() {
                        self.shared.tell(ToDelivery::OnDisk { tenant: copy.tenant, place: copy.place });
                    } else {
                        self.shared.tell(ToDelivery::Copy(copy, saved));
                    }
                }
                ToBacklog::Trail(place) => self.shared.tell(ToDelivery::Trail(place)),
                ToBacklog::Done(places) => self.done(places),
                ToBacklog::Read(places, bytes_max) => {
                    let found = match &mut self.state {
                        State::Open(store) => store.read(&places, bytes_max),
                        State::Closed(..) => Found { unreadable: places, ..Found::default() },
                    };
                    self.shared.tell(ToDelivery::Read(found));
                }
                ToBacklog::ReadFrom(place, bytes_max) => {
                    let found = match &mut self.state {
                        State::Open(store) => store.read_from(place, bytes_max),
                        State::Closed(..) => Found::default(),
                    };
                    self.shared.tell(ToDelivery::Read(found));
                }
                ToBacklog::Skip => self.skip(),
                ToBacklog::Free => {}
                ToBacklog::Close => return true,
            }
        }
        false
    }

    /// Returns the places that are not in the backlog, and tells the workers of the others that they are.
    fn append(&mut self, batch: &mut [ToBacklog]) -> HashSet<u64> {
        let copies = |message: &ToBacklog| match message {
            ToBacklog::Copy(copy) => Some(Piece::of(copy)),
            _ => None,
        };
        let mut pieces: Vec<Piece> = batch.iter().filter_map(copies).collect();
        if pieces.is_empty() {
            return HashSet::new();
        }
        pieces.sort_unstable_by_key(|piece| piece.place);
        let refused = if let State::Open(store) = &mut self.state {
            store.append(&pieces, &mut self.shared)
        } else {
            self.handed_on_without = true;
            pieces.iter().for_each(|piece| self.shared.again.insert(piece));
            pieces.iter().map(|piece| piece.place).collect()
        };
        for message in batch {
            let ToBacklog::Copy(copy) = message else { continue };
            let safe = !refused.contains(&copy.place) && !self.shared.again.contains(copy.place);
            // Dropping it tells a worker that waiting is of no use.
            if let Some(saved) = copy.saved.take().filter(|_| safe) {
                let _ = saved.send(());
            }
        }
        refused
    }

    fn done(&mut self, mut places: Vec<u64>) {
        places.iter().for_each(|place| self.shared.again.remove(*place));
        if let State::Open(store) = &mut self.state {
            store.acknowledge(&mut places);
        }
        self.shared.tell(ToDelivery::Forgotten(places));
    }

    fn skip(&mut self) {
        let in_flight = self.shared.in_flight.places();
        let refused = self.shared.again.let_go(|place| !in_flight.contains(&place));
        match &mut self.state {
            State::Open(store) => store.skip(&in_flight, refused, &mut self.shared),
            State::Closed(..) => self.shared.tell(ToDelivery::Expired(refused, Why::Skipped)),
        }
    }

    /// What is to be done now and then.
    fn look_after(&mut self) {
        let now = Instant::now();
        let tick = now >= self.tick_due;
        if tick {
            self.tick_due = now + self.pace.tick;
            self.shared.again.prune();
            self.shared.stats.to_append_again.set(self.shared.again.len() as u64);
        }
        let State::Open(store) = &mut self.state else { return };
        if store.sync_due().is_some_and(|due| now >= due) {
            store.sync(&mut self.shared);
        }
        if tick {
            store.append_again(&mut self.shared);
            store.expire(even_unix_ms(), 0, &mut self.shared);
            store.checkpoint(&mut self.shared);
            store.show(&self.shared);
            if self.shared.again.is_empty() {
                self.shared.trouble.look(&self.shared.mirror);
            }
        }
    }

    fn close(mut self) {
        if let State::Open(store) = self.state {
            store.close(&mut self.shared);
        }
        self.shared.stats.open.set(0);
    }
}

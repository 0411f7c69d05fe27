//! The board against a naive model over random histories: after every step both offer the same copies.
//!
//! The model writes the rules down as they are meant and computes everything anew each time. Equality with it is
//! safety (nothing is offered that must wait) and maximal concurrency (nothing waits that need not); that something
//! can always go is checked on its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

use super::Holds::*;
use super::Set::*;
use super::*;

#[derive(Debug)]
struct Entry {
    arrived_ms: u64,
    /// When it arrived and since when it trails, in steps of the history.
    arrival: usize,
    trails: Option<usize>,
    holds: Holds,
    in_flight: bool,
}

#[derive(Debug, Default)]
struct Model {
    entries: BTreeMap<Place, Entry>,
    newest_ms: u64,
}

impl Model {
    fn waits_for(later: &Entry, earlier: &Entry) -> bool {
        let trailed = earlier.trails.is_some_and(|trails| trails < later.arrival);
        match (&earlier.holds, &later.holds) {
            (Known(Nothing), _) | (_, Known(Nothing)) => false,
            (Unknown | Known(Everything), _) | (_, Unknown | Known(Everything)) => trailed,
            (Known(Series(a)), Known(Series(b))) => a.iter().any(|fingerprint| b.contains(fingerprint)),
            (Sender(a), Sender(b)) => a == b && trailed,
            (Known(Series(_)), Sender(_)) | (Sender(_), Known(Series(_))) => false,
        }
    }

    /// Waiting copies that wait for no other, whatever the spread.
    fn free(&self) -> Vec<Place> {
        let waiting = self.entries.iter().filter(|(_, entry)| !entry.in_flight);
        let free = waiting.filter(|(place, entry)| {
            !self.entries.range(..*place).any(|(_, earlier)| Self::waits_for(entry, earlier))
        });
        free.map(|(&place, _)| place).collect()
    }

    /// What may be sent now.
    fn allowed(&self) -> Vec<Place> {
        let oldest_ms = self.entries.values().map(|entry| entry.arrived_ms).min().unwrap_or(0);
        let mut allowed = self.free();
        allowed.retain(|place| self.entries[place].arrived_ms <= oldest_ms + BOUNDS.max_spread_ms);
        allowed
    }

    fn fingerprints(&self) -> usize {
        let len = |entry: &Entry| if let Known(Series(set)) = &entry.holds { set.len() } else { 0 };
        self.entries.values().map(len).sum()
    }

    /// What a copy holds once it is on the board.
    fn regular(&self, holds: Holds) -> Holds {
        let Known(Series(set)) = holds else { return holds };
        let mut set = set.into_vec();
        set.sort_unstable();
        set.dedup();
        Known(match set.len() {
            0 => Nothing,
            len if self.fingerprints() + len > BOUNDS.max_fingerprints => Everything,
            _ => Series(set.into()),
        })
    }

    fn unread(&self) -> Vec<Place> {
        let unread = self.entries.iter().filter(|(_, entry)| entry.holds == Unknown);
        unread.map(|(&place, _)| place).collect()
    }

    fn pick(&self, index: Index) -> Option<Place> {
        (!self.entries.is_empty()).then(|| *index.get(&self.entries.keys().collect::<Vec<_>>()).to_owned())
    }
}

const BOUNDS: Bounds = Bounds { max_spread_ms: 100, max_fingerprints: 40 };

#[derive(Debug, Clone)]
enum Step {
    Enter { gap: u64, later_ms: u64, holds: Holds, in_flight: bool },
    Trail(Index),
    Learn(Index, Set),
    LearnFirst(Set),
    Ready(usize),
    Finish(Index),
    FinishSent(Index),
    Retry(Index),
}

fn set() -> impl Strategy<Value = Set> {
    prop_oneof![
        1 => Just(Everything),
        1 => Just(Nothing),
        6 => prop::collection::vec(0..12_u64, 0..6).prop_map(|set| Series(set.into())),
    ]
}

fn holds() -> impl Strategy<Value = Holds> {
    prop_oneof![3 => Just(Unknown), 4 => set().prop_map(Known), 2 => (0..3_u64).prop_map(Sender)]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    let enter = (1..3_u64, prop_oneof![9 => 0..20_u64, 1 => 80..200_u64], holds(), prop::bool::weighted(0.1))
        .prop_map(|(gap, later_ms, holds, in_flight)| Step::Enter { gap, later_ms, holds, in_flight });
    prop_oneof![
        8 => enter,
        6 => index().prop_map(Step::Trail),
        2 => (index(), set()).prop_map(|(index, set)| Step::Learn(index, set)),
        4 => set().prop_map(Step::LearnFirst),
        5 => (0..4_usize).prop_map(Step::Ready),
        1 => index().prop_map(Step::Finish),
        5 => index().prop_map(Step::FinishSent),
        2 => index().prop_map(Step::Retry),
    ]
}

/// Both sides of the comparison.
struct Pair {
    board: Board,
    model: Model,
    now: usize,
    place: u64,
    ms: u64,
}

impl Pair {
    fn apply(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Enter { gap, later_ms, holds, in_flight } => self.enter(gap, later_ms, holds, in_flight),
            Step::Trail(index) => self.trail(index),
            Step::Learn(index, set) => {
                let place = self.model.pick(index);
                self.learn(place, set);
            }
            Step::LearnFirst(set) => {
                let place = self.board.unread().next();
                self.learn(place, set);
            }
            Step::Ready(most) => {
                (0..most).all(|_| self.start().is_some());
            }
            Step::Finish(index) => {
                let place = self.model.pick(index);
                self.finish(place);
            }
            Step::FinishSent(index) => {
                let place = self.pick_sent(index);
                self.finish(place);
            }
            Step::Retry(index) => self.retry(index),
        }
        self.compare();
    }

    fn enter(&mut self, gap: u64, later_ms: u64, holds: Holds, in_flight: bool) {
        self.place += gap;
        // Clocks of workers differ a little: every tenth copy seems to arrive before its predecessor.
        self.ms += later_ms;
        let arrived_ms = if self.place.is_multiple_of(10) { self.ms.saturating_sub(30) } else { self.ms };
        let place = Place(self.place);
        let entered = match in_flight {
            true => self.board.enter_in_flight(place, arrived_ms, holds.clone()),
            false => self.board.enter(place, arrived_ms, holds.clone()),
        };
        assert!(entered);
        assert!(!self.board.enter(place, arrived_ms, Unknown), "the same place twice");
        let holds = self.model.regular(holds);
        self.model.newest_ms = self.model.newest_ms.max(arrived_ms);
        let arrived_ms = self.model.newest_ms;
        let entry = Entry { arrived_ms, arrival: self.now, trails: None, holds, in_flight };
        self.model.entries.insert(place, entry);
    }

    fn trail(&mut self, index: Index) {
        let Some(place) = self.model.pick(index) else { return };
        let entry = self.model.entries.get_mut(&place).unwrap();
        assert_eq!(self.board.trail(place), entry.trails.is_none());
        entry.trails.get_or_insert(self.now);
    }

    fn learn(&mut self, place: Option<Place>, set: Set) {
        let Some(place) = place else { return };
        let learnt = self.board.learn(place, set.clone());
        assert_eq!(learnt, self.model.entries[&place].holds == Unknown);
        if learnt {
            let holds = self.model.regular(Known(set));
            self.model.entries.get_mut(&place).unwrap().holds = holds;
        }
    }

    fn start(&mut self) -> Option<Place> {
        let offered = self.board.ready();
        assert_eq!(offered, self.model.allowed().first().copied());
        self.model.entries.get_mut(&offered?).unwrap().in_flight = true;
        offered
    }

    fn finish(&mut self, place: Option<Place>) {
        let Some(place) = place else { return };
        assert!(self.board.finish(place));
        assert!(!self.board.finish(place), "finished twice");
        self.model.entries.remove(&place);
        if self.model.entries.is_empty() {
            self.model.newest_ms = 0;
        }
    }

    fn retry(&mut self, index: Index) {
        let Some(place) = self.model.pick(index) else { return };
        let entry = self.model.entries.get_mut(&place).unwrap();
        assert_eq!(self.board.retry(place), entry.in_flight);
        entry.in_flight = false;
    }

    fn pick_sent(&self, index: Index) -> Option<Place> {
        let sent = self.model.entries.iter().filter(|(_, entry)| entry.in_flight);
        let sent: Vec<_> = sent.map(|(&place, _)| place).collect();
        (!sent.is_empty()).then(|| *index.get(&sent))
    }

    fn compare(&self) {
        let entries = &self.model.entries;
        let counts = self.board.counts();
        let in_flight = entries.values().filter(|entry| entry.in_flight).count();
        assert_eq!(counts.copies, entries.len());
        assert_eq!(counts.in_flight, in_flight);
        assert_eq!(counts.free, self.model.free().len());
        assert_eq!(counts.fingerprints, self.model.fingerprints());
        assert!(counts.fingerprints <= BOUNDS.max_fingerprints);
        assert_eq!(self.board.unread().collect::<Vec<_>>(), self.model.unread());
        assert_eq!(
            self.board.oldest(),
            entries.iter().next().map(|(&place, entry)| (place, entry.arrived_ms))
        );
        assert_eq!(self.board.is_empty(), entries.is_empty());
        assert_eq!(counts.in_flight == 0 && self.model.allowed().is_empty(), entries.is_empty(), "locked up");
    }

    /// Sends and finishes until nothing is left.
    fn run_dry(&mut self) {
        for _ in 0..=self.model.entries.len() {
            while self.start().is_some() {}
            self.compare();
            while let Some(place) =
                self.model.entries.keys().copied().find(|p| self.model.entries[p].in_flight)
            {
                self.finish(Some(place));
            }
        }
        assert!(self.board.is_empty(), "copies wait for nothing");
        assert!(self.board.senders.is_empty() && self.board.any.is_empty() && self.board.barriers.is_empty());
        assert_eq!(self.board.lines.len(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        rng_seed: RngSeed::Fixed(0xc8),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn c8_the_board_offers_what_the_model_allows(history in prop::collection::vec(step(), 1..120)) {
        let mut pair = Pair { board: Board::new(BOUNDS), model: Model::default(), now: 0, place: 0, ms: 1000 };
        history.into_iter().for_each(|step| pair.apply(step));
        pair.run_dry();
    }
}

//! Random histories of everything that can happen to copies: no copy overtakes one that it must stand behind, each ends
//! exactly once, memory keeps its bound, and nothing is ever left behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::*;
use crate::limits;
use crate::mirror::durable::kept::Tally;
use crate::mirror::order::{Protocol, Wire};
use crate::paths::Kind;

const BYTES: u64 = 200;
const LARGEST: u64 = 40;
const TENANTS: u64 = 3;
const BOUNDS: Bounds = Bounds {
    bytes: BYTES,
    copies: 12,
    board: board::Bounds { max_spread_ms: u64::MAX, max_fingerprints: 1000 },
    ordered: true,
};

/// What is known of a copy from outside.
#[derive(Debug, Clone)]
struct Facts {
    tenant: u64,
    bytes: u64,
    set: Vec<u64>,
    arrived: usize,
    trailed: Option<usize>,
    recovered: bool,
    ended: bool,
}

struct World {
    random: Rng,
    window: Window,
    facts: BTreeMap<u64, Facts>,
    disk: BTreeMap<u64, ()>,
    asked: VecDeque<Want>,
    flying: Vec<Key>,
    resting: Vec<Key>,
    step: usize,
    now: Instant,
    /// Reads bring everything, and nothing is let go.
    calm: bool,
}

fn set(series: &[u64]) -> Set {
    if series.is_empty() { Set::Nothing } else { Set::Series(series.into()) }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: Rng::with_seed(seed),
            window: Window::new(BOUNDS),
            facts: BTreeMap::new(),
            disk: BTreeMap::new(),
            asked: VecDeque::new(),
            flying: Vec::new(),
            resting: Vec::new(),
            step: 0,
            now: Instant::now(),
            calm: false,
        };
        let copies = world.random.u64(0..20);
        for place in 0..copies {
            world.meet(place, true);
            world.disk.insert(place, ());
        }
        world.window.recovered(Recovered { copies, end: copies });
        world
    }

    fn meet(&mut self, place: u64, recovered: bool) -> Facts {
        let series = (0..6).filter(|_| self.random.u8(..) < 90).collect();
        let facts = Facts {
            tenant: self.random.u64(0..TENANTS),
            bytes: self.random.u64(1..=LARGEST),
            set: series,
            arrived: self.step,
            trailed: None,
            recovered,
            ended: false,
        };
        self.facts.insert(place, facts.clone());
        facts
    }

    fn kept(&self, place: u64, saved: bool) -> Kept {
        let wire = Wire { chunks: Vec::new(), body_chunks: 0, content_type: None, content_encoding: None };
        Kept {
            place,
            arrived: self.now,
            arrived_ms: self.step as u64,
            wire: Arc::new(wire),
            kind: Kind::Write,
            by: By::Series(Protocol::RemoteWrite),
            timeout: Duration::from_secs(1),
            bytes: self.facts[&place].bytes,
            saved,
            state: State::Waiting,
            attempts: 0,
            failures: 0,
            maybe_taken: false,
            waited: false,
            read: false,
            seen: Tally::default(),
            pair: None,
            sent: None,
        }
    }

    fn end(&mut self, place: u64) {
        self.disk.remove(&place);
        let facts = self.facts.get_mut(&place).unwrap();
        assert!(!std::mem::replace(&mut facts.ended, true), "{place} ends twice");
    }

    fn arrive(&mut self) {
        let place = self.facts.len() as u64 + 1000;
        let tenant = self.meet(place, false).tenant;
        let saved = self.random.u8(..) < 200;
        if saved {
            self.disk.insert(place, ());
        }
        if saved && self.random.u8(..) < 40 {
            self.window.arrive_on_disk(tenant, place);
            return;
        }
        let kept = self.kept(place, saved);
        if matches!(self.window.arrive(tenant, kept), Whereto::Refused(_)) {
            self.end(place);
        }
    }

    fn trail(&mut self) {
        let step = self.step;
        let open = self.facts.iter_mut().filter(|(_, facts)| facts.trailed.is_none() && !facts.recovered);
        let mut open: Vec<_> = open.collect();
        if open.is_empty() {
            return;
        }
        let at = self.random.usize(0..open.len());
        let (place, facts) = &mut open[at];
        facts.trailed = Some(step);
        self.window.trail(**place);
    }

    /// Whether the later copy has to wait for the earlier one.
    fn depends(later: &Facts, earlier: &Facts, (place, before): (u64, u64)) -> bool {
        let first = match (earlier.recovered, later.recovered) {
            (true, true) => before < place,
            (true, false) => true,
            (false, true) => false,
            (false, false) => earlier.trailed.is_some_and(|trailed| trailed < later.arrived),
        };
        first
            && !earlier.ended
            && earlier.tenant == later.tenant
            && earlier.set.iter().any(|series| later.set.contains(series))
    }

    fn start(&mut self) -> bool {
        let (random, calm) = (&mut self.random, self.calm);
        let Some(key) = self.window.start(|_| calm || random.u8(..) < 200) else {
            // A tenant that was refused is woken in time.
            (0..TENANTS).for_each(|tenant| self.window.take_turns(tenant));
            return false;
        };
        let place = self.window.get_mut(key).unwrap().place;
        let facts = &self.facts[&place];
        assert!(!facts.ended, "{place} goes after its end");
        for (&before, earlier) in &self.facts {
            assert!(
                before == place || !Self::depends(facts, earlier, (place, before)),
                "{place} overtakes {before}"
            );
        }
        self.flying.push(key);
        true
    }

    fn land(&mut self) {
        if self.flying.is_empty() {
            return;
        }
        let key = self.flying.swap_remove(self.random.usize(0..self.flying.len()));
        if !self.calm && self.random.bool() {
            self.window.rest(key);
            self.resting.push(key);
            return;
        }
        let place = self.window.finish(key).expect("it flies").place;
        self.end(place);
    }

    fn try_again(&mut self) {
        if let Some(key) = self.resting.pop().filter(|&key| self.window.get_mut(key).is_some()) {
            self.window.fly(key);
            self.flying.push(key);
        }
    }

    fn ask(&mut self) {
        if let Some(want) = self.window.want(self.now) {
            self.asked.push_back(want);
        }
    }

    /// One place of a read. Answers whether the read goes on.
    fn read(&mut self, place: u64, left: &mut u64, brought: &mut Brought) -> bool {
        let luck = if self.calm { 255 } else { self.random.u8(..) };
        if !self.disk.contains_key(&place) {
            brought.gone.push(place);
            return true;
        }
        match luck {
            0..10 => {
                self.disk.remove(&place);
                brought.damaged.push(place);
                return true;
            }
            10..20 => {
                brought.unreadable.push(place);
                return true;
            }
            _ => {}
        }
        let facts = self.facts[&place].clone();
        if facts.bytes > *left && !brought.back.is_empty() {
            return false;
        }
        *left = left.saturating_sub(facts.bytes);
        let kept = self.kept(place, true);
        brought.back.push(Back { tenant: facts.tenant, kept, set: set(&facts.set) });
        true
    }

    fn answer(&mut self) {
        let Some(want) = self.asked.pop_front() else { return };
        let mut brought = Brought::default();
        let given_up = match want {
            Want::Places(tenant, places, mut left) => {
                for place in places {
                    if !self.read(place, &mut left, &mut brought) {
                        break;
                    }
                }
                self.window.brought(tenant, brought, self.now)
            }
            Want::From(from, mut left) => {
                let places: Vec<u64> = self.disk.range(from..).map(|(&place, ())| place).collect();
                for place in places {
                    if !self.read(place, &mut left, &mut brought) {
                        brought.next = Some(place);
                        break;
                    }
                }
                self.window.brought_recovery(brought, self.now)
            }
        };
        given_up.into_iter().for_each(|place| self.end(place));
    }

    fn expire(&mut self) {
        let places: Vec<u64> = self.disk.keys().copied().collect();
        if places.is_empty() {
            return;
        }
        let place = places[self.random.usize(0..places.len())];
        self.disk.remove(&place);
        match self.window.expire(place) {
            None => {}
            Some(Some(key)) => {
                self.window.finish(key).expect("it is in memory");
                self.end(place);
            }
            Some(None) => self.end(place),
        }
    }

    fn save(&mut self) {
        let unsaved = |(place, facts): (&u64, &Facts)| {
            (!facts.ended && !self.disk.contains_key(place)).then_some(*place)
        };
        let unsaved: Vec<u64> = self.facts.iter().filter_map(unsaved).collect();
        for &place in &unsaved {
            self.disk.insert(place, ());
        }
        self.window.saved(&unsaved);
    }

    fn give_up_unsaved(&mut self) {
        let (keys, aside) = self.window.unsaved(|_| true);
        for key in keys {
            let place = self.window.finish(key).expect("it is in memory").place;
            self.end(place);
        }
        aside.into_iter().for_each(|kept| self.end(kept.place));
    }

    fn learn(&mut self) {
        self.window.look(self.now);
        for _ in 0..self.random.usize(0..4) {
            let Some((key, ..)) = self.window.unread() else { return };
            let place = self.window.get_mut(key).unwrap().place;
            let set = set(&self.facts[&place].set);
            self.window.learn(key, set);
        }
    }

    fn act(&mut self) {
        self.step += 1;
        self.now += Duration::from_secs(2);
        match self.random.u8(0..100) {
            0..22 => self.arrive(),
            22..36 => self.trail(),
            36..56 => drop(self.start()),
            56..70 => self.land(),
            70..76 => self.try_again(),
            76..84 => self.ask(),
            84..90 => self.answer(),
            90..93 => self.expire(),
            93..95 => self.save(),
            95 => self.give_up_unsaved(),
            _ => self.learn(),
        }
        self.window.mark_waiting();
        let overshoot = (limits::BACKLOG_READS as u64 + 1) * LARGEST;
        assert!(self.window.bytes <= BYTES * 9 / 8 + overshoot, "{} bytes", self.window.bytes);
    }

    /// All that is unfinished ends, and nothing is left.
    fn come_to_rest(&mut self) {
        self.calm = true;
        for _ in 0..3000 {
            self.now += Duration::from_secs(2);
            self.trail();
            self.learn();
            self.ask();
            self.answer();
            self.try_again();
            while self.start() {}
            self.land();
        }
        let left: Vec<_> = self.facts.iter().filter(|(_, facts)| !facts.ended).collect();
        assert!(left.is_empty(), "left behind: {left:?}\n{:?}", self.window);
        assert!(self.window.is_empty(), "{:?}", self.window);
        assert_eq!((self.window.bytes, self.window.copies, self.window.flying), (0, 0, 0));
        assert!(self.window.known.is_empty() && self.window.ended.is_empty());
    }
}

#[test]
fn c9_each_copy_ends_once_in_order_and_nothing_is_left_behind() {
    for seed in 0..400 {
        let mut world = World::new(seed);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..400).for_each(|_| world.act());
            world.come_to_rest();
        }));
        assert!(result.is_ok(), "seed {seed}");
    }
}

//! The board under simulated senders: what counts is the order in which a mirror sees the samples of a series.
//!
//! Each sender keeps the specification's order: one request in progress, the next after the answer or a time-out,
//! upon which it repeats the request. The truth about series is the simulation's; the board learns it late, in part
//! or never. Beside the order of the copies it is checked that everything arrives.

use super::*;

const SENDERS: usize = 6;
const BATCHES: u64 = 40;

/// How a sender's bodies can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Readable,
    Unreadable,
    BySender,
}

#[derive(Debug)]
struct Sender {
    body: Body,
    /// Batches answered.
    answered: u64,
    /// The request in progress.
    open: Option<Place>,
}

#[derive(Debug)]
struct Sent {
    sender: usize,
    batch: u64,
    started: bool,
    trails: bool,
}

struct World {
    random: fastrand::Rng,
    board: Board,
    senders: Vec<Sender>,
    unfinished: BTreeMap<Place, Sent>,
    /// By sender: batches that the mirror has finished.
    delivered: Vec<BTreeSet<u64>>,
    place: u64,
    /// Copies that were started while an earlier one was in flight.
    concurrent: usize,
    direct: usize,
}

impl World {
    fn new(seed: u64, bodies: &[Body]) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let sender = |_| Sender { body: bodies[random.usize(..bodies.len())], answered: 0, open: None };
        let senders = (0..SENDERS).map(sender).collect();
        Self {
            random,
            board: Board::new(Bounds { max_spread_ms: 1000, max_fingerprints: 100 }),
            senders,
            unfinished: BTreeMap::new(),
            delivered: vec![BTreeSet::new(); SENDERS],
            place: 0,
            concurrent: 0,
            direct: 0,
        }
    }

    /// Series of one sender's batch: two of its own four, so that batches share some, all or none.
    fn series(sender: usize, batch: u64) -> Box<[u64]> {
        let own = sender as u64 * 10;
        Box::new([own + batch % 4, own + (batch / 2) % 4])
    }

    fn request(&mut self, sender: usize) {
        self.place += 1;
        let place = Place(self.place);
        let batch = self.senders[sender].answered;
        let trailing = self.unfinished.values().any(|sent| sent.trails);
        let direct = !trailing && self.board.counts().in_flight == self.unfinished.len();
        let by_sender = self.senders[sender].body == Body::BySender;
        let holds = if by_sender { Holds::Sender(sender as u64) } else { Holds::Unknown };
        let entered = match direct {
            true => self.board.enter_in_flight(place, self.place, holds),
            false => self.board.enter(place, self.place, holds),
        };
        assert!(entered);
        self.unfinished.insert(place, Sent { sender, batch, started: false, trails: false });
        if direct {
            self.direct += 1;
            self.start(place);
        }
        self.senders[sender].open = Some(place);
    }

    /// The answer of the primary, or the client's time-out, after which it sends the batch again.
    fn end_exchange(&mut self, sender: usize, answered: bool) {
        let Some(place) = self.senders[sender].open.take() else { return };
        self.board.trail(place);
        if let Some(sent) = self.unfinished.get_mut(&place) {
            sent.trails = true;
        }
        self.senders[sender].answered += u64::from(answered);
    }

    fn learn(&mut self) {
        let unread: Vec<Place> = self.board.unread().collect();
        let Some(&place) = self.random.choice(&unread) else { return };
        let Sent { sender, batch, .. } = self.unfinished[&place];
        let set = match self.senders[sender].body {
            Body::Readable => Set::Series(Self::series(sender, batch)),
            Body::Unreadable | Body::BySender => Set::Everything,
        };
        assert!(self.board.learn(place, set));
    }

    /// The heart: whatever earlier request held one of these series must be done with.
    fn start(&mut self, place: Place) {
        let Sent { sender, batch, .. } = self.unfinished[&place];
        let series = Self::series(sender, batch);
        for (earlier, sent) in self.unfinished.range(..place) {
            let shared = Self::series(sent.sender, sent.batch).iter().any(|one| series.contains(one));
            assert!(!shared, "{place:?} of sender {sender} overtook {earlier:?}");
        }
        self.concurrent += usize::from(self.unfinished.values().any(|sent| sent.started));
        self.unfinished.get_mut(&place).unwrap().started = true;
    }

    fn mirror_answers(&mut self) {
        let started = self.unfinished.iter().filter(|(_, sent)| sent.started);
        let started: Vec<Place> = started.map(|(&place, _)| place).collect();
        let Some(&place) = self.random.choice(&started) else { return };
        if self.random.u8(..4) == 0 {
            assert!(self.board.retry(place));
            self.unfinished.get_mut(&place).unwrap().started = false;
        } else {
            assert!(self.board.finish(place));
            let sent = self.unfinished.remove(&place).unwrap();
            self.delivered[sent.sender].insert(sent.batch);
        }
    }

    fn step(&mut self) {
        let sender = self.random.usize(..SENDERS);
        let Sender { open, answered, .. } = self.senders[sender];
        match self.random.u8(..12) {
            0..4 if open.is_none() && answered < BATCHES => self.request(sender),
            0..5 => self.end_exchange(sender, true),
            5 => self.end_exchange(sender, false),
            6 | 7 => self.learn(),
            8 | 9 => {
                if let Some(place) = self.board.ready() {
                    self.start(place);
                }
            }
            _ => self.mirror_answers(),
        }
    }

    fn done(&self) -> bool {
        self.unfinished.is_empty() && self.senders.iter().all(|sender| sender.answered == BATCHES)
    }

    fn run(mut self) -> Self {
        for _ in 0..100_000 {
            if self.done() {
                break;
            }
            self.step();
        }
        assert!(self.done() && self.board.is_empty(), "stuck with {:?}", self.board.counts());
        assert!(self.delivered.iter().all(|batches| batches.len() as u64 == BATCHES));
        self
    }
}

#[test]
fn c8_senders_that_keep_the_order_see_it_kept_at_the_mirror() {
    for seed in 0..300 {
        let world =
            World::new(seed, &[Body::Readable, Body::Readable, Body::BySender, Body::Unreadable]).run();
        assert!(world.concurrent > 0 && world.direct > 0, "seed {seed}: nothing went side by side");
    }
}

#[test]
fn c8_order_holds_where_no_body_can_be_read() {
    for seed in 0..100 {
        World::new(seed, &[Body::Unreadable]).run();
    }
}

//! Reading with a mirror behind it: real cells, real bodies, and a mirror that takes copies, loses them or hangs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use remote_write::fingerprint::{Scratch, Seed};
use remote_write::{Label, Sample, TimeSeries, WriteRequest, encode};
use tokio::sync::mpsc;

use super::super::board::Place;
use super::super::cell::{Cells, Way};
use super::super::ticket::{Handle, Held, Ticket};
use super::super::{By, Entry, Key, Protocol, Wire};
use super::*;

/// Keeps the copies.
const HOLDER: usize = 0;
/// A worker that has no copies: permits for others' go through channels.
const OTHER: usize = 1;
const AHEAD: usize = limits::ORDER_READ_AHEAD;

struct Copy {
    held: Held,
    sender: usize,
    /// When it came, and then when it was let go.
    since_ms: u64,
    /// The queue does not keep it alive.
    _wire: Arc<Wire>,
}

struct World {
    cells: Rc<Handle>,
    events: mpsc::Receiver<Event>,
    permits: mpsc::Receiver<Permit>,
    queues: Queues,
    reader: Reader,
    now_ms: u64,
    /// By cell and place.
    waiting: BTreeMap<(u32, Place), Copy>,
    /// Let go, first gone first.
    flying: VecDeque<Copy>,
    /// Bodies read.
    read: usize,
}

/// A write of one sample of this sender's only series.
fn wire(sender: usize) -> Arc<Wire> {
    let labels = vec![Label { name: "__name__".to_owned(), value: format!("of_{sender}") }];
    let samples = vec![Sample { value: 1.0, timestamp: 1 }];
    let series = TimeSeries { labels, samples, ..TimeSeries::default() };
    let request = WriteRequest { timeseries: vec![series], ..WriteRequest::default() };
    Arc::new(Wire {
        chunks: vec![Bytes::new(), encode(&request).into()],
        body_chunks: 1,
        content_type: Some(HeaderValue::from_static("application/x-protobuf")),
        content_encoding: Some(HeaderValue::from_static("snappy")),
    })
}

impl World {
    fn new() -> Self {
        let (event, events) = mpsc::channel(limits::ORDER_EVENTS);
        let (permit, permits) = mpsc::channel(limits::ORDER_PERMITS);
        Self {
            cells: Rc::new(Handle::new(Cells::new(0, event, vec![permit]), OTHER)),
            events,
            permits,
            queues: Queues::default(),
            reader: Reader::new(Scratch::new(Seed::random(), limits::ORDER_UNCOMPRESSED)),
            now_ms: 0,
            waiting: BTreeMap::new(),
            flying: VecDeque::new(),
            read: 0,
        }
    }

    /// A write of this sender, which the primary answers at once.
    fn write_of(&mut self, tenant: u64, sender: usize) {
        let (key, wire) = (self.cells.key(tenant), wire(sender));
        let entry = |place| Entry {
            place,
            arrived_ms: self.now_ms,
            worker: HOLDER,
            by: By::Series(Protocol::RemoteWrite),
            wire: Arc::downgrade(&wire),
        };
        let (ticket, way) = Ticket::take(&self.cells, key, self.cells.begin(key), entry);
        ticket.trail();
        let place = ticket.place();
        let copy = Copy { held: Held(ticket), sender, since_ms: self.now_ms, _wire: wire };
        match way {
            Way::Direct => self.flying.push_back(copy),
            Way::Queued => assert!(self.waiting.insert((key.cell, place), copy).is_none()),
        }
    }

    fn write(&mut self, sender: usize) {
        self.write_of(1, sender);
    }

    /// Time passes, and the order thread does what there is to do.
    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let keys: BTreeSet<u32> = self.waiting.keys().map(|&(cell, _)| cell).collect();
        keys.into_iter().for_each(|cell| self.cells.look(Key { mirror: 0, cell }, self.now_ms));
        loop {
            std::iter::from_fn(|| self.events.try_recv().ok()).for_each(|event| self.queues.take(event));
            let before = self.queues.ahead;
            let more_to_read = self.queues.read(&mut self.reader);
            assert_eq!(more_to_read, self.queues.ahead > before, "it would turn for nothing");
            self.read += self.queues.ahead - before;
            let cells = &self.cells;
            self.queues.permits(|worker, permit| cells.permit(worker, permit));
            self.let_go();
            if !more_to_read {
                return;
            }
        }
    }

    fn let_go(&mut self) {
        for permit in std::iter::from_fn(|| self.permits.try_recv().ok()) {
            let at = (permit.key.cell, permit.place);
            let Some(copy) = self.waiting.remove(&at) else { continue };
            let earlier = self.waiting.range(..at).map(|(_, earlier)| earlier).chain(&self.flying);
            let same = |earlier: &&Copy| {
                earlier.held.0.key() == permit.key
                    && earlier.held.0.place() < permit.place
                    && earlier.sender == copy.sender
            };
            assert_eq!(earlier.filter(same).count(), 0, "it overtook one of its series");
            self.flying.push_back(Copy { since_ms: self.now_ms, ..copy });
        }
    }

    /// The first copies on their way have their outcome.
    fn end(&mut self, copies: usize, taken: bool) {
        for copy in self.flying.drain(..copies.min(self.flying.len())) {
            if taken {
                copy.held.taken();
            }
        }
    }

    /// The oldest that wait are too old.
    fn expire(&mut self, copies: usize) {
        for _ in 0..copies {
            self.waiting.pop_first();
        }
    }

    /// A mirror that hangs, and as many copies of as many senders. Each waits for long.
    fn hanging(copies: usize, sender: impl Fn(usize) -> usize) -> Self {
        let mut world = Self::new();
        for copy in 0..copies {
            world.write(sender(copy));
            world.pass(10);
        }
        world
    }
}

#[test]
fn c2_a_mirror_that_hangs_has_so_many_bodies_read_and_no_more_whatever_becomes_of_the_copies() {
    let mut world = World::hanging(4 * AHEAD, |copy| copy % 50);
    assert_eq!(world.read, AHEAD);
    assert_eq!(world.flying.len(), 50, "one of each sender");
    for copy in 0..4 * AHEAD {
        world.expire(1);
        if copy % 100 == 0 {
            world.end(1, false);
        }
        world.write(copy % 50);
        world.pass(10);
    }
    // The cell has nothing left to wait for, and begins anew.
    world.expire(5 * AHEAD);
    world.end(100, false);
    for copy in 0..100 {
        world.write(copy);
        world.pass(10);
    }
    assert_eq!(world.read, AHEAD, "copies that no mirror took had more read");
}

#[test]
fn c8_a_distant_mirror_gets_all_the_concurrency_there_is() {
    for distance_ms in [20, 80, 200] {
        let mut world = World::new();
        for copy in 0..10 * AHEAD {
            let over = |copy: &&Copy| copy.since_ms + distance_ms <= world.now_ms;
            // One that loses most of them is as well off.
            world.end(world.flying.iter().take_while(over).count(), copy % 10 == 0);
            world.write(copy % (2 * AHEAD));
            world.pass(1);
            let waits_ms = world.waiting.first_key_value().map(|(_, oldest)| world.now_ms - oldest.since_ms);
            assert!(waits_ms <= Some(26), "{waits_ms:?} ms at a distance of {distance_ms}");
        }
        assert!(distance_ms < 80 || world.read > 9 * AHEAD, "{}", world.read);
    }
}

#[test]
fn c8_reading_catches_up_when_the_mirror_takes_copies_again() {
    const SENDERS: usize = 50;
    const EACH: usize = 40;
    let mut world = World::hanging(EACH * SENDERS, |copy| copy % SENDERS);
    assert_eq!(world.read, AHEAD);
    for _ in 0..EACH {
        assert_eq!(world.flying.len(), SENDERS, "a sender waits for another");
        world.end(SENDERS, true);
        world.pass(10);
    }
    assert!(world.flying.is_empty() && world.waiting.is_empty());
}

/// One sender's batches follow each other as fast as the primary answers. Its copies go one by one; others' must not
/// wait for all of them.
#[test]
fn c8_a_sender_that_catches_up_does_not_hold_up_the_others() {
    const BATCHES: usize = 10 * AHEAD;
    let mut world = World::hanging(BATCHES + 50, |copy| copy.saturating_sub(BATCHES - 1));
    assert_eq!((world.read, world.flying.len()), (AHEAD, 1));
    for _ in 0..BATCHES / AHEAD {
        world.end(1, true);
        world.pass(10);
    }
    assert_eq!(world.flying.len(), 51);
}

#[test]
fn c8_where_nothing_more_is_read_copies_still_go_by_the_cells_own_rule() {
    let mut world = World::hanging(4 * AHEAD, |copy| copy);
    assert_eq!(world.read, AHEAD);
    assert_eq!((world.flying.len(), world.waiting.len()), (AHEAD, 3 * AHEAD));
    let let_go = world.flying.len();
    world.end(let_go, false);
    world.pass(10);
    assert_eq!(world.flying.len(), 1, "the oldest waits for none");
    while !world.flying.is_empty() {
        world.end(world.flying.len(), false);
        world.pass(10);
    }
    assert_eq!((world.waiting.len(), world.read), (0, AHEAD));
}

#[test]
fn c8_more_tenants_than_may_be_read_ahead_all_have_their_turn() {
    const TENANTS: usize = 2 * AHEAD;
    let mut world = World::new();
    // Two senders each: the second one's first copy waits until it is read.
    for (tenant, sender) in (0..2).flat_map(|sender| (0..TENANTS).map(move |tenant| (tenant, sender))) {
        world.write_of(tenant as u64, sender);
        world.write_of(tenant as u64, sender);
    }
    world.pass(100);
    // What the mirror takes is always the first tenant's, which has the most to read.
    for _ in 0..20 {
        world.write_of(0, 2);
        world.end(1, true);
        world.pass(100);
    }
    let let_go = |tenant: u64| {
        let key = world.cells.key(tenant);
        world.flying.iter().any(|copy| copy.held.0.key() == key && copy.sender == 1)
    };
    assert_eq!((20..TENANTS as u64).filter(|&tenant| !let_go(tenant)).count(), 0);
}

#[test]
fn c8_random_histories_lock_nothing_up() {
    let mut random = fastrand::Rng::with_seed(21);
    for _ in 0..60 {
        let mut world = World::new();
        let hangs = random.usize(0..400)..random.usize(400..800);
        for step in 0..1000 {
            match random.u8(0..10) {
                _ if hangs.contains(&step) => world.write(random.usize(0..40)),
                0..5 => world.write(random.usize(0..40)),
                5 => world.expire(random.usize(0..4)),
                6 => world.end(random.usize(0..4), false),
                _ => world.end(random.usize(0..4), true),
            }
            world.pass(random.u64(0..20));
            assert!(world.waiting.is_empty() || !world.flying.is_empty(), "locked up");
        }
        while !world.flying.is_empty() {
            world.end(world.flying.len(), random.bool());
            world.pass(1);
        }
        assert!(world.waiting.is_empty(), "locked up");
    }
}

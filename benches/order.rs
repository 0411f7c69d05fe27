//! What order costs where series are read: CPU time of reading one body and of its copy's time on the board.
//!
//! `cargo bench --bench order`; `cargo xtask bench` runs it for its page, and reads the lines that it prints: what waits
//! meanwhile, then microseconds of reading, of the board and of both, parted by tabs.
//!
//! The body is a batch of a Prometheus with default settings: remote write 1.0, 2000 series. Each figure is the middle
//! one of many rounds. A round is all that the order thread does for one copy: it enters, it is read, the oldest copy
//! may go and has its outcome; so the same number of copies waits throughout.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]
#![allow(clippy::expect_used, clippy::panic, reason = "its own bodies; a failure is a bug and ends the run")]

use remote_write::HEADERS;
use remote_write::fingerprint::{DEFAULT_MAX_UNCOMPRESSED, Scratch, Seed, Series, series};
use remote_write::synthetic::Generator;
use rustix::time::{ClockId, clock_gettime};

use order::board::{Board, Bounds, Holds, Place, Set};

/// The module itself: a binary has no library that a benchmark could use.
#[allow(unused, reason = "a part of it is measured, and its tests come along")]
#[path = "../src/mirror/order"]
mod order {
    pub(crate) mod board;
}

/// As in the product: allocating is a part of the cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERIES: u32 = 2_000;
const ROUNDS: usize = 2_000;
const NOW: i64 = 1_760_000_000_000;

fn main() {
    measure("no other copy", 1, 0);
    measure("100 copies of 8 senders", 8, 100);
    measure("1000 copies of 1000 senders", 1_000, 1_000);
}

/// One order thread with its room for bodies and one board.
struct Order {
    board: Board,
    scratch: Scratch,
    body: Vec<u8>,
    found: Vec<u64>,
}

/// `senders` senders take turns while `waiting` copies wait.
fn measure(name: &str, senders: u32, waiting: usize) {
    let bodies: Vec<Vec<u8>> = (0..senders).map(body).collect();
    let bounds = Bounds { max_spread_ms: u64::MAX, max_fingerprints: usize::MAX };
    let scratch = Scratch::new(Seed::random(), DEFAULT_MAX_UNCOMPRESSED);
    let mut order = Order { board: Board::new(bounds), scratch, body: Vec::new(), found: Vec::new() };
    let (mut reading, mut board, mut together) = (Vec::new(), Vec::new(), Vec::new());
    for (place, body) in (0..).zip(bodies.iter().cycle()).take(waiting + ROUNDS) {
        let [start, read, end] = order.round(Place(place), body, place as usize >= waiting);
        if place as usize >= waiting {
            reading.push(read - start);
            board.push(end - read);
            together.push(end - start);
        }
    }
    let figures = [reading, board, together].map(|figures| format!("{:.1}", middle(figures)));
    println!("{name}\t{}", figures.join("\t"));
}

fn body(sender: u32) -> Vec<u8> {
    Generator::new(1, sender, SERIES).body(SERIES as usize, NOW)
}

impl Order {
    /// When it began, when the body was read, when it ended.
    fn round(&mut self, place: Place, body: &[u8], is_full: bool) -> [f64; 3] {
        let start = cpu_micros();
        let set = self.read(body);
        let read = cpu_micros();
        assert!(self.board.enter(place, place.0, Holds::Unknown) && self.board.trail(place));
        assert!(self.board.learn(place, set));
        if is_full {
            let oldest = self.board.ready().expect("the oldest may always go");
            assert!(self.board.finish(oldest));
        }
        [start, read, cpu_micros()]
    }

    fn read(&mut self, body: &[u8]) -> Set {
        // A copy's body is in pieces, and is put together first.
        self.body.clear();
        self.body.extend_from_slice(body);
        match series(&self.body, HEADERS[1].1, Some("snappy"), &mut self.scratch, &mut self.found) {
            Series::Known(count) if count == SERIES as usize => Set::Series(self.found.as_slice().into()),
            other => panic!("its own body has {other:?}"),
        }
    }
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

fn cpu_micros() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

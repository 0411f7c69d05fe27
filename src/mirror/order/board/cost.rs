//! What the board costs; asserts nothing about time. `cargo test --release board::cost -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

const SERIES: u64 = 2000;

/// Median microseconds of one operation.
fn median(mut took: Vec<f64>) -> f64 {
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}

/// `senders` senders with `SERIES` series each take turns; `queued` copies are on the board throughout. Prints what
/// entering and finishing one costs.
fn steady(name: &str, senders: u64, queued: u64, rounds: u64) {
    let mut board = Board::new(Bounds { max_spread_ms: u64::MAX, max_fingerprints: usize::MAX });
    let mut random = fastrand::Rng::with_seed(1);
    let mut sets = (0..senders).map(|_| {
        let mut set: Box<[u64]> = (0..SERIES).map(|_| random.u64(..)).collect();
        set.sort_unstable();
        set
    });
    let sets: Vec<_> = sets.by_ref().collect();
    let (mut enters, mut finishes, mut memory) = (vec![], vec![], 0);
    for place in 0..queued + rounds {
        let holds = Holds::Known(Set::Series(sets[(place % senders) as usize].clone()));
        let start = Instant::now();
        assert!(board.enter(Place(place), place, holds));
        let took = start.elapsed();
        board.trail(Place(place));
        if place < queued {
            continue;
        }
        enters.push(took.as_secs_f64() * 1e6);
        memory = memory.max(board.memory());
        let start = Instant::now();
        let first = board.ready().unwrap();
        assert!(board.finish(first));
        finishes.push(start.elapsed().as_secs_f64() * 1e6);
    }
    println!(
        "{name}: enter {:.1} us, ready and finish {:.1} us, {} fingerprints in {:.1} MB",
        median(enters),
        median(finishes),
        board.counts().fingerprints,
        memory as f64 / 1e6
    );
}

#[test]
#[ignore = "prints costs"]
fn costs_of_a_2000_series_copy() {
    steady("empty board", 8, 0, 1000);
    steady("8 senders, 1000 copies queued", 8, 1000, 1000);
    steady("100 senders, 1000 copies queued", 100, 1000, 1000);
    steady("1000 senders, 1000 copies queued", 1000, 1000, 2000);
    steady("nothing shared, 1000 copies queued", 2000, 1000, 2000);
}

#[test]
#[ignore = "prints costs"]
fn costs_of_unread_copies() {
    let mut board = Board::new(Bounds { max_spread_ms: u64::MAX, max_fingerprints: 0 });
    let start = Instant::now();
    const COPIES: u64 = 100_000;
    for place in (0..COPIES).map(Place) {
        board.enter(place, 0, Holds::Unknown);
        board.trail(place);
        if place.0 >= 1000 {
            board.ready().unwrap();
            assert!(board.finish(Place(place.0 - 1000)));
        }
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / COPIES as f64;
    println!("1000 unread copies queued: {each:.2} us for all of one copy, {} bytes held", board.memory());
}

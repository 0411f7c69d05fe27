//! One test for each rule of the board, on histories small enough to follow by hand.

use super::*;

const BOUNDS: Bounds = Bounds { max_spread_ms: 1000, max_fingerprints: 1000 };
/// Nothing may go.
const NONE: [u64; 0] = [];
const EVERYTHING: Holds = Holds::Known(Set::Everything);

fn board() -> Board {
    Board::new(BOUNDS)
}

fn set(fingerprints: &[u64]) -> Set {
    Set::Series(fingerprints.into())
}

fn series(fingerprints: &[u64]) -> Holds {
    Holds::Known(set(fingerprints))
}

/// Everything that may go now; it is in flight afterwards.
fn offered(board: &mut Board) -> Vec<u64> {
    std::iter::from_fn(|| board.ready()).map(|Place(place)| place).collect()
}

/// A board whose copies 1, 2, … entered one after the other, each after the one before had begun to trail.
fn trailing(holds: impl IntoIterator<Item = Holds>) -> Board {
    let mut board = board();
    for (place, holds) in (1..).map(Place).zip(holds) {
        assert!(board.enter(place, 0, holds));
        assert!(board.trail(place));
    }
    board
}

#[test]
fn c8_copies_that_share_a_series_go_one_by_one_and_others_side_by_side() {
    let sets = [&[1, 2][..], &[3], &[2, 3], &[1], &[4]];
    let mut board = trailing(sets.map(series));
    assert_eq!(offered(&mut board), [1, 2, 5]);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [4]);
    board.finish(Place(2));
    assert_eq!(offered(&mut board), [3]);
}

#[test]
fn c8_a_shared_series_orders_copies_even_before_the_first_one_trails() {
    let mut board = board();
    board.enter(Place(1), 0, series(&[1]));
    board.enter(Place(2), 0, series(&[1]));
    assert_eq!(offered(&mut board), [1]);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [2]);
}

#[test]
fn c8_a_dependent_copy_waits_for_the_outcome_not_for_the_start() {
    let mut board = trailing([series(&[1]), series(&[1])]);
    assert_eq!(offered(&mut board), [1]);
    board.retry(Place(1));
    assert_eq!(offered(&mut board), [1], "the second must not pass the first one's next attempt");
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [2]);
}

#[test]
fn c8_an_unreadable_copy_is_a_barrier_in_both_directions() {
    let mut board = trailing([series(&[1]), EVERYTHING, series(&[2]), Holds::Sender(1)]);
    assert_eq!(offered(&mut board), [1]);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [2]);
    board.finish(Place(2));
    assert_eq!(offered(&mut board), [3, 4]);
}

#[test]
fn c8_an_unread_copy_goes_once_what_trailed_at_its_arrival_is_done() {
    let mut board = board();
    board.enter_in_flight(Place(1), 0, Holds::Unknown);
    board.trail(Place(1));
    board.enter(Place(2), 0, Holds::Unknown);
    board.enter(Place(3), 0, Holds::Unknown);
    board.trail(Place(2));
    board.enter(Place(4), 0, Holds::Unknown);
    assert_eq!(offered(&mut board), NONE);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [2, 3], "3 did not trail 2; 4 did");
    board.finish(Place(3));
    assert_eq!(offered(&mut board), NONE);
    board.finish(Place(2));
    assert_eq!(offered(&mut board), [4]);
    assert_eq!(board.unread().collect::<Vec<_>>(), [Place(4)], "nothing was read");
}

#[test]
fn c8_a_set_learnt_late_frees_who_waited_and_holds_who_shares() {
    let mut board = trailing([Holds::Unknown, Holds::Unknown, Holds::Unknown]);
    assert_eq!(offered(&mut board), [1]);
    board.learn(Place(1), set(&[1]));
    assert_eq!(offered(&mut board), NONE, "2 is not read");
    board.learn(Place(2), set(&[2]));
    assert_eq!(offered(&mut board), [2], "3 is not read");
    board.learn(Place(3), set(&[1, 3]));
    assert_eq!(offered(&mut board), NONE);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [3]);
}

#[test]
fn c8_a_set_learnt_out_of_turn_takes_its_place_in_the_line() {
    let mut board = board();
    for place in [1, 2, 3] {
        board.enter(Place(place), 0, Holds::Unknown);
    }
    board.learn(Place(3), set(&[7]));
    board.learn(Place(1), set(&[7]));
    board.learn(Place(2), set(&[7]));
    for place in [1, 2, 3] {
        assert_eq!(offered(&mut board), [place]);
        board.finish(Place(place));
    }
}

#[test]
fn c8_a_set_is_learnt_once_and_only_by_a_copy_on_the_board() {
    let mut board = trailing([Holds::Unknown]);
    assert!(board.learn(Place(1), Set::Everything));
    assert!(!board.learn(Place(1), Set::Nothing));
    assert!(!board.learn(Place(2), Set::Nothing));
}

#[test]
fn c8_metadata_waits_for_nothing_and_holds_nothing_up() {
    let mut board = trailing([EVERYTHING, Holds::Known(Set::Nothing), Holds::Unknown]);
    assert_eq!(offered(&mut board), [1, 2]);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [3], "2 is still in flight");
    let mut board = trailing([series(&[])]);
    assert_eq!(offered(&mut board), [1]);
    board.enter(Place(9), 0, EVERYTHING);
    assert_eq!(offered(&mut board), [9], "an empty set is no set");
}

#[test]
fn c8_a_sender_is_ordered_with_itself_only() {
    let mut board = trailing([Holds::Sender(1), Holds::Sender(2), Holds::Sender(1), series(&[1])]);
    assert_eq!(offered(&mut board), [1, 2, 4], "series and senders do not wait for each other");
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [3]);
}

#[test]
fn c8_a_sender_that_has_several_requests_in_progress_keeps_them_in_progress() {
    let mut board = board();
    for place in [1, 2, 3] {
        board.enter(Place(place), 0, Holds::Sender(1));
    }
    assert_eq!(offered(&mut board), [1, 2, 3]);
    board.trail(Place(2));
    board.enter(Place(4), 0, Holds::Sender(1));
    board.finish(Place(1));
    assert_eq!(offered(&mut board), NONE);
    board.finish(Place(2));
    assert_eq!(offered(&mut board), [4], "3 has no answer yet, so 4 was not sent because of it");
}

#[test]
fn c8_copies_in_flight_stay_within_the_spread_of_the_oldest_unfinished_one() {
    let mut board = board();
    for (place, arrived_ms) in [(1, 500), (2, 1500), (3, 1501), (4, 1502)] {
        board.enter(Place(place), arrived_ms, series(&[place]));
    }
    assert_eq!(offered(&mut board), [1, 2]);
    board.finish(Place(2));
    assert_eq!(offered(&mut board), NONE);
    board.retry(Place(1));
    assert_eq!(offered(&mut board), [1], "waiting or in flight, the oldest counts");
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [3, 4]);
}

#[test]
fn c8_a_clock_that_goes_back_does_not_lock_the_board() {
    let mut board = board();
    board.enter(Place(1), 1_000_000, series(&[1]));
    board.enter(Place(2), 0, series(&[1]));
    assert_eq!(offered(&mut board), [1]);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [2]);
    board.finish(Place(2));
    board.enter(Place(3), 0, Holds::Unknown);
    assert_eq!(board.oldest(), Some((Place(3), 0)), "an empty board forgets what it took for the time");
}

#[test]
fn c8_a_copy_given_up_while_it_waits_leaves_the_order_of_the_others_alone() {
    let mut board = trailing([series(&[1]), series(&[1, 2]), series(&[1]), series(&[2])]);
    assert_eq!(offered(&mut board), [1]);
    board.finish(Place(2));
    assert_eq!(offered(&mut board), [4]);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [3]);
}

#[test]
fn c8_a_series_twice_in_a_set_does_not_make_a_copy_wait_for_itself() {
    let mut board = trailing([series(&[3, 1, 3, 1]), series(&[1])]);
    assert_eq!(board.counts().fingerprints, 3);
    assert_eq!(offered(&mut board), [1]);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [2]);
}

#[test]
fn c3_sets_beyond_the_bound_become_barriers() {
    let mut board = Board::new(Bounds { max_fingerprints: 5, ..BOUNDS });
    for (place, set) in (1..).map(Place).zip([&[1, 2, 3][..], &[4, 5, 6], &[7, 8], &[9]]) {
        board.enter(place, 0, series(set));
        board.trail(place);
    }
    assert_eq!(board.counts().fingerprints, 5);
    assert_eq!(board.counts().did_not_fit, 2);
    assert_eq!(offered(&mut board), [1]);
    board.finish(Place(1));
    assert_eq!(offered(&mut board), [2]);
    board.finish(Place(2));
    assert_eq!(offered(&mut board), [3]);
    board.finish(Place(3));
    assert_eq!(offered(&mut board), [4]);
}

#[test]
fn c3_memory_grows_with_what_is_held_and_is_given_back() {
    let mut board = Board::new(Bounds { max_fingerprints: usize::MAX, ..BOUNDS });
    let empty = board.memory();
    for copy in 1..=100 {
        let fingerprints: Vec<u64> = (copy * 1000..).take(1000).collect();
        board.enter(Place(copy), 0, series(&fingerprints));
    }
    let full = board.memory();
    assert!(full > empty + 100_000 * 40, "{full}");
    for copy in 1..=100 {
        board.finish(Place(copy));
    }
    assert!(board.memory() < empty + 200_000, "{}", board.memory());
}

//! C2 to C4 as a table: every state of a mirror, beside real traffic, and what its primary's clients saw of it.
//!
//! One cell is a state, a delivery, a protocol of the clients and a size of bodies. What a cell asserts is counts
//! and causes, never durations: answers and what the primary got are those of a run without a mirror, byte by byte;
//! the ledger adds up and names the causes that the state has; memory, sockets, threads and disk stay under their
//! bounds and return to where they were.
//!
//! - [`state`] is what may be wrong with a mirror, [`traffic`] what goes through, [`usage`] what that takes;
//! - [`cell`] is one cell of ours, [`expected`] what its ledger may say;
//! - [`whole`] is the whole table, and [`beside`] the same states on [`rivals`]: only by `cargo xtask chaos`.
//!
//! What runs here, in every test run, is each state once at the size of a usual write, and the two states that hold
//! up a flow at the largest size.

mod beside;
mod cell;
mod expected;
mod record;
mod rivals;
mod state;
mod traffic;
mod usage;
mod whole;

use cell::{Delivery, cell};
use state::State;
use traffic::{Load, Protocol};

use Delivery::{Durable, Memory};
use Protocol::{Http1, Http2};

/// A usual write of 2000 samples.
const USUAL: usize = 67_000;
/// The largest that are seen.
const LARGEST: usize = 10 << 20;

async fn usual(state: State, delivery: Delivery, protocol: Protocol) {
    cell(state, delivery, Load { protocol, size: USUAL, clients: 4, each: 8 }).await;
}

/// Larger in sum than a mirror's buffer.
async fn largest(state: State, delivery: Delivery, protocol: Protocol) {
    cell(state, delivery, Load { protocol, size: LARGEST, clients: 3, each: 2 }).await;
}

/// Each state with one delivery and one protocol, so that every pair of these is met several times.
macro_rules! each_once {
    ($($name:ident: $run:ident($state:ident, $delivery:ident, $protocol:ident);)*) => {
        $(#[tokio::test]
        async fn $name() {
            $run(State::$state, $delivery, $protocol).await;
        })*

        #[test]
        fn every_state_is_tried() {
            let tried = [$(State::$state),*];
            assert!(State::ALL.iter().all(|state| tried.contains(state)));
        }
    };
}

each_once! {
    c2_chaos_healthy: usual(Healthy, Memory, Http1);
    c2_chaos_refuses: usual(Refuses, Durable, Http1);
    c2_chaos_resets: usual(Resets, Memory, Http2);
    c2_chaos_drops_packets: usual(DropsPackets, Durable, Http2);
    c2_chaos_never_reads: usual(NeverReads, Memory, Http1);
    c2_chaos_never_answers: usual(NeverAnswers, Durable, Http1);
    c2_chaos_answers_late: usual(AnswersLate, Memory, Http2);
    c2_chaos_answers_a_byte_a_second: usual(Trickles, Durable, Http2);
    c2_chaos_answers_503: usual(Unavailable, Memory, Http1);
    c2_chaos_answers_429: usual(Limits, Durable, Http1);
    c2_chaos_dies_in_the_request: usual(DiesInRequest, Memory, Http2);
    c2_chaos_dies_in_its_answer: usual(DiesInAnswer, Durable, Http2);
    c2_chaos_closes_after_the_head: usual(ClosesAfterHead, Memory, Http1);
    c2_chaos_answers_endlessly: usual(AnswersEndlessly, Durable, Http1);
    c2_chaos_answers_garbage: usual(AnswersGarbage, Memory, Http2);
    c2_chaos_has_no_address: usual(HasNoAddress, Durable, Http2);
    c2_chaos_speaks_no_tls: usual(SpeaksNoTls, Memory, Http1);
    c2_chaos_its_disk_is_full: usual(DiskFull, Durable, Http1);
    c2_chaos_never_reads_the_largest: largest(NeverReads, Memory, Http2);
    c2_chaos_never_reads_the_largest_to_be_kept: largest(NeverReads, Durable, Http1);
    c2_chaos_never_answers_the_largest: largest(NeverAnswers, Memory, Http1);
    c2_chaos_never_answers_the_largest_to_be_kept: largest(NeverAnswers, Durable, Http2);
}

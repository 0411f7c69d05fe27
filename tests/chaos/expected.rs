//! What the ledger may say of each state: the causes by which copies end there, and no others.

use super::cell::{BUFFER, Delivery};
use super::state::State;
use super::traffic::Load;
use crate::dsl::Ledger;

/// What its mirror's bounds do to any copy that waits, and the time for a connection to one on a busy machine.
const COMMON: [&str; 5] = [
    "dropped/buffer_full",
    "dropped/too_many_copies",
    "expired/age",
    "expired/size",
    "failed/connect_timeout",
];

/// The causes that are this state's own.
fn causes(state: State) -> &'static [&'static str] {
    match state {
        // The head of an answer is the verdict; what comes of its body changes nothing.
        State::Healthy
        | State::AnswersLate
        | State::DiesInAnswer
        | State::ClosesAfterHead
        | State::AnswersEndlessly => &["delivered"],
        State::Refuses | State::DiskFull => &["failed/connect_failed"],
        State::Resets | State::DiesInRequest => &["failed/reset", "failed/connect_failed"],
        State::DropsPackets => &["failed/connect_timeout"],
        State::NeverReads | State::NeverAnswers | State::Trickles => &["failed/unknown_outcome"],
        State::Unavailable => &["failed/http_5xx"],
        State::Limits => &["failed/rate_limited"],
        State::AnswersGarbage => &["failed/protocol"],
        State::HasNoAddress => &["failed/no_endpoint"],
        State::SpeaksNoTls => &["failed/tls"],
    }
}

/// Every outcome is one that the state has; and where copies have one attempt, its own cause is there.
pub(super) fn assert_causes(state: State, delivery: Delivery, load: Load, ledger: &Ledger) {
    let total = load.total() as u64;
    assert_eq!((ledger.received, ledger.incomplete, ledger.excluded), (total, 0, 0), "{ledger:?}");
    let own = causes(state);
    let found = ledger.causes();
    for (cause, count) in &found {
        let known = own.contains(&cause.as_str()) || COMMON.contains(&cause.as_str());
        assert!(known, "{state:?}: {count} copies ended as {cause}: {ledger:?}");
    }
    if delivery == Delivery::Memory {
        assert!(found.iter().any(|(cause, _)| own.contains(&cause.as_str())), "{state:?}: {ledger:?}");
    }
    // What is larger in sum than the buffer may find it full: how fast a healthy mirror reads is the machine's affair.
    if state == State::Healthy && (load.total() * load.size) as u64 <= BUFFER {
        assert_eq!(ledger.delivered(), total, "{ledger:?}");
    }
}

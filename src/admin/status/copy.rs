//! Whether a mirror's copy is complete, since when, and if not, why: judged from counters, one reading after the other.
//!
//! What is missing is what the primary took, or may have taken, and the mirror did not: a write that both refuse leaves
//! no hole. Losses that follow each other make one gap. A gap ends when the mirror has taken copies again and nothing
//! was lost for a while; the last gaps are kept, since they are what has to be filled in by hand.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::meaning;
use crate::limits::{STATUS_BEHIND, STATUS_GAPS, STATUS_QUIET, STATUS_UNMATCHED};
use crate::stats::mirror::Outcome;

pub(super) type Outcomes = [u64; Outcome::ALL.len()];

/// A mirror's counters at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// For people: it may be set back.
    pub(super) at_ms: u64,
    /// Since the start, by a clock that only goes on.
    pub(super) up: Duration,
    /// Copies that were booked, those of an earlier process included.
    pub(super) booked: u64,
    pub(super) taken: u64,
    pub(super) missing: u64,
    pub(super) outcomes: Outcomes,
    pub(super) lag_ms: u64,
}

/// How it stands with a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There was nothing to copy yet.
    Idle,
    /// Everything has arrived, or is about to.
    Complete,
    /// Nothing is lost, but copies have waited for long.
    Behind,
    /// Copies are being lost, or were and the mirror has not proven well since.
    Incomplete,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Complete => "complete",
            Self::Behind => "behind",
            Self::Incomplete => "incomplete",
        }
    }

    pub(super) fn is_complete(self) -> bool {
        matches!(self, Self::Idle | Self::Complete)
    }
}

/// A time in which copies were lost.
#[derive(Debug, Clone)]
struct Gap {
    from_ms: u64,
    to_ms: u64,
    missing: u64,
    /// Where counting began.
    before: Outcomes,
    after: Outcomes,
}

/// One mirror's copy.
#[derive(Debug)]
pub(super) struct Copy {
    state: State,
    since_ms: u64,
    /// The most that was ever missing. Counters read in full flight may go back for a moment.
    missing: u64,
    at_ms: u64,
    /// Outcomes of the last readings: a copy's may be counted before its primary answers.
    earlier: VecDeque<Outcomes>,
    gaps: VecDeque<Gap>,
    is_open: bool,
    taken_at_loss: u64,
    lost_at: Duration,
}

impl Copy {
    /// Of a process that started then.
    pub(super) fn new(started_ms: u64) -> Self {
        Self {
            state: State::Idle,
            since_ms: started_ms,
            missing: 0,
            at_ms: started_ms,
            earlier: VecDeque::from([[0; Outcome::ALL.len()]]),
            gaps: VecDeque::new(),
            is_open: false,
            taken_at_loss: 0,
            lost_at: Duration::ZERO,
        }
    }

    /// Judges once more.
    pub(super) fn see(&mut self, now: &Reading) {
        if now.missing > self.missing {
            self.lose(now);
        } else if self.is_open && self.is_well_again(now) {
            self.is_open = false;
            self.earlier.clear();
            let ended = self.gaps.back().map_or(now.at_ms, |gap| gap.to_ms);
            self.turn(State::Complete, ended);
        }
        if !self.is_open {
            self.judge_lag(now);
            if self.earlier.len() == STATUS_UNMATCHED {
                self.earlier.pop_front();
            }
            self.earlier.push_back(now.outcomes);
        }
        self.at_ms = now.at_ms;
    }

    fn lose(&mut self, now: &Reading) {
        if !self.is_open {
            if self.gaps.len() == STATUS_GAPS {
                self.gaps.pop_front();
            }
            let before = self.earlier.front().copied().unwrap_or(now.outcomes);
            let from_ms = self.at_ms;
            self.gaps.push_back(Gap { from_ms, to_ms: from_ms, missing: 0, before, after: before });
            self.is_open = true;
            self.turn(State::Incomplete, from_ms);
        }
        if let Some(gap) = self.gaps.back_mut() {
            gap.to_ms = now.at_ms;
            gap.missing += now.missing - self.missing;
            gap.after = now.outcomes;
        }
        self.missing = now.missing;
        self.taken_at_loss = now.taken;
        self.lost_at = now.up;
    }

    fn is_well_again(&self, now: &Reading) -> bool {
        now.taken > self.taken_at_loss && now.up.saturating_sub(self.lost_at) >= STATUS_QUIET
    }

    fn judge_lag(&mut self, now: &Reading) {
        if now.lag_ms >= STATUS_BEHIND.as_millis() as u64 {
            self.turn(State::Behind, now.at_ms.saturating_sub(now.lag_ms));
        } else if self.state == State::Behind {
            self.turn(State::Complete, now.at_ms);
        } else if self.state == State::Idle && now.booked > 0 {
            // Nothing was missing before either.
            self.turn(State::Complete, self.since_ms);
        }
    }

    fn turn(&mut self, state: State, since_ms: u64) {
        if self.state != state {
            (self.state, self.since_ms) = (state, since_ms);
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn since_ms(&self) -> u64 {
        self.since_ms
    }

    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Why it is incomplete now, the most frequent reason first.
    pub(super) fn why(&self) -> Value {
        self.gaps.back().filter(|_| self.is_open).map_or_else(|| json!([]), Gap::reasons)
    }

    /// The last gaps, the newest first.
    pub(super) fn gaps(&self) -> Value {
        let newest = self.gaps.len();
        let one = |(number, gap): (usize, &Gap)| {
            json!({
                "from_ms": gap.from_ms,
                "to_ms": gap.to_ms,
                "open": self.is_open && number + 1 == newest,
                "copies": gap.missing,
                "reasons": gap.reasons(),
            })
        };
        self.gaps.iter().enumerate().rev().map(one).collect()
    }
}

impl Gap {
    fn reasons(&self) -> Value {
        let mut lost: Vec<_> = Outcome::ALL
            .into_iter()
            .zip(self.after.iter().zip(&self.before))
            .map(|(outcome, (after, before))| (outcome, after.saturating_sub(*before)))
            .filter(|(outcome, copies)| *copies > 0 && meaning::is_loss(*outcome))
            .collect();
        lost.sort_by_key(|(_, copies)| std::cmp::Reverse(*copies));
        lost.into_iter().map(|(outcome, copies)| meaning::counted(outcome, copies)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000;

    struct Mirror {
        copy: Copy,
        now: Reading,
    }

    impl Mirror {
        fn new() -> Self {
            let outcomes = [0; Outcome::ALL.len()];
            let now = Reading {
                at_ms: START,
                up: Duration::ZERO,
                booked: 0,
                taken: 0,
                missing: 0,
                outcomes,
                lag_ms: 0,
            };
            Self { copy: Copy::new(START), now }
        }

        /// Two seconds pass.
        fn pass(&mut self, taken: u64, lost: &[(Outcome, u64)]) -> (State, u64) {
            let n: u64 = lost.iter().map(|(_, n)| n).sum();
            self.now.at_ms += 2000;
            self.now.up += Duration::from_secs(2);
            self.now.booked += taken + n;
            self.now.taken += taken;
            self.now.missing += n;
            for (outcome, n) in lost {
                self.now.outcomes[*outcome as usize] += n;
            }
            self.copy.see(&self.now);
            (self.copy.state(), self.copy.since_ms() - START)
        }

        /// The same several times, without a loss.
        fn pass_quietly(&mut self, taken: u64, times: usize) {
            for _ in 0..times {
                self.pass(taken, &[]);
            }
        }
    }

    #[test]
    fn what_has_arrived_is_complete_since_the_start() {
        let mut mirror = Mirror::new();
        assert_eq!(mirror.pass(0, &[]), (State::Idle, 0));
        assert_eq!(mirror.pass(7, &[]), (State::Complete, 0));
    }

    #[test]
    fn losses_make_one_gap_until_the_mirror_takes_copies_and_loses_none() {
        let mut mirror = Mirror::new();
        mirror.pass(5, &[]);
        let refused = Outcome::FailedConnect;
        assert_eq!(mirror.pass(0, &[(refused, 3)]), (State::Incomplete, 2000));
        assert_eq!(mirror.pass(0, &[(refused, 3), (Outcome::Expired, 9)]).0, State::Incomplete);
        let why = mirror.copy.why();
        assert_eq!((&why[0]["reason"], &why[0]["copies"]), (&json!("age"), &json!(9)));
        assert_eq!((&why[1]["reason"], &why[1]["copies"]), (&json!("connect_failed"), &json!(6)));
        for _ in 0..20 {
            assert_eq!(mirror.pass(0, &[]).0, State::Incomplete, "no proof that it is well");
        }
        assert_eq!(mirror.pass(1, &[]), (State::Complete, 6000), "since the last loss");
        assert_eq!((mirror.copy.missing(), mirror.copy.why()), (15, json!([])));
        let gaps = mirror.copy.gaps();
        assert_eq!((&gaps[0]["copies"], &gaps[0]["open"]), (&json!(15), &json!(false)));
        assert_eq!(gaps[0]["to_ms"].as_u64().unwrap() - gaps[0]["from_ms"].as_u64().unwrap(), 4000);
    }

    #[test]
    fn a_success_soon_after_a_loss_proves_nothing() {
        let mut mirror = Mirror::new();
        mirror.pass(5, &[(Outcome::FailedReset, 1)]);
        for _ in 0..STATUS_QUIET.as_secs() / 2 - 1 {
            assert_eq!(mirror.pass(5, &[]).0, State::Incomplete);
        }
        assert_eq!(mirror.pass(5, &[]).0, State::Complete);
    }

    #[test]
    fn what_both_refuse_is_not_missing_and_a_late_primary_still_has_its_reason() {
        let mut mirror = Mirror::new();
        mirror.now.outcomes[Outcome::RejectedOther as usize] += 4;
        assert_eq!(mirror.pass(1, &[]).0, State::Complete);
        // Now the primary has answered that it took two of them.
        mirror.now.missing += 2;
        assert_eq!(mirror.pass(1, &[]).0, State::Incomplete);
        assert_eq!(mirror.copy.why()[0]["outcome"], "rejected");
    }

    #[test]
    fn counters_that_go_back_for_a_moment_are_no_loss() {
        let mut mirror = Mirror::new();
        mirror.pass(5, &[(Outcome::FailedReset, 1)]);
        mirror.pass_quietly(5, 10);
        mirror.now.missing -= 1;
        assert_eq!(mirror.pass(5, &[]).0, State::Complete);
        mirror.now.missing += 1;
        assert_eq!(mirror.pass(5, &[]).0, State::Complete);
    }

    #[test]
    fn what_waits_for_long_is_behind_since_the_oldest_arrived() {
        let mut mirror = Mirror::new();
        mirror.pass(5, &[]);
        mirror.now.lag_ms = 20_000;
        mirror.now.at_ms += 60_000;
        assert_eq!(mirror.pass(0, &[]), (State::Behind, 64_000 - 20_000));
        mirror.now.lag_ms = 22_000;
        assert_eq!(mirror.pass(0, &[]), (State::Behind, 44_000));
        mirror.now.lag_ms = 5;
        assert_eq!(mirror.pass(1, &[]), (State::Complete, 68_000));
    }

    #[test]
    fn a_clock_that_is_set_back_delays_nothing() {
        let mut mirror = Mirror::new();
        mirror.pass(5, &[(Outcome::FailedReset, 1)]);
        mirror.now.at_ms -= 1_000_000;
        mirror.pass_quietly(1, 5);
        assert_eq!(mirror.copy.state(), State::Complete);
    }

    #[test]
    fn only_the_last_gaps_are_kept() {
        let mut mirror = Mirror::new();
        for _ in 0..STATUS_GAPS + 3 {
            mirror.pass(1, &[(Outcome::FailedReset, 1)]);
            mirror.pass_quietly(1, 10);
        }
        assert_eq!(mirror.copy.gaps().as_array().unwrap().len(), STATUS_GAPS);
        assert_eq!(mirror.copy.missing(), STATUS_GAPS as u64 + 3);
    }
}

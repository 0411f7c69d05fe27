//! Whose turn it is: Envoy's load balancing policies over the members that can be used. Pure.

use std::cell::{Cell, RefCell};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use config::model::Balancing;

/// One worker's turns in one cluster. Made anew when the members that can be used change.
#[derive(Debug)]
pub(super) struct Balancer {
    policy: Balancing,
    /// How many members there are.
    len: usize,
    /// In turn, where all weigh the same.
    next: Cell<usize>,
    /// Earliest deadline first, where they do not.
    schedule: Option<Schedule>,
    random: RefCell<fastrand::Rng>,
}

impl Balancer {
    /// Starts at a random member, so that workers do not march in step.
    pub(super) fn new(policy: Balancing, weights: &[u32], mut random: fastrand::Rng) -> Self {
        let first = random.usize(..1 << 16);
        let weighs = weights.windows(2).any(|pair| pair.first() != pair.last());
        // As in Envoy, random choice knows no weights.
        let schedule = (weighs && policy != Balancing::Random).then(|| {
            let schedule = Schedule::new(weights);
            for _ in 0..first % weights.len().max(1) {
                schedule.next(|_| 0);
            }
            schedule
        });
        let len = weights.len();
        Self { policy, len, next: Cell::new(first), schedule, random: RefCell::new(random) }
    }

    /// The index of the next member; `None` if there is none. `active` tells how many requests one has.
    pub(super) fn next(&self, active: impl Fn(usize) -> u64) -> Option<usize> {
        if self.len < 2 {
            return (self.len == 1).then_some(0);
        }
        match (self.policy, &self.schedule) {
            (Balancing::RoundRobin, None) => {
                let turn = self.next.get();
                self.next.set(turn.wrapping_add(1));
                turn.checked_rem(self.len)
            }
            (Balancing::RoundRobin, Some(schedule)) => schedule.next(|_| 0),
            (Balancing::LeastRequest { .. }, Some(schedule)) => schedule.next(active),
            (Balancing::LeastRequest { choices }, None) => self.least(choices, active),
            (Balancing::Random, _) => Some(self.random.borrow_mut().usize(..self.len)),
        }
    }

    /// Of some taken at random, perhaps one twice, the one with the fewest requests.
    fn least(&self, choices: u32, active: impl Fn(usize) -> u64) -> Option<usize> {
        let mut random = self.random.borrow_mut();
        // More choices than this decide nothing anew, and must not take time.
        let choices = (choices as usize).min(4 * self.len);
        (0..choices).map(|_| random.usize(..self.len)).min_by_key(|&index| active(index))
    }
}

/// Earliest deadline first: each member is due after a time that is inverse to its weight.
#[derive(Debug)]
struct Schedule {
    weights: Box<[u32]>,
    due: RefCell<BinaryHeap<Reverse<Due>>>,
    order: Cell<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Due {
    at: f64,
    /// Among those due at the same time the one that was added first.
    order: u64,
    index: usize,
}

impl Eq for Due {}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at).then(self.order.cmp(&other.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Schedule {
    fn new(weights: &[u32]) -> Self {
        let due = weights.iter().zip(0..).enumerate();
        let due = due.map(|(index, (&weight, order))| {
            Reverse(Due { at: 1.0 / f64::from(weight.max(1)), order, index })
        });
        Self {
            due: RefCell::new(due.collect()),
            order: Cell::new(weights.len() as u64),
            weights: weights.into(),
        }
    }

    /// The member that is due. With `active` its weight is divided by its requests, as in Envoy.
    fn next(&self, active: impl Fn(usize) -> u64) -> Option<usize> {
        let mut due = self.due.borrow_mut();
        let Reverse(Due { at, index, .. }) = due.pop()?;
        let weight = f64::from(self.weights.get(index).copied().unwrap_or(1).max(1));
        #[allow(clippy::cast_precision_loss, reason = "requests of one worker")]
        let slowed = (active(index) + 1) as f64;
        let order = self.order.get();
        self.order.set(order + 1);
        due.push(Reverse(Due { at: at + slowed / weight, order, index }));
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balancer(policy: Balancing, weights: &[u32]) -> Balancer {
        Balancer::new(policy, weights, fastrand::Rng::with_seed(7))
    }

    fn counts(balancer: &Balancer, rounds: usize, active: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut counts = vec![0; balancer.len];
        for _ in 0..rounds {
            counts[balancer.next(&active).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn none_is_none_and_one_is_all() {
        for policy in [Balancing::RoundRobin, Balancing::Random, Balancing::LeastRequest { choices: 2 }] {
            assert_eq!(balancer(policy, &[]).next(|_| 0), None);
            assert_eq!(balancer(policy, &[9]).next(|_| 0), Some(0));
        }
    }

    #[test]
    fn equal_weights_take_turns() {
        let balancer = balancer(Balancing::RoundRobin, &[4, 4, 4]);
        assert!(balancer.schedule.is_none());
        let first = balancer.next(|_| 0).unwrap();
        for turn in 1..12 {
            assert_eq!(balancer.next(|_| 0), Some((first + turn) % 3));
        }
    }

    #[test]
    fn weights_are_kept_in_every_round() {
        let balancer = balancer(Balancing::RoundRobin, &[1, 2, 5]);
        // Exact in every window of a whole round, whatever came before.
        for _ in 0..20 {
            assert_eq!(counts(&balancer, 8, |_| 0), [1, 2, 5]);
        }
    }

    #[test]
    fn a_heavy_member_does_not_get_all_of_its_turns_at_once() {
        let balancer = balancer(Balancing::RoundRobin, &[1, 3]);
        let turns: Vec<_> = (0..40).filter_map(|_| balancer.next(|_| 0)).collect();
        // One in four; sums of thirds are not exact, so that one may come a turn late.
        assert!(turns.windows(5).all(|five| five.contains(&0)), "{turns:?}");
    }

    #[test]
    fn random_knows_no_weights() {
        let counts = counts(&balancer(Balancing::Random, &[1, 9]), 2000, |_| 0);
        assert!(counts.iter().all(|n| (900..=1100).contains(n)), "{counts:?}");
    }

    #[test]
    fn the_busier_of_two_is_avoided() {
        let balancer = balancer(Balancing::LeastRequest { choices: 2 }, &[1, 1, 1, 1]);
        let counts = counts(&balancer, 4000, |index| if index == 0 { 10 } else { 0 });
        // Only where both choices fall on it: one time in sixteen.
        assert!((150..=350).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn many_choices_find_the_least_busy() {
        let balancer = balancer(Balancing::LeastRequest { choices: u32::MAX }, &[1; 4]);
        let counts = counts(&balancer, 1000, |index| if index == 2 { 0 } else { 1 });
        assert!(counts[2] > 950, "{counts:?}");
    }

    #[test]
    fn requests_in_progress_lower_a_weight() {
        let balancer = balancer(Balancing::LeastRequest { choices: 2 }, &[2, 1]);
        let counts = counts(&balancer, 300, |index| if index == 0 { 3 } else { 0 });
        // A half against one.
        assert!((95..=105).contains(&counts[0]), "{counts:?}");
    }
}

//! What the results of checks make of an endpoint's health, and when it is checked next: Envoy's rules. Pure.

use std::time::Duration;

use config::model::HealthCheck;

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Healthy,
    /// It answered, and not as it should.
    Unhealthy,
    /// It answered what counts towards the threshold (`retriable_statuses`).
    Retriable,
    /// No connection, no answer, or none in time.
    Network,
}

/// One endpoint's health by its checks.
#[derive(Debug)]
pub(super) struct State {
    healthy: bool,
    /// No check has ended yet.
    first: bool,
    successes: u32,
    failures: u32,
}

/// What a check has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    No,
    /// Not yet: the threshold is not reached.
    Pending,
    Yes,
}

impl State {
    /// Not healthy before a check has passed.
    pub(super) fn new() -> Self {
        Self { healthy: false, first: true, successes: 0, failures: 0 }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy
    }

    pub(super) fn hear(&mut self, verdict: Verdict, check: &HealthCheck) -> Change {
        let first = std::mem::replace(&mut self.first, false);
        if verdict == Verdict::Healthy {
            self.failures = 0;
            if self.healthy {
                return Change::No;
            }
            self.successes += 1;
            if !first && self.successes < check.healthy_threshold {
                return Change::Pending;
            }
            self.healthy = true;
            return Change::Yes;
        }
        self.successes = 0;
        if !self.healthy {
            return Change::No;
        }
        self.failures += 1;
        if verdict != Verdict::Unhealthy && self.failures < check.unhealthy_threshold {
            return Change::Pending;
        }
        self.healthy = false;
        self.failures = 0;
        Change::Yes
    }
}

/// How long until the next check. `random` gives a number from 0 to 1.
pub(super) fn pause(
    check: &HealthCheck,
    (verdict, change): (Verdict, Change),
    has_traffic: bool,
    mut random: impl FnMut() -> f64,
) -> Duration {
    let unhealthy = check.unhealthy_interval.unwrap_or(check.interval);
    let base = match (has_traffic, verdict == Verdict::Healthy, change == Change::Pending) {
        (true, true, true) => check.healthy_edge_interval.unwrap_or(check.interval),
        (true, true, false) => check.interval,
        (true, false, true) => check.unhealthy_edge_interval.unwrap_or(unhealthy),
        (true, false, false) => unhealthy,
        (false, true, false) => check.no_traffic_healthy_interval.unwrap_or(check.no_traffic_interval),
        (false, ..) => check.no_traffic_interval,
    };
    let percent = base * check.interval_jitter_percent / 100;
    base + check.interval_jitter.mul_f64(random()) + percent.mul_f64(random())
}

#[cfg(test)]
mod tests {
    use config::model::Probe;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check() -> HealthCheck {
        HealthCheck {
            name: String::new(),
            probe: Probe::Tcp,
            timeout: SECOND,
            interval: 5 * SECOND,
            unhealthy_edge_interval: None,
            unhealthy_interval: None,
            healthy_edge_interval: None,
            no_traffic_interval: 60 * SECOND,
            no_traffic_healthy_interval: None,
            initial_jitter: Duration::ZERO,
            interval_jitter: Duration::ZERO,
            interval_jitter_percent: 0,
            unhealthy_threshold: 3,
            healthy_threshold: 2,
            reuse_connection: true,
        }
    }

    fn after(verdicts: &[Verdict]) -> (State, Vec<Change>) {
        let (mut state, check) = (State::new(), check());
        let changes = verdicts.iter().map(|&verdict| state.hear(verdict, &check)).collect();
        (state, changes)
    }

    #[test]
    fn the_first_check_counts_alone() {
        use Verdict::{Healthy, Network};
        assert_eq!(after(&[Healthy]).1, [Change::Yes]);
        let (state, changes) = after(&[Network, Healthy, Healthy]);
        assert_eq!(changes, [Change::No, Change::Pending, Change::Yes]);
        assert!(state.is_healthy());
    }

    #[test]
    fn silence_counts_up_to_the_threshold_and_a_bad_answer_at_once() {
        use Verdict::{Healthy, Network, Retriable, Unhealthy};
        let (state, changes) = after(&[Healthy, Network, Retriable, Healthy, Network, Network, Network]);
        let pending = Change::Pending;
        assert_eq!(changes, [Change::Yes, pending, pending, Change::No, pending, pending, Change::Yes]);
        assert!(!state.is_healthy());
        assert_eq!(after(&[Healthy, Unhealthy]).1, [Change::Yes, Change::Yes]);
    }

    #[test]
    fn a_failure_begins_the_way_back_anew() {
        use Verdict::{Healthy, Network};
        let (state, _) = after(&[Network, Healthy, Network, Healthy]);
        assert!(!state.is_healthy());
    }

    #[test]
    fn intervals_depend_on_what_was_seen() {
        let mut check = check();
        let at = |check: &HealthCheck, seen, traffic| pause(check, seen, traffic, || 0.5);
        let failed = (Verdict::Network, Change::Pending);
        let passed = (Verdict::Healthy, Change::No);
        assert_eq!(at(&check, passed, true), 5 * SECOND);
        assert_eq!(at(&check, failed, true), 5 * SECOND);
        assert_eq!(at(&check, passed, false), 60 * SECOND);
        check.unhealthy_interval = Some(2 * SECOND);
        assert_eq!(at(&check, failed, true), 2 * SECOND);
        check.unhealthy_edge_interval = Some(SECOND);
        assert_eq!(at(&check, failed, true), SECOND);
        check.no_traffic_healthy_interval = Some(30 * SECOND);
        assert_eq!((at(&check, passed, false), at(&check, failed, false)), (30 * SECOND, 60 * SECOND));
        check.interval_jitter = 2 * SECOND;
        check.interval_jitter_percent = 40;
        assert_eq!(at(&check, passed, true), 7 * SECOND);
    }
}

//! Saying in the log that the disk is in trouble, and that it is well again, without flooding it.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Shortest time between two warnings.
const QUIET: Duration = Duration::from_secs(10);
/// How long nothing may fail until the disk counts as well again.
const WELL_AFTER: Duration = Duration::from_secs(1);

/// The state of one backlog's disk, as far as the log knows.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    warned: Option<Instant>,
    failing: Option<Failing>,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    /// When something failed last.
    last: Instant,
    /// Something worked since.
    worked: bool,
    /// The log was told that it is failing.
    told: bool,
}

impl Trouble {
    /// Something failed. Copies go on in memory.
    pub(super) fn failed(&mut self, mirror: &str, error: &dyn Display) {
        let told = self.warn(mirror, error) || self.failing.is_some_and(|failing| failing.told);
        self.failing = Some(Failing { last: Instant::now(), worked: false, told });
    }

    /// A warning that needs no all-clear. Returns whether it was time for one.
    pub(super) fn warn(&mut self, mirror: &str, error: &dyn Display) -> bool {
        if self.warned.is_some_and(|at| at.elapsed() < QUIET) {
            return false;
        }
        self.warned = Some(Instant::now());
        tracing::warn!(mirror, %error, "the backlog refuses copies; until it takes them they are in memory only");
        true
    }

    /// Something worked.
    pub(super) fn worked(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.worked = true;
        }
    }

    /// Now and then, when there is nothing to append again. A disk whose every second call fails is not well.
    pub(super) fn look(&mut self, mirror: &str) {
        let Some(failing) = self.failing else { return };
        if failing.worked && failing.last.elapsed() >= WELL_AFTER {
            self.failing = None;
            if failing.told {
                tracing::info!(mirror, "the backlog takes copies again");
            }
        }
    }
}

//! Looks at both clusters many times a second: whether they are the same, or how far the secondary is behind.
//!
//! Copies are always on their way, so one look at a time of traffic proves nothing. Within a second the clusters are
//! compared, series by series, at the first moment at which their sums agree; if there is none, the smallest number
//! of missing samples is what counts.

use super::cluster::Cluster;
use super::compare::{Difference, compare};
use super::head::Totals;

/// What a second's looks have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Series by series, both held the same.
    Same,
    /// The secondary has lacked at least so many samples all the time.
    Lacks(u64),
    /// As many samples on both sides, but not the same ones; or more on the secondary.
    Differs,
}

/// The looks of one second.
#[derive(Default)]
pub(super) struct Watch {
    best: Option<Finding>,
}

impl Watch {
    /// Looks at both at the same moment.
    pub(super) fn look(&mut self, primary: &Cluster, secondary: &Cluster) {
        if self.best == Some(Finding::Same) {
            return;
        }
        let (ours, theirs) = (primary.head(), secondary.head());
        let (our, their) = (ours.totals(), theirs.totals());
        let found = if our == their {
            let (a, b) = (ours.digests(), theirs.digests());
            drop((ours, theirs));
            if compare(a, b).is_none() { Finding::Same } else { Finding::Differs }
        } else if our.samples > their.samples {
            Finding::Lacks(our.samples - their.samples)
        } else {
            Finding::Differs
        };
        self.best = Some(match (self.best, found) {
            (Some(Finding::Lacks(before)), Finding::Lacks(now)) => Finding::Lacks(before.min(now)),
            (Some(Finding::Lacks(before)), Finding::Differs) => Finding::Lacks(before),
            (_, found) => found,
        });
    }

    /// What was found since the last call.
    pub(super) fn take(&mut self) -> Finding {
        // Nothing was looked at: nothing is known to be the same.
        self.best.take().unwrap_or(Finding::Differs)
    }
}

/// Both clusters' sums and their difference series by series, at one moment.
pub(super) fn survey(primary: &Cluster, secondary: &Cluster) -> (Totals, Totals, Difference) {
    let (ours, theirs) = (primary.head(), secondary.head());
    let (our, their) = (ours.totals(), theirs.totals());
    let (a, b) = (ours.digests(), theirs.digests());
    drop((ours, theirs));
    (our, their, compare(a, b))
}

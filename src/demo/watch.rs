//! Looks at both clusters many times a second: whether they are the same, or how far the secondary is behind.
//!
//! Copies are always on their way, so one look at a time of traffic proves nothing. Within a second the clusters are
//! compared, series by series, at the first moment at which their sums agree. If there is none, what counts is the
//! last number of missing samples that stood still for two looks: between requests, when nothing is on its way.

use super::cluster::Cluster;
use super::compare::{Difference, compare};
use super::head::Totals;

/// What a second's looks have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Series by series, both held the same.
    Same,
    /// The secondary lacked so many samples.
    Lacks(u64),
    /// As many samples on both sides, but not the same ones; or more on the secondary.
    Differs,
}

/// The looks of one second.
#[derive(Default)]
pub(super) struct Watch {
    last: Option<Finding>,
    steady: Option<Finding>,
}

impl Watch {
    /// Looks at both at the same moment.
    pub(super) fn look(&mut self, primary: &Cluster, secondary: &Cluster) {
        if self.steady == Some(Finding::Same) {
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
        if found == Finding::Same || self.last == Some(found) {
            self.steady = Some(found);
        }
        self.last = Some(found);
    }

    /// What was found since the last call.
    pub(super) fn take(&mut self) -> Finding {
        let Self { last, steady } = std::mem::take(self);
        // If nothing was looked at, nothing is known to be the same.
        steady.or(last).unwrap_or(Finding::Differs)
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

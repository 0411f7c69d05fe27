//! Looks at both clusters many times a second: whether they are the same, or how far the secondary is behind.
//!
//! Copies are always on their way, so one look at a time of traffic proves nothing. Within a second the clusters are
//! compared, series by series, at the first moment at which their sums agree. If there is none, what counts is the
//! last number of missing samples that stood still for two looks: between requests, when nothing is on its way.
//! While the secondary is unwell, such a number also counts against an earlier moment at which they were the same.

use super::cluster::Cluster;
use super::compare::{Difference, compare};
use super::fault::Fault;
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
    /// The sums at which both were compared and found the same: no need to compare them again.
    same_at: Option<Totals>,
}

impl Watch {
    /// Looks at both at the same moment.
    pub(super) fn look(&mut self, primary: &Cluster, secondary: &Cluster) {
        if self.steady == Some(Finding::Same) && secondary.state() == Fault::None {
            return;
        }
        let (ours, theirs) = (primary.head(), secondary.head());
        let (our, their) = (ours.totals(), theirs.totals());
        let found = if our == their {
            let digests = (self.same_at != Some(our)).then(|| (ours.digests(), theirs.digests()));
            drop((ours, theirs));
            let same = digests.is_none_or(|(ours, theirs)| compare(ours, theirs).is_none());
            self.same_at = same.then_some(our);
            if same { Finding::Same } else { Finding::Differs }
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
        let Self { last, steady, .. } = std::mem::take(self);
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

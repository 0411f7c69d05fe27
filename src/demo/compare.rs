//! Whether two clusters hold the same.

use super::head::SeriesDigest;

/// What two clusters differ in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Samples that only the primary has.
    pub(super) lacks: u64,
    /// Samples that only the secondary has.
    pub(super) extra: u64,
    /// Series with as many samples on both sides, but not the same ones.
    pub(super) unequal: u64,
    /// Series that are not the same on both sides, for any of these reasons.
    pub(super) series: u64,
}

impl Difference {
    /// Both hold the same series with the same samples.
    pub(super) fn is_none(self) -> bool {
        self.series == 0
    }
}

/// Compares series by series.
pub(super) fn compare(mut primary: Vec<SeriesDigest>, mut secondary: Vec<SeriesDigest>) -> Difference {
    primary.sort_unstable();
    secondary.sort_unstable();
    let mut difference = Difference::default();
    let (mut ours, mut theirs) = (primary.into_iter().peekable(), secondary.into_iter().peekable());
    loop {
        let next = [ours.peek(), theirs.peek()].into_iter().flatten().map(|series| series.fingerprint).min();
        let Some(fingerprint) = next else { return difference };
        let ours = ours.next_if(|series| series.fingerprint == fingerprint);
        let theirs = theirs.next_if(|series| series.fingerprint == fingerprint);
        if ours == theirs {
            continue;
        }
        let count = |series: Option<SeriesDigest>| series.map_or(0, |series| series.samples);
        difference.series += 1;
        difference.lacks += count(ours).saturating_sub(count(theirs));
        difference.extra += count(theirs).saturating_sub(count(ours));
        difference.unequal += u64::from(count(ours) == count(theirs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(all: &[(u64, u64, u64)]) -> Vec<SeriesDigest> {
        all.iter()
            .map(|&(fingerprint, samples, checksum)| SeriesDigest { fingerprint, samples, checksum })
            .collect()
    }

    #[test]
    fn the_same_series_in_any_order_are_the_same() {
        let (a, b) = (digests(&[(1, 5, 50), (2, 6, 60)]), digests(&[(2, 6, 60), (1, 5, 50)]));
        assert!(compare(a, b).is_none());
        assert!(compare(Vec::new(), Vec::new()).is_none());
    }

    #[test]
    fn each_kind_of_difference_is_told_apart() {
        let primary = digests(&[(1, 5, 50), (2, 6, 60), (3, 7, 70), (5, 1, 1)]);
        let secondary = digests(&[(2, 4, 60), (3, 7, 71), (4, 9, 90), (5, 1, 1)]);
        assert_eq!(compare(primary, secondary), Difference { lacks: 7, extra: 9, unequal: 1, series: 4 });
    }
}

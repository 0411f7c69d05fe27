//! A set of numbers kept as sorted ranges: acknowledged bytes of a segment, numbers of reclaimed segments.
//!
//! Copies finish nearly in order, so the set is nearly always one range; a tenant that holds back makes it as long
//! as the copies it holds.

/// Half-open ranges, sorted, neither overlapping nor touching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RangeSet {
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    /// Adds `start..end`; an empty or reversed range adds nothing.
    pub(crate) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let low = self.ranges.partition_point(|range| range.1 < start);
        let high = self.ranges.partition_point(|range| range.0 <= end);
        let touched = self.ranges.get(low..high).unwrap_or_default();
        let first = touched.first().map_or(start, |range| range.0.min(start));
        let last = touched.last().map_or(end, |range| range.1.max(end));
        self.ranges.splice(low..high.max(low), [(first, last)]);
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for (start, end) in other.iter() {
            self.insert(start, end);
        }
    }

    /// The part of the set below `end`.
    pub(crate) fn clipped(&self, end: u64) -> Self {
        let mut clipped = Self::default();
        self.iter().for_each(|range| clipped.insert(range.0, range.1.min(end)));
        clipped
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.covers(number, number.saturating_add(1))
    }

    /// Whether all of `start..end` is in the set.
    pub(crate) fn covers(&self, start: u64, end: u64) -> bool {
        let next = self.ranges.partition_point(|range| range.0 <= start);
        next.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|range| end <= range.1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// One past the largest number.
    pub(crate) fn end(&self) -> Option<u64> {
        self.ranges.last().map(|range| range.1)
    }

    /// The parts of `start..end` that are not in the set.
    pub(crate) fn gaps(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut from = start;
        for (low, high) in self.iter().skip_while(|range| range.1 <= start) {
            if low >= end {
                break;
            }
            if low > from {
                gaps.push((from, low));
            }
            from = from.max(high);
        }
        if from < end {
            gaps.push((from, end));
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};

    use super::*;

    proptest! {
        #![proptest_config(Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() })]

        #[test]
        fn is_a_set(inserts in proptest::collection::vec((0_u64..60, 0_u64..60), 0..20)) {
            let mut ranges = RangeSet::default();
            let mut naive = BTreeSet::new();
            for (start, end) in inserts {
                ranges.insert(start, end);
                naive.extend(start..end);
            }
            for number in 0..64 {
                prop_assert_eq!(ranges.contains(number), naive.contains(&number));
            }
            let gaps: BTreeSet<u64> = ranges.gaps(5, 50).into_iter().flat_map(|(low, high)| low..high).collect();
            prop_assert_eq!(gaps, (5..50).filter(|number| !naive.contains(number)).collect::<BTreeSet<u64>>());
            prop_assert!(ranges.ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
            prop_assert_eq!(ranges.end(), naive.last().map(|last| last + 1));
        }
    }
}

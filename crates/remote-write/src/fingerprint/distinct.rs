//! A set of fingerprints with a bound, kept in the caller's vector.
//!
//! Appending and sorting at the end is cheaper than a table for the few thousand of a usual body, and leaves the
//! set sorted. A body that repeats itself is sorted every now and then on the way, so that it cannot take more
//! memory than twice the bound.

use super::{MAX_SERIES, Reason};

/// Collects fingerprints; [`Distinct::finish`] tells how many different ones there were.
pub(super) struct Distinct<'a> {
    found: &'a mut Vec<u64>,
}

impl<'a> Distinct<'a> {
    pub(super) fn new(found: &'a mut Vec<u64>) -> Self {
        found.clear();
        Self { found }
    }

    /// Adds one. Samples of one series often follow each other, so the last one is looked at first.
    #[inline]
    pub(super) fn insert(&mut self, fingerprint: u64) -> Result<(), Reason> {
        if self.found.last() == Some(&fingerprint) {
            return Ok(());
        }
        self.found.push(fingerprint);
        if self.found.len() >= 2 * MAX_SERIES { self.settle() } else { Ok(()) }
    }

    /// The number of different fingerprints; the vector holds them in ascending order.
    pub(super) fn finish(mut self) -> Result<usize, Reason> {
        self.settle()?;
        Ok(self.found.len())
    }

    fn settle(&mut self) -> Result<(), Reason> {
        self.found.sort_unstable();
        self.found.dedup();
        if self.found.len() > MAX_SERIES { Err(Reason::TooMany) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(numbers: impl Iterator<Item = u64>) -> (Result<usize, Reason>, Vec<u64>) {
        let mut found = vec![9, 9, 9];
        let mut distinct = Distinct::new(&mut found);
        for number in numbers {
            if let Err(reason) = distinct.insert(number) {
                return (Err(reason), found);
            }
        }
        (distinct.finish(), found)
    }

    #[test]
    fn what_comes_again_counts_once() {
        assert_eq!(collect([3, 1, 1, 2, 3, 1].into_iter()), (Ok(3), vec![1, 2, 3]));
        assert_eq!(collect(std::iter::empty()), (Ok(0), vec![]));
    }

    #[test]
    fn the_bound_is_on_different_ones() {
        let bound = MAX_SERIES as u64;
        assert_eq!(collect((0..bound).rev()).0, Ok(MAX_SERIES));
        assert_eq!(collect(0..=bound).0, Err(Reason::TooMany));
        assert_eq!(collect((0..20 * bound).map(|number| number % bound)).0, Ok(MAX_SERIES));
    }

    #[test]
    fn memory_is_bounded_whatever_repeats() {
        let bound = MAX_SERIES as u64;
        let (_, found) = collect((0..20 * bound).map(|number| number % bound));
        assert!(found.capacity() < 4 * MAX_SERIES, "{}", found.capacity());
        let (refused, found) = collect(0..u64::MAX);
        assert_eq!(refused, Err(Reason::TooMany));
        assert!(found.capacity() < 4 * MAX_SERIES, "{}", found.capacity());
    }
}

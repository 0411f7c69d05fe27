//! Labels to numbers: the same label set gives the same number, in any order and in either version.
//!
//! - A string becomes 64 bits on its own, length included, so that 2.0 hashes each symbol once and `ab`=`c` is not
//!   `a`=`bc`.
//! - A label is the two numbers of its name and its value, mixed unequally, so that `a`=`b` is not `b`=`a`.
//! - A series is the sum of its labels: a sum forgets the order, and unlike an exclusive or it does not forget a
//!   label that stands there twice.
//!
//! An OTLP target is the numbers of its `job` and `instance`, mixed under a key of their own: what stands for all series
//! of a target is no series of remote write.
//!
//! A label with an empty value counts as no label. That is how Prometheus and Mimir store it, so two spellings of
//! one series, with and without it, must not differ.
//!
//! Two series with one fingerprint only wait for each other without need. But clients choose the labels, so the
//! hash takes a key that they cannot know and never see the effect of: nobody can aim for collisions here or in a
//! table that is indexed by fingerprints.
//!
//! `foldhash`, because it is made for short strings (a load or two and one wide multiplication up to 16 bytes, in
//! line, no set-up), takes a key, needs no CPU feature to be fast, and stands in the tree already, under the hash
//! maps of other crates. Fingerprints may differ from build to build and from run to run: they are never stored.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

/// The number of the empty string, and of no other.
pub(super) const EMPTY: u64 = 0;
/// Makes another key of the one for labels.
const TARGET: u64 = 0x6a6f_622f_696e_7374;

/// The key under which series are hashed. Sets can be compared only if they were made under one seed, so a process
/// has one. Not printable, since whoever knows it can make series that collide.
#[derive(Clone, Copy)]
pub struct Seed([u64; 3]);

impl Seed {
    /// A seed from the operating system's randomness.
    #[must_use]
    pub fn random() -> Self {
        Self([(); 3].map(|()| RandomState::new().build_hasher().finish()))
    }

    /// The same seed in every run, for tests and benchmarks.
    #[must_use]
    pub fn fixed(number: u64) -> Self {
        Self([number, number.rotate_left(21) ^ 0x9e37_79b9_7f4a_7c15, !number])
    }
}

/// Hashes under one [`Seed`].
pub(super) struct LabelHasher {
    shared: SharedSeed,
    string: u64,
    pair: u64,
}

impl LabelHasher {
    pub(super) fn new(Seed([shared, string, pair]): Seed) -> Self {
        Self { shared: SharedSeed::from_u64(shared), string, pair }
    }

    /// A name or a value.
    #[inline]
    pub(super) fn string(&self, bytes: &[u8]) -> u64 {
        if bytes.is_empty() {
            return EMPTY;
        }
        let mut hasher = FoldHasher::with_seed(self.string, &self.shared);
        hasher.write(bytes);
        hasher.finish().max(EMPTY + 1)
    }

    /// A label, from the numbers of its two strings.
    #[inline]
    pub(super) fn label(&self, name: u64, value: u64) -> u64 {
        if value == EMPTY {
            return 0;
        }
        let mut hasher = FoldHasher::with_seed(self.pair, &self.shared);
        hasher.write_u64(name);
        hasher.write_u64(value);
        hasher.finish()
    }

    /// A target of OTLP, from the numbers of its `job` and its `instance`.
    #[inline]
    pub(super) fn target(&self, job: u64, instance: u64) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.pair ^ TARGET, &self.shared);
        hasher.write_u64(job);
        hasher.write_u64(instance);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn series(labels: &[(&str, &str)]) -> u64 {
        let hasher = LabelHasher::new(Seed::fixed(7));
        let label = |(name, value): &(&str, &str)| {
            hasher.label(hasher.string(name.as_bytes()), hasher.string(value.as_bytes()))
        };
        labels.iter().map(label).fold(0, u64::wrapping_add)
    }

    #[test]
    fn only_order_and_empty_values_are_forgotten() {
        let one = series(&[("a", "b"), ("c", "d")]);
        assert_eq!(one, series(&[("c", "d"), ("a", "b")]));
        assert_eq!(one, series(&[("c", "d"), ("e", ""), ("a", "b")]));
        let others = [
            &[("a", "d"), ("c", "b")][..],
            &[("b", "a"), ("c", "d")],
            &[("ab", ""), ("c", "d")],
            &[("", "ab"), ("c", "d")],
            &[("a", "bc"), ("", "d")],
            &[("a", "b"), ("c", "d"), ("c", "d")],
            &[("a", "b"), ("a", "b"), ("c", "d")],
            &[("a", "b")],
            &[("a", "bcd")],
            &[("a\0", "b"), ("c", "d")],
            &[("a", "b"), ("c", "d\0")],
            &[],
        ];
        let distinct: HashSet<u64> = others.iter().map(|labels| series(labels)).chain([one]).collect();
        assert_eq!(distinct.len(), others.len() + 1);
    }

    #[test]
    fn strings_of_one_byte_differ_by_length() {
        let hasher = LabelHasher::new(Seed::fixed(7));
        for byte in [0, b'a', 0xff] {
            let lengths: HashSet<u64> = (0..600).map(|length| hasher.string(&vec![byte; length])).collect();
            assert_eq!(lengths.len(), 600, "byte {byte}");
        }
    }

    #[test]
    fn targets_are_no_series_and_differ_by_both_of_their_labels() {
        let hasher = LabelHasher::new(Seed::fixed(7));
        let [a, b] = ["a", "b"].map(|text| hasher.string(text.as_bytes()));
        let targets = [(a, b), (b, a), (a, a), (a, EMPTY), (EMPTY, a), (EMPTY, EMPTY)];
        let all: HashSet<u64> =
            targets.iter().map(|(job, instance)| hasher.target(*job, *instance)).collect();
        assert_eq!(all.len(), targets.len());
        let series = [hasher.label(a, b), hasher.label(b, a), hasher.label(a, a), 0];
        assert!(series.iter().all(|series| !all.contains(series)));
    }

    #[test]
    fn the_seed_decides() {
        let number = |seed| LabelHasher::new(seed).string(b"up");
        assert_eq!(number(Seed::fixed(1)), number(Seed::fixed(1)));
        assert_ne!(number(Seed::fixed(1)), number(Seed::fixed(2)));
        assert_ne!(number(Seed::random()), number(Seed::random()));
    }
}

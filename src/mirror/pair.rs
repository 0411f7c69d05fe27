//! Where the two answers to one write meet: the primary's and the mirror's, in either order, on one thread or two.
//! Whoever comes second counts both.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::stats::pairs::Class;

/// Both answers of one copy, each in four bits: 0 until it is known, then the class's number and one.
#[derive(Debug, Default)]
pub(crate) struct Pair(AtomicU8);

/// Whose answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Primary,
    Secondary,
}

/// What an answer finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// It was said before.
    Already,
    /// The other answer is still to come.
    First,
    /// The other answer.
    Second(Class),
}

impl Pair {
    /// Each side is told by one thread.
    pub(crate) fn tell(&self, side: Side, class: Class) -> Met {
        let (own, other) = match side {
            Side::Primary => (0, 4),
            Side::Secondary => (4, 0),
        };
        let part = |bits: u8, shift: u8| (bits >> shift) & 0xf;
        if part(self.0.load(Relaxed), own) != 0 {
            return Met::Already;
        }
        let before = self.0.fetch_or((class as u8 + 1) << own, Relaxed);
        match part(before, other).checked_sub(1).and_then(|n| Class::ALL.get(usize::from(n))) {
            Some(class) => Met::Second(*class),
            None => Met::First,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_second_hears_of_the_first() {
        for primary in Class::ALL {
            for secondary in Class::ALL {
                let pair = Pair::default();
                assert_eq!(pair.tell(Side::Primary, primary), Met::First);
                assert_eq!(pair.tell(Side::Primary, Class::Server), Met::Already);
                assert_eq!(pair.tell(Side::Secondary, secondary), Met::Second(primary));
                assert_eq!(pair.tell(Side::Secondary, Class::Server), Met::Already);
                let pair = Pair::default();
                assert_eq!(pair.tell(Side::Secondary, secondary), Met::First);
                assert_eq!(pair.tell(Side::Primary, primary), Met::Second(secondary));
            }
        }
    }
}

//! What the two clusters answered to the same write: a table of classes against classes.

use super::counter::Counter;

/// The class of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// There was no answer.
    None,
    Success,
    Redirect,
    Client,
    Server,
    /// There may have been one, but nobody remembers. Of primaries only.
    Unknown,
}

impl Class {
    /// Every class, in the order of the table; what is known of a mirror is all but the last.
    pub(crate) const ALL: [Self; 6] =
        [Self::None, Self::Success, Self::Redirect, Self::Client, Self::Server, Self::Unknown];

    pub(crate) fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Self::Success,
            Some(300..=399) => Self::Redirect,
            Some(400..=499) => Self::Client,
            Some(500..) => Self::Server,
            _ => Self::None,
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::Client => "4xx",
            Self::Server => "5xx",
            Self::Unknown => "unknown",
        }
    }
}

/// Copies by both answers: the primary's, then the mirror's.
#[derive(Debug, Default)]
pub(crate) struct Pairs([[Counter; 6]; 6]);

impl Pairs {
    pub(crate) fn count(&self, primary: Class, secondary: Class) {
        if let Some(counter) = self.counter(primary, secondary) {
            counter.inc();
        }
    }

    pub(crate) fn get(&self, primary: Class, secondary: Class) -> u64 {
        self.counter(primary, secondary).map_or(0, Counter::get)
    }

    fn counter(&self, primary: Class, secondary: Class) -> Option<&Counter> {
        self.0.get(primary as usize)?.get(secondary as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_all_is_the_order_of_the_table() {
        for (index, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, index);
        }
        let pairs = Pairs::default();
        pairs.count(Class::of(Some(204)), Class::of(Some(503)));
        assert_eq!(pairs.get(Class::Success, Class::Server), 1);
        assert_eq!(pairs.get(Class::Server, Class::Success), 0);
        assert_eq!((Class::of(None), Class::of(Some(101))), (Class::None, Class::None));
    }
}

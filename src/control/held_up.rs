//! Notices that a durable mirror takes nothing while copies wait for it. They are not lost, so no counter of losses says
//! so: its door may be closed (a wrong password), or it is down.

use std::time::{Duration, Instant};

/// How long nothing may succeed until that is told.
const PATIENCE: Duration = Duration::from_secs(3);
/// Shortest time between two lines about the same mirror.
const QUIET: Duration = Duration::from_secs(30);

/// One mirror.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HeldUp {
    /// Copies that the mirror took or judged, at the last look.
    answered: u64,
    /// Since when copies wait and none was answered.
    since: Option<Instant>,
    told: Option<Instant>,
}

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing succeeds, for so long.
    Nothing(Duration),
    /// It does again, after a line that said otherwise.
    Again,
}

impl HeldUp {
    /// `waits`: copies are pending that may be sent. `answered`: copies that the mirror took or judged so far.
    pub(super) fn look(&mut self, waits: bool, answered: u64, now: Instant) -> Option<News> {
        if !waits || answered != self.answered {
            let moves = answered != self.answered;
            self.answered = answered;
            self.since = waits.then_some(now);
            return if moves { self.told.take().map(|_| News::Again) } else { None };
        }
        let long = now.duration_since(*self.since.get_or_insert(now));
        if long < PATIENCE || self.told.is_some_and(|told| now.duration_since(told) < QUIET) {
            return None;
        }
        self.told = Some(now);
        Some(News::Nothing(long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c9_what_holds_copies_up_is_told_now_and_then_and_so_is_its_end() {
        let (mut held_up, start) = (HeldUp::default(), Instant::now());
        let mut look =
            |second: u64, waits, answered| held_up.look(waits, answered, start + Duration::from_secs(second));
        assert_eq!(look(0, true, 5), None, "it takes copies");
        for second in 1..3 {
            assert_eq!(look(second, true, 5), None);
        }
        assert_eq!(look(3, true, 5), Some(News::Nothing(Duration::from_secs(3))));
        assert!((4..33).all(|second| look(second, true, 5).is_none()));
        assert_eq!(look(33, true, 5), Some(News::Nothing(Duration::from_secs(33))));
        assert_eq!(look(34, true, 6), Some(News::Again));
        assert_eq!(look(35, true, 6), None);
        assert_eq!(look(36, false, 6), None, "nothing waits");
        assert!((37..39).all(|second| look(second, true, 6).is_none()));
        assert_eq!(look(40, true, 6), Some(News::Nothing(Duration::from_secs(3))));
    }
}

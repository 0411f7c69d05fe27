//! Medians and ranges of the few figures that rounds give.

/// Middle, least and greatest of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

/// All zero when there are no figures.
pub(super) fn summary(figures: impl IntoIterator<Item = f64>) -> Summary {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    let last = sorted.len().saturating_sub(1);
    Summary { median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), least: at(0), greatest: at(last) }
}

/// A median and the interval that holds the true one in 95 of 100 cases, by order statistics: no distribution is
/// assumed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Interval {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Interval {
    /// Whether a ratio may as well be 1.
    pub(super) fn holds_one(self) -> bool {
        self.low <= 1.0 && 1.0 <= self.high
    }
}

/// Of some figures; with fewer than six the interval is their range.
pub(super) fn interval(figures: Vec<f64>) -> Interval {
    let mut sorted = figures;
    sorted.sort_by(f64::total_cmp);
    let median = summary(sorted.iter().copied()).median;
    // The normal approximation of the binomial: ranks n/2 ± 0.98·√n.
    let count = sorted.len() as f64;
    let below = (count / 2.0 - 0.98 * count.sqrt()).floor().max(0.0) as usize;
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    Interval { median, low: at(below), high: at(sorted.len().saturating_sub(1 + below)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_figures() {
        assert_eq!(summary([3.0, 1.0, 2.0]), Summary { median: 2.0, least: 1.0, greatest: 3.0 });
        assert_eq!(summary([4.0, 1.0, 2.0, 3.0]), Summary { median: 2.5, least: 1.0, greatest: 4.0 });
        assert_eq!(summary([]), Summary { median: 0.0, least: 0.0, greatest: 0.0 });
    }

    #[test]
    fn the_interval_of_twenty_leaves_five_out_on_each_side() {
        let figures = interval((1..=20).map(f64::from).collect());
        assert_eq!(figures, Interval { median: 10.5, low: 6.0, high: 15.0 });
        assert!(!figures.holds_one());
        assert_eq!(interval(vec![0.5, 1.5]), Interval { median: 1.0, low: 0.5, high: 1.5 });
        assert!(interval(vec![0.5, 1.5]).holds_one());
    }
}

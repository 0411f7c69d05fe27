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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_figures() {
        assert_eq!(summary([3.0, 1.0, 2.0]), Summary { median: 2.0, least: 1.0, greatest: 3.0 });
        assert_eq!(summary([4.0, 1.0, 2.0, 3.0]), Summary { median: 2.5, least: 1.0, greatest: 4.0 });
        assert_eq!(summary([]), Summary { median: 0.0, least: 0.0, greatest: 0.0 });
    }
}

//! The last minutes as a ring of fixed size: one moment every few seconds, each with the same columns.
//!
//! Columns that count hold what was added since the moment before, so that rates are a division; the others hold what
//! was there. What is not known (a quantile of nothing) is no number.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use crate::limits::STATUS_MOMENTS;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// What was added; shown for each second, under this name.
    Rate(&'static str),
    /// What was there.
    Level(&'static str),
}

#[derive(Debug)]
struct Moment {
    at_ms: u64,
    /// Since the moment before.
    seconds: f64,
    values: Box<[f64]>,
}

/// The newest moments of one thing.
#[derive(Debug)]
pub(super) struct History {
    columns: &'static [Column],
    moments: VecDeque<Moment>,
}

impl History {
    pub(super) fn of(columns: &'static [Column]) -> Self {
        Self { columns, moments: VecDeque::with_capacity(STATUS_MOMENTS) }
    }

    /// `values` in the order of the columns; the oldest moment goes.
    pub(super) fn push(&mut self, at_ms: u64, seconds: f64, values: Box<[f64]>) {
        if self.moments.len() == STATUS_MOMENTS {
            self.moments.pop_front();
        }
        self.moments.push_back(Moment { at_ms, seconds, values });
    }

    /// What the newest moments added to a column, and their seconds.
    pub(super) fn added(&self, column: usize, newest: usize) -> (f64, f64) {
        let all = self.moments.iter().rev().take(newest);
        all.fold((0.0, 0.0), |(sum, seconds), moment| {
            (sum + moment.values.get(column).copied().unwrap_or_default(), seconds + moment.seconds)
        })
    }

    /// For each second, over the newest moments.
    pub(super) fn rate(&self, column: usize, newest: usize) -> f64 {
        let (sum, seconds) = self.added(column, newest);
        if seconds > 0.0 { rounded(sum / seconds) } else { 0.0 }
    }

    /// The moments after `since_ms`, column by column.
    pub(super) fn json(&self, since_ms: u64) -> Value {
        let newer = || self.moments.iter().filter(|moment| moment.at_ms > since_ms);
        let mut out = Map::new();
        out.insert("at_ms".to_owned(), newer().map(|moment| moment.at_ms).collect());
        for (index, column) in self.columns.iter().enumerate() {
            let value = |moment: &Moment| {
                let value = moment.values.get(index).copied().unwrap_or(f64::NAN);
                // What is no number becomes null.
                match column {
                    Column::Rate(_) => json!(rounded(value / moment.seconds)),
                    Column::Level(_) => json!(rounded(value)),
                }
            };
            let (Column::Rate(name) | Column::Level(name)) = column;
            out.insert((*name).to_owned(), newer().map(value).collect());
        }
        out.into()
    }
}

/// To three digits behind the point.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    static COLUMNS: [Column; 2] = [Column::Rate("n_per_second"), Column::Level("p50_ms")];

    #[test]
    fn only_the_newest_moments_are_kept() {
        let mut history = History::of(&COLUMNS);
        for at in 0..STATUS_MOMENTS as u64 + 7 {
            history.push(at, 2.0, Box::new([4.0, 1.0]));
        }
        let json = history.json(0);
        assert_eq!(json["at_ms"].as_array().unwrap().len(), STATUS_MOMENTS);
        assert_eq!((&json["at_ms"][0], &json["n_per_second"][0]), (&json!(7), &json!(2.0)));
        assert_eq!(history.json(STATUS_MOMENTS as u64)["at_ms"].as_array().unwrap().len(), 6);
    }

    #[test]
    fn rates_are_of_the_newest_moments_and_what_is_unknown_is_null() {
        let mut history = History::of(&COLUMNS);
        assert_eq!(history.rate(0, 5), 0.0);
        history.push(1, 2.0, Box::new([100.0, 3.0]));
        history.push(2, 2.0, Box::new([1.0, f64::NAN]));
        history.push(3, 2.0, Box::new([2.0, 5.0]));
        assert_eq!((history.rate(0, 2), history.added(0, 9)), (0.75, (103.0, 6.0)));
        assert_eq!(history.json(0)["p50_ms"], json!([3.0, null, 5.0]));
    }
}

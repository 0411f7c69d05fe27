//! What the demo prints: a plain log, one line a second in aligned columns.

use std::io::Write as _;
use std::time::Duration;

use super::admin::Ledger;
use super::fault::Fault;
use super::head::Totals;
use super::watch::Finding;

/// Lines of the table between two heads.
const PAGE: u32 = 20;

/// One second of the demo.
pub(super) struct Second {
    pub(super) elapsed: u64,
    pub(super) state: Fault,
    pub(super) primary: Totals,
    pub(super) secondary: Totals,
    pub(super) finding: Finding,
    /// Samples in a copy, at most.
    pub(super) batch: u64,
    /// Answers of the primary in this second, through the proxy.
    pub(super) latencies: Vec<Duration>,
    /// Samples acknowledged in this second.
    pub(super) rate: u64,
    /// `None` if the admin did not answer or knows no copies.
    pub(super) ledger: Option<Ledger>,
}

/// The terminal, or whatever stdout is.
#[derive(Default)]
pub(super) struct Screen {
    lines: u32,
}

impl Screen {
    /// Prints a line that belongs to no second.
    ///
    /// # Errors
    /// If nobody reads stdout any more.
    pub(super) fn say(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Prints a line of the table, and its head where it is due.
    ///
    /// # Errors
    /// If nobody reads stdout any more.
    pub(super) fn second(&mut self, mut second: Second) -> std::io::Result<()> {
        if self.lines.is_multiple_of(PAGE) {
            self.say(HEAD)?;
        }
        self.lines += 1;
        second.latencies.sort_unstable();
        let delivered = second.ledger.as_ref().map(Ledger::delivered);
        let line = format!(
            "{:>4}s {:<11} | {:>6} {:>9} {:>6} {:>6} {:>7} | {:>6} {:>9} {:<15} | {:>9} {:>7} {:>6}",
            second.elapsed,
            second.state.name(),
            second.primary.series,
            second.primary.samples,
            milliseconds(percentile(&second.latencies, 50)),
            milliseconds(percentile(&second.latencies, 99)),
            second.rate,
            second.secondary.series,
            second.secondary.samples,
            second.comparison(),
            number(delivered),
            number(second.ledger.as_ref().and_then(|ledger| ledger.pending)),
            number(second.ledger.as_ref().map(Ledger::lost)),
        );
        self.say(&line)
    }
}

const HEAD: &str = concat!(
    "      secondary   | primary          answers in ms samples | secondary                        | copies\n",
    " time is          | series   samples    p50    p99   per s | series   samples against primary | ",
    "delivered pending   lost",
);

impl Second {
    /// "behind" if the copies that wait can explain what is missing, "lacks" if they cannot.
    fn comparison(&self) -> String {
        let waiting = self.ledger.as_ref().and_then(|ledger| ledger.pending).unwrap_or_default() * self.batch;
        match self.finding {
            Finding::Same => "same".to_owned(),
            Finding::Lacks(samples) if samples <= waiting => format!("behind {samples}"),
            Finding::Lacks(samples) => format!("lacks {samples}"),
            Finding::Differs => "DIFFERS".to_owned(),
        }
    }
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1e3))
}

/// The smallest value that at least `percent` of all do not exceed; the values sorted.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Some(Duration::from_millis(100)));
        assert_eq!(percentile(&times, 99), Some(Duration::from_millis(198)));
        assert_eq!(percentile(&times[..1], 50), Some(Duration::from_millis(1)));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn the_head_stands_over_its_columns() {
        let bars = |line: &str| line.match_indices('|').map(|(at, _)| at).collect::<Vec<_>>();
        let mut heads = HEAD.lines().map(bars);
        assert_eq!(heads.next(), heads.next());
    }
}

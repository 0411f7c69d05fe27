//! What the demo prints: what is seen in one line each, then a plain log, one line a second in aligned columns of at most
//! 80 characters. Colours on a terminal alone, and never all that tells.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use super::admin::Ledger;
use super::fault::Fault;
use super::head::Totals;
use super::plan::Plan;
use super::watch::Finding;
use crate::terminal::wants_colours;

/// Lines of the table between two heads.
const PAGE: u32 = 20;

/// One second of the demo.
pub(super) struct Second {
    pub(super) elapsed: u64,
    pub(super) state: Fault,
    pub(super) primary: Totals,
    pub(super) finding: Finding,
    /// Samples in a copy, at most.
    pub(super) batch: u64,
    /// Answers of the primary in this second, through the proxy.
    pub(super) latencies: Vec<Duration>,
    /// `None` if the admin did not answer or knows no copies.
    pub(super) ledger: Option<Ledger>,
}

/// The terminal, or whatever stdout is.
pub(super) struct Screen {
    lines: u32,
    colours: bool,
}

/// What a colour stands for.
#[derive(Clone, Copy)]
enum Tone {
    Good = 32,
    Bad = 31,
    Waiting = 33,
    Faint = 2,
    Strong = 1,
}

impl Screen {
    /// Of stdout.
    pub(super) fn new() -> Self {
        Self { lines: 0, colours: wants_colours() }
    }

    fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", tone as u8) } else { text.to_owned() }
    }

    /// What will be seen, before anything is.
    ///
    /// # Errors
    /// If nobody reads stdout any more.
    pub(super) fn introduce(&self, place: &Place, plan: &Plan) -> std::io::Result<()> {
        let Plan { shards, series, rate, batch, .. } = plan;
        let row = |name: &str, what: &str| {
            self.say(&format!("  {} {what}", self.paint(Tone::Strong, &format!("{name:<10}"))))
        };
        self.say("mimir-mirror demo: the sender gets the primary's answer, the secondary gets a copy.\n")?;
        row(
            "sender",
            &format!("{shards} shards write {series} series, {rate} samples/s in batches of {batch}"),
        )?;
        row("proxy", &format!("http://{}  process {}", place.proxy, place.process))?;
        row("page", &format!("http://{}/  how both fare: open it in a browser", place.admin))?;
        row("primary", &format!("http://{}  always healthy", place.primary))?;
        row("secondary", &format!("http://{}  what the keys make of it", place.secondary))?;
        self.say("\nA line a second:")?;
        row("samples", "what the primary holds: goes on growing, whatever becomes of the secondary")?;
        row("p50 p99", "the sender's wait for an answer through the proxy: does not grow either")?;
        row("secondary", "\"same\" as the primary, \"behind\" while copies wait, \"lacks\" what was lost")?;
        row("copies", "those that wait for the secondary, and those lost: none without being counted")?;
        let keys = KEYS.map(|(key, what)| format!("{} {what}", self.paint(Tone::Strong, key)));
        self.say(&format!("\nPress  {}\n", keys.join("   ")))
    }

    /// Something has happened between two seconds.
    ///
    /// # Errors
    /// If nobody reads stdout any more.
    pub(super) fn note(&self, text: &str) -> std::io::Result<()> {
        self.say(&self.paint(Tone::Strong, &format!("   -> {text}")))
    }

    /// The last word.
    ///
    /// # Errors
    /// If nobody reads stdout any more.
    pub(super) fn verdict(&self, good: bool, sentence: &str) -> std::io::Result<()> {
        self.say(&self.paint(if good { Tone::Good } else { Tone::Bad }, sentence))
    }

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
            self.say(&self.paint(Tone::Faint, HEAD))?;
        }
        self.lines += 1;
        second.latencies.sort_unstable();
        let ledger = second.ledger.as_ref();
        let lost = ledger.map(Ledger::lost);
        let state = if second.state == Fault::None { Tone::Good } else { Tone::Waiting };
        let (tone, comparison) = second.comparison();
        let line = format!(
            "{:>4}s {} | {:>9} {:>6} {:>6} | {} | {:>7} {}",
            second.elapsed,
            self.paint(state, &format!("{:<11}", second.state.name())),
            second.primary.samples,
            milliseconds(percentile(&second.latencies, 50)),
            milliseconds(percentile(&second.latencies, 99)),
            self.paint(tone, &format!("{comparison:<15}")),
            number(ledger.and_then(|ledger| ledger.pending)),
            self.paint(
                if lost.unwrap_or_default() > 0 { Tone::Bad } else { Tone::Good },
                &format!("{:>5}", number(lost))
            ),
        );
        self.say(&line)
    }
}

/// Where everything listens.
pub(super) struct Place {
    pub(super) proxy: SocketAddr,
    pub(super) process: u32,
    pub(super) admin: SocketAddr,
    pub(super) primary: SocketAddr,
    pub(super) secondary: SocketAddr,
}

const KEYS: [(&str, &str); 7] = [
    ("s", "slow"),
    ("h", "hang"),
    ("n", "stop reading"),
    ("r", "refuse"),
    ("5", "answer 503"),
    ("g", "good again"),
    ("q", "quit"),
];

const HEAD: &str = concat!(
    "      secondary   | primary     answers, ms | secondary       | copies\n",
    " time is          |   samples    p50    p99 | against primary | waiting  lost",
);

impl Second {
    /// "behind" if the copies that wait can explain what is missing, "lacks" if they cannot.
    fn comparison(&self) -> (Tone, String) {
        let waiting = self.ledger.as_ref().and_then(|ledger| ledger.pending).unwrap_or_default() * self.batch;
        match self.finding {
            Finding::Same => (Tone::Good, "same".to_owned()),
            Finding::Lacks(samples) if samples <= waiting => (Tone::Waiting, format!("behind {samples}")),
            Finding::Lacks(samples) => (Tone::Bad, format!("lacks {samples}")),
            Finding::Differs => (Tone::Bad, "DIFFERS".to_owned()),
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
        assert!(HEAD.lines().all(|line| line.len() <= 80));
    }
}

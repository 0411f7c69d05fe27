//! The admin interface's numbers: Prometheus text, and the ledger of a mirror's copies.

use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// One scrape.
#[derive(Debug)]
pub(crate) struct Metrics(Vec<(String, Labels, f64)>);

impl Metrics {
    /// Reads the text format. Fails the test on a line that is none of it.
    pub(crate) fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
        Self(samples.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line:?}"))).collect())
    }

    /// The sum over all series of a name that carry these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let sum: f64 = self.series(name, labels).map(|(_, value)| value).sum();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
        let whole = sum as u64;
        whole
    }

    /// Whether there is any series of this name and these labels.
    pub(crate) fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.series(name, labels).next().is_some()
    }

    fn series<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = (&'a Labels, f64)> {
        let carries = |own: &Labels| labels.iter().all(|(k, v)| own.get(*k).is_some_and(|o| o == v));
        self.0.iter().filter(move |(n, l, _)| n == name && carries(l)).map(|(_, l, v)| (l, *v))
    }
}

/// `name{label="value",...} number`.
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let mut found = Labels::new();
    let mut rest = labels.strip_suffix('}')?;
    while let Some((label, tail)) = rest.split_once("=\"") {
        let (value, tail) = tail.split_once('"')?;
        found.insert(label.trim_start_matches(',').to_owned(), value.to_owned());
        rest = tail;
    }
    Some((name.to_owned(), found, value.parse().ok()?))
}

/// What became of one mirror's copies.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub received: u64,
    /// Copies that an earlier process had left in the backlog.
    pub recovered: u64,
    pub pending: u64,
    pub incomplete: u64,
    pub excluded: u64,
    pub lost_tokens: u64,
    /// By outcome and reason.
    outcomes: BTreeMap<(String, String), u64>,
}

impl Ledger {
    pub(crate) fn read(metrics: &Metrics, mirror: &str) -> Self {
        assert!(
            metrics.0.iter().any(|(n, _, _)| n.starts_with("mimir_mirror_")),
            "this program keeps no ledger"
        );
        let own = [("mirror", mirror)];
        let mut outcomes = BTreeMap::new();
        for (labels, value) in metrics.series("mimir_mirror_requests_total", &own) {
            let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
            let count = value as u64;
            *outcomes.entry((label("outcome"), label("reason"))).or_default() += count;
        }
        Self {
            received: metrics.sum("mimir_mirror_received_total", &own),
            recovered: metrics.sum("mimir_mirror_recovered_total", &own),
            pending: metrics.sum("mimir_mirror_pending_requests", &own),
            incomplete: metrics.sum("mimir_mirror_incomplete_total", &own),
            excluded: metrics.sum("mimir_mirror_excluded_total", &own),
            lost_tokens: metrics.sum("mimir_mirror_lost_tokens_total", &[]),
            outcomes,
        }
    }

    /// Copies with this outcome, whatever the reason.
    pub(crate) fn outcome(&self, outcome: &str) -> u64 {
        self.outcomes.iter().filter(|((o, _), _)| o == outcome).map(|(_, n)| n).sum()
    }

    /// Copies with this outcome and this reason.
    pub(crate) fn reason(&self, outcome: &str, reason: &str) -> u64 {
        self.outcomes.get(&(outcome.to_owned(), reason.to_owned())).copied().unwrap_or(0)
    }

    /// Every outcome that there was, as `outcome/reason` (or the outcome alone), with its number.
    pub(crate) fn causes(&self) -> Vec<(String, u64)> {
        let name = |(outcome, reason): &(String, String)| match reason.as_str() {
            "" => outcome.clone(),
            reason => format!("{outcome}/{reason}"),
        };
        self.outcomes.iter().filter(|(_, n)| **n > 0).map(|(cause, n)| (name(cause), *n)).collect()
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.outcome("delivered")
    }

    /// Copies that the mirror has: those it took, and those it had taken before it was sent them again.
    pub(crate) fn taken(&self) -> u64 {
        self.delivered() + self.outcome("repeated")
    }

    /// The law: what was received or recovered is the sum of the outcomes and what is pending, and no copy was lost
    /// from sight.
    pub(crate) fn assert_adds_up(&self) {
        let sum: u64 = self.outcomes.values().sum();
        let all = self.received + self.recovered;
        assert_eq!(all, sum + self.pending, "the ledger does not add up: {self:?}");
        assert_eq!(self.lost_tokens, 0, "{self:?}");
    }
}

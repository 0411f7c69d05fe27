//! What the demo asks of the proxy's admin: whether it is ready, and the ledger's numbers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;

use crate::admin::client;

/// The admin has a thread of its own and answers at once, or something is wrong with it.
const TIMEOUT: Duration = Duration::from_secs(1);

/// `GET` on the admin: status and text.
///
/// # Errors
/// Transport trouble, a page of more than 8 MiB, or no answer within a second.
pub(super) async fn get(admin: SocketAddr, path: &str) -> anyhow::Result<(StatusCode, String)> {
    client::get(&admin.to_string(), path, TIMEOUT).await
}

/// The ledger as the metrics show it, all mirrors together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// Copies by outcome and reason (empty if the outcome says it all).
    pub(super) copies: BTreeMap<(String, String), u64>,
    /// Copies without an outcome; `None` if the proxy does not say.
    pub(super) pending: Option<u64>,
}

impl Ledger {
    /// Reads the ledger off a page of metrics. What is not there is left out.
    pub(super) fn read(page: &str) -> Self {
        let mut ledger = Self::default();
        for line in page.lines() {
            let Some((name, labels, value)) = sample(line) else { continue };
            match name {
                "mimir_mirror_requests_total" => {
                    let label = |name| labels.get(name).cloned().unwrap_or_default();
                    *ledger.copies.entry((label("outcome"), label("reason"))).or_default() += value;
                }
                "mimir_mirror_pending_requests" => *ledger.pending.get_or_insert(0) += value,
                _ => {}
            }
        }
        ledger
    }

    /// The page said something about copies.
    pub(super) fn is_known(&self) -> bool {
        self.pending.is_some() || !self.copies.is_empty()
    }

    /// Copies with the outcome `delivered`.
    pub(super) fn delivered(&self) -> u64 {
        self.copies.iter().filter(|((outcome, _), _)| outcome == "delivered").map(|(_, copies)| copies).sum()
    }

    /// Copies with any other outcome.
    pub(super) fn lost(&self) -> u64 {
        self.copies.values().sum::<u64>() - self.delivered()
    }

    /// The outcomes other than `delivered` since an earlier look, e.g. `failed (http_5xx) 12, expired 3`.
    pub(super) fn losses_since(&self, earlier: &Self) -> String {
        let since = |(key, copies): (&(String, String), &u64)| {
            let copies = copies.saturating_sub(earlier.copies.get(key).copied().unwrap_or_default());
            let reason = if key.1.is_empty() { String::new() } else { format!(" ({})", key.1) };
            (copies > 0 && key.0 != "delivered").then(|| format!("{}{reason} {copies}", key.0))
        };
        let losses: Vec<String> = self.copies.iter().filter_map(since).collect();
        match (losses.is_empty(), self.is_known()) {
            (false, _) => losses.join(", "),
            (true, true) => "none".to_owned(),
            (true, false) => "unknown, the proxy does not say".to_owned(),
        }
    }
}

type Labels = BTreeMap<String, String>;

/// One line of the Prometheus text format, if it is a sample with a whole, not negative value.
fn sample(line: &str) -> Option<(&str, Labels, u64)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Labels::new(), rest),
    };
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (value >= 0.0 && value.fract() == 0.0).then_some((name, labels, value as u64))
}

/// `name="value",…}` and what follows. Values may hold any character, three of them escaped.
fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        rest = loop {
            match characters.next()? {
                (at, '"') => break quoted.get(at + 1..)?,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.trim().to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"
# HELP mimir_mirror_requests_total Copies by outcome.
# TYPE mimir_mirror_requests_total counter
mimir_mirror_requests_total{mirror="secondary",outcome="delivered",reason=""} 120
mimir_mirror_requests_total{mirror="secondary",outcome="failed",reason="http_5xx"} 7
mimir_mirror_requests_total{outcome="failed",reason="reset",mirror="od\"d},\\\n"} 2 1760000000000
mimir_mirror_requests_total{mirror="secondary",outcome="expired",reason=""} 0
mimir_mirror_pending_requests{mirror="secondary"} 3
mimir_mirror_pending_requests{mirror="other"} 1
mimir_mirror_lag_seconds{mirror="secondary"} 0.25
envoy_server_live 1
mimir_mirror_requests_total{mirror="broken
mimir_mirror_requests_total{mirror="broken"} NaN
"#;

    #[test]
    fn the_ledger_is_read_off_a_page() {
        let ledger = Ledger::read(PAGE);
        assert_eq!((ledger.delivered(), ledger.lost(), ledger.pending), (120, 9, Some(4)));
        assert_eq!(ledger.losses_since(&Ledger::default()), "failed (http_5xx) 7, failed (reset) 2");
        assert_eq!(ledger.losses_since(&ledger), "none");
    }

    #[test]
    fn a_page_without_a_ledger_is_not_taken_for_one_without_losses() {
        let ledger = Ledger::read("envoy_server_live 1\n{\n}\n{} 1\nx{a=\"\\");
        assert_eq!(ledger, Ledger::default());
        assert!(!ledger.is_known());
        assert_eq!(ledger.losses_since(&Ledger::default()), "unknown, the proxy does not say");
    }

    #[test]
    fn labels_may_hold_what_separates_them() {
        let line = r#"m{a="x\"y},\\z\n",b="é"} 5"#;
        let (name, labels, value) = sample(line).unwrap();
        assert_eq!((name, value), ("m", 5));
        assert_eq!((labels["a"].as_str(), labels["b"].as_str()), ("x\"y},\\z\n", "é"));
    }
}

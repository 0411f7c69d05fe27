//! `/mirrors`: how each mirror fares, and what it said last where it refused copies.

use std::fmt::Write;

use config::model::{Delivery, Mirror};
use serde_json::{Value, json};

use super::View;
use super::answer::Answer;
use super::query::Query;
use crate::mirror::send::pace::Pace;
use crate::stats::backlog::BacklogStats;
use crate::stats::mirror::{Outcome, unix_ms};
use crate::stats::sums::MirrorSums;

/// `/mirrors`.
pub(crate) fn mirrors(view: &View, query: &Query) -> Answer {
    let mirrors = view.config.mirrors.iter().zip(&view.paces).enumerate();
    let all = mirrors.map(|(index, (mirror, pace))| One { mirror, pace, sums: view.stats.mirror(index) });
    if query.get("format") == Some("json") {
        return Answer::json(&json!({"mirrors": all.map(|one| one.json()).collect::<Vec<_>>()}));
    }
    let mut out = String::new();
    all.for_each(|one| one.text(&mut out));
    Answer::text(out)
}

/// One mirror.
struct One<'a> {
    mirror: &'a Mirror,
    pace: &'a Pace,
    sums: MirrorSums<'a>,
}

impl One<'_> {
    fn delivery(&self) -> &'static str {
        if self.mirror.delivery == Delivery::Memory { "memory" } else { "durable" }
    }

    fn pending_bytes(&self) -> u64 {
        self.sums.sum(|mirror| mirror.pending_bytes.get())
    }

    fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> {
        let all = Outcome::ALL.into_iter().map(|outcome| (outcome, self.sums.outcome(outcome)));
        all.filter(|(_, n)| *n > 0)
    }

    fn json(&self) -> Value {
        let outcomes: Vec<Value> = self
            .outcomes()
            .map(|(outcome, copies)| {
                let (outcome, reason) = outcome.labels();
                json!({"outcome": outcome, "reason": reason, "copies": copies})
            })
            .collect();
        let refusals: Vec<Value> = self
            .sums
            .said()
            .into_iter()
            .map(|(outcome, words)| {
                let (outcome, reason) = outcome.labels();
                json!({
                    "outcome": outcome,
                    "reason": reason,
                    "status": words.status,
                    "at_ms": words.at_ms,
                    "text": words.text,
                })
            })
            .collect();
        json!({
            "name": self.mirror.name,
            "delivery": self.delivery(),
            "paused": self.pace.is_held(),
            "in_flight_limit": self.pace.limit(),
            "in_flight_limit_max": self.mirror.max_connections,
            "limited": !self.pace.is_free(),
            "limited_tenants": self.pace.limited_tenants(),
            "pending_copies": self.sums.pending(),
            "pending_bytes": self.pending_bytes(),
            "lag_ms": self.sums.lag_ms(),
            "backlog": self.sums.backlog().map(|backlog| backlog_json(backlog, self.sums.backlog_age_ms())),
            "outcomes": outcomes,
            "last_refusals": refusals,
        })
    }

    fn text(&self, out: &mut String) {
        let (pace, now_ms) = (self.pace, unix_ms());
        let limited = if pace.is_free() { "" } else { ", limited" };
        let tenants = match pace.limited_tenants() {
            0 => String::new(),
            n => format!(", tenants that wait: {n}"),
        };
        let mut lines = vec![
            ("delivery", self.delivery().to_owned()),
            ("paused", if pace.is_held() { "yes" } else { "no" }.to_owned()),
            (
                "in flight",
                format!("at most {} of {}{limited}{tenants}", pace.limit(), self.mirror.max_connections),
            ),
            ("pending", format!("{} copies, {} bytes", self.sums.pending(), self.pending_bytes())),
            ("lag", seconds(self.sums.lag_ms())),
        ];
        if let Some(backlog) = self.sums.backlog() {
            let open = if backlog.open.get() > 0 { "open" } else { "not open" };
            let age = seconds(self.sums.backlog_age_ms());
            let (copies, bytes) = (backlog.records.get(), backlog.disk_bytes.get());
            lines.push(("backlog", format!("{open}, {copies} copies, {bytes} bytes, oldest {age}")));
        }
        lines.push(("outcomes", self.sums.outcomes_text()));
        let mut said: Vec<_> = self.sums.said().into_iter().collect();
        said.sort_unstable_by_key(|(_, words)| std::cmp::Reverse(words.at_ms));
        for (outcome, words) in said {
            let ago = seconds(now_ms.saturating_sub(words.at_ms));
            lines.push(("refusal", format!("{} {ago} ago: {words}", outcome.name())));
        }
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", self.mirror.name.escape_debug());
        for (name, value) in lines {
            let _ = writeln!(out, "  {name:<9} {value}");
        }
    }
}

fn backlog_json(backlog: &BacklogStats, age_ms: u64) -> Value {
    json!({
        "open": backlog.open.get() > 0,
        "copies": backlog.records.get(),
        "bytes": backlog.disk_bytes.get(),
        "segments": backlog.segments.get(),
        "oldest_age_ms": age_ms,
    })
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    #[test]
    fn text_and_json_say_how_a_mirror_fares() {
        let fixture = fixture::busy();
        let mirror = &fixture.view.stats.workers[1].mirrors[0];
        mirror.hear(Outcome::FailedServerError, Some(503), b"over\x1bloaded\n");
        mirror.hear(Outcome::FailedConnect, None, b"");
        fixture.view.paces[0].hold(true);
        let text = mirrors(&fixture.view, &Query::default()).body;
        for line in [
            "a \\\"quoted\\\" name\n  delivery  memory\n  paused    yes\n",
            "  in flight at most 0 of 256, limited\n  pending   2 copies, 0 bytes\n  lag       1.5 s\n",
            "  outcomes  delivered=2 failed/http_5xx=1\n",
            "  refusal   failed/http_5xx 0.",
            ": 503 \"over\\u{1b}loaded\"\n",
            ": no answer\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        let json = mirrors(&fixture.view, &Query::parse("format=json")).body;
        let json: Value = serde_json::from_str(&json).unwrap();
        let one = &json["mirrors"][0];
        assert_eq!((&one["paused"], &one["in_flight_limit"]), (&json!(true), &json!(0)));
        assert_eq!((&one["pending_copies"], &one["backlog"]), (&json!(2), &Value::Null));
        let refusal = &one["last_refusals"][0];
        assert_eq!((&refusal["status"], &refusal["text"]), (&json!(503), &json!("over\u{1b}loaded")));
        assert_eq!(one["last_refusals"][1]["status"], Value::Null);
    }
}

//! One mirror: its counters as a [`Reading`], and all that is told of it.

use std::sync::Arc;
use std::time::Duration;

use config::model::{Delivery, Mirror as Settings};
use serde_json::{Value, json};

use super::copy::{Copy, Outcomes, Reading, State};
use super::history::{Column, History};
use super::latency::Latency;
use super::meaning;
use super::tenants::tenants;
use crate::admin::View;
use crate::limits::STATUS_RATE_MOMENTS;
use crate::mirror::send::pace::Pace;
use crate::stats::histogram::HistogramSum;
use crate::stats::mirror::Outcome;
use crate::stats::pairs::Class;
use crate::stats::sums::MirrorSums;

static COLUMNS: [Column; 9] = [
    Column::Rate("received_per_second"),
    Column::Rate("taken_per_second"),
    Column::Rate("missing_per_second"),
    Column::Level("pending_copies"),
    Column::Level("memory_bytes"),
    Column::Level("lag_ms"),
    Column::Level("backlog_copies"),
    Column::Level("p50_ms"),
    Column::Level("p99_ms"),
];
const RECEIVED: usize = 0;
const TAKEN: usize = 1;
const MISSING: usize = 2;

/// One mirror, as seen so far.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) copy: Copy,
    pub(super) history: History,
    latency: Latency,
    /// The last reading's booked and taken copies.
    before: [u64; 2],
}

impl Mirror {
    pub(super) fn new(started_ms: u64) -> Self {
        Self {
            copy: Copy::new(started_ms),
            history: History::of(&COLUMNS),
            latency: Latency::default(),
            before: [0, 0],
        }
    }

    /// Reads its counters and judges.
    pub(super) fn look(&mut self, sums: MirrorSums<'_>, at_ms: u64, up: Duration, seconds: f64) {
        let now = reading(sums, at_ms, up);
        let missing = self.copy.missing();
        self.copy.see(&now);
        let [booked, taken] = self.before;
        self.before = [now.booked, now.taken];
        let counts = [
            now.booked.saturating_sub(booked),
            now.taken.saturating_sub(taken),
            self.copy.missing() - missing,
            sums.pending(),
            memory(sums),
            now.lag_ms,
            sums.backlog().map_or(0, |backlog| backlog.records.get()),
        ];
        let mut time = HistogramSum::default();
        sums.threads().for_each(|thread| thread.duration.add_to(&mut time));
        let quantiles = self.latency.see(time);
        let values = counts.into_iter().map(|n| n as f64).chain(quantiles);
        self.history.push(at_ms, seconds, values.collect());
    }

    pub(super) fn json(&self, view: &View, index: usize, settings: &Settings) -> Value {
        let sums = view.stats.mirror(index);
        let pace = view.paces.get(index).map(Arc::as_ref);
        let rate = |column| self.history.rate(column, STATUS_RATE_MOMENTS);
        json!({
            "name": settings.name,
            "delivery": if settings.delivery == Delivery::Memory { "memory" } else { "durable" },
            "complete": self.copy.state().is_complete(),
            "state": self.copy.state().name(),
            "since_ms": self.copy.since_ms(),
            "why": self.why(pace, sums.pending()),
            "last_refusal": last_refusal(sums),
            "paused": pace.is_some_and(|pace| pace.is_held()),
            "limited": pace.is_some_and(|pace| !pace.is_free()),
            "tenants": tenants(sums, pace),
            "limited_tenants": pace.map_or(0, |pace| pace.limited_tenants()),
            "in_flight_limit": pace.map_or(0, |pace| pace.limit()),
            "in_flight_limit_max": settings.max_connections,
            "received_per_second": rate(RECEIVED),
            "taken_per_second": rate(TAKEN),
            "missing_per_second": rate(MISSING),
            "latency_ms": self.latency.json(),
            "lag_ms": sums.lag_ms(),
            "pending_copies": sums.pending(),
            "memory": {"used_bytes": memory(sums), "bound_bytes": settings.buffer},
            "backlog": backlog(sums, settings),
            "missing_copies": self.copy.missing(),
            "gaps": self.copy.gaps(),
            "outcomes": outcomes(sums),
            "status_pairs": pairs(sums),
        })
    }

    /// Why copies are lost, or what they wait for.
    fn why(&self, pace: Option<&Pace>, pending: u64) -> Value {
        if self.copy.state() != State::Behind {
            return self.copy.why();
        }
        let (reason, meaning) = match pace {
            Some(pace) if pace.is_held() => ("paused", "An operator has paused the mirror."),
            Some(pace) if !pace.is_free() => {
                ("limited", "The mirror fails or asks for time, so that fewer copies are sent at once.")
            }
            _ => ("slow", "The mirror takes copies more slowly than they come."),
        };
        json!([{"outcome": "waiting", "reason": reason, "copies": pending, "meaning": meaning}])
    }
}

fn reading(sums: MirrorSums<'_>, at_ms: u64, up: Duration) -> Reading {
    // What is subtracted is read last, so that a reading in full flight never finds too much missing.
    let lost = Class::ALL.into_iter().filter(|primary| may_have_taken(*primary)).flat_map(|primary| {
        let others = Class::ALL.into_iter().filter(|secondary| *secondary != Class::Success);
        others.map(move |secondary| sums.sum(|mirror| mirror.pairs.get(primary, secondary)))
    });
    let lost: u64 = lost.sum::<u64>() + sums.outcome(Outcome::Partial);
    let outcomes: Outcomes = Outcome::ALL.map(|outcome| sums.outcome(outcome));
    let of = |outcome: Outcome| outcomes.get(outcome as usize).copied().unwrap_or_default();
    Reading {
        at_ms,
        up,
        booked: sums.sum(|mirror| mirror.received.get() + mirror.recovered.get()),
        taken: of(Outcome::Delivered) + of(Outcome::Deduplicated) + of(Outcome::Repeated),
        missing: lost.saturating_sub(of(Outcome::Repeated)),
        outcomes,
        lag_ms: sums.lag_ms(),
    }
}

/// An answer of the primary's after which the data may be there.
fn may_have_taken(primary: Class) -> bool {
    matches!(primary, Class::Success | Class::None | Class::Unknown)
}

fn memory(sums: MirrorSums<'_>) -> u64 {
    sums.sum(|mirror| mirror.pending_bytes.get())
}

fn last_refusal(sums: MirrorSums<'_>) -> Value {
    sums.last_refusal().map_or(Value::Null, |(outcome, words)| {
        let (outcome, reason) = outcome.labels();
        let (status, at_ms, text) = (words.status, words.at_ms, words.text);
        json!({"outcome": outcome, "reason": reason, "status": status, "at_ms": at_ms, "text": text})
    })
}

fn backlog(sums: MirrorSums<'_>, settings: &Settings) -> Value {
    let (Some(backlog), Delivery::Durable(bounds)) = (sums.backlog(), &settings.delivery) else {
        return Value::Null;
    };
    json!({
        "open": backlog.open.get() > 0,
        "copies": backlog.records.get(),
        "used_bytes": backlog.disk_bytes.get(),
        "bound_bytes": bounds.max_bytes,
        "oldest_age_ms": sums.backlog_age_ms(),
    })
}

fn outcomes(sums: MirrorSums<'_>) -> Value {
    let all = Outcome::ALL.into_iter().map(|outcome| (outcome, sums.outcome(outcome)));
    all.filter(|(_, copies)| *copies > 0).map(|(outcome, copies)| meaning::counted(outcome, copies)).collect()
}

fn pairs(sums: MirrorSums<'_>) -> Value {
    let all = Class::ALL.into_iter().flat_map(|primary| Class::ALL.map(|secondary| (primary, secondary)));
    let counted = all.map(|(primary, secondary)| {
        (primary, secondary, sums.sum(|mirror| mirror.pairs.get(primary, secondary)))
    });
    counted
        .filter(|(.., copies)| *copies > 0)
        .map(|(primary, secondary, copies)| {
            json!({"primary": primary.label(), "secondary": secondary.label(), "copies": copies})
        })
        .collect()
}

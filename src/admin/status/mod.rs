//! `/api/status`: is the primary well, is each mirror's copy complete, since when, and why not; and the last minutes.
//!
//! Every few seconds the admin thread reads the counters, as a scrape does, and judges ([`Watch::look`]). What it keeps
//! is of fixed size: [`history`] for charts, [`latency`] for quantiles, [`copy`] for gaps. The home page, its plain form
//! and `mimir-mirror status` show what is told here and nothing else.

mod copy;
mod history;
mod latency;
mod meaning;
mod mirror;
mod primary;
mod tenants;
pub(crate) mod words;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::View;
use super::access::Rights;
use super::answer::Answer;
use super::memory::Memory;
use super::query::Query;
use crate::limits::{STATUS_EVERY, STATUS_MARK_MOMENTS, STATUS_MARKS, STATUS_RATE_MOMENTS};
use crate::stats::mirror::unix_ms;
use mirror::Mirror;
use primary::Primary;

/// What was seen so far. Used by the admin thread alone; the lock is never waited for.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    at_ms: u64,
    up: Duration,
    primaries: Vec<(usize, Primary)>,
    mirrors: Vec<Mirror>,
}

impl Seen {
    fn new(view: &View) -> Self {
        let at_ms = started_ms(view);
        let primaries = view.primaries().into_iter().map(|cluster| (cluster, Primary::new(cluster, at_ms)));
        let mirrors = view.config.mirrors.iter().map(|_| Mirror::new(at_ms));
        Self { at_ms, up: Duration::ZERO, primaries: primaries.collect(), mirrors: mirrors.collect() }
    }

    fn look(&mut self, view: &View) {
        let (at_ms, up) = (unix_ms(), view.stats.started.elapsed());
        let seconds = up.saturating_sub(self.up).as_secs_f64().max(0.001);
        (self.at_ms, self.up) = (at_ms, up);
        for (_, primary) in &mut self.primaries {
            primary.look(view, at_ms, seconds);
        }
        for (index, mirror) in self.mirrors.iter_mut().enumerate() {
            mirror.look(view.stats.mirror(index), at_ms, up, seconds);
        }
    }

    fn json(&self, view: &View, since_ms: Option<u64>, rights: Rights) -> Value {
        let with_history = |mut value: Value, history: &history::History| {
            if let (Some(since_ms), Some(object)) = (since_ms, value.as_object_mut()) {
                object.insert("history".to_owned(), history.json(since_ms));
            }
            value
        };
        let primaries = self.primaries.iter().filter_map(|(index, primary)| {
            let cluster = view.config.clusters.get(*index)?;
            Some(with_history(primary.json(view, cluster), &primary.history))
        });
        let mirrors = view.config.mirrors.iter().zip(&self.mirrors).enumerate();
        let mirrors = mirrors.map(|(index, (settings, mirror))| {
            with_history(mirror.json(view, index, settings), &mirror.history)
        });
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
        put("version", json!(1));
        put("at_ms", json!(unix_ms()));
        put("judged_at_ms", json!(self.at_ms));
        put("well", json!(self.primaries.iter().all(|(_, primary)| primary.is_well())));
        put("complete", json!(self.mirrors.iter().all(|mirror| mirror.copy.state().is_complete())));
        put("process", process(view, rights));
        put("every_seconds", json!(STATUS_EVERY.as_secs()));
        put("rates_over_seconds", json!(STATUS_EVERY.as_secs() * STATUS_RATE_MOMENTS as u64));
        let latency_moments = (STATUS_MARKS - 1) * STATUS_MARK_MOMENTS;
        put("latency_over_seconds", json!(STATUS_EVERY.as_secs() * latency_moments as u64));
        put("primaries", primaries.collect());
        put("mirrors", mirrors.collect());
        out.into()
    }
}

impl Watch {
    /// Reads all counters and judges.
    pub(super) fn look(&self, view: &View) {
        self.seen(view, |seen| seen.look(view));
    }

    /// Whether a primary was out of service at the last look.
    pub(super) fn is_a_primary_out(&self, view: &View) -> bool {
        self.seen(view, |seen| seen.primaries.iter().any(|(_, primary)| primary.is_out()))
    }

    /// All that is told, with the history after a moment if that is wanted.
    pub(super) fn json(&self, view: &View, since_ms: Option<u64>, rights: Rights) -> Value {
        self.seen(view, |seen| seen.json(view, since_ms, rights))
    }

    fn seen<T>(&self, view: &View, with: impl FnOnce(&mut Seen) -> T) -> T {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        with(guard.get_or_insert_with(|| Seen::new(view)))
    }
}

/// `/api/status`.
pub(crate) fn status(view: &View, query: &Query) -> Answer {
    let since_ms = query.get("since").map(|since| since.parse().unwrap_or_default());
    Answer::compact_json(&view.watch.json(view, since_ms, query.rights()))
}

fn started_ms(view: &View) -> u64 {
    unix_ms().saturating_sub(view.stats.started.elapsed().as_millis() as u64)
}

fn process(view: &View, rights: Rights) -> Value {
    let connections =
        view.stats.workers.iter().flat_map(|worker| &worker.http).map(|http| http.cx_active.get());
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": view.lifecycle.name(),
        "started_ms": started_ms(view),
        "uptime_seconds": view.stats.started.elapsed().as_secs(),
        "restart_epoch": view.generation.epoch,
        "workers": view.stats.workers.len(),
        "configuration": view.config.origin,
        "configuration_since_ms": view.reloads.in_force_since_ms(),
        "configuration_refused": !view.reloads.last_was_applied(),
        "listening": view.listening.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "client_connections": connections.sum::<u64>(),
        "resident_bytes": Memory::read().map(|memory| memory.resident),
        "writes_allowed": rights.process,
        "mirror_writes_allowed": rights.mirrors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    #[test]
    fn what_is_told_is_what_was_counted() {
        let fixture = fixture::busy();
        let view = &fixture.view;
        view.watch.look(view);
        let status: Value = serde_json::from_str(&status(view, &Query::default()).body).unwrap();
        assert_eq!(
            (&status["version"], &status["well"], &status["complete"]),
            (&json!(1), &json!(false), &json!(true))
        );
        let primary = &status["primaries"][0];
        assert_eq!(primary["why"][0]["reason"], "recent_failures");
        assert_eq!(primary["answers"], json!({"2xx": 3, "5xx": 1}));
        assert_eq!(primary["endpoints"], json!({"total": 1, "healthy": 1}));
        let mirror = &status["mirrors"][0];
        assert_eq!((&mirror["state"], &mirror["pending_copies"]), (&json!("complete"), &json!(2)));
        assert_eq!(mirror["outcomes"][0]["copies"], 2);
        assert_eq!((&mirror["history"], &mirror["backlog"]), (&Value::Null, &Value::Null));
        assert!(mirror["memory"]["bound_bytes"].as_u64() > Some(0));
    }

    #[test]
    fn the_history_is_told_from_a_moment_on() {
        let fixture = fixture::busy();
        let view = &fixture.view;
        view.watch.look(view);
        let told = |query| status(view, &Query::parse(query)).body;
        let status: Value = serde_json::from_str(&told("since=0")).unwrap();
        for side in ["primaries", "mirrors"] {
            let history = &status[side][0]["history"];
            assert_eq!(history["at_ms"].as_array().map(Vec::len), Some(1), "{history}");
            assert_eq!(history["p50_ms"].as_array().map(Vec::len), Some(1), "{history}");
        }
        let later: Value = serde_json::from_str(&told(&format!("since={}", u64::MAX))).unwrap();
        assert_eq!(later["mirrors"][0]["history"]["at_ms"], json!([]));
    }
}

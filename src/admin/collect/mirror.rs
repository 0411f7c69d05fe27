//! Mirrors: our own metrics, in Prometheus' conventions. In the text form they are `mirror.<name>.*`.

use config::model::Delivery;

use super::by_status::Answers;
use super::{Kind, Metrics, Unit, Value, sanitized, sum};
use super::{answers, backlog};
use crate::admin::View;
use crate::stats::histogram::HistogramSum;
use crate::stats::mirror::{MirrorStats, Outcome, Path};
use crate::stats::sums::MirrorSums;

/// Text name, Prometheus name, kind, help.
type Row = (&'static str, &'static str, Kind, &'static str, fn(&MirrorStats) -> u64);

/// What is summed over the workers.
const ROWS: [Row; 12] = [
    (
        "received",
        "mimir_mirror_received_total",
        Kind::Counter,
        "Complete requests that were to be copied: the sum of mimir_mirror_requests_total and mimir_mirror_pending_requests.",
        |m| m.received.get(),
    ),
    (
        "incomplete",
        "mimir_mirror_incomplete_total",
        Kind::Counter,
        "Requests whose client left before they were complete. They are not copied.",
        |m| m.incomplete.get(),
    ),
    (
        "excluded",
        "mimir_mirror_excluded_total",
        Kind::Counter,
        "Requests that are never copied: no write path, destructive, or gRPC.",
        |m| m.excluded.get(),
    ),
    (
        "not_chosen",
        "mimir_mirror_not_chosen_total",
        Kind::Counter,
        "Requests that the mirror's percentage left out.",
        |m| m.not_chosen.get(),
    ),
    (
        "not_answered",
        "mimir_mirror_not_answered_total",
        Kind::Counter,
        "Requests that were not copied because the primary did not take them (when: answered).",
        |m| m.not_answered.get(),
    ),
    (
        "recovered",
        "mimir_mirror_recovered_total",
        Kind::Counter,
        "Copies found in the backlog at the start. Received and recovered copies are what the outcomes add up to.",
        |m| m.recovered.get(),
    ),
    (
        "retries",
        "mimir_mirror_retries_total",
        Kind::Counter,
        "Attempts after a copy's first (durable delivery).",
        |m| m.retries.get(),
    ),
    (
        "late_answers",
        "mimir_mirror_late_answers_total",
        Kind::Counter,
        "Answers that left before their request's copy was in the backlog, because before_answer was over.",
        |m| m.late_answers.get(),
    ),
    (
        "lost_tokens",
        "mimir_mirror_lost_tokens_total",
        Kind::Counter,
        "Copies that ended without an outcome. Anything but 0 is a bug of mimir-mirror.",
        |m| m.lost_tokens.get(),
    ),
    (
        "pending_requests",
        "mimir_mirror_pending_requests",
        Kind::Gauge,
        "Copies without an outcome yet, waiting or in flight.",
        |m| m.pending.get().wrapping_add(m.kept()),
    ),
    (
        "pending_bytes",
        "mimir_mirror_pending_bytes",
        Kind::Gauge,
        "Bytes of the mirror's buffer in use, by copies and by requests still arriving.",
        |m| m.pending_bytes.get(),
    ),
    ("connections", "mimir_mirror_connections", Kind::Gauge, "Open connections to the mirror.", |m| {
        m.connections.get()
    }),
];

pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    for (index, mirror) in view.config.mirrors.iter().enumerate() {
        let one = One { view, index, label: &mirror.name, text: sanitized(&mirror.name) };
        one.counts(metrics);
        one.pace(metrics);
        one.outcomes(metrics);
        one.ordered(metrics);
        answers::collect(&one, mirror.delivery != Delivery::Memory, metrics);
        one.bounds(mirror.buffer, metrics);
        one.duration(metrics);
        if let Delivery::Durable(settings) = &mirror.delivery {
            backlog::collect(&one, settings, metrics);
        }
    }
    attempted(view, metrics);
    primary_durations(view, metrics);
}

/// One mirror.
pub(super) struct One<'a> {
    view: &'a View,
    index: usize,
    label: &'a str,
    text: String,
}

impl One<'_> {
    pub(super) fn sums(&self) -> MirrorSums<'_> {
        self.view.stats.mirror(self.index)
    }

    pub(super) fn labels(&self) -> super::Labels {
        vec![("mirror", self.label.to_owned())]
    }

    pub(super) fn text(&self, name: &str) -> String {
        format!("mirror.{}.{name}", self.text)
    }

    fn counts(&self, metrics: &mut Metrics) {
        for (text, name, kind, help, read) in ROWS {
            let n = self.sums().sum(read);
            metrics.family(name.into(), kind, Unit::Kept, help).push(
                self.text(text),
                self.labels(),
                Value::Number(n),
            );
        }
    }

    fn pace(&self, metrics: &mut Metrics) {
        let Some(pace) = self.view.paces.get(self.index) else { return };
        let rows: [(&str, &str, &str, u64); 2] = [
            (
                "paused",
                "mimir_mirror_paused",
                "1 while an operator has paused the mirror.",
                pace.is_held().into(),
            ),
            (
                "in_flight_limit",
                "mimir_mirror_in_flight_limit",
                "Copies that may be in flight now: less than max_connections while the mirror is in trouble, 0 while \
                 it is paused or left alone for a moment.",
                pace.limit().into(),
            ),
        ];
        for (text, name, help, n) in rows {
            let family = metrics.family(name.into(), Kind::Gauge, Unit::Kept, help);
            family.push(self.text(text), self.labels(), Value::Number(n));
        }
    }

    fn outcomes(&self, metrics: &mut Metrics) {
        let family = metrics.family(
            "mimir_mirror_requests_total".into(),
            Kind::Counter,
            Unit::Kept,
            "Copies by how they ended. Each copy has exactly one outcome.",
        );
        for outcome in Outcome::ALL {
            let (kind, reason) = outcome.labels();
            let text = if reason.is_empty() { kind.to_owned() } else { format!("{kind}.{reason}") };
            let n = self.sums().outcome(outcome);
            let labels = [self.labels(), vec![("outcome", kind.to_owned()), ("reason", reason.to_owned())]];
            family.push(self.text(&format!("requests.{text}")), labels.concat(), Value::Number(n));
        }
    }

    fn ordered(&self, metrics: &mut Metrics) {
        let family = metrics.family(
            "mimir_mirror_ordered_total".into(),
            Kind::Counter,
            Unit::Kept,
            "Copies kept in order by how they came to be sent: direct, waited, or waited and their series read.",
        );
        for path in Path::ALL {
            let n = self.sums().sum(|mirror| mirror.ordered(path));
            let labels = [self.labels(), vec![("path", path.label().to_owned())]];
            family.push(self.text(&format!("ordered.{}", path.label())), labels.concat(), Value::Number(n));
        }
    }

    fn bounds(&self, buffer: u64, metrics: &mut Metrics) {
        metrics
            .family(
                "mimir_mirror_buffer_limit_bytes".into(),
                Kind::Gauge,
                Unit::Kept,
                "Bytes that copies may hold (the setting `buffer`).",
            )
            .push(self.text("buffer_limit_bytes"), self.labels(), Value::Number(buffer));
        metrics
            .family(
                "mimir_mirror_lag_seconds".into(),
                Kind::Gauge,
                Unit::Seconds,
                "Age of the oldest copy without an outcome.",
            )
            .push(self.text("lag_ms"), self.labels(), Value::Number(self.sums().lag_ms()));
    }

    fn duration(&self, metrics: &mut Metrics) {
        let mut time = HistogramSum::default();
        self.sums().threads().for_each(|ledger| ledger.duration.add_to(&mut time));
        metrics
            .family(
                "mimir_mirror_request_duration_seconds".into(),
                Kind::Histogram,
                Unit::Seconds,
                "Time from a copy's first byte to its outcome.",
            )
            .push(self.text("request_duration_ms"), self.labels(), Value::Durations(time));
    }
}

/// Envoy's only count of what was to be mirrored, over all mirrors and including what was dropped.
fn attempted(view: &View, metrics: &mut Metrics) {
    let n = sum(view, |worker| Some(worker.mirrors.iter().map(|mirror| mirror.received.get()).sum()));
    let labels = vec![("envoy_http_conn_manager_prefix", "async-client".to_owned())];
    metrics.envoy("envoy_http_rq_total", Kind::Counter, "http.async-client.rq_total".to_owned(), labels, n);
}

/// The primaries' answers in seconds, to lay beside the mirrors'. Not in the text form, where Envoy's
/// `external.upstream_rq_time` already has them.
fn primary_durations(view: &View, metrics: &mut Metrics) {
    let primaries = view.primaries();
    for (index, cluster) in view.config.clusters.iter().enumerate() {
        if primaries.contains(&index) {
            metrics
                .family(
                    "mimir_mirror_primary_request_duration_seconds".into(),
                    Kind::Histogram,
                    Unit::Seconds,
                    "Time from a client request's first byte to the end of the primary's answer.",
                )
                .push(
                    String::new(),
                    vec![("cluster", cluster.name.clone())],
                    Value::Durations(Answers::of(view, index).external.time),
                );
        }
    }
}

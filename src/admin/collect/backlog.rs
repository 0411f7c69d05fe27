//! The backlogs of durable mirrors, beside what bounds them: a ratio of the two is worth an alert.

use config::model::Backlog;

use super::mirror::One;
use super::{Kind, Metrics, Unit, Value};
use crate::stats::backlog::BacklogStats;

/// What is read of a backlog.
type Row = (&'static str, &'static str, Kind, &'static str, fn(&BacklogStats) -> u64);

const ROWS: [Row; 10] = [
    (
        "open",
        "mimir_mirror_backlog_open",
        Kind::Gauge,
        "1 while the backlog is in use, 0 while copies are in memory only.",
        |b| b.open.get(),
    ),
    ("bytes", "mimir_mirror_backlog_bytes", Kind::Gauge, "Bytes of the backlog's files.", |b| {
        b.disk_bytes.get()
    }),
    (
        "copies",
        "mimir_mirror_backlog_copies",
        Kind::Gauge,
        "Copies in the backlog without an outcome.",
        |b| b.records.get(),
    ),
    ("segments", "mimir_mirror_backlog_segments", Kind::Gauge, "Files of the backlog.", |b| b.segments.get()),
    (
        "appended_bytes",
        "mimir_mirror_backlog_appended_bytes_total",
        Kind::Counter,
        "Bytes of copies written to the backlog.",
        |b| b.appended_bytes.get(),
    ),
    (
        "append_failures",
        "mimir_mirror_backlog_append_failures_total",
        Kind::Counter,
        "Times that the disk, or the bound on its use, refused copies.",
        |b| b.append_failures.get(),
    ),
    (
        "sync_failures",
        "mimir_mirror_backlog_sync_failures_total",
        Kind::Counter,
        "Syncs and checkpoints that failed.",
        |b| b.sync_failures.get(),
    ),
    (
        "damaged",
        "mimir_mirror_backlog_damaged_total",
        Kind::Counter,
        "Damaged places found in the backlog.",
        |b| b.damaged_records.get(),
    ),
    (
        "doubtful",
        "mimir_mirror_backlog_doubtful_total",
        Kind::Counter,
        "Copies that a failed sync put in doubt; they are written again while they are in memory.",
        |b| b.doubtful_records.get(),
    ),
    (
        "unsaved",
        "mimir_mirror_backlog_unsaved_copies",
        Kind::Gauge,
        "Unfinished copies that are to be written again: refused by the disk, or in doubt.",
        |b| b.to_append_again.get(),
    ),
];

pub(super) fn collect(one: &One<'_>, settings: &Backlog, metrics: &mut Metrics) {
    let Some(backlog) = one.sums().backlog() else { return };
    let mut put = |text: &str, name: &'static str, (kind, unit), help: &'static str, n: u64| {
        let text = one.text(&format!("backlog.{text}"));
        metrics.family(name.into(), kind, unit, help).push(text, one.labels(), Value::Number(n));
    };
    for (text, name, kind, help, read) in ROWS {
        put(text, name, (kind, Unit::Kept), help, read(backlog));
    }
    put(
        "limit_bytes",
        "mimir_mirror_backlog_limit_bytes",
        (Kind::Gauge, Unit::Kept),
        "Bytes that the backlog's files may have (the setting `max_bytes`).",
        settings.max_bytes,
    );
    put(
        "max_age_ms",
        "mimir_mirror_backlog_max_age_seconds",
        (Kind::Gauge, Unit::Seconds),
        "How old a copy in the backlog may get (the setting `max_age`).",
        u64::try_from(settings.max_age.as_millis()).unwrap_or(u64::MAX),
    );
    put(
        "age_ms",
        "mimir_mirror_backlog_age_seconds",
        (Kind::Gauge, Unit::Seconds),
        "Age of the oldest copy in the backlog.",
        one.sums().backlog_age_ms(),
    );
}

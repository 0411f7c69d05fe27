//! Access logs: Envoy's `filesystem.*`, and the lines for which there was no room.

use super::{Kind, Metrics, Unit, Value};
use crate::admin::View;

pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    let files = &view.stats.files;
    let rows = [
        ("filesystem.flushed_by_timer", Kind::Counter, files.flushed_by_timer.get()),
        ("filesystem.reopen_failed", Kind::Counter, files.reopen_failed.get()),
        ("filesystem.write_buffered", Kind::Counter, files.write_buffered.get()),
        ("filesystem.write_completed", Kind::Counter, files.write_completed.get()),
        ("filesystem.write_failed", Kind::Counter, files.write_failed.get()),
        ("filesystem.write_total_buffered", Kind::Gauge, files.waiting()),
    ];
    for (name, kind, number) in rows {
        metrics.envoy(format!("envoy_{}", name.replace('.', "_")), kind, name.to_owned(), Vec::new(), number);
    }
    metrics
        .family(
            "mimir_mirror_access_log_dropped_total".into(),
            Kind::Counter,
            Unit::Kept,
            "Lines of access logs for which there was no room: the disk is slower than the requests.",
        )
        .push("access_log.dropped".to_owned(), Vec::new(), Value::Number(files.dropped()));
}

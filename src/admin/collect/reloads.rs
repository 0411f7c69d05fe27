//! Reloads of the configuration, over the life of the process.

use super::{Kind, Metrics, Unit, Value};
use crate::admin::View;

pub(super) fn collect(view: &View, metrics: &mut Metrics) {
    let reloads = &view.reloads;
    let family = metrics.family(
        "mimir_mirror_config_reloads_total".into(),
        Kind::Counter,
        Unit::Kept,
        "Configurations read again: applied, or refused in favour of the one before.",
    );
    for (result, n) in [("applied", reloads.applied()), ("refused", reloads.refused())] {
        let labels = vec![("result", result.to_owned())];
        family.push(format!("config.reloads_{result}"), labels, Value::Number(n));
    }
    let mut gauge = |name: &'static str, unit, help, n| {
        let text = format!("config.{name}");
        let family = metrics.family(format!("mimir_mirror_config_{name}").into(), Kind::Gauge, unit, help);
        family.push(text, Vec::new(), Value::Number(n));
    };
    gauge(
        "last_reload_successful",
        Unit::Kept,
        "0 while another configuration was wanted last than the one in force.",
        u64::from(reloads.last_was_applied()),
    );
    gauge(
        "last_reload_success_timestamp_seconds",
        Unit::Seconds,
        "When the configuration in force was read.",
        reloads.in_force_since_ms(),
    );
}

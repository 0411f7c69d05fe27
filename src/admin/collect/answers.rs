//! What the two clusters answered to the same requests.

use super::mirror::One;
use super::{Kind, Metrics, Unit, Value};
use crate::stats::pairs::Class;

pub(super) fn collect(one: &One<'_>, recovers: bool, metrics: &mut Metrics) {
    pairs(one, recovers, metrics);
    let family = metrics.family(
        "mimir_mirror_written_samples_total".into(),
        Kind::Counter,
        Unit::Kept,
        "Samples and histograms that each side said it has written, of requests with a copy (remote write 2.0).",
    );
    let primary = one.sums().sum(|mirror| mirror.written_primary.get());
    let secondary = one.sums().sum(|mirror| mirror.written_secondary.get());
    for (side, n) in [("primary", primary), ("secondary", secondary)] {
        let labels = [one.labels(), vec![("side", side.to_owned())]].concat();
        family.push(one.text(&format!("written_samples.{side}")), labels, Value::Number(n));
    }
}

/// `recovers`: copies may outlive the memory of what their primary answered.
fn pairs(one: &One<'_>, recovers: bool, metrics: &mut Metrics) {
    let family = metrics.family(
        "mimir_mirror_status_pairs_total".into(),
        Kind::Counter,
        Unit::Kept,
        "Copies with an outcome by the class of the primary's answer and that of the mirror's last one.",
    );
    let known = |class: &Class| *class != Class::Unknown;
    for primary in Class::ALL.into_iter().filter(|class| recovers || known(class)) {
        for secondary in Class::ALL.into_iter().filter(known) {
            let n = one.sums().sum(|mirror| mirror.pairs.get(primary, secondary));
            let [primary, secondary] = [primary.label(), secondary.label()];
            let labels = vec![("primary", primary.to_owned()), ("secondary", secondary.to_owned())];
            let text = one.text(&format!("status_pairs.{primary}.{secondary}"));
            family.push(text, [one.labels(), labels].concat(), Value::Number(n));
        }
    }
}

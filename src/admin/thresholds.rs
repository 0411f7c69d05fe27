//! What limits each cluster, in the shape of Envoy's circuit breakers, for `/clusters`.
//!
//! The numbers are what is enforced, and not what Envoy would take for unwritten: what has no limit shows the number that
//! one writes for "none". Of a mirror's cluster the mirror's own bounds are shown, in Envoy's terms. No request has the
//! priority `HIGH`, so that nothing limits it.

use std::fmt::Write;

use config::model::{Breakers, Cluster};
use serde_json::{Map, Value, json};

use super::View;
use crate::limits;

const UNLIMITED: u32 = Breakers::UNLIMITED;
const NAMES: [&str; 4] = ["max_connections", "max_pending_requests", "max_requests", "max_retries"];

/// By priority.
const PRIORITIES: [&str; 2] = ["default_priority", "high_priority"];

/// In the order of [`NAMES`], of priority `DEFAULT`.
fn enforced(view: &View, index: usize, cluster: &Cluster) -> [u32; 4] {
    if let Some(mirror) = view.config.mirrors.iter().find(|mirror| mirror.cluster == index) {
        // One copy at a time on each connection; what else is held waits.
        let in_flight = mirror.max_connections;
        return [in_flight, mirror.max_copies.saturating_sub(in_flight), in_flight, UNLIMITED];
    }
    let Some(written) = cluster.breakers else { return [UNLIMITED; 4] };
    let workers = u32::try_from(view.stats.workers.len()).unwrap_or(UNLIMITED);
    let Breakers { max_connections, max_pending_requests, max_requests, max_retries, .. } = written;
    let given = [max_connections, max_pending_requests, max_requests].map(|most| most.unwrap_or(UNLIMITED));
    let retries = max_retries.unwrap_or_else(|| limits::RETRIES_MAX.saturating_mul(workers));
    [given[0], given[1], given[2], retries]
}

/// The lines of one cluster.
pub(super) fn text(view: &View, index: usize, cluster: &Cluster, out: &mut String) {
    let name = &cluster.name;
    for (priority, values) in PRIORITIES.iter().zip([enforced(view, index, cluster), [UNLIMITED; 4]]) {
        for (threshold, value) in NAMES.iter().zip(values) {
            let _ = writeln!(out, "{name}::{priority}::{threshold}::{value}");
        }
    }
}

/// Envoy's `CircuitBreakers` message of one cluster.
pub(super) fn json(view: &View, index: usize, cluster: &Cluster) -> Value {
    let of =
        |values: [u32; 4]| NAMES.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value)));
    let default: Map<_, _> = of(enforced(view, index, cluster)).collect();
    let high: Map<_, _> =
        [("priority".to_owned(), json!("HIGH"))].into_iter().chain(of([UNLIMITED; 4])).collect();
    json!({"thresholds": [default, high]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    fn lines(view: &View, index: usize) -> String {
        let mut out = String::new();
        text(view, index, &view.config.clusters[index], &mut out);
        out
    }

    #[test]
    fn what_is_not_written_is_no_limit_but_for_retries() {
        let mut fixture = fixture::new();
        assert!(lines(&fixture.view, 0).contains("primary::default_priority::max_retries::4294967295\n"));
        let mut config = (*fixture.view.config).clone();
        config.clusters[0].breakers = Some(Breakers { max_requests: Some(7), ..Breakers::default() });
        fixture.reconfigure(config);
        let expected = "\
primary::default_priority::max_connections::4294967295
primary::default_priority::max_pending_requests::4294967295
primary::default_priority::max_requests::7
primary::default_priority::max_retries::6
primary::high_priority::max_connections::4294967295
";
        assert!(lines(&fixture.view, 0).starts_with(expected), "{}", lines(&fixture.view, 0));
        let json = json(&fixture.view, 0, &fixture.view.config.clusters[0]);
        assert_eq!(json["thresholds"][0]["max_requests"], 7);
        assert_eq!(json["thresholds"][1]["priority"], "HIGH");
    }

    #[test]
    fn a_mirrors_cluster_shows_its_mirrors_bounds() {
        let fixture = fixture::new();
        let mirror = &fixture.view.config.mirrors[0];
        let (connections, waiting) = (mirror.max_connections, mirror.max_copies - mirror.max_connections);
        let text = lines(&fixture.view, mirror.cluster);
        for line in [format!("max_connections::{connections}"), format!("max_pending_requests::{waiting}")] {
            assert!(text.contains(&format!("::default_priority::{line}\n")), "{line} is not in {text}");
        }
    }
}

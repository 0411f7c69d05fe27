//! The process itself: `/ready`, `/server_info`, and answers that are always the same.

use config::model::RuntimeLayer;
use http::StatusCode;
use serde_json::{Value, json};

use super::View;
use super::answer::Answer;
use super::query::Query;
use crate::lifecycle::HOT_RESTART_VERSION;
use crate::stats::mirror::unix_ms;

/// `/ready`: 200 while new requests are welcome. With `?primary` not while a primary is out of service, for a load
/// balancer that has other ways to it; never because of a mirror, which must not take production away.
pub(crate) fn ready(view: &View, query: &Query) -> Answer {
    let state = view.lifecycle.name();
    let state = match state {
        "LIVE" if query.has("primary") && view.watch.is_a_primary_out(view) => "PRIMARY OUT OF SERVICE",
        state => state,
    };
    let status = if state == "LIVE" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Answer::error(status, format!("{state}\n"))
}

/// `/server_info`.
pub(crate) fn server_info(view: &View, _: &Query) -> Answer {
    let uptime = format!("{}s", view.stats.started.elapsed().as_secs());
    let all = unix_ms().saturating_sub(view.generation.first_start_ms) / 1000;
    Answer::json(&json!({
        "version": concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")),
        "state": view.lifecycle.name(),
        "uptime_current_epoch": uptime,
        "uptime_all_epochs": format!("{all}s"),
        "hot_restart_version": restart_version(view),
        "command_line_options": view.options,
        "node": whole_node(view),
        "hot_restart_initializing": false,
    }))
}

/// With the fields that are always empty, which protobuf's JSON leaves out elsewhere.
fn whole_node(view: &View) -> Value {
    let mut node = node(view);
    for (name, empty) in [
        ("metadata", view.config.node.metadata.clone().unwrap_or_default()),
        ("dynamic_parameters", json!({})),
        ("client_features", json!([])),
        ("listening_addresses", json!([])),
    ] {
        node[name] = empty;
    }
    node
}

/// Who this proxy says it is.
pub(super) fn node(view: &View) -> Value {
    let node = &view.config.node;
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    json!({
        "id": node.id,
        "cluster": node.cluster,
        "locality": {"region": node.region, "zone": node.zone, "sub_zone": node.sub_zone},
        "user_agent_name": env!("CARGO_PKG_NAME"),
        "user_agent_build_version": {
            "version": {
                "major_number": number(env!("CARGO_PKG_VERSION_MAJOR")),
                "minor_number": number(env!("CARGO_PKG_VERSION_MINOR")),
                "patch": number(env!("CARGO_PKG_VERSION_PATCH")),
            },
        },
        "extensions": [],
    })
}

/// `/runtime`: the layers of the file; of a key the last layer counts that has it.
pub(crate) fn runtime(view: &View, _: &Query) -> Answer {
    let layers = &view.config.process.runtime;
    let mut entries = serde_json::Map::new();
    for key in layers.iter().flat_map(|layer| &layer.entries).map(|(key, _)| key) {
        let of = |layer: &RuntimeLayer| {
            let found = layer.entries.iter().find(|(other, _)| other == key);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        let values: Vec<_> = layers.iter().map(of).collect();
        let last = values.iter().rfind(|value| !value.is_empty()).cloned();
        entries.insert(key.clone(), json!({"layer_values": values, "final_value": last}));
    }
    let names: Vec<_> = layers.iter().map(|layer| &layer.name).collect();
    Answer::json(&json!({"layers": names, "entries": entries}))
}

/// `/hot_restart_version`.
pub(crate) fn hot_restart_version(view: &View, _: &Query) -> Answer {
    Answer::text(restart_version(view))
}

fn restart_version(view: &View) -> &'static str {
    if view.generation.followed { HOT_RESTART_VERSION } else { "disabled" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    #[test]
    fn readiness_follows_the_lifecycle() {
        let mut view = fixture::new().view;
        let answer = ready(&view, &Query::default());
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "LIVE\n"));
        view.lifecycle.set_failing(true);
        let answer = ready(&view, &Query::default());
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "DRAINING\n"));
        view.lifecycle = std::sync::Arc::default();
        let answer = ready(&view, &Query::default());
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "INITIALIZING\n")
        );
    }

    #[test]
    fn server_info_tells_who_and_how() {
        let body: Value =
            serde_json::from_str(&server_info(&fixture::new().view, &Query::default()).body).unwrap();
        assert_eq!(body["state"], "LIVE");
        assert_eq!(body["node"]["locality"]["zone"], "z1");
        assert_eq!(body["command_line_options"], json!({"concurrency": 2}));
        assert!(body["uptime_current_epoch"].as_str().unwrap().ends_with('s'));
    }
}

//! Settings of the process in Envoy's v3 form.

use serde_json::{Map, Value, json};

use crate::model::{Process, RuntimeLayer};
use crate::units::proto_text;

/// Fields of the bootstrap; what is at its default is left out.
pub(super) fn fields(process: &Process) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    let default = Process::default();
    let flush = process.stats_flush_interval;
    put("stats_flush_interval", flush != default.stats_flush_interval, json!(proto_text(flush)));
    put("stats_flush_on_admin", process.stats_flush_on_admin, json!(true));
    let version = process.stats_server_version;
    put("stats_server_version_override", version.is_some(), json!(version));
    let tags: Vec<_> = process
        .stats_tags
        .iter()
        .map(|(name, value)| json!({ "tag_name": name, "fixed_value": value }))
        .collect();
    put("stats_config", !tags.is_empty(), json!({ "stats_tags": tags }));
    let layers: Vec<_> = process.runtime.iter().map(layer).collect();
    put("layered_runtime", !layers.is_empty(), json!({ "layers": layers }));
    let monitor = json!({
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.\
                      DownstreamConnectionsConfig",
            "max_active_downstream_connections": process.client_connections,
        },
    });
    let manager = json!({ "resource_monitors": [monitor] });
    put("overload_manager", process.client_connections.is_some(), manager);
    map
}

fn layer(layer: &RuntimeLayer) -> Value {
    let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    // The bound of client connections stands in the overload manager: as a key it is deprecated.
    let kept = layer.entries.iter().filter(|(key, _)| !key.starts_with("overload."));
    let entries: Map<_, _> = kept.map(|(key, text)| (key.clone(), value(text))).collect();
    json!({ "name": layer.name, "static_layer": entries })
}

//! What stands beside `static_resources`: statistics, the overload manager, runtime layers, watchdogs.

use crate::model::{Fraction, Process, RuntimeLayer};
use crate::read::{Field, Object};
use crate::secrets;
use crate::tree::Value;

use super::any::{Configured, Extension};
use super::shares::Shares;
use super::{fraction, unsupported};

/// The one resource that is watched.
const CONNECTIONS: Extension = Extension {
    what: "a bound of client connections",
    types: &["envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"],
    names: &["envoy.resource_monitors.global_downstream_max_connections"],
    bare: false,
};
/// The same bound as a runtime key.
const CONNECTIONS_KEY: &str = "overload.global_downstream_max_connections";
/// Beginnings of keys that switch Envoy's own code.
const SWITCHES: [&str; 4] = ["envoy.", "re2.", "upstream.", "health_check."];
/// Most client connections that can be asked for.
const CONNECTIONS_MAX: u32 = u32::MAX;

/// Takes the fields of the process out of the bootstrap.
pub(super) fn decode<'a>(bootstrap: &mut Object<'a>, shares: &mut Shares<'a>) -> Process {
    let mut process = Process::default();
    if let Some(interval) = bootstrap.take("stats_flush_interval").and_then(|f| f.positive_duration()) {
        process.stats_flush_interval = interval;
    }
    if let Some(on_admin) = bootstrap.take("stats_flush_on_admin").and_then(|f| f.boolean()) {
        process.stats_flush_on_admin = on_admin;
    }
    let version = bootstrap.take("stats_server_version_override").and_then(|f| f.whole(0, u32::MAX));
    process.stats_server_version = version.map(u64::from);
    if let Some(config) = bootstrap.take("stats_config") {
        stats_config(&config, &mut process);
    }
    if let Some(layers) = bootstrap.take("layered_runtime") {
        runtime(&layers, &mut process, shares);
    }
    if let Some(manager) = bootstrap.take("overload_manager") {
        overload_manager(&manager, &mut process);
    }
    for name in ["watchdog", "watchdogs"] {
        if let Some(watchdog) = bootstrap.take(name) {
            watchdog.warn("no watchdog looks after threads here", "remove it; watch `/ready` from outside");
        }
    }
    process
}

fn stats_config(field: &Field<'_>, process: &mut Process) {
    let Some(mut object) = field.object() else { return };
    if let Some(all) = object.take("use_all_default_tags")
        && all.boolean() == Some(false)
    {
        all.refuse::<()>(
            "metrics always have Envoy's default labels",
            "remove it; drop labels with a relabelling rule of the scraper",
        );
    }
    for tag in object.take("stats_tags").map(|field| field.list()).unwrap_or_default() {
        process.stats_tags.extend(stats_tag(&tag));
    }
    object.finish(unsupported::STATS_CONFIG);
}

fn stats_tag(field: &Field<'_>) -> Option<(String, String)> {
    let mut object = field.object()?;
    let name = object.require("tag_name", "write the label's name")?;
    let value = object.take("fixed_value");
    object.finish(unsupported::STATS_TAG);
    let value = match value {
        Some(value) => value.text()?.to_owned(),
        // One of Envoy's default tags, or a tag that matches nothing.
        None => return None,
    };
    // As Envoy makes a label of it.
    let label = name.name()?.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "_");
    Some((label, value))
}

fn overload_manager(field: &Field<'_>, process: &mut Process) {
    let Some(mut object) = field.object() else { return };
    object.take("refresh_interval").and_then(|field| field.duration());
    for monitor in object.take("resource_monitors").map(|field| field.list()).unwrap_or_default() {
        let Some(mut monitor) = monitor.object() else { continue };
        let configured = CONNECTIONS.read(&mut monitor);
        monitor.finish(&[]);
        let Some(Configured::Message(mut config)) = configured else { continue };
        let most = config.require("max_active_downstream_connections", "write the number of connections");
        process.client_connections = most.and_then(|field| field.whole(1, CONNECTIONS_MAX)).map(u64::from);
        config.finish(&[]);
    }
    object.finish(unsupported::OVERLOAD_MANAGER);
}

fn runtime<'a>(field: &Field<'a>, process: &mut Process, shares: &mut Shares<'a>) {
    let Some(mut object) = field.object() else { return };
    for layer in object.take("layers").map(|field| field.list()).unwrap_or_default() {
        let Some(mut layer) = layer.object() else { continue };
        let name = layer.require("name", "write the layer's name");
        let name = name.and_then(|field| field.name().map(str::to_owned)).unwrap_or_default();
        let mut entries = Vec::new();
        if let Some(values) = layer.take("static_layer") {
            let mut layer = Layer { entries: &mut entries, process: &mut *process, shares: &mut *shares };
            static_layer(&values, "", &mut layer);
        }
        layer.finish(unsupported::RUNTIME_LAYER);
        process.runtime.push(RuntimeLayer { name, entries });
    }
    object.finish(&[]);
}

/// What the values of a layer are read into.
struct Layer<'l, 'a> {
    entries: &'l mut Vec<(String, String)>,
    process: &'l mut Process,
    shares: &'l mut Shares<'a>,
}

/// A map that is a FractionalPercent and no further part of the key.
fn share(field: &Field<'_>) -> Option<Fraction> {
    let Value::Map(entries) = &field.node.value else { return None };
    let is_share = entries.iter().any(|entry| ["numerator", "denominator"].contains(&&*entry.key));
    if is_share { fraction::fractional_percent(field) } else { None }
}

/// Keys may be nested or written with dots; `prefix` ends with a dot or is empty.
fn static_layer<'a>(field: &Field<'a>, prefix: &str, layer: &mut Layer<'_, 'a>) {
    let Some(mut object) = field.object() else { return };
    for (name, field) in object.rest() {
        let key = format!("{prefix}{name}");
        if matches!(field.node.value, Value::Map(_)) {
            match share(&field) {
                Some(fraction) => {
                    layer.entries.push((key.clone(), plain(&field)));
                    layer.shares.fraction(key, field, fraction);
                }
                None => static_layer(&field, &format!("{key}."), layer),
            }
            continue;
        }
        if key == CONNECTIONS_KEY {
            if let Some(most) = field.whole(1, CONNECTIONS_MAX) {
                layer.process.client_connections = Some(most.into());
                layer.entries.push((key, most.to_string()));
            }
        } else if SWITCHES.iter().any(|prefix| key.starts_with(prefix)) {
            field.warn(format!("`{key}` is a switch of Envoy's own and has no effect here"), "remove it");
            layer.entries.push((key, plain(&field)));
        } else if matches!(field.node.value, Value::Number(_)) {
            if let Some(number) = field.whole(0, u32::MAX) {
                layer.entries.push((key.clone(), number.to_string()));
                layer.shares.number(key, field, number);
            }
        } else {
            field.refuse::<()>(
                format!("the runtime key `{key}` is not read by this version"),
                "remove it; write the value where it is used, such as a fraction's `default_value`",
            );
        }
    }
}

/// A value as `/runtime` shows it.
fn plain(field: &Field<'_>) -> String {
    match secrets::document(field.node) {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

//! Parts of the dump: `resource`, `mask` and `name_regex`.

use http::StatusCode;
use regex_lite::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::{BOOTSTRAP, Dump, type_url};
use crate::admin::answer::Answer;
use crate::admin::query::Query;
use crate::limits::ADMIN_FILTER_BYTES;

/// Lists of a section that can be asked for: field, the item's message, and where an item's name is.
const RESOURCES: &[(&str, &str, &str)] = &[
    ("static_clusters", "envoy.admin.v3.ClustersConfigDump.StaticCluster", "/cluster/name"),
    ("dynamic_active_clusters", "", ""),
    ("dynamic_warming_clusters", "", ""),
    (
        "static_endpoint_configs",
        "envoy.admin.v3.EndpointsConfigDump.StaticEndpointConfig",
        "/endpoint_config/cluster_name",
    ),
    ("dynamic_endpoint_configs", "", ""),
    ("static_listeners", "envoy.admin.v3.ListenersConfigDump.StaticListener", "/listener/name"),
    ("dynamic_listeners", "", ""),
    ("inline_scoped_route_configs", "", ""),
    ("dynamic_scoped_route_configs", "", ""),
    ("static_route_configs", "envoy.admin.v3.RoutesConfigDump.StaticRouteConfig", "/route_config/name"),
    ("dynamic_route_configs", "", ""),
    ("static_secrets", "", ""),
    ("dynamic_active_secrets", "", ""),
    ("dynamic_warming_secrets", "", ""),
    ("mirrors", "mimir_mirror.MirrorsConfigDump.Mirror", "/name"),
];

/// # Errors
///
/// The answer to give when what is asked for makes no sense.
pub(super) fn select(mut dumps: Vec<Dump>, query: &Query) -> Result<Vec<Value>, Answer> {
    if let Some(pattern) = query.get("name_regex").filter(|pattern| !pattern.is_empty()) {
        keep_named(&mut dumps, &whole(pattern)?);
    }
    let mask = query.get("mask").filter(|mask| !mask.is_empty());
    match query.get("resource").filter(|resource| !resource.is_empty()) {
        Some(resource) => items(&dumps, resource, mask),
        None => sections(dumps, mask),
    }
}

fn refused<T>(sentence: String) -> Result<T, Answer> {
    Err(Answer::error(StatusCode::BAD_REQUEST, sentence))
}

/// An expression that must match a whole name.
fn whole(pattern: &str) -> Result<Regex, Answer> {
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(ADMIN_FILTER_BYTES).build().or_else(|error| {
        refused(format!("INVALID_ARGUMENT: Error while parsing name_regex from {pattern}: {error}\n"))
    })
}

fn keep_named(dumps: &mut [Dump], regex: &Regex) {
    for dump in dumps {
        for (field, _, at) in RESOURCES {
            let Some(items) = dump.fields.get_mut(*field).and_then(Value::as_array_mut) else { continue };
            let is_named =
                |item: &Value| item.pointer(at).and_then(Value::as_str).is_some_and(|n| regex.is_match(n));
            items.retain(is_named);
            if items.is_empty() {
                dump.fields.shift_remove(*field);
            }
        }
    }
}

fn sections(dumps: Vec<Dump>, mask: Option<&str>) -> Result<Vec<Value>, Answer> {
    let mut configs = Vec::new();
    for dump in dumps {
        let fields = match mask {
            None => Some(Value::Object(dump.fields)),
            Some(mask) => masked(&Value::Object(dump.fields), mask),
        };
        if let Some(Value::Object(fields)) = fields {
            configs.push(typed(dump.name, fields));
        }
    }
    match mask {
        Some(mask) if configs.is_empty() => {
            refused(format!("FieldMask {mask} could not be successfully applied to any configs."))
        }
        _ => Ok(configs),
    }
}

fn items(dumps: &[Dump], resource: &str, mask: Option<&str>) -> Result<Vec<Value>, Answer> {
    if resource == "bootstrap" && dumps.iter().any(|dump| dump.name == BOOTSTRAP) {
        return refused(format!(
            "{resource} is not a repeated field. Use ?mask={resource} to get only this field"
        ));
    }
    let Some((field, name, _)) = RESOURCES.iter().find(|(field, ..)| *field == resource) else {
        return Err(Answer::error(StatusCode::NOT_FOUND, format!("{resource} not found in config dump")));
    };
    let found = dumps.iter().filter_map(|dump| dump.fields.get(*field)?.as_array()).flatten();
    let mut configs = Vec::new();
    for item in found {
        let item = match mask {
            None => item.clone(),
            Some(mask) => match masked(item, mask) {
                Some(item) => item,
                None => return refused(format!("FieldMask {mask} could not be successfully used.")),
            },
        };
        if let Value::Object(fields) = item {
            configs.push(typed(name, fields));
        }
    }
    Ok(configs)
}

fn typed(name: &str, fields: Map<String, Value>) -> Value {
    let mut out = Map::from_iter([("@type".to_owned(), type_url(name).into())]);
    out.extend(fields);
    out.into()
}

/// Only what the paths name. `None` if one of them leads through a list, or to a field that the message has not.
fn masked(message: &Value, mask: &str) -> Option<Value> {
    let mut out = Value::Object(Map::new());
    for path in mask.split(',') {
        let names: Vec<_> = path.split('.').map(snake).collect();
        copy(message, &mut out, &names)?;
    }
    Some(out)
}

fn copy(from: &Value, to: &mut Value, names: &[String]) -> Option<()> {
    let (from, to) = (from.as_object()?, to.as_object_mut()?);
    let (name, rest) = names.split_first()?;
    let value = from.get(name)?;
    if let Some(kind) = from.get("@type") {
        to.entry("@type").or_insert_with(|| kind.clone());
    }
    if rest.is_empty() {
        to.insert(name.clone(), value.clone());
        return Some(());
    }
    copy(value, to.entry(name.clone()).or_insert_with(|| Value::Object(Map::new())), rest)
}

/// A mask may be written in JSON's names too.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

//! `/config_dump`: the configuration in force, in the shapes of Envoy's v3 messages, and what Envoy has no place for.
//!
//! Envoy's sections are what `convert --to envoy-v3` prints, so a new setting appears here by itself. Values of headers
//! and what stands inline for a key are never shown: any of them may be a credential.

mod select;

use std::time::Duration;

use config::model::{Mirror, Requests};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::View;
use super::answer::Answer;
use super::query::Query;
use super::server_info;
use crate::cluster::Member;

const REDACTED: &str = "[redacted]";
const BOOTSTRAP: &str = "envoy.admin.v3.BootstrapConfigDump";

/// `/config_dump`.
pub(crate) fn report(view: &View, query: &Query) -> Answer {
    let dumps = match dumps(view, query.has("include_eds")) {
        Ok(dumps) => dumps,
        Err(error) => {
            let sentence = format!("the configuration has no v3 form: {error}\n");
            return Answer::error(StatusCode::INTERNAL_SERVER_ERROR, sentence);
        }
    };
    match select::select(dumps, query) {
        Ok(configs) if configs.is_empty() => Answer::json(&json!({})),
        Ok(configs) => Answer::json(&json!({"configs": configs})),
        Err(answer) => answer,
    }
}

/// One section.
struct Dump {
    /// Its message's name.
    name: &'static str,
    fields: Map<String, Value>,
}

impl Dump {
    /// A section with one list in it, left out when it is empty, as protobuf's JSON does.
    fn list(name: &'static str, field: &str, items: Vec<Value>) -> Self {
        let mut fields = Map::new();
        if !items.is_empty() {
            fields.insert(field.to_owned(), items.into());
        }
        Self { name, fields }
    }
}

fn type_url(name: &str) -> String {
    // Ours is no type of anybody's registry.
    if name.starts_with("envoy.") { format!("type.googleapis.com/{name}") } else { name.to_owned() }
}

fn dumps(view: &View, include_eds: bool) -> Result<Vec<Dump>, config::convert::ConvertError> {
    let mut bootstrap = config::convert::envoy_v3_document(&view.config)?;
    redact(&mut bootstrap);
    let resources = |name: &str| {
        let list = bootstrap.pointer(&format!("/static_resources/{name}")).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let (clusters, listeners) = (resources("clusters"), resources("listeners"));
    let routes: Vec<_> = listeners.iter().flat_map(route_configs).collect();
    let wrapped = |items: Vec<Value>, field: &str, name: &str| -> Vec<Value> {
        items.into_iter().map(|item| json!({field: typed(name, item)})).collect()
    };
    if let Some(root) = bootstrap.as_object_mut() {
        root.shift_insert(0, "node".to_owned(), server_info::node(view));
    }
    let mut dumps = vec![
        Dump { name: BOOTSTRAP, fields: Map::from_iter([("bootstrap".to_owned(), bootstrap)]) },
        Dump::list(
            "envoy.admin.v3.ClustersConfigDump",
            "static_clusters",
            wrapped(clusters, "cluster", "envoy.config.cluster.v3.Cluster"),
        ),
        Dump::list(
            "envoy.admin.v3.ListenersConfigDump",
            "static_listeners",
            wrapped(listeners, "listener", "envoy.config.listener.v3.Listener"),
        ),
        Dump::list("envoy.admin.v3.ScopedRoutesConfigDump", "", Vec::new()),
        Dump::list(
            "envoy.admin.v3.RoutesConfigDump",
            "static_route_configs",
            wrapped(routes, "route_config", "envoy.config.route.v3.RouteConfiguration"),
        ),
        Dump::list("envoy.admin.v3.SecretsConfigDump", "", Vec::new()),
        ours(view),
    ];
    if include_eds {
        dumps.insert(2, endpoints(view));
    }
    Ok(dumps)
}

fn typed(name: &str, message: Value) -> Value {
    let mut out = Map::from_iter([("@type".to_owned(), type_url(name).into())]);
    if let Value::Object(fields) = message {
        out.extend(fields);
    }
    out.into()
}

/// The route configurations that stand in a listener.
fn route_configs(listener: &Value) -> Vec<Value> {
    let lists = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let chains = lists(listener, "filter_chains");
    let filters = chains.iter().flat_map(|chain| lists(chain, "filters"));
    filters.filter_map(|filter| filter.pointer("/typed_config/route_config").cloned()).collect()
}

/// The addresses that the clusters have now.
fn endpoints(view: &View) -> Dump {
    let configs = view.config.clusters.iter().zip(&view.endpoints).map(|(cluster, now)| {
        let hosts: Vec<_> = now.borrow().iter().map(endpoint).collect();
        let assignment = json!({
            "cluster_name": cluster.name,
            "endpoints": [{"lb_endpoints": hosts}],
        });
        json!({"endpoint_config": typed("envoy.config.endpoint.v3.ClusterLoadAssignment", assignment)})
    });
    Dump::list("envoy.admin.v3.EndpointsConfigDump", "static_endpoint_configs", configs.collect())
}

fn endpoint(member: &Member) -> Value {
    let at = member.address;
    let address = json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}});
    let health = if member.health.is_healthy() { "HEALTHY" } else { "UNHEALTHY" };
    json!({"endpoint": {"address": address}, "health_status": health, "load_balancing_weight": member.weight})
}

/// What Envoy has no place for: the document as written (its reader has replaced secrets), and the mirrors.
fn ours(view: &View) -> Dump {
    let config = &view.config;
    let mirrors: Vec<_> = config.mirrors.iter().map(|m| mirror(view, m)).collect();
    let mut dump = Dump::list("mimir_mirror.MirrorsConfigDump", "mirrors", mirrors);
    dump.fields.insert("origin".to_owned(), config.origin.clone().into());
    dump.fields.insert("document".to_owned(), config.document.clone());
    dump
}

/// Protobuf's JSON form of a duration; what is off is 0.
fn duration(duration: impl Into<Option<Duration>>) -> String {
    format!("{}s", duration.into().unwrap_or_default().as_secs_f64())
}

/// The settings in force under the names of the native form.
fn mirror(view: &View, mirror: &Mirror) -> Value {
    let cluster = view.config.clusters.get(mirror.cluster).map_or("", |cluster| cluster.name.as_str());
    json!({
        "name": mirror.name,
        "cluster": cluster,
        "requests": match mirror.requests {
            Requests::Writes => "writes",
            Requests::All => "all",
        },
        "copy_admin": mirror.copy_admin,
        "timeout": mirror.timeout.map(duration),
        "buffer": mirror.buffer,
        "max_request": mirror.max_request,
        "max_age": duration(mirror.max_age),
        "max_connections": mirror.max_connections,
        "max_copies": mirror.max_copies,
        "auth": mirror.auth.as_ref().map(|_| REDACTED),
    })
}

/// Replaces values of headers, and keys and passwords that stand in the file.
fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => {
            let is_header = fields.contains_key("key");
            for (name, value) in fields {
                let is_secret =
                    matches!(name.as_str(), "inline_string" | "inline_bytes" | "password" | "bearer");
                if (is_header && matches!(name.as_str(), "value" | "raw_value")) || is_secret {
                    *value = REDACTED.into();
                } else {
                    redact(value);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    fn get(query: &str) -> Answer {
        report(&fixture::new().view, &Query::parse(query))
    }

    fn body(query: &str) -> Value {
        serde_json::from_str(&get(query).body).unwrap()
    }

    #[test]
    fn the_dump_has_envoys_messages_and_ours() {
        let body = body("");
        let configs = body["configs"].as_array().unwrap();
        let types: Vec<_> = configs.iter().map(|c| c["@type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            [
                "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
                "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
                "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
                "type.googleapis.com/envoy.admin.v3.ScopedRoutesConfigDump",
                "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
                "type.googleapis.com/envoy.admin.v3.SecretsConfigDump",
                "mimir_mirror.MirrorsConfigDump",
            ]
        );
        assert_eq!(configs[0]["bootstrap"]["node"]["id"], "n1");
        let mirrored = &configs[1]["static_clusters"][1]["cluster"];
        assert_eq!(mirrored["connect_timeout"], "0.25s");
        assert_eq!(mirrored["cluster_type"]["typed_config"]["dns_lookup_family"], "V4_ONLY");
        let route = &configs[4]["static_route_configs"][0]["route_config"]["virtual_hosts"][0]["routes"][0];
        assert_eq!(route["match"], json!({"prefix": "/"}));
        let policy = &route["route"]["request_mirror_policies"][0];
        assert_eq!(policy["cluster"], "mirror_a");
        let fraction = json!({"numerator": 25, "denominator": "TEN_THOUSAND"});
        assert_eq!(policy["runtime_fraction"]["default_value"], fraction);
        assert_eq!(policy["host_rewrite_literal"], "secondary.example");
        assert_eq!(configs[6]["mirrors"][0]["max_age"], "300s");
        assert_eq!(configs[6]["document"], json!({"listen": "127.0.0.1:9900"}));
    }

    #[test]
    fn secrets_are_never_shown() {
        let body = get("").body;
        assert!(!body.contains(fixture::SECRET), "{body}");
        let mut tls = json!({"private_key": {"inline_string": "k"}, "header": {"key": "a", "value": "v"}});
        redact(&mut tls);
        let hidden =
            json!({"private_key": {"inline_string": REDACTED}, "header": {"key": "a", "value": REDACTED}});
        assert_eq!(tls, hidden);
    }

    #[test]
    fn one_kind_of_resource_can_be_asked_for() {
        let clusters = body("resource=static_clusters&mask=cluster.name");
        let names: Vec<_> =
            clusters["configs"].as_array().unwrap().iter().map(|c| c["cluster"]["name"].clone()).collect();
        assert_eq!(names, ["primary", "mirror_a"]);
        assert_eq!(
            clusters["configs"][0]["@type"],
            "type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster"
        );
        assert_eq!(clusters["configs"][0]["cluster"].as_object().unwrap().len(), 2, "{clusters}");
        assert_eq!(body("resource=static_clusters&name_regex=prim"), json!({}), "whole names match");
        assert_eq!(
            body("resource=static_clusters&name_regex=prim.*")["configs"].as_array().unwrap().len(),
            1
        );
        assert_eq!(body("resource=dynamic_listeners"), json!({}));
        assert_eq!(get("resource=bootstrap").status, StatusCode::BAD_REQUEST);
        assert_eq!(get("resource=nothing").status, StatusCode::NOT_FOUND);
        assert_eq!(body("resource=mirrors")["configs"][0]["cluster"], "mirror_a");
    }

    #[test]
    fn a_mask_keeps_the_sections_that_have_its_fields() {
        let masked = body("mask=bootstrap.node.id");
        assert_eq!(masked["configs"].as_array().unwrap().len(), 1);
        assert_eq!(masked["configs"][0]["bootstrap"], json!({"node": {"id": "n1"}}));
        for query in [
            "mask=nothing",
            "resource=static_clusters&mask=nothing",
            "name_regex=[",
            "mask=static_clusters.cluster",
        ] {
            assert_eq!(get(query).status, StatusCode::BAD_REQUEST, "{query}");
        }
    }

    #[test]
    fn names_select_within_sections_and_addresses_can_be_included() {
        let named = body("name_regex=mirror_a&include_eds");
        assert_eq!(named["configs"][1]["static_clusters"].as_array().unwrap().len(), 1);
        assert_eq!(named["configs"][2]["static_endpoint_configs"].as_array().unwrap().len(), 1);
        assert!(named["configs"][3].get("static_listeners").is_none());
    }
}

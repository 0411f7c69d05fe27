//! `/config_dump`: the configuration in force, in the shapes of Envoy's v3 messages, and what Envoy has no place for.
//!
//! The bootstrap is the document as written (its reader has replaced secrets). The rest is rebuilt from the model,
//! so it shows defaults too. Values of headers are never shown: any of them may be a credential.

use std::time::Duration;

use config::model::{
    Cluster, CopyHost, Discovery, Domain, Endpoint, Fraction, HeaderMutation, Host, HttpManager, Listener,
    LookupFamily, Mirror, MirrorPolicy, PathMatch, Requests, Route,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::View;
use super::answer::Answer;
use super::query::Query;

const REDACTED: &str = "[redacted]";

/// `/config_dump`.
pub(crate) fn report(view: &View, query: &Query) -> Answer {
    if ["resource", "mask", "name_regex"].iter().any(|name| query.has(name)) {
        let sentence = "resource, mask and name_regex are not supported: /config_dump gives everything\n";
        return Answer::error(StatusCode::BAD_REQUEST, sentence);
    }
    let config = &view.config;
    let clusters: Vec<_> = config.clusters.iter().map(|c| json!({"cluster": cluster(c)})).collect();
    let listeners: Vec<_> = config.listeners.iter().map(|l| json!({"listener": listener(view, l)})).collect();
    let routes: Vec<_> = config
        .listeners
        .iter()
        .map(|l| json!({"route_config": route_config(view, &l.http, Some("envoy.config.route.v3.RouteConfiguration"))}))
        .collect();
    let mirrors: Vec<_> = config.mirrors.iter().map(|m| mirror(view, m)).collect();
    Answer::json(&json!({"configs": [
        {"@type": envoy_type("envoy.admin.v3.BootstrapConfigDump"), "bootstrap": config.document},
        {"@type": envoy_type("envoy.admin.v3.ClustersConfigDump"), "static_clusters": clusters},
        {"@type": envoy_type("envoy.admin.v3.ListenersConfigDump"), "static_listeners": listeners},
        {"@type": envoy_type("envoy.admin.v3.RoutesConfigDump"), "static_route_configs": routes},
        {"@type": "mimir_mirror.MirrorsConfigDump", "origin": config.origin, "mirrors": mirrors},
    ]}))
}

fn envoy_type(name: &str) -> String {
    format!("type.googleapis.com/{name}")
}

/// Protobuf's JSON form of a duration; what is off is 0.
fn duration(duration: impl Into<Option<Duration>>) -> String {
    format!("{}s", duration.into().unwrap_or_default().as_secs_f64())
}

fn address(host: &str, port: u16) -> Value {
    json!({"socket_address": {"address": host, "port_value": port}})
}

fn cluster(cluster: &Cluster) -> Value {
    let mut out = json!({
        "@type": envoy_type("envoy.config.cluster.v3.Cluster"),
        "name": cluster.name,
        "type": "STATIC",
        "connect_timeout": duration(cluster.connect_timeout),
    });
    if let Discovery::StrictDns { refresh, family } = cluster.discovery {
        out["type"] = "STRICT_DNS".into();
        out["dns_refresh_rate"] = duration(refresh).into();
        out["dns_lookup_family"] = match family {
            LookupFamily::Auto => "AUTO",
            LookupFamily::V4Only => "V4_ONLY",
            LookupFamily::V6Only => "V6_ONLY",
            LookupFamily::V4Preferred => "V4_PREFERRED",
            LookupFamily::All => "ALL",
        }
        .into();
    }
    let endpoints: Vec<_> = cluster.endpoints.iter().map(endpoint).collect();
    out["load_assignment"] =
        json!({"cluster_name": cluster.name, "endpoints": [{"lb_endpoints": endpoints}]});
    out
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let host = match &endpoint.host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    json!({"endpoint": {"address": address(&host, endpoint.port)}})
}

fn listener(view: &View, listener: &Listener) -> Value {
    let http = &listener.http;
    let manager = json!({
        "@type": envoy_type(
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        ),
        "stat_prefix": http.stat_prefix,
        "stream_idle_timeout": duration(http.stream_idle_timeout),
        "request_timeout": duration(http.request_timeout),
        "request_headers_timeout": duration(http.request_headers_timeout),
        "common_http_protocol_options": {"idle_timeout": duration(http.idle_timeout)},
        "max_request_headers_kb": http.max_request_headers_kb,
        "route_config": route_config(view, http, None),
    });
    json!({
        "@type": envoy_type("envoy.config.listener.v3.Listener"),
        "name": listener.name,
        "address": address(&listener.address.ip().to_string(), listener.address.port()),
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]}],
    })
}

fn route_config(view: &View, http: &HttpManager, type_name: Option<&str>) -> Value {
    let hosts: Vec<_> = http
        .virtual_hosts
        .iter()
        .map(|host| {
            json!({
                "name": host.name,
                "domains": host.domains.iter().map(domain).collect::<Vec<_>>(),
                "routes": host.routes.iter().map(|r| route(view, r)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let mut out = serde_json::Map::new();
    if let Some(name) = type_name {
        out.insert("@type".to_owned(), envoy_type(name).into());
    }
    out.insert("name".to_owned(), http.route_config.clone().into());
    out.insert("virtual_hosts".to_owned(), hosts.into());
    out.into()
}

fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Any => "*".to_owned(),
        Domain::Exact(name) => name.clone(),
        Domain::Suffix(end) => format!("*{end}"),
        Domain::Prefix(start) => format!("{start}*"),
    }
}

fn cluster_name(view: &View, index: usize) -> &str {
    view.config.clusters.get(index).map_or("", |cluster| cluster.name.as_str())
}

fn route(view: &View, route: &Route) -> Value {
    let matched = match &route.path {
        PathMatch::Prefix(prefix) => json!({"prefix": prefix}),
        PathMatch::Path(path) => json!({"path": path}),
    };
    let mirrors: Vec<_> = route.mirrors.iter().map(|policy| mirror_policy(view, policy)).collect();
    json!({
        "name": route.name,
        "match": matched,
        "route": {
            "cluster": cluster_name(view, route.cluster),
            "timeout": duration(route.timeout),
            "request_mirror_policies": mirrors,
        },
    })
}

fn mirror_policy(view: &View, policy: &MirrorPolicy) -> Value {
    let cluster =
        view.config.mirrors.get(policy.mirror).map_or("", |mirror| cluster_name(view, mirror.cluster));
    let mut out = json!({
        "cluster": cluster,
        "runtime_fraction": {"default_value": fraction(policy.fraction)},
        "request_headers_mutations": policy.headers.iter().map(mutation).collect::<Vec<_>>(),
    });
    match &policy.host {
        CopyHost::ShadowSuffix => {}
        CopyHost::Same => out["disable_shadow_host_suffix_append"] = true.into(),
        CopyHost::Literal(host) => {
            out["host_rewrite_literal"] = String::from_utf8_lossy(host.as_bytes()).into();
        }
    }
    out
}

fn fraction(fraction: Fraction) -> Value {
    let denominator = match fraction.denominator {
        10_000 => "TEN_THOUSAND",
        1_000_000 => "MILLION",
        _ => "HUNDRED",
    };
    json!({"numerator": fraction.numerator, "denominator": denominator})
}

fn mutation(mutation: &HeaderMutation) -> Value {
    let append = |name: &http::HeaderName, action: &str| json!({"append": {"header": {"key": name.as_str(), "value": REDACTED}, "append_action": action}});
    match mutation {
        HeaderMutation::Set(name, _) => append(name, "OVERWRITE_IF_EXISTS_OR_ADD"),
        HeaderMutation::Append(name, _) => append(name, "APPEND_IF_EXISTS_OR_ADD"),
        HeaderMutation::AddIfAbsent(name, _) => append(name, "ADD_IF_ABSENT"),
        HeaderMutation::OverwriteIfPresent(name, _) => append(name, "OVERWRITE_IF_EXISTS"),
        HeaderMutation::Remove(name) => json!({"remove": name.as_str()}),
    }
}

/// The settings in force under the names of the native form.
fn mirror(view: &View, mirror: &Mirror) -> Value {
    json!({
        "name": mirror.name,
        "cluster": cluster_name(view, mirror.cluster),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    #[test]
    fn the_dump_has_envoys_messages_and_ours() {
        let body: Value =
            serde_json::from_str(&report(&fixture::new().view, &Query::default()).body).unwrap();
        let configs = body["configs"].as_array().unwrap();
        let types: Vec<_> = configs.iter().map(|c| c["@type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            [
                "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
                "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
                "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
                "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
                "mimir_mirror.MirrorsConfigDump",
            ]
        );
        assert_eq!(configs[0]["bootstrap"], json!({"listen": "127.0.0.1:9900"}));
        let mirrored = &configs[1]["static_clusters"][1]["cluster"];
        assert_eq!(mirrored["connect_timeout"], "0.25s");
        assert_eq!(mirrored["dns_lookup_family"], "V4_ONLY");
        let route = &configs[3]["static_route_configs"][0]["route_config"]["virtual_hosts"][0]["routes"][0];
        assert_eq!(route["match"], json!({"prefix": "/"}));
        assert_eq!(route["route"]["timeout"], "15s");
        let policy = &route["route"]["request_mirror_policies"][0];
        assert_eq!(policy["cluster"], "mirror_a");
        let fraction = json!({"numerator": 25, "denominator": "TEN_THOUSAND"});
        assert_eq!(policy["runtime_fraction"]["default_value"], fraction);
        assert_eq!(policy["host_rewrite_literal"], "secondary.example");
        assert_eq!(policy["request_headers_mutations"][1], json!({"remove": "cookie"}));
        assert_eq!(configs[4]["mirrors"][0]["max_age"], "300s");
    }

    #[test]
    fn secrets_are_never_shown() {
        let body = report(&fixture::new().view, &Query::default()).body;
        assert!(!body.contains(fixture::SECRET), "{body}");
        assert_eq!(
            body.matches(REDACTED).count(),
            3,
            "auth, and the header in both dumps of the route\n{body}"
        );
    }

    #[test]
    fn selections_are_refused() {
        let answer = report(&fixture::new().view, &Query::parse("resource=static_clusters"));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
}

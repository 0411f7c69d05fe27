//! The Envoy v3 form of a configuration, which Envoy itself accepts too.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::route::{percent, route_changes, route_match, route_reply};
use super::{
    ConvertError, Notes, access_log, admin, conventions, headers, native, process, protocol, tls_envoy, value,
};
use crate::envoy::METADATA_KEY;
use crate::model::{
    Action, Cluster, Config, Conventions, CopyHost, Domain, EnvoyConventions, Forward, Fraction, HttpManager,
    Listener, ListenerSocket, MirrorPolicy, Requests, Route, StripPort, TcpKeepalive, VirtualHost,
};
use crate::units::proto_text;

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

/// The v3 form of a configuration, as YAML.
///
/// What Envoy has no field for stands in `metadata.filter_metadata.mimir_mirror`, which Envoy ignores.
///
/// # Errors
/// A header value that is not text.
pub fn to_envoy_v3(config: &Config) -> Result<String, ConvertError> {
    let mut notes = Notes::default();
    let root = bootstrap(config, &mut notes);
    notes.finish(&format!("The Envoy v3 form of {}.", config.origin), Some(&root))
}

/// The v3 form of a configuration as JSON, for those who show it.
///
/// # Errors
/// As [`to_envoy_v3`].
pub fn envoy_v3_document(config: &Config) -> Result<Value, ConvertError> {
    let mut notes = Notes { shown: true, ..Notes::default() };
    let root = bootstrap(config, &mut notes);
    if notes.errors.is_empty() { Ok(root) } else { Err(ConvertError { reasons: notes.errors }) }
}

fn bootstrap(config: &Config, notes: &mut Notes) -> Value {
    let mut root = Map::new();
    if let Some(node) = node(config) {
        root.insert("node".to_owned(), node);
    }
    if let Some(admin) = &config.admin {
        admin::differences(admin, notes);
        root.insert("admin".to_owned(), json!({ "address": address(admin.address) }));
    }
    root.extend(process::fields(&config.process));
    let listeners: Vec<Value> =
        config.listeners.iter().map(|listener| self::listener(config, listener, notes)).collect();
    let clusters: Vec<Value> = config
        .clusters
        .iter()
        .enumerate()
        .map(|(index, cluster)| self::cluster(config, index, cluster, notes))
        .collect();
    root.insert("static_resources".to_owned(), json!({ "listeners": listeners, "clusters": clusters }));
    Value::Object(root)
}

fn node(config: &Config) -> Option<Value> {
    let node = &config.node;
    let mut map = Map::new();
    for (name, text) in [("id", &node.id), ("cluster", &node.cluster)] {
        if !text.is_empty() {
            map.insert(name.to_owned(), json!(text));
        }
    }
    let mut locality = Map::new();
    for (name, text) in [("region", &node.region), ("zone", &node.zone), ("sub_zone", &node.sub_zone)] {
        if !text.is_empty() {
            locality.insert(name.to_owned(), json!(text));
        }
    }
    if !locality.is_empty() {
        map.insert("locality".to_owned(), Value::Object(locality));
    }
    if let Some(metadata) = &node.metadata {
        map.insert("metadata".to_owned(), metadata.clone());
    }
    (!map.is_empty()).then_some(Value::Object(map))
}

fn address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

fn listener(config: &Config, listener: &Listener, notes: &mut Notes) -> Value {
    let manager = manager(config, &listener.http, notes);
    let filter = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
    let mut map = Map::new();
    map.insert("name".to_owned(), json!(listener.name));
    map.insert("address".to_owned(), address(listener.address));
    if listener.http.conventions == Conventions::None {
        map.insert("metadata".to_owned(), metadata(json!({ "conventions": "none" })));
    }
    socket(&listener.socket, &mut map);
    tls_envoy::listener(listener, &filter, &mut map, notes);
    Value::Object(map)
}

fn socket(socket: &ListenerSocket, map: &mut Map<String, Value>) {
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    let additional: Vec<_> =
        socket.additional.iter().map(|other| json!({ "address": address(*other) })).collect();
    put("additional_addresses", !additional.is_empty(), json!(additional));
    put("tcp_backlog_size", socket.backlog.is_some(), json!(socket.backlog));
    put("freebind", socket.freebind, json!(true));
    if let Some(TcpKeepalive { probes, time, interval }) = socket.keepalive {
        let numbers = [
            ("keepalive_probes", probes.map(u64::from)),
            ("keepalive_time", time.map(|time| time.as_secs())),
            ("keepalive_interval", interval.map(|interval| interval.as_secs())),
        ];
        let given = numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), json!(number?))));
        put("tcp_keepalive", true, Value::Object(given.collect()));
    }
}

fn metadata(settings: Value) -> Value {
    let mut filters = Map::new();
    filters.insert(METADATA_KEY.to_owned(), settings);
    json!({ "filter_metadata": filters })
}

fn manager(config: &Config, http: &HttpManager, notes: &mut Notes) -> Value {
    // Under real Envoy these two switches come nearest to "no headers of our own".
    let quiet = EnvoyConventions {
        generate_request_id: false,
        suppress_envoy_headers: true,
        ..EnvoyConventions::default()
    };
    let conventions = match &http.conventions {
        Conventions::None => &quiet,
        Conventions::Envoy(conventions) => conventions,
    };
    let mut map = Map::new();
    map.insert("@type".to_owned(), json!(HCM));
    protocol::client(&http.protocols, &mut map);
    conventions::manager(conventions, &mut map);
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    put("stat_prefix", true, json!(http.stat_prefix));
    let default = Some(Duration::from_secs(300));
    put("stream_idle_timeout", http.stream_idle_timeout != default, json!(or_off(http.stream_idle_timeout)));
    put("request_timeout", http.request_timeout.is_some(), json!(or_off(http.request_timeout)));
    let headers = http.request_headers_timeout;
    put("request_headers_timeout", headers.is_some(), json!(or_off(headers)));
    let mut common = protocol::client_common(&http.protocols);
    if http.idle_timeout != Some(Duration::from_secs(3600)) {
        common.insert("idle_timeout".to_owned(), json!(or_off(http.idle_timeout)));
    }
    put("common_http_protocol_options", !common.is_empty(), Value::Object(common));
    put("max_request_headers_kb", http.max_request_headers_kb != 60, json!(http.max_request_headers_kb));
    put("merge_slashes", http.targets.merge_slashes, json!(true));
    put("strip_matching_host_port", http.targets.strip_port == StripPort::Matching, json!(true));
    put("strip_any_host_port", http.targets.strip_port == StripPort::Any, json!(true));
    put("strip_trailing_host_dot", http.targets.strip_trailing_dot, json!(true));
    put("route_config", true, route_config(config, http, notes));
    let logs: Vec<Value> = http.access_logs.iter().map(access_log::to_v3).collect();
    put("access_log", !logs.is_empty(), json!(logs));
    let mut router = Map::new();
    router.insert("@type".to_owned(), json!(ROUTER));
    conventions::router(conventions, &mut router);
    put("http_filters", true, json!([{ "name": "envoy.filters.http.router", "typed_config": router }]));
    Value::Object(map)
}

fn or_off(timeout: Option<Duration>) -> String {
    proto_text(timeout.unwrap_or_default())
}

fn route_config(config: &Config, http: &HttpManager, notes: &mut Notes) -> Value {
    let hosts: Vec<Value> = http.virtual_hosts.iter().map(|host| virtual_host(config, host, notes)).collect();
    let mut map = Map::new();
    if !http.route_config.is_empty() {
        map.insert("name".to_owned(), json!(http.route_config));
    }
    if http.targets.ignore_port {
        map.insert("ignore_port_in_host_matching".to_owned(), json!(true));
    }
    // Bodies longer than Envoy's default were allowed where they stood.
    let bodies =
        http.virtual_hosts.iter().flat_map(|host| &host.routes).filter_map(|route| match &route.action {
            Action::Respond(response) => Some(response.body.len()),
            Action::Forward(_) | Action::Redirect(_) => None,
        });
    if let Some(longest) = bodies.max().filter(|longest| *longest > 4096) {
        map.insert("max_direct_response_body_size_bytes".to_owned(), json!(longest));
    }
    map.insert("virtual_hosts".to_owned(), json!(hosts));
    headers::put(&mut map, &http.headers, notes);
    if http.most_specific_headers_win {
        map.insert("most_specific_header_mutations_wins".to_owned(), json!(true));
    }
    Value::Object(map)
}

fn virtual_host(config: &Config, host: &VirtualHost, notes: &mut Notes) -> Value {
    let domains: Vec<String> = host
        .domains
        .iter()
        .map(|domain| match domain {
            Domain::Any => "*".to_owned(),
            Domain::Exact(name) => name.clone(),
            Domain::Suffix(rest) => format!("*{rest}"),
            Domain::Prefix(rest) => format!("{rest}*"),
        })
        .collect();
    let routes: Vec<Value> = host.routes.iter().map(|route| self::route(config, route, notes)).collect();
    let mut map = Map::new();
    map.insert("name".to_owned(), json!(host.name));
    map.insert("domains".to_owned(), json!(domains));
    headers::put(&mut map, &host.headers, notes);
    // Said for the whole virtual host, and so the same on all its routes.
    let forwards = || host.routes.iter().filter_map(Route::forward);
    if forwards().any(|forward| forward.attempt_count_in_request) {
        map.insert("include_request_attempt_count".to_owned(), json!(true));
    }
    if forwards().any(|forward| forward.attempt_count_in_response) {
        map.insert("include_attempt_count_in_response".to_owned(), json!(true));
    }
    map.insert("routes".to_owned(), json!(routes));
    Value::Object(map)
}

fn route(config: &Config, route: &Route, notes: &mut Notes) -> Value {
    let mut map = Map::new();
    if !route.name.is_empty() {
        map.insert("name".to_owned(), json!(route.name));
    }
    map.insert("match".to_owned(), route_match(&route.matches));
    headers::put(&mut map, &route.headers, notes);
    let (name, value) = match (route.forward(), route_reply(&route.action)) {
        (None, Some(reply)) => reply,
        (forward, _) => {
            ("route", forward.map_or(Value::Null, |forward| self::forward(config, forward, notes)))
        }
    };
    map.insert(name.to_owned(), value);
    Value::Object(map)
}

fn forward(config: &Config, forward: &Forward, notes: &mut Notes) -> Value {
    let mut action = Map::new();
    let cluster = config.clusters.get(forward.cluster).map(|cluster| cluster.name.as_str());
    action.insert("cluster".to_owned(), json!(cluster));
    action.insert("timeout".to_owned(), json!(or_off(forward.timeout)));
    action.extend(route_changes(forward));
    let policies: Vec<Value> = forward.mirrors.iter().map(|mirror| policy(config, mirror, notes)).collect();
    if !policies.is_empty() {
        action.insert("request_mirror_policies".to_owned(), json!(policies));
    }
    Value::Object(action)
}

fn policy(config: &Config, policy: &MirrorPolicy, notes: &mut Notes) -> Value {
    let mirror = config.mirrors.get(policy.mirror);
    let name = mirror.map_or("", |mirror| mirror.name.as_str());
    let cluster = mirror.and_then(|mirror| config.clusters.get(mirror.cluster)).map(|cluster| &cluster.name);
    let mut map = Map::new();
    map.insert("cluster".to_owned(), json!(cluster));
    if policy.fraction != Fraction::ALL {
        let share = json!({ "default_value": percent(policy.fraction) });
        map.insert("runtime_fraction".to_owned(), share);
    }
    match &policy.host {
        CopyHost::ShadowSuffix => {}
        CopyHost::Same => {
            map.insert("disable_shadow_host_suffix_append".to_owned(), json!(true));
        }
        CopyHost::Literal(host) => {
            if let Some(host) = value(notes, &format!("mirror {name}"), &http::header::HOST, host) {
                map.insert("host_rewrite_literal".to_owned(), json!(host));
            }
        }
    }
    let changes: Vec<Value> =
        policy.headers.iter().filter_map(|change| headers::mutation(name, change, notes)).collect();
    if !changes.is_empty() {
        map.insert("request_headers_mutations".to_owned(), json!(changes));
    }
    Value::Object(map)
}

fn cluster(config: &Config, index: usize, cluster: &Cluster, notes: &mut Notes) -> Value {
    let mut map = super::cluster::cluster(cluster, notes);
    if let Some(options) = protocol::upstream(&cluster.http) {
        map.insert("typed_extension_protocol_options".to_owned(), options);
    }
    if let Some(mirror) = config.mirrors.iter().find(|mirror| mirror.cluster == index) {
        let mut settings = Map::new();
        if mirror.requests != Requests::All {
            settings.insert("requests".to_owned(), json!("writes"));
        }
        native::settings(mirror, &mut settings, notes);
        if !settings.is_empty() {
            map.insert("metadata".to_owned(), metadata(Value::Object(settings)));
        }
    }
    if let Some(tls) = &cluster.tls {
        tls_envoy::cluster(&cluster.name, tls, &mut map, notes);
    }
    Value::Object(map)
}

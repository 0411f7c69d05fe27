//! A cluster in Envoy's v3 form, without the fields that Envoy 1.40 calls deprecated.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Notes, value};
use crate::model::{
    Balancing, Breakers, Cluster, Discovery, Dns, Endpoint, EndpointHealth, Health, HealthCheck, Host,
    HttpProbe, LookupFamily, Probe, Resolver, Sockets,
};
use crate::units::proto_text;

const DNS: &str = "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster";
const CARES: &str =
    "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";

/// All of a cluster but `metadata`.
pub(super) fn cluster(cluster: &Cluster, notes: &mut Notes) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("name".to_owned(), json!(cluster.name));
    match &cluster.discovery {
        Discovery::Static => {
            map.insert("type".to_owned(), json!("STATIC"));
        }
        Discovery::Dns(dns) => {
            let typed = json!({ "name": "envoy.cluster.dns", "typed_config": self::dns(dns) });
            map.insert("cluster_type".to_owned(), typed);
        }
    }
    map.insert("connect_timeout".to_owned(), json!(proto_text(cluster.connect_timeout)));
    balancing(cluster.balancing, &mut map);
    breakers(cluster.breakers, &mut map);
    health(cluster, &mut map, notes);
    sockets(cluster.sockets, &mut map);
    let endpoints: Vec<Value> = cluster.endpoints.iter().map(endpoint).collect();
    let assignment = json!({ "cluster_name": cluster.name, "endpoints": [{ "lb_endpoints": endpoints }] });
    map.insert("load_assignment".to_owned(), assignment);
    map
}

fn socket(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

fn dns(dns: &Dns) -> Value {
    let default = Dns::strict(dns.refresh);
    let mut map = Map::new();
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    put("@type", true, json!(DNS));
    put("dns_refresh_rate", true, json!(proto_text(dns.refresh)));
    if let Some((base, longest)) = dns.failure_refresh {
        let rate = json!({ "base_interval": proto_text(base), "max_interval": proto_text(longest) });
        put("dns_failure_refresh_rate", true, rate);
    }
    put("respect_dns_ttl", dns.respect_ttl, json!(true));
    put("dns_min_refresh_rate", dns.min_refresh != default.min_refresh, json!(proto_text(dns.min_refresh)));
    put("dns_jitter", !dns.jitter.is_zero(), json!(proto_text(dns.jitter)));
    put("dns_lookup_family", dns.family != LookupFamily::Auto, json!(family(dns.family)));
    put("all_addresses_in_single_endpoint", dns.logical, json!(true));
    if let Resolver::Servers { servers, tcp } = &dns.resolver {
        let servers: Vec<Value> =
            servers.iter().map(|at: &SocketAddr| socket(&at.ip().to_string(), at.port())).collect();
        let mut typed = json!({ "@type": CARES, "resolvers": servers });
        if *tcp && let Some(typed) = typed.as_object_mut() {
            typed.insert("dns_resolver_options".to_owned(), json!({ "use_tcp_for_dns_lookups": true }));
        }
        let config = json!({ "name": "envoy.network.dns_resolver.cares", "typed_config": typed });
        put("typed_dns_resolver_config", true, config);
    }
    Value::Object(map)
}

fn family(family: LookupFamily) -> &'static str {
    match family {
        LookupFamily::Auto => "AUTO",
        LookupFamily::V4Only => "V4_ONLY",
        LookupFamily::V6Only => "V6_ONLY",
        LookupFamily::V4Preferred => "V4_PREFERRED",
        LookupFamily::All => "ALL",
    }
}

fn balancing(balancing: Balancing, map: &mut Map<String, Value>) {
    match balancing {
        Balancing::RoundRobin => {}
        Balancing::Random => {
            map.insert("lb_policy".to_owned(), json!("RANDOM"));
        }
        Balancing::LeastRequest { choices } => {
            map.insert("lb_policy".to_owned(), json!("LEAST_REQUEST"));
            if choices != 2 {
                map.insert("least_request_lb_config".to_owned(), json!({ "choice_count": choices }));
            }
        }
    }
}

fn breakers(breakers: Option<Breakers>, map: &mut Map<String, Value>) {
    // Without any, Envoy would set its own.
    let most = Some(Breakers::UNLIMITED);
    let none = Breakers {
        max_connections: most,
        max_pending_requests: most,
        max_requests: most,
        max_retries: most,
        track_remaining: false,
    };
    let breakers = breakers.unwrap_or(none);
    let mut thresholds = Map::new();
    for (name, value) in [
        ("max_connections", breakers.max_connections),
        ("max_pending_requests", breakers.max_pending_requests),
        ("max_requests", breakers.max_requests),
        ("max_retries", breakers.max_retries),
    ] {
        if let Some(value) = value {
            thresholds.insert(name.to_owned(), json!(value));
        }
    }
    if breakers.track_remaining {
        thresholds.insert("track_remaining".to_owned(), json!(true));
    }
    if !thresholds.is_empty() {
        map.insert("circuit_breakers".to_owned(), json!({ "thresholds": [thresholds] }));
    }
}

fn health(cluster: &Cluster, map: &mut Map<String, Value>, notes: &mut Notes) {
    let Health { check, panic_threshold, ignore_on_removal, close_on_failure } = &cluster.health;
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    if let Some(check) = check {
        put("health_checks", true, json!([self::check(&cluster.name, check, notes)]));
    }
    let threshold = json!({ "healthy_panic_threshold": { "value": panic_threshold } });
    put("common_lb_config", *panic_threshold != Health::default().panic_threshold, threshold);
    put("ignore_health_on_host_removal", *ignore_on_removal, json!(true));
    put("close_connections_on_host_health_failure", *close_on_failure, json!(true));
}

fn check(cluster: &str, check: &HealthCheck, notes: &mut Notes) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), value);
        }
    };
    let text = |duration: Duration| json!(proto_text(duration));
    let unless_zero = |duration: Duration| (!duration.is_zero()).then(|| text(duration));
    put("name", (!check.name.is_empty()).then(|| json!(check.name)));
    put("timeout", Some(text(check.timeout)));
    put("interval", Some(text(check.interval)));
    put("unhealthy_threshold", Some(json!(check.unhealthy_threshold)));
    put("healthy_threshold", Some(json!(check.healthy_threshold)));
    put("unhealthy_edge_interval", check.unhealthy_edge_interval.map(text));
    put("unhealthy_interval", check.unhealthy_interval.map(text));
    put("healthy_edge_interval", check.healthy_edge_interval.map(text));
    let no_traffic = check.no_traffic_interval;
    put("no_traffic_interval", (no_traffic != Duration::from_secs(60)).then(|| text(no_traffic)));
    put("no_traffic_healthy_interval", check.no_traffic_healthy_interval.map(text));
    put("initial_jitter", unless_zero(check.initial_jitter));
    put("interval_jitter", unless_zero(check.interval_jitter));
    let percent = check.interval_jitter_percent;
    put("interval_jitter_percent", (percent != 0).then(|| json!(percent)));
    put("reuse_connection", (!check.reuse_connection).then(|| json!(false)));
    match &check.probe {
        Probe::Tcp => put("tcp_health_check", Some(json!({}))),
        Probe::Http(probe) => put("http_health_check", Some(http(cluster, probe, notes))),
    }
    Value::Object(map)
}

fn http(cluster: &str, probe: &HttpProbe, notes: &mut Notes) -> Value {
    let mut map = Map::new();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    map.insert("path".to_owned(), json!(text(&probe.path)));
    if let Some(host) = &probe.host {
        map.insert("host".to_owned(), json!(text(host)));
    }
    if probe.method != http::Method::GET {
        map.insert("method".to_owned(), json!(probe.method.as_str()));
    }
    let ranges = |ranges: &[RangeInclusive<u16>]| -> Vec<Value> {
        ranges.iter().map(|range| json!({ "start": range.start(), "end": range.end() + 1 })).collect()
    };
    if probe.expected != [200..=200] {
        map.insert("expected_statuses".to_owned(), json!(ranges(&probe.expected)));
    }
    if !probe.retriable.is_empty() {
        map.insert("retriable_statuses".to_owned(), json!(ranges(&probe.retriable)));
    }
    let headers: Vec<Value> = probe
        .headers
        .iter()
        .filter_map(|(name, text)| {
            let text = value(notes, cluster, name, text)?;
            Some(json!({ "header": { "key": name.as_str(), "value": text } }))
        })
        .collect();
    if !headers.is_empty() {
        map.insert("request_headers_to_add".to_owned(), json!(headers));
    }
    Value::Object(map)
}

fn sockets(sockets: Sockets, map: &mut Map<String, Value>) {
    if let Some(keepalive) = sockets.keepalive {
        let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs());
        let mut options = Map::new();
        for (name, number) in [
            ("keepalive_probes", keepalive.probes.map(u64::from)),
            ("keepalive_time", seconds(keepalive.time)),
            ("keepalive_interval", seconds(keepalive.interval)),
        ] {
            if let Some(number) = number {
                options.insert(name.to_owned(), json!(number));
            }
        }
        map.insert("upstream_connection_options".to_owned(), json!({ "tcp_keepalive": options }));
    }
    if let Some(source) = sockets.source {
        let address = json!({ "address": source.ip().to_string(), "port_value": source.port() });
        map.insert("upstream_bind_config".to_owned(), json!({ "source_address": address }));
    }
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let host = match &endpoint.host {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    };
    let mut inner = Map::new();
    inner.insert("address".to_owned(), socket(&host, endpoint.port));
    if let Some(hostname) = &endpoint.hostname {
        inner.insert("hostname".to_owned(), json!(hostname));
    }
    let mut config = Map::new();
    if let Some(port) = endpoint.check_port {
        config.insert("port_value".to_owned(), json!(port));
    }
    if endpoint.unchecked {
        config.insert("disable_active_health_check".to_owned(), json!(true));
    }
    if !config.is_empty() {
        inner.insert("health_check_config".to_owned(), Value::Object(config));
    }
    let mut outer = Map::new();
    outer.insert("endpoint".to_owned(), Value::Object(inner));
    if endpoint.health == EndpointHealth::Unhealthy {
        outer.insert("health_status".to_owned(), json!("UNHEALTHY"));
    }
    if endpoint.weight != 1 {
        outer.insert("load_balancing_weight".to_owned(), json!(endpoint.weight));
    }
    Value::Object(outer)
}

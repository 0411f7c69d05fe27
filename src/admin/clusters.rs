//! `/clusters` and `/listeners`: what is configured, and which addresses it has now.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use config::model::Cluster;
use serde_json::{Value, json};

use super::View;
use super::answer::Answer;
use super::collect::sum;
use super::query::{NameFilter, Query};
use super::thresholds;
use crate::cluster::{Flags, Id, Member, Members};
use crate::stats::host::HostStats;

/// `/clusters`.
pub(crate) fn clusters(view: &View, query: &Query) -> Answer {
    let filter = match NameFilter::from_query(query) {
        Ok(filter) => filter,
        Err(answer) => return answer,
    };
    let all = view.config.clusters.iter().enumerate();
    let wanted = all.filter(|(_, cluster)| filter.wants(&[&cluster.name]));
    if query.get("format") == Some("json") {
        let statuses: Vec<_> = wanted.map(|(index, cluster)| cluster_json(view, index, cluster)).collect();
        return Answer::json(&json!({"cluster_statuses": statuses}));
    }
    let mut out = String::new();
    for (index, cluster) in wanted {
        cluster_text(view, index, cluster, &mut out);
    }
    Answer::text(out)
}

/// `/listeners`: the addresses really bound.
pub(crate) fn listeners(view: &View, query: &Query) -> Answer {
    let bound = view.config.listeners.iter().enumerate().map(|(index, listener)| {
        (listener.name.as_str(), view.listening.get(index).copied().unwrap_or(listener.address))
    });
    if query.get("format") == Some("json") {
        let statuses: Vec<_> =
            bound.map(|(name, at)| json!({"name": name, "local_address": socket_address(at)})).collect();
        return Answer::json(&json!({"listener_statuses": statuses}));
    }
    let mut out = String::new();
    for (name, at) in bound {
        let _ = writeln!(out, "{name}::{at}");
    }
    Answer::text(out)
}

fn members(view: &View, cluster: usize) -> Members {
    view.endpoints.get(cluster).map_or_else(|| Members::from([]), |now| Arc::clone(&now.borrow()))
}

/// How it stands with a member, in Envoy's words.
fn health_flags(flags: Flags) -> String {
    let mut out = String::new();
    for (set, word) in [
        (flags.checked, "/failed_active_hc"),
        (flags.configured, "/failed_eds_health"),
        (flags.leaving, "/pending_dynamic_removal"),
    ] {
        out.push_str(if set { word } else { "" });
    }
    if out.is_empty() { "healthy".to_owned() } else { out }
}

fn cluster_text(view: &View, index: usize, cluster: &Cluster, out: &mut String) {
    let name = &cluster.name;
    let _ = writeln!(out, "{name}::observability_name::{name}");
    thresholds::text(view, index, cluster, out);
    let _ = writeln!(out, "{name}::added_via_api::false");
    for member in members(view, index).iter() {
        let at = member.address;
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(out, "{name}::{at}::{key}::{value}");
        };
        for number in host_numbers(view, index, member.id) {
            line(number.name, &number.value.to_string());
        }
        line("hostname", &member.hostname);
        for (key, value) in [
            ("health_flags", health_flags(member.health).as_str()),
            ("weight", &member.weight.to_string()),
            ("region", ""),
            ("zone", ""),
            ("sub_zone", ""),
            ("canary", "false"),
            ("priority", "0"),
            ("success_rate", "-1"),
            ("local_origin_success_rate", "-1"),
        ] {
            line(key, value);
        }
    }
}

fn cluster_json(view: &View, index: usize, cluster: &Cluster) -> Value {
    let hosts: Vec<_> = members(view, index).iter().map(|member| host_json(view, index, member)).collect();
    json!({
        "name": cluster.name,
        "host_statuses": hosts,
        "circuit_breakers": thresholds::json(view, index, cluster),
        "observability_name": cluster.name,
    })
}

fn host_json(view: &View, cluster: usize, member: &Member) -> Value {
    let configured = if member.health.configured { "UNHEALTHY" } else { "HEALTHY" };
    let mut health = json!({ "eds_health_status": configured });
    for (set, name) in [
        (member.health.checked, "failed_active_health_check"),
        (member.health.leaving, "pending_dynamic_removal"),
    ] {
        if let Some(health) = health.as_object_mut().filter(|_| set) {
            health.insert(name.to_owned(), true.into());
        }
    }
    let numbers: Vec<_> = host_numbers(view, cluster, member.id).iter().map(HostNumber::json).collect();
    let mut host = json!({
        "address": socket_address(member.address),
        "stats": numbers,
        "health_status": health,
        "weight": member.weight,
        "locality": {},
    });
    if let (Some(host), false) = (host.as_object_mut(), member.hostname.is_empty()) {
        host.insert("hostname".to_owned(), (*member.hostname).into());
    }
    host
}

fn socket_address(at: SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}})
}

/// A number of one address, as `/clusters` prints it.
struct HostNumber {
    name: &'static str,
    is_gauge: bool,
    value: u64,
}

impl HostNumber {
    /// Envoy's `SimpleMetric`: the type unless it is a counter, the value (as a string) unless it is 0.
    fn json(&self) -> Value {
        let mut out = serde_json::Map::new();
        if self.is_gauge {
            out.insert("type".to_owned(), "GAUGE".into());
        }
        if self.value > 0 {
            out.insert("value".to_owned(), self.value.to_string().into());
        }
        out.insert("name".to_owned(), self.name.into());
        Value::Object(out)
    }
}

/// The numbers of one member, over all threads.
fn host_numbers(view: &View, cluster: usize, id: Id) -> Vec<HostNumber> {
    let read = |read: fn(&HostStats) -> u64| {
        sum(view, |worker| {
            let of_worker =
                worker.clusters.get(cluster)?.hosts.read(|all| {
                    all.iter().filter(|(known, _)| *known == id).map(|(_, stats)| read(stats)).sum()
                });
            Some(of_worker)
        })
    };
    let counter = |name, value| HostNumber { name, is_gauge: false, value };
    let gauge = |name, value| HostNumber { name, is_gauge: true, value };
    vec![
        gauge("cx_active", read(|s| s.cx_active.get())),
        counter("cx_connect_fail", read(|s| s.cx_connect_fail.get())),
        counter("cx_total", read(|s| s.cx_total.get())),
        gauge("rq_active", read(|s| s.rq_active.get())),
        counter("rq_error", read(|s| s.rq_error.get())),
        gauge("rq_pending_active", read(|s| s.rq_pending_active.get())),
        counter("rq_success", read(|s| s.rq_success.get())),
        counter("rq_timeout", read(|s| s.rq_timeout.get())),
        counter("rq_total", read(|s| s.rq_total.get())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;
    use crate::admin::query::Query;

    #[test]
    fn a_cluster_lists_its_addresses_as_envoy_does() {
        let body = clusters(&fixture::busy().view, &Query::parse("filter=^primary$")).body;
        let expected = "\
primary::observability_name::primary
primary::default_priority::max_connections::4294967295
primary::default_priority::max_pending_requests::4294967295
primary::default_priority::max_requests::4294967295
primary::default_priority::max_retries::4294967295
primary::high_priority::max_connections::4294967295
primary::high_priority::max_pending_requests::4294967295
primary::high_priority::max_requests::4294967295
primary::high_priority::max_retries::4294967295
primary::added_via_api::false
primary::127.0.0.1:8080::cx_active::0
primary::127.0.0.1:8080::cx_connect_fail::0
primary::127.0.0.1:8080::cx_total::0
primary::127.0.0.1:8080::rq_active::0
primary::127.0.0.1:8080::rq_error::1
primary::127.0.0.1:8080::rq_pending_active::0
primary::127.0.0.1:8080::rq_success::3
primary::127.0.0.1:8080::rq_timeout::0
primary::127.0.0.1:8080::rq_total::4
primary::127.0.0.1:8080::hostname::
primary::127.0.0.1:8080::health_flags::healthy
primary::127.0.0.1:8080::weight::1
primary::127.0.0.1:8080::region::
primary::127.0.0.1:8080::zone::
primary::127.0.0.1:8080::sub_zone::
primary::127.0.0.1:8080::canary::false
primary::127.0.0.1:8080::priority::0
primary::127.0.0.1:8080::success_rate::-1
primary::127.0.0.1:8080::local_origin_success_rate::-1
";
        assert_eq!(body, expected);
    }

    #[test]
    fn json_has_envoys_shape() {
        let answer = clusters(&fixture::busy().view, &Query::parse("format=json"));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["cluster_statuses"][0]["name"], "primary");
        let host = &body["cluster_statuses"][1]["host_statuses"][0];
        assert_eq!(host["address"], json!({"socket_address": {"address": "10.0.0.7", "port_value": 8081}}));
        assert_eq!(host["hostname"], "secondary.example");
        assert_eq!(host["stats"][0], json!({"type": "GAUGE", "name": "cx_active"}));
        assert_eq!(host["stats"][6], json!({"value": "2", "name": "rq_success"}));
    }

    #[test]
    fn members_have_numbers_and_health_of_their_own() {
        let mut fixture = fixture::busy();
        let sick = Member {
            weight: 3,
            health: Flags { checked: true, configured: true, leaving: true },
            ..Member::at("10.0.0.8:8081")
        };
        let two = Arc::from([Member::at("10.0.0.7:8081"), sick]);
        fixture.view.endpoints[1] = tokio::sync::watch::channel(two).1;
        let body = clusters(&fixture.view, &Query::parse("filter=mirror_a")).body;
        for line in [
            "10.0.0.7:8081::rq_success::2",
            "10.0.0.7:8081::health_flags::healthy",
            "10.0.0.8:8081::rq_success::0",
            "10.0.0.8:8081::health_flags::/failed_active_hc/failed_eds_health/pending_dynamic_removal",
            "10.0.0.8:8081::weight::3",
        ] {
            assert!(body.contains(&format!("mirror_a::{line}\n")), "{line} is not in {body}");
        }
        let answer = clusters(&fixture.view, &Query::parse("format=json&filter=mirror_a"));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let health = &body["cluster_statuses"][0]["host_statuses"][1]["health_status"];
        let expected = json!({
            "eds_health_status": "UNHEALTHY",
            "failed_active_health_check": true,
            "pending_dynamic_removal": true,
        });
        assert_eq!(health, &expected);
    }

    #[test]
    fn listeners_show_the_port_really_bound() {
        let view = fixture::new().view;
        assert_eq!(listeners(&view, &Query::default()).body, "ingress::127.0.0.1:9900\n");
        let body: Value = serde_json::from_str(&listeners(&view, &Query::parse("format=json")).body).unwrap();
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 9900}});
        assert_eq!(body, json!({"listener_statuses": [{"name": "ingress", "local_address": address}]}));
    }
}

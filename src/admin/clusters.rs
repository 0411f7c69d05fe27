//! `/clusters` and `/listeners`: what is configured, and which addresses it has now.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use config::model::{Cluster, Discovery, Host};
use serde_json::{Value, json};

use super::View;
use super::answer::Answer;
use super::collect::{Answers, sum};
use super::query::{NameFilter, Query};
use crate::stats::ClusterStats;

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

fn addresses(view: &View, cluster: usize) -> Arc<[SocketAddr]> {
    view.endpoints.get(cluster).map_or_else(|| Arc::from([]), |now| Arc::clone(&now.borrow()))
}

fn cluster_text(view: &View, index: usize, cluster: &Cluster, out: &mut String) {
    let name = &cluster.name;
    let _ = writeln!(out, "{name}::observability_name::{name}");
    let _ = writeln!(out, "{name}::added_via_api::false");
    let addresses = addresses(view, index);
    for at in addresses.iter() {
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(out, "{name}::{at}::{key}::{value}");
        };
        for number in host_numbers(view, index, &addresses) {
            line(number.name, &number.value.to_string());
        }
        line("hostname", &hostname(cluster, *at));
        for (key, value) in [
            ("health_flags", "healthy"),
            ("weight", "1"),
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
    let addresses = addresses(view, index);
    let hosts: Vec<_> = addresses
        .iter()
        .map(|at| {
            let mut host = json!({
                "address": socket_address(*at),
                "stats": host_numbers(view, index, &addresses).iter().map(HostNumber::json).collect::<Vec<_>>(),
                "health_status": {"eds_health_status": "HEALTHY"},
                "weight": 1,
                "locality": {},
            });
            let hostname = hostname(cluster, *at);
            if let (Some(host), false) = (host.as_object_mut(), hostname.is_empty()) {
                host.insert("hostname".to_owned(), hostname.into());
            }
            host
        })
        .collect();
    json!({"name": cluster.name, "host_statuses": hosts, "observability_name": cluster.name})
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

/// What is counted is counted by cluster. It is the address' own only while the cluster has a single one; with
/// several, nothing is said rather than something wrong.
fn host_numbers(view: &View, cluster: usize, addresses: &[SocketAddr]) -> Vec<HostNumber> {
    if addresses.len() != 1 {
        return Vec::new();
    }
    let read = |read: fn(&ClusterStats) -> u64| sum(view, |worker| worker.clusters.get(cluster).map(read));
    let answers = Answers::of(view, cluster).total();
    let counter = |name, value| HostNumber { name, is_gauge: false, value };
    let gauge = |name, value| HostNumber { name, is_gauge: true, value };
    vec![
        gauge("cx_active", read(|s| s.cx_active.get())),
        counter("cx_connect_fail", read(|s| s.cx_connect_fail.get())),
        counter("cx_total", read(|s| s.cx_total.get())),
        gauge("rq_active", read(|s| s.rq_active.get())),
        counter("rq_error", answers.count(500..600)),
        gauge("rq_pending_active", read(|s| s.rq_pending_active.get())),
        counter("rq_success", answers.count(100..500)),
        counter("rq_timeout", read(|s| s.rq_timeout.get())),
        counter("rq_total", read(|s| s.rq_total.get())),
    ]
}

/// The name an address was resolved from, empty when several names could be meant. What stands as an address in a
/// cluster of names is its own name; where all are addresses there are no names.
fn hostname(cluster: &Cluster, at: SocketAddr) -> Cow<'_, str> {
    let is_static = matches!(cluster.discovery, Discovery::Static);
    let mut found = "";
    for endpoint in cluster.endpoints.iter().filter(|endpoint| endpoint.port == at.port()) {
        match &endpoint.host {
            Host::Ip(ip) if *ip == at.ip() && is_static => return "".into(),
            Host::Ip(ip) if *ip == at.ip() => return ip.to_string().into(),
            Host::Name(_) if !found.is_empty() => return "".into(),
            Host::Name(name) => found = name,
            Host::Ip(_) => {}
        }
    }
    found.into()
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
    fn several_addresses_have_no_numbers_of_their_own() {
        let mut fixture = fixture::busy();
        let two = Arc::from(["10.0.0.7:8081", "10.0.0.8:8081"].map(|at| at.parse().unwrap()));
        fixture.view.endpoints[1] = tokio::sync::watch::channel(two).1;
        let body = clusters(&fixture.view, &Query::parse("filter=mirror_a")).body;
        assert!(body.contains("mirror_a::10.0.0.8:8081::health_flags::healthy\n"), "{body}");
        assert!(!body.contains("rq_total"), "{body}");
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

//! An Envoy v3 file with holes: a listener whose every request goes to the cluster `primary`, a copy to `mirror`.
//!
//! What fills a hole are entries of a YAML flow map (`a: 1, b: { c: 2 }`), several ones separated by commas. Calling
//! a hole again adds to it.

use std::collections::BTreeMap;

const TYPE: &str = "type.googleapis.com/envoy.extensions.filters";

/// See the module.
#[derive(Clone, Default)]
pub(super) struct File {
    whole: Option<String>,
    holes: BTreeMap<&'static str, Vec<String>>,
    clusters: Vec<(&'static str, Vec<String>)>,
    matching: Option<String>,
    routes: Option<String>,
    policies: Option<String>,
    filters: Vec<String>,
    bootstrap: String,
}

impl File {
    /// Every request to `primary`, a copy to `mirror`.
    pub(super) fn new() -> Self {
        Self::default().cluster("primary", "").cluster("mirror", "")
    }

    /// A file of the scenario's own.
    pub(super) fn text(text: &str) -> Self {
        Self { whole: Some(text.to_owned()), ..Self::default() }
    }

    fn hole(mut self, name: &'static str, entries: &str) -> Self {
        self.holes.entry(name).or_default().push(entries.to_owned());
        self
    }

    /// Lines at the top level of the file.
    pub(super) fn bootstrap(mut self, lines: &str) -> Self {
        self.bootstrap.push_str(lines);
        self.bootstrap.push('\n');
        self
    }

    /// Entries of `admin`.
    pub(super) fn admin(self, entries: &str) -> Self {
        self.hole("admin", entries)
    }

    /// Entries of the listener.
    pub(super) fn listener(self, entries: &str) -> Self {
        self.hole("listener", entries)
    }

    /// Entries of its filter chain, such as `transport_socket`.
    pub(super) fn chain(self, entries: &str) -> Self {
        self.hole("chain", entries)
    }

    /// Entries of the HTTP connection manager.
    pub(super) fn manager(self, entries: &str) -> Self {
        self.hole("manager", entries)
    }

    /// Entries of the router's configuration.
    pub(super) fn router(self, entries: &str) -> Self {
        self.hole("router", entries)
    }

    /// An HTTP filter before the router, as a flow map.
    pub(super) fn filter(mut self, map: &str) -> Self {
        self.filters.push(map.to_owned());
        self
    }

    /// Entries of `route_config`.
    pub(super) fn route_config(self, entries: &str) -> Self {
        self.hole("route_config", entries)
    }

    /// Entries of the virtual host.
    pub(super) fn host(self, entries: &str) -> Self {
        self.hole("host", entries)
    }

    /// The route's `match`, in place of `prefix: /`.
    pub(super) fn matching(mut self, entries: &str) -> Self {
        self.matching = Some(entries.to_owned());
        self
    }

    /// Entries of the route, beside `match` and `route`.
    pub(super) fn route(self, entries: &str) -> Self {
        self.hole("route", entries)
    }

    /// Entries of the route's action.
    pub(super) fn action(self, entries: &str) -> Self {
        self.hole("action", entries)
    }

    /// Entries of the mirror policy.
    pub(super) fn policy(self, entries: &str) -> Self {
        self.hole("policy", entries)
    }

    /// The mirror policies, as a flow list, in place of the one to `mirror`; empty for none.
    pub(super) fn policies(mut self, list: &str) -> Self {
        self.policies = Some(list.to_owned());
        self
    }

    /// All routes, as a flow list, in place of the one.
    pub(super) fn routes(mut self, list: &str) -> Self {
        self.routes = Some(list.to_owned());
        self
    }

    /// A cluster, or further entries of it. Without `load_assignment`, its endpoint is the server of its name.
    pub(super) fn cluster(mut self, name: &'static str, entries: &str) -> Self {
        match self.clusters.iter_mut().find(|(n, _)| *n == name) {
            Some((_, all)) => all.push(entries.to_owned()),
            None => self.clusters.push((name, vec![entries.to_owned()])),
        }
        self
    }

    /// No such cluster.
    pub(super) fn without_cluster(mut self, name: &str) -> Self {
        self.clusters.retain(|(n, _)| *n != name);
        self
    }

    fn filled(&self, hole: &str) -> String {
        self.holes.get(hole).map(|all| entries(all)).unwrap_or_default()
    }

    /// The text, its places not yet filled in.
    pub(super) fn render(&self) -> String {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let (admin, listener, chain) = (self.filled("admin"), self.filled("listener"), self.filled("chain"));
        let clusters: String = self.clusters.iter().map(|(name, all)| cluster(name, all)).collect();
        format!(
            r#"{bootstrap}admin: {{ {admin} address: {{ socket_address: {{ address: 127.0.0.1, port_value: <admin> }} }} }}
static_resources:
  listeners:
    - {{ name: ingress, {listener}
        address: {{ socket_address: {{ address: 127.0.0.1, port_value: <listen> }} }},
        filter_chains: [{{ {chain} filters: [{{ name: http, typed_config: {manager} }}] }}] }}
  clusters:
{clusters}"#,
            bootstrap = self.bootstrap,
            manager = self.manager_text(),
        )
    }

    fn manager_text(&self) -> String {
        let (manager, router) = (self.filled("manager"), self.filled("router"));
        let (config, host) = (self.filled("route_config"), self.filled("host"));
        let before: String = self.filters.iter().map(|map| format!("{map},\n            ")).collect();
        let routes = self.routes.clone().unwrap_or_else(|| self.route_text());
        let domains = if host.contains("domains:") { "" } else { "domains: [\"*\"]," };
        format!(
            r#"{{
          "@type": {TYPE}.network.http_connection_manager.v3.HttpConnectionManager,
          stat_prefix: ingress, {manager}
          route_config: {{ name: local, {config} virtual_hosts: [{{ name: all, {domains} {host}
            routes: {routes} }}] }},
          http_filters: [{before}{{ name: router, typed_config: {{ "@type": {TYPE}.http.router.v3.Router, {router} }} }}] }}"#
        )
    }

    fn route_text(&self) -> String {
        let (route, action, policy) = (self.filled("route"), self.filled("action"), self.filled("policy"));
        let matching = self.matching.as_deref().unwrap_or("prefix: /");
        if ["direct_response:", "redirect:"].iter().any(|other| route.contains(other)) {
            return format!("[{{ match: {{ {matching} }}, {route} }}]");
        }
        let cluster = ["cluster:", "cluster_header:", "weighted_clusters:"];
        let cluster =
            if cluster.iter().any(|key| action.starts_with(key)) { "" } else { "cluster: primary," };
        let policies = match self.policies.as_deref() {
            None => format!("request_mirror_policies: [{{ cluster: mirror, {policy} }}]"),
            Some(list) => format!("request_mirror_policies: {list}"),
        };
        format!("[{{ match: {{ {matching} }}, {route} route: {{ {action} {cluster} {policies} }} }}]")
    }
}

/// Entries with a comma behind each.
fn entries(all: &[String]) -> String {
    all.iter().filter(|e| !e.is_empty()).map(|e| format!("{e}, ")).collect()
}

fn cluster(name: &str, all: &[String]) -> String {
    let entries = entries(all);
    let endpoints = if entries.contains("load_assignment:") {
        String::new()
    } else {
        format!(
            "load_assignment: {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: \
             {{ socket_address: {{ address: 127.0.0.1, port_value: <{name}> }} }} }} }}] }}] }}"
        )
    };
    format!("    - {{ name: {name}, {entries} {endpoints} }}\n")
}

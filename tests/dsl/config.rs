//! Configuration files, in Envoy's v3 form or in the native one, from one description.
//!
//! Written in YAML's flow style: shorter to compose, and the readers must take it anyway.

use std::fmt::Write;
use std::net::SocketAddr;

/// Where requests or copies go.
#[derive(Clone)]
pub(crate) struct Destination {
    name: String,
    endpoints: Vec<(String, u16)>,
    /// More keys of the mirror policy (Envoy's form only), as YAML flow entries.
    policy: String,
    /// More entries of the cluster (Envoy's form only), as YAML flow entries.
    entries: String,
    /// Our own settings: keys of the native mirror, metadata of the mirror's cluster in Envoy's form.
    settings: Vec<(&'static str, String)>,
}

/// Which spelling.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Envoy,
    Native,
}

/// A proxy's configuration. One listener, one primary, any number of mirrors, every path copied.
#[derive(Clone)]
pub(crate) struct Config {
    pub form: Form,
    clusters: Vec<Destination>,
    mirrors: Vec<Destination>,
    virtual_hosts: Option<String>,
    timeout: String,
    connect_timeout: String,
    manager: String,
    discovery: String,
}

impl Config {
    fn new(form: Form) -> Self {
        Self {
            form,
            clusters: Vec::new(),
            mirrors: Vec::new(),
            virtual_hosts: None,
            timeout: "15s".to_owned(),
            connect_timeout: "1s".to_owned(),
            manager: String::new(),
            discovery: "type: STRICT_DNS, dns_refresh_rate: 5s".to_owned(),
        }
    }

    /// In Envoy's v3 form.
    pub(crate) fn envoy() -> Self {
        Self::new(Form::Envoy)
    }

    /// In the native form, with `requests: all`.
    pub(crate) fn native() -> Self {
        Self::new(Form::Native)
    }

    /// The primary.
    pub(crate) fn primary(self, to: SocketAddr) -> Self {
        self.cluster("primary", &[(&to.ip().to_string(), to.port())])
    }

    /// A mirror of this name that gets every request.
    pub(crate) fn mirror(self, name: &str, to: SocketAddr) -> Self {
        self.mirror_at(name, &[(&to.ip().to_string(), to.port())])
    }

    /// A mirror with several endpoints, or with names instead of addresses.
    pub(crate) fn mirror_at(mut self, name: &str, endpoints: &[(&str, u16)]) -> Self {
        let mut mirror = Destination::new(name, endpoints);
        if self.form == Form::Native {
            mirror.settings.push(("requests", "all".to_owned()));
        }
        self.mirrors.push(mirror);
        self
    }

    /// A cluster; the first one is where the default route leads.
    pub(crate) fn cluster(mut self, name: &str, endpoints: &[(&str, u16)]) -> Self {
        self.clusters.push(Destination::new(name, endpoints));
        self
    }

    /// More entries of the cluster declared last with [`Config::cluster`] (Envoy's form).
    pub(crate) fn entries(mut self, entries: &str) -> Self {
        let cluster = self.clusters.last_mut().expect("a cluster first");
        cluster.entries.push_str(entries);
        cluster.entries.push_str(", ");
        self
    }

    /// HTTP/2 to the cluster declared last (Envoy's form), with these options.
    pub(crate) fn http2(self, options: &str) -> Self {
        let config = format!("explicit_http_config: {{ http2_protocol_options: {{ {options} }} }}");
        self.protocol(&config)
    }

    /// `HttpProtocolOptions` of the cluster declared last (Envoy's form).
    pub(crate) fn protocol(self, options: &str) -> Self {
        let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let message = format!("\"@type\": type.googleapis.com/{name}, {options}");
        self.entries(&format!("typed_extension_protocol_options: {{ {name}: {{ {message} }} }}"))
    }

    /// A setting of ours for the mirror named last.
    pub(crate) fn setting(mut self, key: &'static str, value: &str) -> Self {
        self.mirrors.last_mut().expect("a mirror first").settings.push((key, value.to_owned()));
        self
    }

    /// Without this setting of the mirror named last.
    pub(crate) fn without_setting(mut self, key: &str) -> Self {
        self.mirrors.last_mut().expect("a mirror first").settings.retain(|(k, _)| *k != key);
        self
    }

    /// Entries of the mirror policy (Envoy's form) of the mirror named last.
    pub(crate) fn policy(mut self, entries: &str) -> Self {
        let mirror = self.mirrors.last_mut().expect("a mirror first");
        mirror.policy = format!("{}, {entries}", mirror.policy);
        self
    }

    /// More entries of the mirror's cluster (Envoy's form).
    pub(crate) fn mirror_entries(mut self, entries: &str) -> Self {
        let mirror = self.mirrors.last_mut().expect("a mirror first");
        mirror.entries.push_str(entries);
        mirror.entries.push_str(", ");
        self
    }

    /// The share of the requests that the mirror named last gets.
    pub(crate) fn share(self, numerator: u32, denominator: &str) -> Self {
        let value = format!("numerator: {numerator}, denominator: {denominator}");
        self.policy(&format!("runtime_fraction: {{ default_value: {{ {value} }} }}"))
    }

    /// The route's timeout; in the native form the mirrors' too.
    pub(crate) fn timeout(mut self, value: &str) -> Self {
        value.clone_into(&mut self.timeout);
        self
    }

    pub(crate) fn connect_timeout(mut self, value: &str) -> Self {
        value.clone_into(&mut self.connect_timeout);
        self
    }

    /// More entries of the HTTP connection manager.
    pub(crate) fn manager(mut self, entries: &str) -> Self {
        self.manager.push_str(entries);
        self.manager.push_str(", ");
        self
    }

    /// How clusters find their endpoints, as entries of the cluster.
    pub(crate) fn discovery(mut self, entries: &str) -> Self {
        entries.clone_into(&mut self.discovery);
        self
    }

    /// Virtual hosts of the test's own, as a YAML flow list, in place of "all to the first cluster".
    pub(crate) fn virtual_hosts(mut self, list: &str) -> Self {
        self.virtual_hosts = Some(list.to_owned());
        self
    }

    /// The file's text.
    pub(crate) fn text(&self, listen: SocketAddr, admin: SocketAddr) -> String {
        match self.form {
            Form::Envoy => self.envoy_text(listen, admin),
            Form::Native => self.native_text(listen, admin),
        }
    }

    fn native_text(&self, listen: SocketAddr, admin: SocketAddr) -> String {
        let primary = self.clusters.first().expect("a primary");
        let mut out = format!("listen: {listen}\nadmin: {admin}\nprimary: {}\nmirrors:\n", primary.url());
        for mirror in &self.mirrors {
            let _ = writeln!(out, "  - url: {}\n    name: {}", mirror.url(), mirror.name);
            for (key, value) in &mirror.settings {
                let _ = writeln!(out, "    {key}: {value}");
            }
        }
        out
    }

    fn envoy_text(&self, listen: SocketAddr, admin: SocketAddr) -> String {
        let hosts = self.virtual_hosts.clone().unwrap_or_else(|| self.default_virtual_hosts());
        let clusters: String =
            self.clusters.iter().chain(&self.mirrors).map(|c| self.cluster_text(c)).collect();
        format!(
            r#"admin: {{ address: {admin} }}
static_resources:
  listeners:
    - name: mimir_listener
      address: {listen}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config: {{
                "@type": {PACKAGE}.network.http_connection_manager.v3.HttpConnectionManager,
                stat_prefix: mimir_ingress, {manager}
                route_config: {{ name: all_routes, virtual_hosts: {hosts} }},
                http_filters: [{{
                  name: envoy.filters.http.router,
                  typed_config: {{ "@type": {PACKAGE}.http.router.v3.Router }} }}] }}
  clusters:
{clusters}"#,
            admin = socket(&admin.ip().to_string(), admin.port()),
            listen = socket(&listen.ip().to_string(), listen.port()),
            manager = self.manager,
        )
    }

    fn default_virtual_hosts(&self) -> String {
        let route = self.route(&self.clusters.first().expect("a primary").name);
        format!("[{{ name: all_hosts, domains: [\"*\"], routes: [{{ match: {{ prefix: / }}, {route} }}] }}]")
    }

    /// The entry `route: {...}` that leads to a cluster, with all mirrors.
    pub(crate) fn route(&self, cluster: &str) -> String {
        let policies: Vec<_> =
            self.mirrors.iter().map(|m| format!("{{ cluster: {}{} }}", m.name, m.policy)).collect();
        let policies = policies.join(", ");
        format!(
            "route: {{ cluster: {cluster}, timeout: {}, request_mirror_policies: [{policies}] }}",
            self.timeout
        )
    }

    fn cluster_text(&self, cluster: &Destination) -> String {
        let endpoint =
            |(host, port): &(String, u16)| format!("{{ endpoint: {{ address: {} }} }}", socket(host, *port));
        let endpoints: Vec<_> = cluster.endpoints.iter().map(endpoint).collect();
        let (name, endpoints) = (&cluster.name, endpoints.join(", "));
        let settings: Vec<_> = cluster.settings.iter().map(|(k, v)| format!("{k}: {v}")).collect();
        let metadata = match settings.as_slice() {
            [] => String::new(),
            some => {
                format!("metadata: {{ filter_metadata: {{ mimir_mirror: {{ {} }} }} }}, ", some.join(", "))
            }
        };
        format!(
            "    - {{ name: {name}, {}, connect_timeout: {}, {metadata}{}load_assignment: \
             {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: [{endpoints}] }}] }} }}\n",
            self.discovery, self.connect_timeout, cluster.entries
        )
    }
}

impl Destination {
    fn new(name: &str, endpoints: &[(&str, u16)]) -> Self {
        let endpoints = endpoints.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
        Self {
            name: name.to_owned(),
            endpoints,
            policy: String::new(),
            entries: String::new(),
            settings: Vec::new(),
        }
    }

    fn url(&self) -> String {
        let (host, port) = self.endpoints.first().expect("an endpoint");
        format!("http://{host}:{port}")
    }
}

const PACKAGE: &str = "type.googleapis.com/envoy.extensions.filters";

fn socket(host: &str, port: u16) -> String {
    format!("{{ socket_address: {{ address: \"{host}\", port_value: {port} }} }}")
}

//! The native form of a configuration.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{ConvertError, Notes, access_log, admin, tls_native, value};
use crate::durable;
use crate::model::{
    AddedHeader, Backlog, Breakers, ClientHttp, Cluster, Config, ConnectionLimits, Conventions, CopyHost,
    Delivery, Discovery, Dns, Domain, Endpoint, EndpointHealth, Forward, Fraction, HeaderMutation, Host,
    HttpManager, ListenerSocket, Mirror, MirrorPolicy, PathMatch, Process, Requests, Resolver, RouteMatch,
    Sockets, Sync, TargetRules, UpstreamHttp, UpstreamVersion,
};
use crate::native::{CONNECT_TIMEOUT, INGRESS, PRIMARY, REFRESH, TIMEOUT};
use crate::{units, variables};

/// The native form of a configuration, as YAML.
///
/// Differences that do not change where requests go stand in comments at the top (Envoy's own headers, the
/// `-shadow` suffix, names of statistics).
///
/// # Errors
/// More than one listener, virtual host, route or endpoint of a cluster, and header changes that the native form
/// does not have.
pub fn to_native(config: &Config) -> Result<String, ConvertError> {
    let mut notes = Notes::default();
    let document = document(config, &mut notes);
    notes.finish(&format!("The native form of {}.", config.origin), document.as_ref())
}

fn document(config: &Config, notes: &mut Notes) -> Option<Value> {
    let [listener] = config.listeners.as_slice() else {
        return notes.refuse(format!("the native form has one listener, not {}", config.listeners.len()));
    };
    if !listener.socket.additional.is_empty() {
        return notes.refuse("the native form has one address to listen on; `additional_addresses` are more");
    }
    if listener.socket != ListenerSocket::default() {
        notes.differs("options of the listening socket are the defaults (backlog, keepalive, freebind)");
    }
    let route = route(&listener.http, notes)?;
    if listener.http.targets != TargetRules::default() {
        return notes.refuse("the native form passes hosts and paths on as received");
    }
    let primary = config.clusters.get(route.cluster)?;
    if primary.name != PRIMARY || listener.http.stat_prefix != INGRESS || listener.name != INGRESS {
        notes.differs(format!(
            "statistics are named after `{PRIMARY}` (was {}) and `{INGRESS}` (was {})",
            primary.name, listener.http.stat_prefix
        ));
    }
    manager(&listener.http, notes);
    process(&config.process, notes);
    if !(config.node.id.is_empty() && config.node.cluster.is_empty() && config.node.zone.is_empty()) {
        notes.differs("`node` is dropped; --service-node, --service-cluster and --service-zone set it");
    }
    let mut root = Map::from_iter([("listen".to_owned(), tls_native::listen(listener, notes)?)]);
    root.extend(admin::fields(config.admin.as_ref(), notes)?);
    if route.timeout != Some(TIMEOUT) {
        let timeout = route.timeout.map_or_else(|| "off".to_owned(), units::native_text);
        root.insert("timeout".to_owned(), json!(timeout));
    }
    if let Some(logs) = access_log::to_native(&listener.http.access_logs, notes) {
        root.insert("access_log".to_owned(), logs);
    }
    let mirrors: Vec<Option<Value>> =
        route.mirrors.iter().map(|policy| mirror(config, policy, notes)).collect();
    if let Some(age) = connection_age(config, &listener.http.protocols, notes) {
        root.insert("max_connection_age".to_owned(), json!(units::native_text(age)));
    }
    unused(config, route, notes);
    repeated(config, route, notes);
    root.insert("primary".to_owned(), tls_native::primary(primary, url(primary, notes), notes)?);
    let mirrors: Vec<Value> = mirrors.into_iter().collect::<Option<_>>()?;
    if !mirrors.is_empty() {
        root.insert("mirrors".to_owned(), Value::Array(mirrors));
    }
    Some(variables::escaped(Value::Object(root)))
}

/// The one route for all paths.
fn route<'c>(http: &'c HttpManager, notes: &mut Notes) -> Option<&'c Forward> {
    let [host] = http.virtual_hosts.as_slice() else {
        return notes
            .refuse(format!("the native form has one virtual host, not {}", http.virtual_hosts.len()));
    };
    if !host.domains.contains(&Domain::Any) {
        notes.differs("every Host is served, not only the listed domains");
    }
    let [route] = host.routes.as_slice() else {
        return notes.refuse(format!("the native form has one route, not {}", host.routes.len()));
    };
    if !route.levels.is_empty() {
        return notes
            .refuse("the native form does not change the headers of requests to the primary or of answers");
    }
    let all = ["/", ""].map(|prefix| RouteMatch::of(PathMatch::Prefix(prefix.to_owned())));
    if !all.contains(&route.matches) {
        return notes.refuse("the native form has one route for every path (prefix `/`)");
    }
    let Some(forward) = route.forward() else {
        return notes.refuse("the native form has a primary; it neither answers nor redirects by itself");
    };
    let plain = Forward::to(forward.cluster, forward.timeout, forward.mirrors.clone());
    if *forward != plain {
        return notes.refuse(
            "the native form neither rewrites requests nor repeats them, nor has a route's `idle_timeout`",
        );
    }
    Some(forward)
}

fn process(process: &Process, notes: &mut Notes) {
    if process.client_connections.is_some() {
        notes.differs("client connections are bounded by the limit of open files alone");
    }
    if !process.stats_tags.is_empty() {
        notes.differs("metrics have no labels of your own (`stats_tags`)");
    }
}

fn manager(http: &HttpManager, notes: &mut Notes) {
    if http.conventions != Conventions::None {
        notes.differs("none of Envoy's own headers are added (x-request-id, x-forwarded-for, server ...)");
    }
    let defaults = http.stream_idle_timeout == Some(Duration::from_secs(300))
        && http.request_timeout.is_none()
        && http.request_headers_timeout.is_none()
        && http.idle_timeout == Some(Duration::from_secs(3600))
        && http.max_request_headers_kb == 60;
    if !defaults {
        notes.differs("timeouts and header limits of the connection manager are the defaults");
    }
}

/// `max_connection_age`, which the native form has for all connections.
fn connection_age(config: &Config, client: &ClientHttp, notes: &mut Notes) -> Option<Duration> {
    let age = client.connections.max_duration;
    let http = UpstreamHttp {
        connections: ConnectionLimits { max_duration: age, max_requests: None },
        ..UpstreamHttp::default()
    };
    for cluster in &config.clusters {
        if cluster.http.version != UpstreamVersion::Http1 {
            notes.refuse::<()>(format!(
                "the native form speaks HTTP/1.1 to clusters; {} does not",
                cluster.name
            ));
        } else if cluster.http != http {
            notes.differs(format!("options of connections to {} are the defaults", cluster.name));
        }
    }
    if *client != (ClientHttp { connections: http.connections, ..ClientHttp::default() }) {
        notes.differs("options of clients' protocols are the defaults");
    }
    age
}

/// `http://host:port` of a cluster with one endpoint.
fn url(cluster: &Cluster, notes: &mut Notes) -> Option<String> {
    let [endpoint] = cluster.endpoints.as_slice() else {
        let count = cluster.endpoints.len();
        return notes.refuse(format!("cluster {} has {count} endpoints; a URL names one", cluster.name));
    };
    if cluster.connect_timeout != CONNECT_TIMEOUT {
        notes.differs(format!("the connect timeout of {} is 1s", cluster.name));
    }
    dns(cluster, endpoint, notes);
    rest(cluster, notes);
    Some(format!("{}://{}", tls_native::scheme(cluster), authority(endpoint)))
}

/// A name is resolved by the system every 5 s, and every address is used.
fn dns(cluster: &Cluster, endpoint: &Endpoint, notes: &mut Notes) {
    let Discovery::Dns(dns) = &cluster.discovery else { return };
    if matches!(endpoint.host, Host::Ip(_)) || *dns == Dns::strict(REFRESH) {
        return;
    }
    let name = &cluster.name;
    if dns.resolver != Resolver::System {
        notes.refuse::<()>(format!("cluster {name}: the native form has no DNS servers of its own"));
    }
    if dns.logical {
        notes.differs(format!("every address of {name} is used, not the first alone"));
    }
    if dns.respect_ttl {
        notes.differs(format!("{name} is resolved every 5s, whatever its answers' time to live"));
    }
    if (Dns { logical: false, respect_ttl: false, resolver: Resolver::System, ..dns.clone() })
        != Dns::strict(REFRESH)
    {
        notes.differs(format!("{name} is resolved every 5s, IPv6 first"));
    }
}

/// What a URL does not say of a cluster.
fn rest(cluster: &Cluster, notes: &mut Notes) {
    let name = &cluster.name;
    if cluster.health.check.is_some() {
        notes.refuse::<()>(format!("cluster {name}: the native form has no health checks"));
    }
    if cluster.breakers.is_some_and(|breakers| breakers != Breakers::default()) {
        notes.differs(format!("{name} has no circuit breakers: its requests are not limited by number; a mirror keeps its own bounds"));
    }
    if cluster.sockets != Sockets::default() {
        notes.differs(format!("{name}'s sockets have neither a keepalive nor a source address of their own"));
    }
    if cluster.endpoints.iter().any(|endpoint| endpoint.health == EndpointHealth::Unhealthy) {
        notes.differs(format!("{name}'s endpoint is used whatever its `health_status` was"));
    }
}

fn authority(endpoint: &Endpoint) -> String {
    format!("{}:{}", bare(endpoint), endpoint.port)
}

fn bare(endpoint: &Endpoint) -> String {
    match &endpoint.host {
        Host::Ip(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.clone(),
    }
}

fn mirror(config: &Config, policy: &MirrorPolicy, notes: &mut Notes) -> Option<Value> {
    let mirror = config.mirrors.get(policy.mirror)?;
    let cluster = config.clusters.get(mirror.cluster)?;
    let mut url = url(cluster, notes)?;
    let endpoint = cluster.endpoints.first()?;
    let default_port = if cluster.tls.is_some() { 443 } else { 80 };
    // The scheme's port may have been left out, of the URL and so of the copies' Host.
    match &policy.host {
        CopyHost::Literal(host) if host.as_bytes() == authority(endpoint).as_bytes() => {}
        CopyHost::Literal(host)
            if endpoint.port == default_port && host.as_bytes() == bare(endpoint).as_bytes() =>
        {
            url = format!("{}://{}", tls_native::scheme(cluster), bare(endpoint));
        }
        _ => notes.differs(format!("mirror {}: copies carry the Host of its URL", mirror.name)),
    }
    if mirror.name == PRIMARY {
        return notes.refuse(format!("a mirror cannot be called `{PRIMARY}` in the native form"));
    }
    let mut map = Map::new();
    map.insert("url".to_owned(), json!(url));
    map.insert("name".to_owned(), json!(mirror.name));
    if let Some(tls) = tls_native::cluster(cluster, notes)? {
        map.insert("tls".to_owned(), tls);
    }
    if mirror.requests != Requests::Writes {
        map.insert("requests".to_owned(), json!("all"));
    }
    if policy.fraction != Fraction::ALL {
        map.insert("percent".to_owned(), percent(policy.fraction));
    }
    settings(mirror, &mut map, notes);
    if !policy.headers.is_empty() {
        map.insert("headers".to_owned(), headers(&mirror.name, &policy.headers, notes)?);
    }
    Some(Value::Object(map))
}

/// Settings that both forms share, where they are not the default.
pub(super) fn settings(mirror: &Mirror, map: &mut Map<String, Value>, notes: &mut Notes) {
    let default = Mirror::with_defaults(String::new(), 0, mirror.requests);
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    put("copy_admin", mirror.copy_admin, json!(true));
    if let Some(timeout) = mirror.timeout {
        put("timeout", true, json!(units::native_text(timeout)));
    }
    put(
        "max_request",
        mirror.max_request != default.max_request,
        json!(units::size_text(mirror.max_request)),
    );
    put("buffer", mirror.buffer != default.buffer, json!(units::size_text(mirror.buffer)));
    put("max_age", mirror.max_age != default.max_age, json!(units::native_text(mirror.max_age)));
    put("max_connections", mirror.max_connections != default.max_connections, json!(mirror.max_connections));
    put("max_copies", mirror.max_copies != default.max_copies, json!(mirror.max_copies));
    put("order", mirror.order != default.order, json!("none"));
    put("when", mirror.when != default.when, json!("answered"));
    if let Delivery::Durable(own) = &mirror.delivery {
        put("delivery", true, json!("durable"));
        let backlog = backlog(&mirror.name, own);
        put("backlog", !backlog.is_empty(), Value::Object(backlog));
    }
    if let Some(logs) = access_log::to_native(&mirror.access_logs, notes) {
        map.insert("access_log".to_owned(), logs);
    }
    if mirror.auth.is_some() {
        notes.differs(format!("mirror {}: `auth` is a secret and not printed; set it again", mirror.name));
    }
}

/// What of a backlog is not the default.
fn backlog(mirror: &str, backlog: &Backlog) -> Map<String, Value> {
    let default = Backlog::with_defaults(durable::default_path(mirror));
    let mut map = Map::new();
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    // As text: two spellings of one path are equal as paths.
    let moved = backlog.path.as_os_str() != default.path.as_os_str();
    put("path", moved, json!(backlog.path.to_string_lossy()));
    put("max_bytes", backlog.max_bytes != default.max_bytes, json!(units::size_text(backlog.max_bytes)));
    put("max_age", backlog.max_age != default.max_age, json!(units::native_text(backlog.max_age)));
    let sync = match backlog.sync {
        Sync::Always => "always".to_owned(),
        Sync::Every(interval) => units::native_text(interval),
        Sync::Never => "never".to_owned(),
    };
    put("sync", backlog.sync != default.sync, json!(sync));
    let wait = units::native_text(backlog.before_answer);
    put("before_answer", backlog.before_answer != default.before_answer, json!(wait));
    put("credentials", backlog.keep_credentials, json!("keep"));
    put("max_attempts", backlog.max_attempts != default.max_attempts, json!(backlog.max_attempts));
    map
}

/// A share in per cent, exact to the fourth decimal. Whole numbers are printed as such.
fn percent(fraction: Fraction) -> Value {
    let millionths = u64::from(fraction.numerator) * 1_000_000 / u64::from(fraction.denominator.max(1));
    let millionths = millionths.min(1_000_000);
    if millionths.is_multiple_of(10_000) {
        return json!(millionths / 10_000);
    }
    let text = format!("{}.{:04}", millionths / 10_000, millionths % 10_000);
    text.parse::<f64>().map_or(Value::Null, |value| json!(value))
}

fn headers(mirror: &str, changes: &[HeaderMutation], notes: &mut Notes) -> Option<Value> {
    let mut set: Map<String, Value> = Map::new();
    let mut remove: Vec<Value> = Vec::new();
    for change in changes {
        match change {
            HeaderMutation::Set(name, text) => {
                if let Some(text) = value(notes, &format!("mirror {mirror}"), name, text) {
                    set.insert(name.to_string(), json!(text));
                }
            }
            HeaderMutation::Remove(name) => remove.push(json!(name.as_str())),
            HeaderMutation::Append(name, _)
            | HeaderMutation::AddIfAbsent(name, _)
            | HeaderMutation::Added(AddedHeader { name, .. })
            | HeaderMutation::OverwriteIfPresent(name, _) => {
                return notes.refuse(format!(
                    "mirror {mirror}: the native form sets or removes headers; `{name}` is changed otherwise"
                ));
            }
        }
    }
    if let Some(name) = remove.iter().filter_map(Value::as_str).find(|name| set.contains_key(*name)) {
        return notes.refuse(format!("mirror {mirror}: `{name}` is set and removed"));
    }
    Some(json!({ "set": set, "remove": remove }))
}

fn unused(config: &Config, route: &Forward, notes: &mut Notes) {
    for (index, cluster) in config.clusters.iter().enumerate() {
        let mirrored = |policy: &MirrorPolicy| {
            config.mirrors.get(policy.mirror).is_some_and(|mirror| mirror.cluster == index)
        };
        if index != route.cluster && !route.mirrors.iter().any(mirrored) {
            notes.differs(format!("cluster {} is dropped: no route uses it", cluster.name));
        }
    }
}

fn repeated(config: &Config, route: &Forward, notes: &mut Notes) {
    for (index, mirror) in config.mirrors.iter().enumerate() {
        if route.mirrors.iter().filter(|policy| policy.mirror == index).count() > 1 {
            notes.refuse::<()>(format!(
                "mirror {} receives two copies; the native form sends one",
                mirror.name
            ));
        }
    }
}

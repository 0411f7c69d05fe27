//! The native form, for people who never had an Envoy.

pub(crate) mod access_log;
pub(crate) mod admin;
mod mirror;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use crate::address::{self, Url};
use crate::model::{
    AccessLog, Action, ClientHttp, Cluster, ClusterTls, ConnectionLimits, Conventions, Discovery, Dns,
    Domain, Forward, Host, HttpManager, Listener, ListenerSocket, ListenerTls, Mirror, MirrorPolicy, Node,
    PathMatch, Process, Route, RouteMatch, TargetRules, UpstreamHttp, VirtualHost,
};
use crate::parts::{Destination, Parts};
use crate::read::{Field, Object, Unsupported};
use crate::tree::Value;

/// The primary's cluster and the listener are called so.
pub(crate) const PRIMARY: &str = "primary";
/// The listener's name and the prefix of its statistics.
pub(crate) const INGRESS: &str = "ingress";
/// Where the native form listens unless told otherwise.
pub(crate) const LISTEN: &str = "0.0.0.0:9900";
/// Where the admin interface listens unless told otherwise.
pub(crate) const ADMIN: &str = "127.0.0.1:9901";
/// The primary's route timeout, as Envoy's.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);
/// Time for a TCP connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Names are resolved this often.
pub(crate) const REFRESH: Duration = Duration::from_secs(5);

const UNSUPPORTED: &[Unsupported] = &[
    Unsupported::misplaced(
        "tls",
        "belongs to an address",
        "write `listen: { address: ..., tls: ... }`, or `primary: { url: https://..., tls: ... }`",
    ),
    Unsupported::misplaced(
        "url name requests percent buffer max_request max_age headers auth delivery backlog when",
        "belongs to a mirror",
        "write it in an entry of `mirrors`, beside its `url`",
    ),
];

/// Decodes a document in the native form; `None` if anything was refused.
pub(crate) fn decode<'a>(root: &Field<'a>) -> Option<Parts<'a>> {
    let mut object = root.object()?;
    let listen = listen(&mut object);
    let admin = admin::decode(&mut object);
    let primary = object.require("primary", "name the primary cluster: `primary: http://mimir-primary:8080`");
    let primary = primary.and_then(|field| primary_url(&field));
    let timeout = timeout(&mut object);
    let logs = access_log::list(object.take("access_log"), crate::envoy::DEFAULT_FORMAT);
    let max_age = object.take("max_connection_age").map_or(Some(None), |field| field.duration_or_off());
    let entries = object.take("mirrors").map(|field| field.list()).unwrap_or_default();
    let mirrors = mirror::decode(&entries);
    object.finish(UNSUPPORTED);
    let (listen, admin, primary, timeout, mirrors) = (listen?, admin?, primary?, timeout?, mirrors?);
    let logs = logs?;
    let connections = ConnectionLimits { max_duration: max_age?, max_requests: None };
    let (listen, listener_tls) = listen;
    let mut clusters = vec![cluster(PRIMARY, &primary.0, primary.1, &connections)];
    let mut destinations = Vec::new();
    let mut policies = Vec::new();
    for (index, decoded) in mirrors.into_iter().enumerate() {
        let place = clusters.len();
        clusters.push(cluster(&decoded.mirror.name, &decoded.url, decoded.tls, &connections));
        let mirror = Mirror { cluster: place, ..decoded.mirror };
        destinations.push(Destination { mirror, durable: decoded.durable });
        policies.push(MirrorPolicy { mirror: index, ..decoded.policy });
    }
    Some(Parts {
        node: Node::default(),
        admin,
        process: Process::default(),
        listeners: vec![Listener {
            name: INGRESS.to_owned(),
            address: listen,
            socket: ListenerSocket::default(),
            tls: listener_tls,
            http: http(
                Route {
                    name: String::new(),
                    matches: RouteMatch::of(PathMatch::Prefix("/".to_owned())),
                    action: Action::Forward(Box::new(Forward::to(0, timeout, policies))),
                    headers: Arc::default(),
                    levels: Vec::new(),
                },
                logs,
                connections,
            ),
        }],
        clusters,
        mirrors: destinations,
    })
}

/// The connection manager of the native form: Envoy's limits, none of its headers.
fn http(route: Route, access_logs: Vec<AccessLog>, connections: ConnectionLimits) -> HttpManager {
    HttpManager {
        stat_prefix: INGRESS.to_owned(),
        conventions: Conventions::None,
        route_config: String::new(),
        virtual_hosts: vec![VirtualHost {
            name: "all".to_owned(),
            domains: vec![Domain::Any],
            routes: vec![route],
            headers: Arc::default(),
        }],
        headers: Arc::default(),
        most_specific_headers_win: false,
        access_logs,
        stream_idle_timeout: Some(Duration::from_secs(300)),
        request_timeout: None,
        request_headers_timeout: None,
        idle_timeout: Some(Duration::from_secs(3600)),
        max_request_headers_kb: 60,
        protocols: ClientHttp { connections, ..ClientHttp::default() },
        targets: TargetRules::default(),
    }
}

fn cluster(name: &str, url: &Url, tls: Option<ClusterTls>, connections: &ConnectionLimits) -> Cluster {
    let discovery = match url.endpoint.host {
        Host::Ip(_) => Discovery::Static,
        Host::Name(_) => Discovery::Dns(Dns::strict(REFRESH)),
    };
    let http = UpstreamHttp { connections: connections.clone(), ..UpstreamHttp::default() };
    let endpoints = vec![url.endpoint.clone()];
    Cluster { http, tls, ..Cluster::new(name.to_owned(), discovery, endpoints, CONNECT_TIMEOUT) }
}

/// A URL, or `{url, tls}`.
fn primary_url(field: &Field<'_>) -> Option<(Url, Option<ClusterTls>)> {
    if let Value::Map(_) = field.node.value {
        let mut object = field.object()?;
        let url = object.require("url", "name the primary cluster: `url: https://mimir-primary:8080`");
        let url = url.and_then(|field| self::url(&field));
        let tls = tls::of_url(&mut object, url.as_ref());
        object.finish(&[]);
        return Some((url?, tls?));
    }
    let url = url(field)?;
    let tls = url.https.then(|| tls::default(&url));
    Some((url, tls))
}

/// A URL, or an error.
pub(super) fn url(field: &Field<'_>) -> Option<Url> {
    match address::url(field.text()?) {
        Ok(url) => Some(url),
        Err((message, help)) => field.refuse(message, help),
    }
}

/// An address, or `{address, tls}`.
fn listen(object: &mut Object<'_>) -> Option<(std::net::SocketAddr, Option<ListenerTls>)> {
    let Some(field) = object.take("listen") else { return Some((LISTEN.parse().ok()?, None)) };
    let Value::Map(_) = field.node.value else { return Some((bind(&field)?, None)) };
    let mut object = field.object()?;
    let address = match object.take("address") {
        None => LISTEN.parse().ok(),
        Some(field) => bind(&field),
    };
    let tls = object.take("tls").map(|field| tls::server(&field));
    object.finish(&[]);
    let tls = match tls {
        Some(tls) => Some(tls?),
        None => None,
    };
    Some((address?, tls))
}

fn bind(field: &Field<'_>) -> Option<std::net::SocketAddr> {
    let help = "write an IP address and a port: `0.0.0.0:9900`";
    if let Value::Number(_) = field.node.value {
        return field.refuse("has no address", help);
    }
    address::listen(field.text()?).or_else(|| field.refuse("is not an address to listen on", help))
}

#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is `off`"
)]
fn timeout(object: &mut Object<'_>) -> Option<Option<Duration>> {
    match object.take("timeout") {
        None => Some(Some(TIMEOUT)),
        Some(field) if is_off(&field) => Some(None),
        Some(field) => field.duration_or_off(),
    }
}

/// `off`, which YAML 1.1 reads as a boolean unless it is quoted.
fn is_off(field: &Field<'_>) -> bool {
    match &field.node.value {
        Value::Bool(value) => !value,
        Value::Text(text) => &**text == "off",
        _ => false,
    }
}

//! `route_config`: virtual hosts and their domains.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Domain, RouteHeaders, VirtualHost};
use crate::read::{Field, Object};
use crate::source::Span;

use super::action::Inherited;
use super::mirror::{self, Policy};
use super::upstreams::Upstreams;
use super::{added, retry, route, unsupported};

/// Envoy's default for `max_direct_response_body_size_bytes`.
const BODY_MAX: u32 = 4096;

/// A decoded RouteConfiguration.
pub(super) struct RouteConfig {
    pub(super) name: String,
    pub(super) virtual_hosts: Vec<VirtualHost>,
    pub(super) headers: Arc<RouteHeaders>,
    pub(super) most_specific_headers_win: bool,
    pub(super) ignore_port_in_host_matching: bool,
}

/// Decodes a RouteConfiguration.
pub(super) fn route_config(field: &Field<'_>, upstreams: &mut Upstreams<'_>) -> Option<RouteConfig> {
    let mut object = field.object()?;
    let name = object.take("name").and_then(|field| field.text()).unwrap_or_default().to_owned();
    let policies = mirror::policies(&mut object, upstreams);
    let headers = added::route_headers(&mut object);
    let most_specific =
        object.take("most_specific_header_mutations_wins").map_or(Some(false), |field| field.boolean());
    let hosts = object.require("virtual_hosts", "write a virtual host with `domains: [\"*\"]` and `routes`");
    let body_max = object.take("max_direct_response_body_size_bytes");
    let body_max = body_max.map_or(Some(BODY_MAX), |field| field.whole(0, 1 << 20));
    let ignore_port = object.take("ignore_port_in_host_matching").and_then(|field| field.boolean());
    // Clusters of a file are always checked, as in Envoy.
    object.take("validate_clusters").and_then(|field| field.boolean());
    object.finish(unsupported::ROUTE_CONFIG);
    let levels = Above {
        policies: &policies,
        body_max: body_max?,
        headers: Arc::new(headers.clone().unwrap_or_default()),
        most_specific_headers_win: most_specific.unwrap_or_default(),
    };
    let mut domains = Domains { route_config: name.clone(), seen: HashMap::new() };
    let mut names: HashMap<String, Span> = HashMap::new();
    let mut decoded = Vec::new();
    let mut complete = true;
    for field in hosts?.list() {
        let host = decode(&field, &levels, &mut domains, upstreams);
        if let Some(host) = &host
            && names.insert(host.name.clone(), field.key).is_some()
        {
            field.refuse_key::<()>(
                format!("Only unique names for virtual hosts are permitted: '{}'", host.name),
                "",
                "give every virtual host a name of its own",
            );
        }
        complete &= host.is_some();
        decoded.extend(host);
    }
    headers?;
    complete.then_some(RouteConfig {
        name,
        virtual_hosts: decoded,
        headers: levels.headers,
        most_specific_headers_win: levels.most_specific_headers_win,
        ignore_port_in_host_matching: ignore_port.unwrap_or(false),
    })
}

/// What virtual hosts take over.
struct Above<'a> {
    policies: &'a [Policy],
    body_max: u32,
    headers: Arc<RouteHeaders>,
    most_specific_headers_win: bool,
}

fn decode(
    field: &Field<'_>,
    levels: &Above<'_>,
    domains: &mut Domains,
    upstreams: &mut Upstreams<'_>,
) -> Option<VirtualHost> {
    let mut object = field.object()?;
    let name = object.require("name", "name the virtual host: `name: all`").and_then(|field| field.name());
    let own = mirror::policies(&mut object, upstreams);
    let headers = added::route_headers(&mut object);
    let retry = object.take("retry_policy").map_or(Some(None), |field| retry::decode(&field).map(Some));
    let counts = attempt_counts(&mut object);
    let domains = object
        .require("domains", "write the hosts it serves: `domains: [\"*\"]`")
        .and_then(|field| domains.decode(&field));
    let routes =
        object.require("routes", "write a route: `routes: [{ match: { prefix: \"/\" }, route: ... }]`");
    object.finish(unsupported::VIRTUAL_HOST);
    let retry = retry?;
    let inherited = Inherited {
        policies: if own.is_empty() { levels.policies } else { &own },
        retry: retry.as_ref(),
        attempt_count_in_request: counts.0,
        attempt_count_in_response: counts.1,
    };
    let headers = Arc::new(headers?);
    let mut decoded = Vec::new();
    let mut complete = true;
    for field in routes.iter().flat_map(Field::list) {
        let mut route = route::decode(&field, inherited, levels.body_max, upstreams);
        if let Some(route) = &mut route {
            let order = [&route.headers, &headers, &levels.headers];
            route.levels = RouteHeaders::in_order(order, levels.most_specific_headers_win);
        }
        complete &= route.is_some();
        decoded.extend(route);
    }
    let name = name?.to_owned();
    complete.then_some(VirtualHost { name, domains: domains?, routes: decoded, headers })
}

/// Whether the primary and the client are told the number of attempts.
fn attempt_counts(object: &mut Object<'_>) -> (bool, bool) {
    let mut flag = |name| object.take(name).and_then(|field| field.boolean()).unwrap_or(false);
    (flag("include_request_attempt_count"), flag("include_attempt_count_in_response"))
}

/// The domains of one route configuration, each in one virtual host only.
struct Domains {
    route_config: String,
    seen: HashMap<Domain, Span>,
}

impl Domains {
    fn decode(&mut self, field: &Field<'_>) -> Option<Vec<Domain>> {
        let items = field.list();
        if items.is_empty() {
            return field.refuse_key("is empty", "", "write the hosts it serves: `domains: [\"*\"]`");
        }
        let mut domains = Vec::new();
        for item in &items {
            let domain = domain(item)?;
            if let Some(first) = self.seen.insert(domain.clone(), item.key) {
                self.refuse(item, &domain, first);
                return None;
            }
            domains.push(domain);
        }
        Some(domains)
    }

    fn refuse(&self, field: &Field<'_>, domain: &Domain, first: Span) {
        let message = match domain {
            Domain::Any => {
                format!("Only a single wildcard domain is permitted in route {}", self.route_config)
            }
            _ => format!(
                "Only unique values for domains are permitted. Duplicate entry of domain {} in route {}",
                field.text().unwrap_or_default().to_ascii_lowercase(),
                self.route_config
            ),
        };
        field.sink.error(
            crate::diag::Diagnostic::new(field.key, &field.path, message)
                .label("again here")
                .other(first, "first here")
                .help("remove one of the two"),
        );
    }
}

fn domain(field: &Field<'_>) -> Option<Domain> {
    let text = field.name()?.to_ascii_lowercase();
    let help = "a star stands alone, at the start or at the end: `*`, `*.example`, `mimir.*`";
    let (rest, make): (&str, fn(String) -> Domain) = match (text.strip_prefix('*'), text.strip_suffix('*')) {
        (Some(""), _) => return Some(Domain::Any),
        (Some(rest), _) => (rest, Domain::Suffix),
        (None, Some(rest)) => (rest, Domain::Prefix),
        (None, None) => (&text, Domain::Exact),
    };
    if rest.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return field.refuse("is not a domain", "write a host name, with its port if it has one");
    }
    if rest.contains('*') {
        return field.refuse("has a star in the middle", help);
    }
    Some(make(rest.to_owned()))
}

//! What a route does: `route`, `direct_response`, `redirect`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::model::{Endpoint, Forward, Host, HostRewrite, Idle, MirrorPolicy, PathRewrite, RetryPolicy};
use crate::read::{Field, Object};

use super::mirror::{self, Policy};
use super::upstreams::Upstreams;
use super::{pattern, retry, unsupported};

/// Envoy's default for a route's timeout.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What a route takes over from the levels above it.
#[derive(Clone, Copy)]
pub(super) struct Inherited<'a> {
    /// Mirror policies.
    pub(super) policies: &'a [Policy],
    /// The virtual host's retry policy.
    pub(super) retry: Option<&'a RetryPolicy>,
    /// Its `include_request_attempt_count`.
    pub(super) attempt_count_in_request: bool,
    /// Its `include_attempt_count_in_response`.
    pub(super) attempt_count_in_response: bool,
}

/// Decodes RouteAction.
pub(super) fn forward(
    field: &Field<'_>,
    inherited: Inherited<'_>,
    upstreams: &mut Upstreams<'_>,
) -> Option<Forward> {
    let mut object = field.object()?;
    let cluster = cluster(&mut object, upstreams);
    let timeout = object.take("timeout").map_or(Some(Some(TIMEOUT)), |field| field.duration_or_off());
    let idle = object
        .take("idle_timeout")
        .map_or(Some(Idle::Inherited), |field| Some(field.duration_or_off()?.map_or(Idle::Off, Idle::After)));
    let own = mirror::route_policies(&mut object, upstreams);
    let path = path_rewrite(&mut object);
    let host = host_rewrite(&mut object, cluster.and_then(|cluster| upstreams.endpoints(cluster)));
    let forwarded = object.take("append_x_forwarded_host").and_then(|field| field.boolean());
    let retry = match object.take("retry_policy") {
        Some(field) => retry::decode(&field).map(Some),
        None => Some(inherited.retry.cloned()),
    };
    object.finish(unsupported::ROUTE_ACTION);
    let cluster = cluster?;
    Some(Forward {
        cluster,
        timeout: timeout?,
        idle: idle?,
        mirrors: mirrors(cluster, own, inherited.policies, upstreams)?,
        path: path?,
        host: host?,
        append_x_forwarded_host: forwarded.unwrap_or(false),
        retry: upstreams.retry(cluster).cloned().or(retry?),
        attempt_count_in_request: inherited.attempt_count_in_request,
        attempt_count_in_response: inherited.attempt_count_in_response,
    })
}

/// The primary.
fn cluster(object: &mut Object<'_>, upstreams: &Upstreams<'_>) -> Option<usize> {
    if let Some(field) = object.take("cluster") {
        return upstreams.find(&field, field.name()?, "route: unknown cluster");
    }
    let others = ["weighted_clusters", "weightedClusters", "cluster_header", "clusterHeader"];
    if !others.iter().any(|name| object.has(name)) {
        object.missing("cluster", "name the primary: `cluster: mimir_primary`");
    }
    None
}

/// The most specific list that is not empty: the cluster's, the route's, or the one from above.
fn mirrors(
    cluster: usize,
    own: Option<Vec<Policy>>,
    inherited: &[Policy],
    upstreams: &mut Upstreams<'_>,
) -> Option<Vec<MirrorPolicy>> {
    let own = own?;
    let of_cluster = upstreams.policies(cluster).to_vec();
    let most_specific =
        [of_cluster.as_slice(), own.as_slice(), inherited].into_iter().find(|list| !list.is_empty());
    mirror::resolve(most_specific.unwrap_or_default(), upstreams)
}

/// `prefix_rewrite` or `regex_rewrite`, also of a redirect.
pub(super) fn path_rewrite(object: &mut Object<'_>) -> Option<PathRewrite> {
    let prefix = object.take("prefix_rewrite").filter(|field| field.text() != Some(""));
    let regex = object.take("regex_rewrite");
    match (prefix, regex) {
        (Some(_), Some(regex)) => regex.refuse_key(
            "Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy",
            "",
            "keep one of the two",
        ),
        (Some(prefix), None) => {
            let text = prefix.text()?;
            // A request line has no place for what is not of a path.
            if text.bytes().any(|byte| byte <= b' ' || byte == b'#' || byte >= 0x7f) {
                return prefix.refuse("is not the beginning of a path", "write a path such as `/`");
            }
            Some(PathRewrite::Prefix(text.to_owned()))
        }
        (None, Some(regex)) => pattern::replacement(&regex).map(PathRewrite::Regex),
        (None, None) => Some(PathRewrite::None),
    }
}

/// The one of the host rewrites that is written.
fn host_rewrite(object: &mut Object<'_>, endpoints: Option<&[Endpoint]>) -> Option<HostRewrite> {
    let present = |field: &Field<'_>| field.text() != Some("");
    let literal = object.take("host_rewrite_literal").filter(present);
    let old = object.take("host_rewrite").filter(present);
    let header = object.take("host_rewrite_header").filter(present);
    let old_header = object.take("auto_host_rewrite_header").filter(present);
    let regex = object.take("host_rewrite_path_regex");
    let auto = object.take("auto_host_rewrite").filter(|field| field.boolean() == Some(true));
    let written: Vec<&Field<'_>> =
        [&literal, &old, &header, &old_header, &regex, &auto].into_iter().flatten().collect();
    if let [_, second, ..] = written.as_slice() {
        return second.refuse_key("a route rewrites the host in one way", "", "keep one of the two");
    }
    if let Some(field) = literal {
        return host(&field).map(HostRewrite::Literal);
    }
    if let Some(field) = old {
        return match field.text()? {
            text if text.contains('%') => field.refuse(
                "formats are not supported here",
                "write the host itself, or use `host_rewrite_header` or `host_rewrite_path_regex`",
            ),
            _ => host(&field).map(HostRewrite::Literal),
        };
    }
    if let Some(field) = header.or(old_header) {
        return match HeaderName::from_bytes(field.text()?.as_bytes()) {
            Ok(name) => Some(HostRewrite::Header(name)),
            Err(_) => field.refuse("is not the name of a header", "use letters, digits and dashes"),
        };
    }
    if let Some(field) = regex {
        return pattern::replacement(&field).map(HostRewrite::PathRegex);
    }
    match (auto, endpoints) {
        (Some(field), Some(endpoints)) => endpoint_name(&field, endpoints).map(HostRewrite::Endpoint),
        // The cluster was refused.
        (Some(_), None) => None,
        (None, _) => Some(HostRewrite::None),
    }
}

/// A value of `Host`.
pub(super) fn host(field: &Field<'_>) -> Option<HeaderValue> {
    let text = field.text()?;
    HeaderValue::from_str(text)
        .ok()
        .or_else(|| field.refuse("is not the value of a header", "write a host, with its port if it has one"))
}

/// The name that all endpoints of a cluster share; addresses have none, and Envoy leaves the host alone then.
#[allow(clippy::option_option, reason = "the outer None is an error already reported, the inner one no name")]
fn endpoint_name(field: &Field<'_>, endpoints: &[Endpoint]) -> Option<Option<HeaderValue>> {
    let name = |endpoint: &Endpoint| match &endpoint.host {
        Host::Name(name) => HeaderValue::from_str(name).ok(),
        Host::Ip(_) => None,
    };
    let first = endpoints.first().and_then(name);
    if endpoints.iter().any(|endpoint| name(endpoint) != first) {
        return field.refuse_key(
            "is not supported where the cluster's endpoints have different names",
            "",
            "write `host_rewrite_literal` with the host that the servers expect",
        );
    }
    Some(first)
}

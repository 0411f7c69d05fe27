//! Routes: a match, a primary, and the copies.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{MirrorPolicy, PathMatch, Route};
use crate::read::{Field, Object};

use super::mirror::{self, Policy};
use super::upstreams::Upstreams;
use super::{added, unsupported};

/// Envoy's default for a route's timeout.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Decodes a route. `inherited` are the mirror policies of the level above.
pub(super) fn decode(
    field: &Field<'_>,
    inherited: &[Policy],
    upstreams: &mut Upstreams<'_>,
) -> Option<Route> {
    let mut object = field.object()?;
    let name = object.take("name").and_then(|field| field.text()).unwrap_or_default().to_owned();
    let path = object
        .require("match", "write which paths it serves: `match: { prefix: \"/\" }`")
        .and_then(|field| path_match(&field));
    let headers = added::route_headers(&mut object);
    let action = object.take("route");
    if action.is_none() && !has_other_action(&object) {
        object.missing("route", "write where its requests go: `route: { cluster: mimir_primary }`");
    }
    object.finish(unsupported::ROUTE);
    let mut action = action?.object()?;
    let (cluster, timeout, mirrors) = route_action(&mut action, inherited, upstreams);
    action.finish(unsupported::ROUTE_ACTION);
    Some(Route {
        name,
        path: path?,
        cluster: cluster?,
        timeout: timeout?,
        mirrors: mirrors?,
        headers: Arc::new(headers?),
        levels: Vec::new(),
    })
}

/// `redirect` and the like stand instead of `route`; they are reported as not supported, not as missing.
fn has_other_action(object: &Object<'_>) -> bool {
    ["redirect", "direct_response", "directResponse", "filter_action", "non_forwarding_action"]
        .iter()
        .any(|name| object.has(name))
}

type Action = (Option<usize>, Option<Option<Duration>>, Option<Vec<MirrorPolicy>>);

fn route_action(action: &mut Object<'_>, inherited: &[Policy], upstreams: &mut Upstreams<'_>) -> Action {
    let cluster = match action.take("cluster") {
        Some(field) => field.name().and_then(|name| upstreams.find(&field, name, "route: unknown cluster")),
        None => {
            if !["weighted_clusters", "weightedClusters", "cluster_header", "clusterHeader"]
                .iter()
                .any(|name| action.has(name))
            {
                action.missing("cluster", "name the primary: `cluster: mimir_primary`");
            }
            None
        }
    };
    let timeout = action.take("timeout").map_or(Some(Some(TIMEOUT)), |field| field.duration_or_off());
    let own = mirror::route_policies(action, upstreams);
    let mirrors = match own {
        Some(own) if !own.is_empty() => mirror::resolve(&own, upstreams),
        Some(_) => mirror::resolve(inherited, upstreams),
        None => None,
    };
    (cluster, timeout, mirrors)
}

fn path_match(field: &Field<'_>) -> Option<PathMatch> {
    let mut object = field.object()?;
    let prefix = object.take("prefix");
    let path = object.take("path");
    let others = [
        "safe_regex",
        "safeRegex",
        "regex",
        "path_separated_prefix",
        "pathSeparatedPrefix",
        "connect_matcher",
    ]
    .iter()
    .any(|name| object.has(name));
    object.finish(unsupported::ROUTE_MATCH);
    match (prefix, path) {
        (Some(prefix), None) => prefix.text().map(|text| PathMatch::Prefix(text.to_owned())),
        (None, Some(path)) => path.text().map(|text| PathMatch::Path(text.to_owned())),
        (Some(_), Some(path)) => {
            path.refuse_key("`prefix` and `path` exclude each other", "", "keep one of the two")
        }
        (None, None) if others => None,
        (None, None) => field.refuse_key(
            "has neither `prefix` nor `path`",
            "",
            "write `prefix: \"/\"` for every path, or `path: /api/v1/push` for one",
        ),
    }
}

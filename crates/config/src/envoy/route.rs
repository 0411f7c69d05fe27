//! Routes: a match, and what is done with what matches.

use std::sync::Arc;

use crate::model::{Action, Route};
use crate::read::{Field, Object};

use super::action::{self, Inherited};
use super::upstreams::Upstreams;
use super::{added, matching, reply, unsupported};

/// Decodes a route. `body_max` bounds a direct response.
pub(super) fn decode(
    field: &Field<'_>,
    inherited: Inherited<'_>,
    body_max: u32,
    upstreams: &mut Upstreams<'_>,
) -> Option<Route> {
    let mut object = field.object()?;
    let name = object.take("name").and_then(|field| field.text()).unwrap_or_default().to_owned();
    let matches = object
        .require("match", "write which paths it serves: `match: { prefix: \"/\" }`")
        .and_then(|field| matching::decode(&field, upstreams.shares()));
    let headers = added::route_headers(&mut object);
    let action = action(&mut object, inherited, body_max, upstreams);
    object.finish(unsupported::ROUTE);
    Some(Route { name, matches: matches?, action: action?, headers: Arc::new(headers?), levels: Vec::new() })
}

/// The one action that is written.
fn action(
    object: &mut Object<'_>,
    inherited: Inherited<'_>,
    body_max: u32,
    upstreams: &mut Upstreams<'_>,
) -> Option<Action> {
    let forward = object.take("route");
    let direct = object.take("direct_response");
    let redirect = object.take("redirect");
    if let [_, second, ..] =
        [&forward, &direct, &redirect].into_iter().flatten().collect::<Vec<_>>().as_slice()
    {
        return second.refuse_key("a route does one thing only", "", "keep one, or write a route for each");
    }
    match (forward, direct, redirect) {
        (Some(field), ..) => {
            action::forward(&field, inherited, upstreams).map(|forward| Action::Forward(Box::new(forward)))
        }
        (_, Some(field), _) => reply::direct(&field, body_max).map(Action::Respond),
        (.., Some(field)) => reply::redirect(&field).map(Action::Redirect),
        _ if has_other_action(object) => None,
        _ => {
            object.missing("route", "write where its requests go: `route: { cluster: mimir_primary }`");
            None
        }
    }
}

/// What stands instead of `route` is reported as not supported, not as missing.
fn has_other_action(object: &Object<'_>) -> bool {
    ["filter_action", "filterAction", "non_forwarding_action", "nonForwardingAction"]
        .iter()
        .any(|name| object.has(name))
}

//! The HTTP connection manager and its one HTTP filter, the router.

use std::time::Duration;

use crate::model::{Conventions, EnvoyConventions, HttpManager, TargetRules};
use crate::read::{Field, Object};

use super::any::{Configured, Extension};
use super::upstreams::Upstreams;
use super::{access_log, client_protocols, conventions, targets, unsupported, virtual_host};

const ROUTER: Extension = Extension {
    what: "the router",
    types: &["envoy.extensions.filters.http.router.v3.Router", "envoy.config.filter.http.router.v2.Router"],
    names: &["envoy.filters.http.router", "envoy.router"],
    bare: true,
};

const STREAM_IDLE: Duration = Duration::from_secs(300);
const IDLE: Duration = Duration::from_secs(3600);
const HEADERS_KB: u32 = 60;

/// Decodes the connection manager's message.
pub(super) fn decode(mut object: Object<'_>, upstreams: &mut Upstreams<'_>) -> Option<HttpManager> {
    let stat_prefix = object.require("stat_prefix", "name its statistics: `stat_prefix: ingress`");
    let stat_prefix = stat_prefix.and_then(|field| field.name());
    let access_logs = access_log::list(object.take("access_log"));
    let envoy = conventions::decode(&mut object);
    let stream_idle_timeout = timeout(&mut object, "stream_idle_timeout", Some(STREAM_IDLE));
    let request_timeout = timeout(&mut object, "request_timeout", None);
    let request_headers_timeout = timeout(&mut object, "request_headers_timeout", None);
    let client = client_protocols::decode(&mut object);
    let headers_kb = object.take("max_request_headers_kb").and_then(|field| field.whole(1, 8192));
    let targets = targets::decode(&mut object);
    let filters =
        object.require("http_filters", "write the router: `http_filters: [{ name: envoy.router }]`");
    let router = filters.and_then(|field| router(&field));
    let routes = object
        .require("route_config", "write the routes: `route_config: { virtual_hosts: ... }`")
        .and_then(|field| virtual_host::route_config(&field, upstreams));
    object.finish(unsupported::HCM);
    let client = client?;
    let routes = routes?;
    let targets = TargetRules { ignore_port: routes.ignore_port_in_host_matching, ..targets? };
    Some(HttpManager {
        stat_prefix: stat_prefix?.to_owned(),
        conventions: Conventions::Envoy(router?.within(envoy?)),
        route_config: routes.name,
        virtual_hosts: routes.virtual_hosts,
        headers: routes.headers,
        access_logs: access_logs?,
        most_specific_headers_win: routes.most_specific_headers_win,
        stream_idle_timeout: stream_idle_timeout?,
        request_timeout: request_timeout?,
        request_headers_timeout: request_headers_timeout?,
        idle_timeout: client.idle_timeout.unwrap_or(Some(IDLE)),
        max_request_headers_kb: headers_kb.unwrap_or(HEADERS_KB),
        protocols: client.http,
        targets,
    })
}

#[allow(clippy::option_option, reason = "the outer None is an error already reported, the inner one is off")]
fn timeout(
    object: &mut Object<'_>,
    name: &'static str,
    default: Option<Duration>,
) -> Option<Option<Duration>> {
    object.take(name).map_or(Some(default), |field| field.duration_or_off())
}

/// What the router says of headers.
#[derive(Debug, Clone, Copy, Default)]
struct Router {
    suppress_envoy_headers: bool,
    respect_expected_timeout: bool,
}

impl Router {
    fn within(self, envoy: EnvoyConventions) -> EnvoyConventions {
        let Self { suppress_envoy_headers, respect_expected_timeout } = self;
        EnvoyConventions { suppress_envoy_headers, respect_expected_timeout, ..envoy }
    }
}

/// The one filter there is.
fn router(field: &Field<'_>) -> Option<Router> {
    let filters = field.list();
    let mut router = None;
    let mut others = false;
    for filter in &filters {
        let Some(mut object) = filter.object() else { continue };
        let configured = ROUTER.read(&mut object);
        object.finish(unsupported::HTTP_FILTER);
        match configured {
            None => others = true,
            Some(Configured::Bare) => router = Some(Router::default()),
            Some(Configured::Message(mut message)) => {
                let mut flag =
                    |name| message.take(name).and_then(|field| field.boolean()).unwrap_or_default();
                router = Some(Router {
                    suppress_envoy_headers: flag("suppress_envoy_headers"),
                    respect_expected_timeout: flag("respect_expected_rq_timeout"),
                });
                message.finish(unsupported::ROUTER);
            }
        }
    }
    if router.is_none() && !others {
        return field.refuse_key("has no router", "", "write `http_filters: [{ name: envoy.router }]`");
    }
    router
}

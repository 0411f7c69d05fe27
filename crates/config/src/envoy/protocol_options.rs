//! How a cluster is spoken to: `typed_extension_protocol_options` with `HttpProtocolOptions`, and the older fields of
//! the cluster itself.

use std::time::Duration;

use crate::model::{ConnectionLimits, Http2, RetryPolicy, UpstreamHttp, UpstreamHttp1, UpstreamVersion};
use crate::read::{Field, Object};

use super::{http_options, retry, unsupported};

/// The only key that Envoy has for HTTP.
const KEY: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
/// What must be written where there is no choice of a version.
const CHOOSE: &str = "write `explicit_http_config: { http_protocol_options: {} }` for HTTP/1.1";

/// The protocol options of a cluster.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    pub(super) http: UpstreamHttp,
    /// What declares the cluster to speak nothing but HTTP/2.
    pub(super) http2_only: Option<Field<'a>>,
    /// Mirror policies of what goes to the cluster, to be read when all clusters are known.
    pub(super) policies: Vec<Field<'a>>,
    /// When requests to the cluster are repeated.
    pub(super) retry: Option<(Field<'a>, RetryPolicy)>,
    /// `upstream_http_protocol_options`, which is about TLS.
    pub(super) tls: Option<Field<'a>>,
}

/// Which version, with its options.
#[derive(Debug, Default)]
struct Choice<'a> {
    version: Option<UpstreamVersion>,
    http1: UpstreamHttp1,
    http2: Http2,
    http2_only: Option<Field<'a>>,
}

/// Decodes all fields of a cluster that speak of its protocol.
pub(super) fn decode<'a>(object: &mut Object<'a>) -> Option<Options<'a>> {
    let old = older(object);
    let map = object.take("typed_extension_protocol_options").filter(|map| !map.is_empty());
    let Some(map) = map else { return old.map(Option::unwrap_or_default) };
    if old.as_ref().is_some_and(Option::is_some) {
        return map.refuse_key(
            "`typed_extension_protocol_options` excludes the cluster's own protocol options",
            "",
            "keep `typed_extension_protocol_options`, and move into it what stands beside",
        );
    }
    let mut found = None;
    for (key, field) in map.object()?.rest() {
        if key == KEY {
            found = field.object().and_then(message);
        } else {
            field.refuse_key::<()>("is not supported by this version", "", format!("write `{KEY}`"));
        }
    }
    old.and(found)
}

/// `HttpProtocolOptions`.
fn message(mut object: Object<'_>) -> Option<Options<'_>> {
    super::any::expect(&mut object, KEY)?;
    let common = object.take("common_http_protocol_options").map_or(Some(None), |f| common(&f).map(Some));
    let choices = [
        object.take("explicit_http_config").map(|field| explicit(&field)),
        object.take("use_downstream_protocol_config").map(|field| either(&field, UpstreamVersion::AsClient)),
        object.take("auto_config").map(|field| auto(&field)),
    ];
    let policies = object.take("request_mirror_policies").map(|field| field.list()).unwrap_or_default();
    let retry = match object.take("retry_policy") {
        Some(field) => retry::decode(&field).map(|policy| Some((field, policy))),
        None => Some(None),
    };
    let field = object.field.clone();
    let tls = object.take("upstream_http_protocol_options");
    object.finish(unsupported::UPSTREAM_PROTOCOL_OPTIONS);
    let mut chosen = choices.into_iter().flatten();
    let Some(choice) = chosen.next() else {
        return field.refuse_key("names no version of HTTP", "", CHOOSE);
    };
    if chosen.next().is_some() {
        return field.refuse_key("names more than one version of HTTP", "", "keep one of the three choices");
    }
    let (choice, common) = (choice?, common?.unwrap_or_default());
    Some(Options {
        http: http(&choice, common.idle_timeout, common.connections),
        http2_only: choice.http2_only,
        policies,
        retry: retry?,
        tls,
    })
}

#[allow(clippy::option_option, reason = "the outer None is absent, the inner one is off")]
fn http(choice: &Choice<'_>, idle: Option<Option<Duration>>, connections: ConnectionLimits) -> UpstreamHttp {
    let default = UpstreamHttp::default();
    UpstreamHttp {
        version: choice.version.unwrap_or(default.version),
        http1: choice.http1.clone(),
        http2: choice.http2.clone(),
        connections,
        idle_timeout: idle.unwrap_or(default.idle_timeout),
    }
}

fn explicit<'a>(field: &Field<'a>) -> Option<Choice<'a>> {
    let mut object = field.object()?;
    let (one, two) = (object.take("http_protocol_options"), object.take("http2_protocol_options"));
    let three = object.has("http3_protocol_options") || object.has("http3ProtocolOptions");
    object.finish(unsupported::HTTP3_PROTOCOL_OPTIONS);
    match (one, two) {
        (Some(one), None) => Some(Choice {
            version: Some(UpstreamVersion::Http1),
            http1: http1(&one)?,
            http2: Http2::to_cluster(),
            http2_only: None,
        }),
        (None, Some(two)) => Some(Choice {
            version: Some(UpstreamVersion::Http2),
            http2: http_options::http2(&two, &Http2::to_cluster())?,
            http2_only: Some(two),
            ..Choice::default()
        }),
        (Some(_), Some(two)) => two.refuse_key(
            "`http_protocol_options` and `http2_protocol_options` exclude each other here",
            "",
            "keep one, or write `use_downstream_protocol_config` in place of `explicit_http_config`",
        ),
        (None, None) if three => None,
        (None, None) => field.refuse_key("names no version of HTTP", "", CHOOSE),
    }
}

/// Inside of TLS, Envoy negotiates the version; without, it refuses this too.
fn auto<'a>(field: &Field<'a>) -> Option<Choice<'a>> {
    either(field, UpstreamVersion::Negotiated)?;
    field.refuse_key(
        "is not supported by this version",
        "the version of HTTP is not negotiated with a cluster (ALPN), inside of TLS neither",
        "write `explicit_http_config` with the version that the cluster speaks",
    )
}

/// Both versions may be configured; which one counts is found out later.
fn either<'a>(field: &Field<'a>, version: UpstreamVersion) -> Option<Choice<'a>> {
    let mut object = field.object()?;
    let one =
        object.take("http_protocol_options").map_or_else(|| Some(UpstreamHttp1::default()), |f| http1(&f));
    let two = object
        .take("http2_protocol_options")
        .map_or_else(|| Some(Http2::to_cluster()), |f| http_options::http2(&f, &Http2::to_cluster()));
    object.finish(unsupported::HTTP3_PROTOCOL_OPTIONS);
    Some(Choice { version: Some(version), http1: one?, http2: two?, http2_only: None })
}

/// `Http1ProtocolOptions` of a cluster.
fn http1(field: &Field<'_>) -> Option<UpstreamHttp1> {
    let mut object = field.object()?;
    let title_case = http_options::header_key_format(&mut object);
    object.take("enable_trailers").and_then(|field| field.boolean());
    object.finish(unsupported::UPSTREAM_HTTP1_OPTIONS);
    Some(UpstreamHttp1 { title_case: title_case? })
}

/// `common_http_protocol_options` of a cluster.
fn common(field: &Field<'_>) -> Option<http_options::Common> {
    let mut object = field.object()?;
    let common = http_options::common(&mut object);
    object.finish(unsupported::UPSTREAM_COMMON_OPTIONS);
    common
}

/// v2's fields of the cluster, which v3 still has. `Some(None)` where none of them is written.
#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is absent"
)]
fn older<'a>(object: &mut Object<'a>) -> Option<Option<Options<'a>>> {
    let selection = object.take("protocol_selection");
    let (one, two) = (object.take("http_protocol_options"), object.take("http2_protocol_options"));
    let common = object.take("common_http_protocol_options");
    let requests = object.take("max_requests_per_connection");
    let tls = object.take("upstream_http_protocol_options");
    if [&selection, &one, &two, &common, &requests, &tls].into_iter().all(Option::is_none) {
        return Some(None);
    }
    let as_client = selection.map_or(Some(false), |field| {
        field.choice(&[("USE_CONFIGURED_PROTOCOL", 0, false), ("USE_DOWNSTREAM_PROTOCOL", 1, true)])
    });
    let http1 = one.map_or_else(|| Some(UpstreamHttp1::default()), |field| http1(&field));
    let http2 = two
        .as_ref()
        .map_or_else(|| Some(Http2::to_cluster()), |field| http_options::http2(field, &Http2::to_cluster()));
    let common = common.map_or(Some(None), |field| self::common(&field).map(Some));
    let requests = requests.map_or(Some(None), |field| http_options::limit(&field));
    let common = common?.unwrap_or_default();
    let (version, http2_only) = match (as_client?, two) {
        (true, _) => (UpstreamVersion::AsClient, None),
        (false, Some(two)) => (UpstreamVersion::Http2, Some(two)),
        (false, None) => (UpstreamVersion::Http1, None),
    };
    let choice = Choice { version: Some(version), http1: http1?, http2: http2?, http2_only };
    let connections = ConnectionLimits {
        max_requests: requests?.or(common.connections.max_requests),
        ..common.connections
    };
    let http = http(&choice, common.idle_timeout, connections);
    Some(Some(Options { http, http2_only: choice.http2_only, tls, ..Options::default() }))
}

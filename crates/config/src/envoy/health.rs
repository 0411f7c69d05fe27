//! Which endpoints are healthy: `health_checks`, the panic threshold, what follows from a failure.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use crate::headers;
use crate::model::{Health, HealthCheck, HttpProbe, Probe};
use crate::read::{Field, Object};

use super::unsupported;

const NO_TRAFFIC: Duration = Duration::from_secs(60);

const METHODS: [(&str, u32, Option<Method>); 10] = [
    ("METHOD_UNSPECIFIED", 0, Some(Method::GET)),
    ("GET", 1, Some(Method::GET)),
    ("HEAD", 2, Some(Method::HEAD)),
    ("POST", 3, Some(Method::POST)),
    ("PUT", 4, Some(Method::PUT)),
    ("DELETE", 5, Some(Method::DELETE)),
    ("CONNECT", 6, None),
    ("OPTIONS", 7, Some(Method::OPTIONS)),
    ("TRACE", 8, Some(Method::TRACE)),
    ("PATCH", 9, Some(Method::PATCH)),
];

/// `None` if anything was refused.
pub(super) fn decode(object: &mut Object<'_>) -> Option<Health> {
    let checks = object.take("health_checks").map(|field| field.list()).unwrap_or_default();
    let check = match checks.as_slice() {
        [] => Some(None),
        [one] => check(one).map(Some),
        [_, second, ..] => second.refuse(
            "one health check for each cluster is supported by this version",
            "keep the one that says most, usually the `http_health_check`",
        ),
    };
    let default = Health::default();
    let threshold = object.take("common_lb_config").map(|field| panic_threshold(&field));
    // v2's name for it.
    let older = object.take("drain_connections_on_host_removal");
    let ignore = object.take("ignore_health_on_host_removal").or(older);
    let ignore = ignore.map_or(Some(false), |field| field.boolean());
    let close = object.take("close_connections_on_host_health_failure");
    let close = close.map_or(Some(false), |field| field.boolean());
    Some(Health {
        check: check?,
        panic_threshold: threshold.unwrap_or(Some(default.panic_threshold))?,
        ignore_on_removal: ignore?,
        close_on_failure: close?,
    })
}

fn panic_threshold(field: &Field<'_>) -> Option<u8> {
    let mut object = field.object()?;
    let threshold = object.take("healthy_panic_threshold").map(|field| percent(&field));
    if let Some(field) = object.take("update_merge_window") {
        field.duration();
        field.warn(
            "has no effect: changes of a cluster's hosts come from DNS alone, all at once",
            "remove it",
        );
    }
    object.finish(unsupported::COMMON_LB);
    threshold.unwrap_or_else(|| Some(Health::default().panic_threshold))
}

/// Envoy counts whole per cents.
fn percent(field: &Field<'_>) -> Option<u8> {
    let mut object = field.object()?;
    let value = object.take("value");
    object.finish(&[]);
    let Some(value) = value else { return Some(0) };
    let number = value.decimal()?;
    if !(0.0..=100.0).contains(&number) {
        return value.refuse("must be inside range [0, 100]", "write per cent, such as `50`");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
    let whole = number.trunc() as u8;
    Some(whole)
}

fn check(field: &Field<'_>) -> Option<HealthCheck> {
    let mut object = field.object()?;
    let name = object.take("name").map_or(Some(""), |field| field.text());
    let timeout = required(&mut object, "timeout");
    let interval = required(&mut object, "interval");
    let threshold = |object: &mut Object<'_>, name| {
        let field = object.require(name, &format!("write `{name}: 2`"));
        field.and_then(|field| field.whole(0, u32::MAX)).map(|n| n.max(1))
    };
    let unhealthy_threshold = threshold(&mut object, "unhealthy_threshold");
    let healthy_threshold = threshold(&mut object, "healthy_threshold");
    let times = times(&mut object);
    let percent = object.take("interval_jitter_percent").map_or(Some(0), |field| field.whole(0, 1000));
    if let Some(port) = object.take("alt_port") {
        port.whole(0, u32::MAX);
        port.warn(
            "has no effect, in Envoy neither: checks go to the endpoint's port",
            "write `health_check_config: { port_value: ... }` into the endpoints",
        );
    }
    let reuse = object.take("reuse_connection").map_or(Some(true), |field| field.boolean());
    let probe = probe(&mut object, field);
    object.finish(unsupported::HEALTH_CHECK);
    Some(HealthCheck {
        name: name?.to_owned(),
        probe: probe?,
        timeout: timeout?,
        interval: interval?,
        interval_jitter_percent: percent?,
        unhealthy_threshold: unhealthy_threshold?,
        healthy_threshold: healthy_threshold?,
        reuse_connection: reuse?,
        ..times?
    })
}

fn required(object: &mut Object<'_>, name: &'static str) -> Option<Duration> {
    object.require(name, &format!("write `{name}: 5s`")).and_then(|field| field.positive_duration())
}

/// A check of which only the optional times are set.
fn times(object: &mut Object<'_>) -> Option<HealthCheck> {
    let mut optional = |name| match object.take(name) {
        None => Some(None),
        Some(field) => field.positive_duration().map(Some),
    };
    let unhealthy_edge_interval = optional("unhealthy_edge_interval");
    let unhealthy_interval = optional("unhealthy_interval");
    let healthy_edge_interval = optional("healthy_edge_interval");
    let no_traffic_interval = optional("no_traffic_interval");
    let no_traffic_healthy_interval = optional("no_traffic_healthy_interval");
    let initial_jitter = object.take("initial_jitter").map_or(Some(Duration::ZERO), |field| field.duration());
    let interval_jitter =
        object.take("interval_jitter").map_or(Some(Duration::ZERO), |field| field.duration());
    Some(HealthCheck {
        name: String::new(),
        probe: Probe::Tcp,
        timeout: Duration::ZERO,
        interval: Duration::ZERO,
        unhealthy_edge_interval: unhealthy_edge_interval?,
        unhealthy_interval: unhealthy_interval?,
        healthy_edge_interval: healthy_edge_interval?,
        no_traffic_interval: no_traffic_interval?.unwrap_or(NO_TRAFFIC),
        no_traffic_healthy_interval: no_traffic_healthy_interval?,
        initial_jitter: initial_jitter?,
        interval_jitter: interval_jitter?,
        interval_jitter_percent: 0,
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        reuse_connection: true,
    })
}

fn probe(object: &mut Object<'_>, field: &Field<'_>) -> Option<Probe> {
    match (object.take("http_health_check"), object.take("tcp_health_check")) {
        (Some(http), None) => self::http(&http).map(Probe::Http),
        (None, Some(tcp)) => {
            tcp.object()?.finish(unsupported::TCP_CHECK);
            Some(Probe::Tcp)
        }
        (Some(_), Some(tcp)) => tcp.refuse_key(
            "`http_health_check` and `tcp_health_check` exclude each other",
            "",
            "keep `http_health_check`",
        ),
        // What else there may be is refused by its name.
        (None, None) if object.has("grpc_health_check") || object.has("custom_health_check") => None,
        (None, None) => {
            field.refuse("health_checker is missing", "write `http_health_check: { path: /ready }`")
        }
    }
}

fn http(field: &Field<'_>) -> Option<HttpProbe> {
    let mut object = field.object()?;
    let path = object.require("path", "write `path: /ready`");
    let path = path.and_then(|field| {
        let text = field.name()?;
        let is_path = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic());
        match HeaderValue::from_str(text).ok().filter(|_| is_path) {
            Some(path) => Some(path),
            None => field.refuse("is not a path", "begin it with a slash; write blanks as %20"),
        }
    });
    let host = match object.take("host") {
        None => Some(None),
        Some(field) => field.text().and_then(|text| match text {
            "" => Some(None),
            text => HeaderValue::from_str(text).map(Some).ok().or_else(|| field.refuse("is not a host", "")),
        }),
    };
    let method = object.take("method").map_or(Some(Some(Method::GET)), |field| method(&field));
    let expected = object.take("expected_statuses").map_or(Some(Vec::new()), |field| statuses(&field));
    let retriable = object.take("retriable_statuses").map_or(Some(Vec::new()), |field| statuses(&field));
    let codecs = [("HTTP1", 0, true), ("HTTP2", 1, false), ("HTTP3", 2, false)];
    if let Some(codec) = object.take("codec_client_type")
        && codec.choice(&codecs) == Some(false)
    {
        codec.refuse::<()>("health checks are HTTP/1.1", "remove it");
    }
    let added = object.take("request_headers_to_add").map(|field| field.list()).unwrap_or_default();
    let headers: Vec<_> = added.iter().map(header).collect();
    object.finish(unsupported::HTTP_CHECK);
    let mut expected = expected?;
    if expected.is_empty() {
        expected.push(200..=200);
    }
    Some(HttpProbe {
        method: method??,
        path: path?,
        host: host?,
        headers: headers.into_iter().collect::<Option<_>>()?,
        expected,
        retriable: retriable?,
    })
}

#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
fn method(field: &Field<'_>) -> Option<Option<Method>> {
    let names = METHODS.each_ref().map(|(name, number, _)| (*name, *number, *number));
    let number = field.choice(&names)?;
    let method = METHODS.iter().find(|(_, n, _)| *n == number).and_then(|(.., method)| method.clone());
    if method.is_none() {
        field.refuse::<()>("CONNECT opens a tunnel, it checks nothing", "write `method: GET`");
    }
    Some(method)
}

/// A list of half-open ranges.
fn statuses(field: &Field<'_>) -> Option<Vec<RangeInclusive<u16>>> {
    let range = |field: &Field<'_>| {
        let mut object = field.object()?;
        let start = object.require("start", "write `start: 200`").and_then(|field| field.whole(100, 599));
        let end = object.require("end", "write `end: 300`: the first status that is no more of it");
        object.finish(&[]);
        let end_number = end.as_ref().and_then(|field| field.whole(101, 600));
        let (start, last) = (u16::try_from(start?).ok()?, u16::try_from(end_number? - 1).ok()?);
        if last < start {
            return end?
                .refuse("is not greater than `start`", "it is the first status that is no more of it");
        }
        Some(start..=last)
    };
    let ranges: Vec<_> = field.list().iter().map(range).collect();
    ranges.into_iter().collect()
}

fn header(field: &Field<'_>) -> Option<(HeaderName, HeaderValue)> {
    let mut object = field.object()?;
    let header = object.require("header", "write `header: { key: x, value: y }`");
    // In a request of our own there is nothing yet that it could be appended to.
    for name in ["append", "append_action", "keep_empty_value"] {
        object.take(name);
    }
    object.finish(&[]);
    let mut object = header?.object()?;
    let key = object.require("key", "name the header");
    let value = object.require("value", "write the header's value");
    object.finish(unsupported::HEADER_VALUE);
    let (key, value) = (key?, value?);
    let name = HeaderName::from_bytes(key.name()?.as_bytes()).ok();
    let name = name.or_else(|| key.refuse("is not a header's name", ""))?;
    let text = value.text()?;
    if text.contains('%') {
        return value.refuse("format strings are not supported in health checks", "write the value itself");
    }
    let value = headers::value(&value, Some(&name), text)?;
    Some((name, value))
}

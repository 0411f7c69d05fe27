//! `http_protocol_options`, `http2_protocol_options` and `common_http_protocol_options`, which the connection manager
//! and clusters share.

use std::time::Duration;

use crate::model::{ConnectionLimits, Http2, Keepalive};
use crate::read::{Field, Object};

use super::unsupported;

/// What `common_http_protocol_options` says of connections.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// `Some(None)` is off.
    #[allow(clippy::option_option, reason = "the outer None is absent, the inner one is off")]
    pub(super) idle_timeout: Option<Option<Duration>>,
    pub(super) connections: ConnectionLimits,
}

/// The part of `common_http_protocol_options` that clients and clusters share; the object's rest is the caller's.
pub(super) fn common(object: &mut Object<'_>) -> Option<Common> {
    let idle_timeout = match object.take("idle_timeout") {
        None => None,
        Some(field) => Some(field.duration_or_off()?),
    };
    let max_duration = match object.take("max_connection_duration") {
        None => None,
        Some(field) => field.duration_or_off()?,
    };
    let max_requests = match object.take("max_requests_per_connection") {
        None => None,
        Some(field) => limit(&field)?,
    };
    Some(Common { idle_timeout, connections: ConnectionLimits { max_duration, max_requests } })
}

/// A number of which 0 means "off".
#[allow(clippy::option_option, reason = "the outer None is an error already reported, the inner one is off")]
pub(super) fn limit(field: &Field<'_>) -> Option<Option<u32>> {
    field.whole(0, u32::MAX).map(|n| Some(n).filter(|n| *n > 0))
}

/// `Http2ProtocolOptions`.
pub(super) fn http2(field: &Field<'_>, default: &Http2) -> Option<Http2> {
    let mut object = field.object()?;
    let streams = bounded(&mut object, "max_concurrent_streams", 1, Http2::STREAMS_MAX);
    let stream = bounded(&mut object, "initial_stream_window_size", 65_535, Http2::STREAM_WINDOW_MAX);
    let connection =
        bounded(&mut object, "initial_connection_window_size", 65_535, Http2::CONNECTION_WINDOW_MAX);
    let keepalive = match object.take("connection_keepalive") {
        None => Some(None),
        Some(field) => keepalive(&field),
    };
    for name in unsupported::HTTP2_WITHOUT_EFFECT {
        if let Some(field) = object.take(name) {
            field.warn("has no effect: the HTTP/2 library bounds this by itself", "remove it");
        }
    }
    object.finish(unsupported::HTTP2_PROTOCOL_OPTIONS);
    let stream_window = stream?.unwrap_or(default.stream_window);
    Some(Http2 {
        max_concurrent_streams: streams?.unwrap_or(default.max_concurrent_streams),
        stream_window,
        // A connection's window below a stream's would only hold the stream back.
        connection_window: connection?.unwrap_or(default.connection_window).max(stream_window),
        keepalive: keepalive?,
    })
}

/// A number in Envoy's range, lowered to our bound.
#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is absent"
)]
fn bounded(object: &mut Object<'_>, name: &'static str, low: u32, high: u32) -> Option<Option<u32>> {
    let Some(field) = object.take(name) else { return Some(None) };
    let value = field.whole(low, i32::MAX.cast_unsigned())?;
    if value > high {
        field.warn(format!("is lowered to {high}, the most that this proxy holds"), format!("write {high}"));
    }
    Some(Some(value.min(high)))
}

#[allow(clippy::option_option, reason = "the outer None is an error already reported, the inner one is off")]
fn keepalive(field: &Field<'_>) -> Option<Option<Keepalive>> {
    let mut object = field.object()?;
    let interval = object.take("interval");
    let timeout = object.require("timeout", "write how long an answer may take: `timeout: 5s`");
    let shortest = |field: Field<'_>| match field.duration()? {
        short if short < Duration::from_millis(1) => {
            field.refuse("must be at least 0.001s", "write a duration such as `5s`")
        }
        long => Some(long),
    };
    let timeout = timeout.and_then(shortest);
    let interval = match interval {
        None => Some(None),
        Some(field) => shortest(field).map(Some),
    };
    for name in ["interval_jitter", "connection_idle_interval"] {
        if let Some(field) = object.take(name) {
            field.warn("has no effect: pings follow each other in `interval`", "remove it");
        }
    }
    object.finish(&[]);
    let (interval, timeout) = (interval?, timeout?);
    Some(interval.map(|interval| Keepalive { interval, timeout }))
}

/// `header_key_format`: whether names are written `Like-This`.
pub(super) fn header_key_format(object: &mut Object<'_>) -> Option<bool> {
    let Some(field) = object.take("header_key_format") else { return Some(false) };
    let mut object = field.object()?;
    let proper = object.take("proper_case_words");
    let stateful = object.take("stateful_formatter");
    object.finish(&[]);
    if let Some(field) = stateful {
        return field.refuse_key(
            "is not supported by this version",
            "the spelling of header names is not kept",
            "write `header_key_format: { proper_case_words: {} }`",
        );
    }
    let Some(proper) = proper else {
        return field.refuse_key(
            "names no format",
            "",
            "write `header_key_format: { proper_case_words: {} }`",
        );
    };
    proper.object()?.finish(&[]);
    Some(true)
}

//! How the connection manager serves its clients' protocols.

use std::time::Duration;

use http::HeaderValue;

use crate::model::{ClientHttp, ClientHttp1, Codec, ConnectionLimits, Http2, Underscores};
use crate::read::{Field, Object};

use super::{http_options, unsupported};

/// Most headers that a request may be allowed to have.
const HEADERS_MAX: u32 = 1000;

/// What the connection manager says of protocols.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) http: ClientHttp,
    /// `Some(None)` is off.
    #[allow(clippy::option_option, reason = "the outer None is absent, the inner one is off")]
    pub(super) idle_timeout: Option<Option<Duration>>,
}

/// `common_http_protocol_options`.
#[derive(Debug)]
struct Common {
    #[allow(clippy::option_option, reason = "the outer None is absent, the inner one is off")]
    idle_timeout: Option<Option<Duration>>,
    connections: ConnectionLimits,
    max_headers: u32,
    underscores: Underscores,
}

/// Decodes all fields of the connection manager that speak of protocols.
pub(super) fn decode(object: &mut Object<'_>) -> Option<Client> {
    let default = ClientHttp::default();
    let codec = object.take("codec_type").map_or(Some(Codec::Auto), |field| codec(&field));
    let http1 = object
        .take("http_protocol_options")
        .map_or_else(|| Some(ClientHttp1::default()), |field| http1(&field));
    let http2 = object
        .take("http2_protocol_options")
        .map_or_else(|| Some(Http2::default()), |field| http_options::http2(&field, &default.http2));
    let old = object.take("idle_timeout");
    let options = object.take("common_http_protocol_options");
    let common = options.map_or(Some(None), |field| common(&field, &default).map(Some))?;
    let idle_timeout = match (old, common.as_ref().and_then(|common| common.idle_timeout)) {
        (None, idle) => idle,
        (Some(field), None) => Some(field.duration_or_off()?),
        (Some(old), Some(_)) => {
            return old.refuse_key(
                "`idle_timeout` and `common_http_protocol_options.idle_timeout` exclude each other",
                "the v2 spelling",
                "keep the one in `common_http_protocol_options`",
            );
        }
    };
    let http = ClientHttp { codec: codec?, http1: http1?, http2: http2?, ..default };
    let http = match common {
        None => http,
        Some(Common { connections, max_headers, underscores, .. }) => {
            ClientHttp { connections, max_headers, underscores, ..http }
        }
    };
    Some(Client { http, idle_timeout })
}

fn codec(field: &Field<'_>) -> Option<Codec> {
    let codecs = [
        ("AUTO", 0, Some(Codec::Auto)),
        ("HTTP1", 1, Some(Codec::Http1)),
        ("HTTP2", 2, Some(Codec::Http2)),
        ("HTTP3", 3, None),
    ];
    field
        .choice(&codecs)?
        .or_else(|| field.refuse("HTTP/3 is not supported", "write `codec_type: AUTO`: HTTP/1.1 and HTTP/2"))
}

fn common(field: &Field<'_>, default: &ClientHttp) -> Option<Common> {
    let mut object = field.object()?;
    let shared = http_options::common(&mut object);
    let max_headers = object
        .take("max_headers_count")
        .map_or(Some(default.max_headers), |field| field.whole(1, HEADERS_MAX));
    let actions = [
        ("ALLOW", 0, Underscores::Allow),
        ("REJECT_REQUEST", 1, Underscores::Reject),
        ("DROP_HEADER", 2, Underscores::Drop),
    ];
    let underscores = object
        .take("headers_with_underscores_action")
        .map_or(Some(default.underscores), |field| field.choice(&actions));
    object.finish(unsupported::HTTP_PROTOCOL_OPTIONS);
    let shared = shared?;
    Some(Common {
        idle_timeout: shared.idle_timeout,
        connections: shared.connections,
        max_headers: max_headers?,
        underscores: underscores?,
    })
}

/// `Http1ProtocolOptions` of the connection manager.
fn http1(field: &Field<'_>) -> Option<ClientHttp1> {
    let mut object = field.object()?;
    let title_case = http_options::header_key_format(&mut object);
    let http_10 = object.take("accept_http_10").map_or(Some(false), |field| field.boolean());
    let default_host = match object.take("default_host_for_http_10").filter(|field| field.text() != Some(""))
    {
        None => Some(None),
        Some(field) => host(&field).map(Some),
    };
    // Announced trailers are passed on whatever this says.
    object.take("enable_trailers").and_then(|field| field.boolean());
    if let Some(field) = object.take("allow_absolute_url")
        && field.boolean() == Some(false)
    {
        field.refuse::<()>("cannot be switched off", "remove it: requests in absolute-form are understood");
    }
    object.finish(unsupported::CLIENT_HTTP1_OPTIONS);
    Some(ClientHttp1 { title_case: title_case?, http_10: http_10?, default_host: default_host? })
}

fn host(field: &Field<'_>) -> Option<HeaderValue> {
    HeaderValue::from_str(field.text()?)
        .ok()
        .or_else(|| field.refuse("is not the value of a header", "write a host, with its port if it has one"))
}

//! The commands of format strings.

use http::HeaderName;

use super::{Call, Wrong, time};
use crate::model::{AddressPart, Command, CopyFact, Fact, HeaderChoice, HeaderRef};
use crate::read::nearest;

use AddressPart::{Ip, Port, Whole};

/// Commands that take neither parameters nor a length.
const PLAIN: &[(&str, Fact)] = &[
    ("PROTOCOL", Fact::Protocol),
    ("UPSTREAM_PROTOCOL", Fact::UpstreamProtocol),
    ("RESPONSE_CODE", Fact::ResponseCode),
    ("RESPONSE_FLAGS", Fact::ResponseFlags),
    ("RESPONSE_FLAGS_LONG", Fact::ResponseFlagsLong),
    ("CONNECTION_TERMINATION_DETAILS", Fact::Nothing),
    ("BYTES_RECEIVED", Fact::BytesReceived),
    ("BYTES_SENT", Fact::BytesSent),
    ("DURATION", Fact::Duration),
    ("REQUEST_DURATION", Fact::RequestDuration),
    ("REQUEST_TX_DURATION", Fact::RequestTxDuration),
    ("RESPONSE_DURATION", Fact::ResponseDuration),
    ("RESPONSE_TX_DURATION", Fact::ResponseTxDuration),
    ("UPSTREAM_HOST", Fact::UpstreamHost(Whole)),
    ("UPSTREAM_REMOTE_ADDRESS", Fact::UpstreamRemote(Whole)),
    ("UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Fact::UpstreamRemote(Ip)),
    ("UPSTREAM_REMOTE_PORT", Fact::UpstreamRemote(Port)),
    ("UPSTREAM_LOCAL_ADDRESS", Fact::UpstreamLocal(Whole)),
    ("UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Fact::UpstreamLocal(Ip)),
    ("UPSTREAM_LOCAL_PORT", Fact::UpstreamLocal(Port)),
    ("UPSTREAM_CLUSTER", Fact::UpstreamCluster),
    ("UPSTREAM_CLUSTER_RAW", Fact::UpstreamCluster),
    ("UPSTREAM_TRANSPORT_FAILURE_REASON", Fact::UpstreamTransportFailure),
    ("UPSTREAM_REQUEST_ATTEMPT_COUNT", Fact::AttemptCount),
    ("DOWNSTREAM_REMOTE_ADDRESS", Fact::DownstreamRemote(Whole)),
    ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Fact::DownstreamRemote(Ip)),
    ("DOWNSTREAM_REMOTE_PORT", Fact::DownstreamRemote(Port)),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Fact::DownstreamDirect(Whole)),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", Fact::DownstreamDirect(Ip)),
    ("DOWNSTREAM_DIRECT_REMOTE_PORT", Fact::DownstreamDirect(Port)),
    ("DOWNSTREAM_LOCAL_ADDRESS", Fact::DownstreamLocal(Whole)),
    ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Fact::DownstreamLocal(Ip)),
    ("DOWNSTREAM_LOCAL_PORT", Fact::DownstreamLocal(Port)),
    ("REQUESTED_SERVER_NAME", Fact::RequestedServerName),
    ("DOWNSTREAM_PEER_SUBJECT", Fact::PeerSubject),
    ("DOWNSTREAM_TLS_VERSION", Fact::TlsVersion),
    ("ROUTE_NAME", Fact::RouteName),
    ("FILTER_CHAIN_NAME", Fact::FilterChainName),
    ("VIRTUAL_CLUSTER_NAME", Fact::Nothing),
    ("HOSTNAME", Fact::Hostname),
    ("CONNECTION_ID", Fact::ConnectionId),
    ("STREAM_ID", Fact::StreamId),
    ("ACCESS_LOG_TYPE", Fact::LogType),
    ("REQUEST_HEADERS_BYTES", Fact::RequestHeaderBytes),
    ("RESPONSE_HEADERS_BYTES", Fact::ResponseHeaderBytes),
    ("LOCAL_REPLY_BODY", Fact::LocalReplyBody),
    ("GRPC_STATUS_NUMBER", Fact::GrpcStatusNumber),
    ("MIRROR", Fact::Copy(CopyFact::Mirror)),
    ("COPY_OUTCOME", Fact::Copy(CopyFact::Outcome)),
    ("COPY_REASON", Fact::Copy(CopyFact::Reason)),
    ("COPY_BYTES", Fact::Copy(CopyFact::Bytes)),
    ("COPY_WAIT", Fact::Copy(CopyFact::Wait)),
    ("COPY_TENANT", Fact::Copy(CopyFact::Tenant)),
];

/// Commands that do, or may: see [`with_parameter`].
const OTHERS: &[&str] = &[
    "REQ",
    "REQUEST_HEADER",
    "RESP",
    "RESPONSE_HEADER",
    "TRAILER",
    "RESPONSE_TRAILER",
    "START_TIME",
    "EMIT_TIME",
    "ENVIRONMENT",
    "RESPONSE_CODE_DETAILS",
    "GRPC_STATUS",
    "PATH",
    "QUERY_PARAM",
];

/// Commands of Envoy 1.40 for which there are no facts here.
const NO_FACTS: &str = "DYNAMIC_METADATA CLUSTER_METADATA UPSTREAM_METADATA METADATA FILTER_STATE UPSTREAM_FILTER_STATE \
    PER_REQUEST_STATE CEL TRACE_ID SPAN_ID COMMON_DURATION CUSTOM_FLAGS QUERY_PARAMS UNIQUE_ID START_TIME_LOCAL \
    EMIT_TIME_LOCAL UPSTREAM_HOST_NAME UPSTREAM_HOST_NAME_WITHOUT_PORT UPSTREAM_CONNECTION_ID \
    UPSTREAM_CONNECTION_POOL_READY_DURATION ROUNDTRIP_DURATION UPSTREAM_HOSTS_ATTEMPTED \
    UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT UPSTREAM_HOST_NAMES_ATTEMPTED UPSTREAM_CONNECTION_IDS_ATTEMPTED \
    UPSTREAM_WIRE_BYTES_SENT UPSTREAM_WIRE_BYTES_RECEIVED UPSTREAM_HEADER_BYTES_SENT UPSTREAM_HEADER_BYTES_RECEIVED \
    DOWNSTREAM_WIRE_BYTES_SENT DOWNSTREAM_WIRE_BYTES_RECEIVED DOWNSTREAM_HEADER_BYTES_SENT \
    DOWNSTREAM_HEADER_BYTES_RECEIVED RESPONSE_TRAILERS_BYTES UPSTREAM_REQUEST_ATTEMPT_LATENCIES \
    DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_DETECTED_CLOSE_TYPE \
    UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_SESSION_ID \
    DOWNSTREAM_PEER_ISSUER DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_LOCAL_URI_SAN \
    DOWNSTREAM_PEER_DNS_SAN DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_LOCAL_IP_SAN \
    DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_LOCAL_EMAIL_SAN DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_CERT_V_START \
    DOWNSTREAM_PEER_CERT_V_END DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_PEER_SERIAL \
    DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256 DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1 DOWNSTREAM_PEER_CHAIN_SERIALS \
    DOWNSTREAM_DIRECT_LOCAL_ADDRESS DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_LOCAL_PORT \
    UPSTREAM_TLS_CIPHER UPSTREAM_TLS_VERSION UPSTREAM_TLS_SESSION_ID UPSTREAM_PEER_ISSUER UPSTREAM_PEER_CERT \
    UPSTREAM_PEER_SUBJECT UPSTREAM_LOCAL_SUBJECT UPSTREAM_PEER_CERT_V_START UPSTREAM_PEER_CERT_V_END \
    UPSTREAM_PEER_URI_SAN UPSTREAM_PEER_DNS_SAN UPSTREAM_PEER_IP_SAN UPSTREAM_LOCAL_URI_SAN UPSTREAM_LOCAL_DNS_SAN \
    UPSTREAM_LOCAL_IP_SAN TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT DOWNSTREAM_REMOTE_ADDRESS_ENDPOINT_ID \
    UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID REQUEST_TRAILER COALESCE REQ_WITHOUT_QUERY VIRTUAL_HOST_NAME";

/// A command from its name, its parameter and its length.
pub(super) fn read(call: &Call<'_>) -> Result<Command, Wrong> {
    if let Some((_, fact)) = PLAIN.iter().find(|(name, _)| *name == call.name) {
        if call.parameter.is_some() || call.max.is_some() {
            return Err(Wrong::new(
                format!("{} does not take any parameters or length", call.name),
                format!("write `%{}%`", call.name),
            ));
        }
        return Ok(Command { what: fact.clone(), max: None });
    }
    match with_parameter(call)? {
        Some(what) => Ok(Command { what, max: call.max }),
        None => Err(unknown(call.name)),
    }
}

fn with_parameter(call: &Call<'_>) -> Result<Option<Fact>, Wrong> {
    Ok(Some(match call.name {
        "REQ" | "REQUEST_HEADER" => Fact::Request(header(call)?),
        "RESP" | "RESPONSE_HEADER" => Fact::Response(header(call)?),
        "TRAILER" | "RESPONSE_TRAILER" => Fact::Trailer(header(call)?),
        "START_TIME" => Fact::StartTime(time_format(call)?),
        "EMIT_TIME" => Fact::EmitTime(time_format(call)?),
        "ENVIRONMENT" => Fact::Environment(std::env::var(required(call)?).ok()),
        // Envoy's parameter keeps blanks, of which there are none in these details.
        "RESPONSE_CODE_DETAILS" => {
            one_of(call, &["ALLOW_WHITESPACES"])?;
            Fact::ResponseCodeDetails
        }
        "GRPC_STATUS" => match one_of(call, &["CAMEL_STRING", "NUMBER"])? {
            Some("NUMBER") => Fact::GrpcStatusNumber,
            _ => Fact::GrpcStatus,
        },
        "PATH" => path(call)?,
        "QUERY_PARAM" => Fact::QueryParameter(required(call)?.to_owned()),
        _ => return Ok(None),
    }))
}

/// `%PATH(WQ:ORIG)%`: with or without its query; as received, as sent, or whichever there is.
fn path(call: &Call<'_>) -> Result<Fact, Wrong> {
    let original = HeaderRef::Name(HeaderName::from_static("x-envoy-original-path"));
    let sent = HeaderChoice { first: HeaderRef::Path, or: None };
    let received = HeaderChoice { first: original, or: Some(HeaderRef::Path) };
    match one_of(call, &["WQ", "WQ:ORIG", "WQ:PATH", "WQ:ORIG_OR_PATH", "NQ"])? {
        Some("NQ") => Ok(Fact::PathWithoutQuery),
        Some("WQ:PATH") => Ok(Fact::Request(sent)),
        _ => Ok(Fact::Request(received)),
    }
}

fn required<'a>(call: &Call<'a>) -> Result<&'a str, Wrong> {
    call.parameter.filter(|parameter| !parameter.is_empty()).ok_or_else(|| {
        let name = call.name;
        Wrong::new(format!("{name} requires parameters"), format!("write it as `%{name}(NAME)%`"))
    })
}

fn one_of(call: &Call<'_>, known: &[&'static str]) -> Result<Option<&'static str>, Wrong> {
    let Some(parameter) = call.parameter.filter(|parameter| !parameter.is_empty()) else { return Ok(None) };
    known.iter().copied().find(|name| *name == parameter).map(Some).ok_or_else(|| {
        let message = format!("{} does not take the parameter `{parameter}`", call.name);
        Wrong::new(message, format!("it takes one of {}", known.join(", ")))
    })
}

fn time_format(call: &Call<'_>) -> Result<crate::model::TimeFormat, Wrong> {
    if call.max.is_some() {
        return Err(Wrong::new(
            format!("{} does not allow length to be specified.", call.name),
            "leave out the colon and the number",
        ));
    }
    time::parse(call.parameter.unwrap_or_default())
}

fn header(call: &Call<'_>) -> Result<HeaderChoice, Wrong> {
    let text = required(call)?;
    let mut names = text.split('?');
    let first = reference(names.next().unwrap_or_default())?;
    let or = names.next().map(reference).transpose()?;
    if names.next().is_some() {
        return Err(Wrong::new(
            format!("More than 1 alternative header specified in token: {text}"),
            "write at most one alternative: `%REQ(A?B)%`",
        ));
    }
    Ok(HeaderChoice { first, or })
}

fn reference(name: &str) -> Result<HeaderRef, Wrong> {
    let lower = name.to_ascii_lowercase();
    Ok(match lower.as_str() {
        ":method" => HeaderRef::Method,
        ":path" => HeaderRef::Path,
        ":authority" | "host" => HeaderRef::Authority,
        ":scheme" => HeaderRef::Scheme,
        ":status" => HeaderRef::Status,
        _ => HeaderRef::Name(HeaderName::from_bytes(lower.as_bytes()).map_err(|_| {
            Wrong::new(
                format!("`{name}` is not the name of a header"),
                "use letters, digits and dashes, or one of :METHOD, :PATH, :AUTHORITY, :SCHEME, :STATUS",
            )
        })?),
    })
}

fn unknown(name: &str) -> Wrong {
    if NO_FACTS.split_ascii_whitespace().any(|known| known == name) {
        return Wrong::new(
            format!("the command `%{name}%` is not supported by this version"),
            "remove it; docs/envoy.md lists the commands that are",
        );
    }
    let known: Vec<&str> = PLAIN.iter().map(|(name, _)| *name).chain(OTHERS.iter().copied()).collect();
    let help = match nearest(name, &known) {
        Some(near) => format!("did you mean `%{near}%`?"),
        None => format!("write one of {}", known.join(", ")),
    };
    Wrong::new(format!("Not supported field in StreamInfo: {name}"), help)
}

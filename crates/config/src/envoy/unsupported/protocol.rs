//! Messages of protocol options.

use super::{NO_FILTERS, REMOVE, group};
use crate::read::Unsupported;

const NO_HTTP3: &str = "HTTP/3 is not supported";
const HTTP1_PARSER: &str = "the HTTP/1.1 parser has no such switch";

/// Fields of `Http2ProtocolOptions` that are accepted with a warning.
pub(in crate::envoy) const HTTP2_WITHOUT_EFFECT: [&str; 13] = [
    "hpack_table_size",
    "max_outbound_frames",
    "max_outbound_control_frames",
    "max_consecutive_inbound_frames_with_empty_payload",
    "max_inbound_priority_frames_per_stream",
    "max_inbound_window_update_frames_per_data_frame_sent",
    "stream_error_on_invalid_http_messaging",
    "override_stream_error_on_invalid_http_message",
    "use_oghttp2_codec",
    "enable_huffman_encoding",
    "max_header_field_size_kb",
    "stream_reset_burst",
    "stream_reset_rate",
];

pub(in crate::envoy) const HTTP2_PROTOCOL_OPTIONS: &[Unsupported] = &[
    group("allow_connect", "tunnels (CONNECT) are not supported", REMOVE),
    group("allow_metadata max_metadata_size", "METADATA frames are not passed on", REMOVE),
    group("custom_settings_parameters disallow_obs_text", "", REMOVE),
];

pub(in crate::envoy) const HTTP3_PROTOCOL_OPTIONS: &[Unsupported] =
    &[group("http3_protocol_options alternate_protocols_cache_options", NO_HTTP3, REMOVE)];

pub(in crate::envoy) const UPSTREAM_PROTOCOL_OPTIONS: &[Unsupported] = &[
    group("http_filters", NO_FILTERS, REMOVE),
    group("hash_policy", "requests are not hashed onto endpoints", REMOVE),
    group("outlier_detection header_validation_config", "", REMOVE),
];

pub(in crate::envoy) const UPSTREAM_HTTP1_OPTIONS: &[Unsupported] = &[
    group(
        "allow_absolute_url accept_http_10 default_host_for_http_10",
        "is said of clients, not of clusters",
        "remove it, or move it to the connection manager's `http_protocol_options`",
    ),
    group("send_fully_qualified_url", "requests are sent in origin-form", REMOVE),
    group(
        "allow_chunked_length override_stream_error_on_invalid_http_message use_balsa_parser \
         allow_custom_methods ignore_http_11_upgrade",
        HTTP1_PARSER,
        REMOVE,
    ),
];

pub(in crate::envoy) const UPSTREAM_COMMON_OPTIONS: &[Unsupported] = &[
    group(
        "max_stream_duration",
        "",
        "remove it; a route's `timeout` bounds the time from the request's end to the answer's",
    ),
    group(
        "max_connection_duration_jitter max_headers_count max_response_headers_kb \
         headers_with_underscores_action",
        "",
        "remove it; `idle_timeout`, `max_connection_duration` and `max_requests_per_connection` are supported here",
    ),
];

/// `common_http_protocol_options` of the connection manager.
pub(in crate::envoy) const HTTP_PROTOCOL_OPTIONS: &[Unsupported] = &[group(
    "max_connection_duration_jitter max_response_headers_kb max_stream_duration",
    "",
    "remove it; a route's `timeout` and the connection manager's time-outs bound a request",
)];

pub(in crate::envoy) const CLIENT_HTTP1_OPTIONS: &[Unsupported] = &[
    group("send_fully_qualified_url", "requests are sent in origin-form", REMOVE),
    group(
        "allow_chunked_length override_stream_error_on_invalid_http_message use_balsa_parser \
         allow_custom_methods ignore_http_11_upgrade",
        HTTP1_PARSER,
        REMOVE,
    ),
];

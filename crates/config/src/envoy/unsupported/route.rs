//! Messages of routing.

use super::{NO_FILTERS, NO_TLS, NO_XDS, REMOVE, TLS_HELP, group};
use crate::read::Unsupported;

const NO_RETRY: &str = "requests are not retried by routes";
const NO_REWRITE: &str = "requests reach the primary as the client sent them";
const NO_RATE_LIMIT: &str = "this proxy does not limit rates";

pub(in crate::envoy) const ROUTE_CONFIG: &[Unsupported] = &[
    group("vhds", NO_XDS, "write the virtual hosts into `virtual_hosts`"),
    group(
        "internal_only_headers",
        "clients' headers are passed on, but for Envoy's own",
        "write them into `request_headers_to_remove`",
    ),
    group("typed_per_filter_config", NO_FILTERS, REMOVE),
    group(
        "validate_clusters max_direct_response_body_size_bytes cluster_specifier_plugins \
         ignore_port_in_host_matching vhost_header ignore_path_parameters_in_path_matching metadata \
         route_specifiers",
        "",
        REMOVE,
    ),
];

pub(in crate::envoy) const VIRTUAL_HOST: &[Unsupported] = &[
    group(
        "retry_policy retry_policy_typed_config hedge_policy include_request_attempt_count \
         include_attempt_count_in_response include_is_timeout_retry_header",
        NO_RETRY,
        REMOVE,
    ),
    group("rate_limits", NO_RATE_LIMIT, REMOVE),
    group("require_tls", NO_TLS, TLS_HELP),
    group(
        "per_request_buffer_limit_bytes request_body_buffer_limit",
        "bodies are streamed",
        "remove it; `max_request` in a mirror's settings bounds its copies",
    ),
    group("typed_per_filter_config per_filter_config cors", NO_FILTERS, REMOVE),
    group("matcher virtual_clusters metadata route_specifiers", "", REMOVE),
];

pub(in crate::envoy) const ROUTE: &[Unsupported] = &[
    group(
        "redirect direct_response filter_action non_forwarding_action",
        "every route forwards to a cluster",
        "remove this route, or write `route: { cluster: ... }`",
    ),
    group("typed_per_filter_config per_filter_config", NO_FILTERS, REMOVE),
    group(
        "per_request_buffer_limit_bytes request_body_buffer_limit",
        "bodies are streamed",
        "remove it; `max_request` in a mirror's settings bounds its copies",
    ),
    group("tracing decorator", "there is no tracing", REMOVE),
    group("metadata stat_prefix route_specifiers", "", REMOVE),
];

pub(in crate::envoy) const ROUTE_MATCH: &[Unsupported] = &[
    group(
        "safe_regex regex connect_matcher path_separated_prefix path_match_policy",
        "paths are matched by `prefix` or `path`",
        "write `prefix` or `path`, one route for each",
    ),
    group(
        "case_sensitive runtime_fraction headers query_parameters cookies grpc tls_context \
         dynamic_metadata filter_state",
        "routes match on the path only",
        "remove it; match with `prefix` or `path`",
    ),
];

pub(in crate::envoy) const ROUTE_ACTION: &[Unsupported] = &[
    group("weighted_clusters", "a route has one primary", "write `cluster` with the name of the primary"),
    group(
        "cluster_header cluster_specifier_plugin inline_cluster_specifier_plugin \
         cluster_not_found_response_code",
        "a primary is named in the file, not by a request",
        "write `cluster: mimir_primary`",
    ),
    group("retry_policy retry_policy_typed_config hedge_policy", NO_RETRY, "remove it; the client retries"),
    group(
        "prefix_rewrite regex_rewrite path_rewrite_policy path_rewrite host_rewrite_literal \
         auto_host_rewrite host_rewrite_header host_rewrite_path_regex host_rewrite \
         auto_host_rewrite_header append_x_forwarded_host",
        NO_REWRITE,
        "remove it; a mirror policy has its own `host_rewrite_literal`",
    ),
    group("rate_limits include_vh_rate_limits", NO_RATE_LIMIT, REMOVE),
    group("hash_policy", "requests are not hashed onto endpoints", REMOVE),
    group("upgrade_configs", "upgrades (websocket) are not supported", REMOVE),
    group("idle_timeout", "", "remove it; set `stream_idle_timeout` of the connection manager"),
    group(
        "metadata_match flush_timeout early_data_policy priority cors max_grpc_timeout \
         grpc_timeout_offset internal_redirect_policy internal_redirect_action max_internal_redirects \
         max_stream_duration",
        "",
        REMOVE,
    ),
];

pub(in crate::envoy) const MIRROR_POLICY: &[Unsupported] = &[group(
    "runtime_key",
    "there is no runtime, so that Envoy would mirror nothing",
    "remove it, or write `runtime_fraction: { default_value: { numerator: 100 } }`",
)];

pub(in crate::envoy) const HEADER_MUTATION: &[Unsupported] =
    &[group("remove_on_match", "", "write one `remove` for each header")];

pub(in crate::envoy) const HEADER_VALUE: &[Unsupported] =
    &[group("raw_value", "Envoy ignores it here, so that the header is never added", "write it as `value`")];

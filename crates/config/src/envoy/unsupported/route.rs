//! Messages of routing.

use super::{NO_FILTERS, NO_XDS, REMOVE, group};
use crate::read::Unsupported;

const NO_RETRY: &str = "a request is never sent to two endpoints at once";
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
        "cluster_specifier_plugins vhost_header ignore_path_parameters_in_path_matching metadata \
         route_specifiers",
        "",
        REMOVE,
    ),
];

pub(in crate::envoy) const VIRTUAL_HOST: &[Unsupported] = &[
    group("hedge_policy", NO_RETRY, "remove it; `retry_policy` repeats requests one after the other"),
    group("retry_policy_typed_config include_is_timeout_retry_header", "", "remove it; write `retry_policy`"),
    group("rate_limits", NO_RATE_LIMIT, REMOVE),
    group(
        "require_tls",
        "plain requests are not redirected",
        "remove it, and the plain listener if none may use it",
    ),
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
        "filter_action non_forwarding_action",
        "a route forwards, answers or redirects",
        "write `route: { cluster: ... }`, `direct_response` or `redirect`",
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
    group("connect_matcher", "tunnels (CONNECT) are not supported", "remove this route"),
    group("path_match_policy", "", "write `prefix`, `path`, `path_separated_prefix` or `safe_regex`"),
    group(
        "cookies",
        "cookies are not taken apart",
        "match the header: `headers: [{ name: cookie, string_match: { contains: \"a=1\" } }]`",
    ),
    group(
        "tls_context",
        "client certificates are not matched by routes",
        "remove it; a listener with `require_client_certificate` lets in whoever has one",
    ),
    group("dynamic_metadata filter_state", NO_FILTERS, "remove it; match a header"),
];

pub(in crate::envoy) const ROUTE_ACTION: &[Unsupported] = &[
    group("weighted_clusters", "a route has one primary", "write `cluster` with the name of the primary"),
    group(
        "cluster_header cluster_specifier_plugin inline_cluster_specifier_plugin \
         cluster_not_found_response_code",
        "a primary is named in the file, not by a request",
        "write `cluster: mimir_primary`",
    ),
    group("hedge_policy", NO_RETRY, "remove it; `retry_policy` repeats requests one after the other"),
    group("retry_policy_typed_config", "", "write `retry_policy`"),
    group("path_rewrite_policy path_rewrite", "", "write `prefix_rewrite` or `regex_rewrite`"),
    group("rate_limits include_vh_rate_limits", NO_RATE_LIMIT, REMOVE),
    group("hash_policy", "requests are not hashed onto endpoints", REMOVE),
    group(
        "upgrade_configs",
        "upgrades (websocket, CONNECT) are not supported",
        "remove it: Mimir needs none, and a request that asks for one gets 403",
    ),
    group(
        "metadata_match flush_timeout early_data_policy priority cors max_grpc_timeout \
         grpc_timeout_offset internal_redirect_policy internal_redirect_action max_internal_redirects \
         max_stream_duration",
        "",
        REMOVE,
    ),
];

pub(in crate::envoy) const STRING_MATCHER: &[Unsupported] =
    &[group("custom", "", "write `exact`, `prefix`, `suffix`, `contains` or `safe_regex`")];

pub(in crate::envoy) const QUERY_MATCHER: &[Unsupported] =
    &[group("value regex", "v1's spelling", "write `string_match: { exact: ... }` or `{ safe_regex: ... }`")];

pub(in crate::envoy) const DIRECT_RESPONSE: &[Unsupported] =
    &[group("body_format", "answers are not formatted", "write the text as `body: { inline_string: ... }`")];

pub(in crate::envoy) const REDIRECT: &[Unsupported] =
    &[group("path_rewrite", "", "write `path_redirect`, `prefix_rewrite` or `regex_rewrite`")];

pub(in crate::envoy) const DATA_SOURCE: &[Unsupported] =
    &[group("watched_directory", "the file is read once, at the start", REMOVE)];

pub(in crate::envoy) const RETRY_POLICY: &[Unsupported] = &[
    group(
        "rate_limited_retry_back_off",
        "pauses between attempts are chosen here",
        "remove it; the client honours `Retry-After`",
    ),
    group("retry_priority", "endpoints have no priorities", REMOVE),
    group("retry_options_predicates refresh_cluster_on_retry", "", REMOVE),
    group("per_try_idle_timeout", "", "remove it; write `per_try_timeout`"),
];

pub(in crate::envoy) const HEADER_MUTATION: &[Unsupported] =
    &[group("remove_on_match", "headers are removed by their names", "write one `remove` for each header")];

pub(in crate::envoy) const HEADER_VALUE: &[Unsupported] =
    &[group("raw_value", "Envoy ignores it here, so that the header is never added", "write it as `value`")];

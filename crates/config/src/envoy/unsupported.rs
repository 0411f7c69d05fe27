//! Every field of Envoy's messages (v3 of 1.40, and what v2 had more) that this version does not support,
//! so that "not supported" and "misspelt" are two different answers.
//!
//! Grouped by what to say. Names come from the message descriptors of Envoy 1.40.

use crate::read::Unsupported;

const REMOVE: &str = "remove it";
const NO_XDS: &str = "there is no xDS: the file is the whole configuration";
const NO_RETRY: &str = "requests are not retried by routes";
const NO_REWRITE: &str = "requests reach the primary as the client sent them";
const NO_HEADERS: &str = "headers of requests and answers are not rewritten";
const NO_RATE_LIMIT: &str = "this proxy does not limit rates";
const NO_TLS: &str = "connections are plain HTTP";
const TLS_HELP: &str = "remove it; put a TLS proxy beside this one";
const NO_FILTERS: &str = "the router is the only HTTP filter";
const NO_LOG: &str = "this version writes no access log";
const LOG_HELP: &str = "remove it; the admin interface counts requests";

const fn group(names: &'static [&'static str], why: &'static str, help: &'static str) -> Unsupported {
    Unsupported::new(names, why, help)
}

pub(super) const BOOTSTRAP: &[Unsupported] = &[
    group(
        &[
            "dynamic_resources",
            "hds_config",
            "config_sources",
            "default_config_source",
            "xds_delegate_extension",
            "xds_config_tracker_extension",
            "grpc_async_client_manager_config",
        ],
        NO_XDS,
        "write listeners and clusters into `static_resources`",
    ),
    group(
        &["layered_runtime", "runtime", "flags_path"],
        "there is no runtime",
        "remove it; write values such as a fraction's `default_value` in place",
    ),
    group(
        &[
            "stats_sinks",
            "stats_config",
            "stats_flush_interval",
            "stats_flush_on_admin",
            "stats_eviction_interval",
            "deferred_stat_options",
            "header_prefix",
            "stats_server_version_override",
            "enable_dispatcher_stats",
        ],
        "statistics are scraped from the admin interface",
        "remove it; scrape `/stats/prometheus`",
    ),
    group(
        &["overload_manager"],
        "every bound has a default and a mirror's settings",
        "remove it; bound mirrors with `metadata.filter_metadata.mimir_mirror`",
    ),
    group(&["tracing", "perf_tracing_file_path"], "there is no tracing", REMOVE),
    group(
        &[
            "node_context_params",
            "cluster_manager",
            "watchdog",
            "watchdogs",
            "use_tcp_for_dns_lookups",
            "dns_resolution_config",
            "typed_dns_resolver_config",
            "bootstrap_extensions",
            "fatal_actions",
            "default_socket_interface",
            "certificate_provider_instances",
            "inline_headers",
            "default_regex_engine",
            "listener_manager",
            "application_log_config",
            "memory_allocator_manager",
            "enable_worker_cpu_affinity",
        ],
        "",
        REMOVE,
    ),
];

pub(super) const STATIC_RESOURCES: &[Unsupported] = &[group(&["secrets"], NO_TLS, TLS_HELP)];

pub(super) const NODE: &[Unsupported] = &[group(
    &[
        "dynamic_parameters",
        "user_agent_name",
        "user_agent_version",
        "user_agent_build_version",
        "extensions",
        "client_features",
        "listening_addresses",
        "build_version",
    ],
    NO_XDS,
    REMOVE,
)];

pub(super) const ADMIN: &[Unsupported] =
    &[group(&["profile_path", "socket_options", "ignore_global_conn_limit", "allow_paths"], "", REMOVE)];

pub(super) const ADDRESS: &[Unsupported] = &[group(
    &["pipe", "envoy_internal_address"],
    "only TCP sockets are supported",
    "write a `socket_address`",
)];

pub(super) const SOCKET_ADDRESS: &[Unsupported] = &[
    group(&["named_port"], "", "write the number as `port_value`"),
    group(&["resolver_name", "ipv4_compat", "network_namespace_filepath"], "", REMOVE),
];

pub(super) const LISTENER: &[Unsupported] = &[
    group(&["additional_addresses"], "", "write one listener for each address"),
    group(
        &["listener_filters", "listener_filters_timeout", "continue_on_listener_filters_timeout"],
        "connections are not inspected before HTTP",
        REMOVE,
    ),
    group(&["access_log"], NO_LOG, LOG_HELP),
    group(
        &["default_filter_chain", "fcds_config", "filter_chain_matcher"],
        "",
        "write one filter chain in `filter_chains`",
    ),
    group(&["per_connection_buffer_high_watermark_timeout"], "a mirror cannot hold up a client here", REMOVE),
    group(&["udp_listener_config"], "HTTP/3 is not supported", REMOVE),
    group(
        &[
            "stat_prefix",
            "stats_matcher",
            "use_original_dst",
            "deprecated_v1",
            "drain_type",
            "transparent",
            "freebind",
            "socket_options",
            "tcp_fast_open_queue_length",
            "traffic_direction",
            "api_listener",
            "connection_balance_config",
            "reuse_port",
            "enable_reuse_port",
            "tcp_backlog_size",
            "max_connections_to_accept_per_socket_event",
            "bind_to_port",
            "internal_listener",
            "enable_mptcp",
            "ignore_global_conn_limit",
            "bypass_overload_manager",
            "tcp_keepalive",
        ],
        "",
        REMOVE,
    ),
];

pub(super) const FILTER_CHAIN: &[Unsupported] = &[
    group(
        &["transport_socket", "transport_socket_connect_timeout", "tls_context"],
        "clients are served in plain HTTP",
        TLS_HELP,
    ),
    group(&["filter_chain_match"], "there is one filter chain", REMOVE),
    group(&["use_proxy_proto"], "the PROXY protocol is not read", REMOVE),
    group(&["metadata", "on_demand_configuration"], "", REMOVE),
];

pub(super) const FILTER: &[Unsupported] = &[group(&["config_discovery"], NO_XDS, "write `typed_config`")];

pub(super) const HTTP_FILTER: &[Unsupported] = &[
    group(&["config_discovery"], NO_XDS, "write `typed_config`"),
    group(&["is_optional", "disabled"], NO_FILTERS, REMOVE),
];

pub(super) const ROUTER: &[Unsupported] = &[
    group(&["upstream_log", "upstream_log_options"], NO_LOG, LOG_HELP),
    group(&["upstream_http_filters"], NO_FILTERS, REMOVE),
    group(
        &[
            "dynamic_stats",
            "start_child_span",
            "strict_check_headers",
            "respect_expected_rq_timeout",
            "suppress_grpc_request_failure_code_stats",
            "reject_connect_request_early_data",
        ],
        "",
        REMOVE,
    ),
];

pub(super) const HCM: &[Unsupported] = &[
    group(&["rds", "scoped_routes"], NO_XDS, "write the routes into `route_config`"),
    group(
        &["access_log", "access_log_flush_interval", "flush_access_log_on_new_request", "access_log_options"],
        NO_LOG,
        LOG_HELP,
    ),
    group(&["tracing"], "there is no tracing", REMOVE),
    group(&["http3_protocol_options"], "HTTP/3 is not supported", REMOVE),
    group(&["upgrade_configs"], "upgrades (websocket) are not supported", REMOVE),
    group(
        &[
            "normalize_path",
            "merge_slashes",
            "path_with_escaped_slashes_action",
            "path_normalization_options",
            "strip_matching_host_port",
            "strip_any_host_port",
            "strip_trailing_host_dot",
        ],
        "paths and hosts are passed on as received",
        REMOVE,
    ),
    group(
        &["forward_client_cert_details", "set_current_client_cert_details", "forward_client_cert_matcher"],
        "client certificates are not read",
        REMOVE,
    ),
    group(&["local_reply_config"], "answers are not rewritten", REMOVE),
    group(
        &["http_protocol_options", "http2_protocol_options"],
        "limits of the protocols are fixed",
        "remove it; HTTP/1.1 and HTTP/2 clients are both served",
    ),
    group(
        &[
            "drain_timeout",
            "drain_timeout_jitter",
            "delayed_close_timeout",
            "stream_flush_timeout",
            "http1_safe_max_connection_duration",
        ],
        "",
        REMOVE,
    ),
    group(
        &[
            "add_user_agent",
            "server_header_transformation",
            "scheme_header_transformation",
            "xff_num_trusted_hops",
            "original_ip_detection_extensions",
            "early_header_mutation_extensions",
            "internal_address_config",
            "skip_xff_append",
            "via",
            "preserve_external_request_id",
            "always_set_request_id_in_response",
            "append_x_forwarded_port",
            "append_local_overload",
            "proxy_status_config",
            "forward_proto_config",
            "request_id_extension",
        ],
        "of Envoy's own header changes this version has the defaults and the switches in docs/envoy.md",
        REMOVE,
    ),
    group(
        &[
            "proxy_100_continue",
            "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
            "stream_error_on_invalid_http_message",
            "typed_header_validation_config",
            "add_proxy_protocol_connection_state",
            "record_route_resolution_stats",
        ],
        "",
        REMOVE,
    ),
];

pub(super) const HTTP_PROTOCOL_OPTIONS: &[Unsupported] = &[group(
    &[
        "max_connection_duration",
        "max_connection_duration_jitter",
        "max_headers_count",
        "max_response_headers_kb",
        "max_stream_duration",
        "headers_with_underscores_action",
        "max_requests_per_connection",
    ],
    "",
    "remove it; only `idle_timeout` is supported here",
)];

pub(super) const ROUTE_CONFIG: &[Unsupported] = &[
    group(&["vhds"], NO_XDS, "write the virtual hosts into `virtual_hosts`"),
    group(
        &[
            "response_headers_to_add",
            "response_headers_to_remove",
            "request_headers_to_add",
            "request_headers_to_remove",
            "internal_only_headers",
            "most_specific_header_mutations_wins",
        ],
        NO_HEADERS,
        "remove it; a mirror's copies have `request_headers_mutations`",
    ),
    group(&["typed_per_filter_config"], NO_FILTERS, REMOVE),
    group(
        &[
            "validate_clusters",
            "max_direct_response_body_size_bytes",
            "cluster_specifier_plugins",
            "ignore_port_in_host_matching",
            "vhost_header",
            "ignore_path_parameters_in_path_matching",
            "metadata",
            "route_specifiers",
        ],
        "",
        REMOVE,
    ),
];

pub(super) const VIRTUAL_HOST: &[Unsupported] = &[
    group(
        &[
            "request_headers_to_add",
            "request_headers_to_remove",
            "response_headers_to_add",
            "response_headers_to_remove",
        ],
        NO_HEADERS,
        "remove it; a mirror's copies have `request_headers_mutations`",
    ),
    group(
        &[
            "retry_policy",
            "retry_policy_typed_config",
            "hedge_policy",
            "include_request_attempt_count",
            "include_attempt_count_in_response",
            "include_is_timeout_retry_header",
        ],
        NO_RETRY,
        REMOVE,
    ),
    group(&["rate_limits"], NO_RATE_LIMIT, REMOVE),
    group(&["require_tls"], NO_TLS, TLS_HELP),
    group(
        &["per_request_buffer_limit_bytes", "request_body_buffer_limit"],
        "bodies are streamed",
        "remove it; `max_request` in a mirror's settings bounds its copies",
    ),
    group(&["typed_per_filter_config", "per_filter_config", "cors"], NO_FILTERS, REMOVE),
    group(&["matcher", "virtual_clusters", "metadata", "route_specifiers"], "", REMOVE),
];

pub(super) const ROUTE: &[Unsupported] = &[
    group(
        &["redirect", "direct_response", "filter_action", "non_forwarding_action"],
        "every route forwards to a cluster",
        "remove this route, or write `route: { cluster: ... }`",
    ),
    group(
        &[
            "request_headers_to_add",
            "request_headers_to_remove",
            "response_headers_to_add",
            "response_headers_to_remove",
        ],
        NO_HEADERS,
        "remove it; a mirror's copies have `request_headers_mutations`",
    ),
    group(&["typed_per_filter_config", "per_filter_config"], NO_FILTERS, REMOVE),
    group(
        &["per_request_buffer_limit_bytes", "request_body_buffer_limit"],
        "bodies are streamed",
        "remove it; `max_request` in a mirror's settings bounds its copies",
    ),
    group(&["tracing", "decorator"], "there is no tracing", REMOVE),
    group(&["metadata", "stat_prefix", "route_specifiers"], "", REMOVE),
];

pub(super) const ROUTE_MATCH: &[Unsupported] = &[
    group(
        &["safe_regex", "regex", "connect_matcher", "path_separated_prefix", "path_match_policy"],
        "paths are matched by `prefix` or `path`",
        "write `prefix` or `path`, one route for each",
    ),
    group(
        &[
            "case_sensitive",
            "runtime_fraction",
            "headers",
            "query_parameters",
            "cookies",
            "grpc",
            "tls_context",
            "dynamic_metadata",
            "filter_state",
        ],
        "routes match on the path only",
        "remove it; match with `prefix` or `path`",
    ),
];

pub(super) const ROUTE_ACTION: &[Unsupported] = &[
    group(&["weighted_clusters"], "a route has one primary", "write `cluster` with the name of the primary"),
    group(
        &[
            "cluster_header",
            "cluster_specifier_plugin",
            "inline_cluster_specifier_plugin",
            "cluster_not_found_response_code",
        ],
        "a primary is named in the file, not by a request",
        "write `cluster: mimir_primary`",
    ),
    group(
        &["retry_policy", "retry_policy_typed_config", "hedge_policy"],
        NO_RETRY,
        "remove it; the client retries",
    ),
    group(
        &[
            "prefix_rewrite",
            "regex_rewrite",
            "path_rewrite_policy",
            "path_rewrite",
            "host_rewrite_literal",
            "auto_host_rewrite",
            "host_rewrite_header",
            "host_rewrite_path_regex",
            "host_rewrite",
            "auto_host_rewrite_header",
            "append_x_forwarded_host",
        ],
        NO_REWRITE,
        "remove it; a mirror policy has its own `host_rewrite_literal`",
    ),
    group(&["rate_limits", "include_vh_rate_limits"], NO_RATE_LIMIT, REMOVE),
    group(&["hash_policy"], "requests are not hashed onto endpoints", REMOVE),
    group(&["upgrade_configs"], "upgrades (websocket) are not supported", REMOVE),
    group(&["idle_timeout"], "", "remove it; set `stream_idle_timeout` of the connection manager"),
    group(
        &[
            "metadata_match",
            "flush_timeout",
            "early_data_policy",
            "priority",
            "cors",
            "max_grpc_timeout",
            "grpc_timeout_offset",
            "internal_redirect_policy",
            "internal_redirect_action",
            "max_internal_redirects",
            "max_stream_duration",
        ],
        "",
        REMOVE,
    ),
];

pub(super) const MIRROR_POLICY: &[Unsupported] = &[group(
    &["runtime_key"],
    "there is no runtime, so that Envoy would mirror nothing",
    "remove it, or write `runtime_fraction: { default_value: { numerator: 100 } }`",
)];

pub(super) const HEADER_MUTATION: &[Unsupported] =
    &[group(&["remove_on_match"], "", "write one `remove` for each header")];

pub(super) const HEADER_OPTION: &[Unsupported] = &[
    group(
        &["append"],
        "deprecated in Envoy",
        "write `append_action: OVERWRITE_IF_EXISTS_OR_ADD` or another action",
    ),
    group(&["keep_empty_value"], "", "remove it and write a value"),
];

pub(super) const HEADER_VALUE: &[Unsupported] = &[group(&["raw_value"], "", "write it as `value`")];

pub(super) const CLUSTER: &[Unsupported] = &[
    group(
        &["transport_socket", "transport_socket_matches", "transport_socket_matcher", "tls_context"],
        "clusters are reached in plain HTTP",
        TLS_HELP,
    ),
    group(
        &[
            "typed_extension_protocol_options",
            "extension_protocol_options",
            "http2_protocol_options",
            "http_protocol_options",
            "common_http_protocol_options",
            "upstream_http_protocol_options",
            "protocol_selection",
            "max_requests_per_connection",
            "upstream_config",
        ],
        "clusters are spoken to in HTTP/1.1",
        REMOVE,
    ),
    group(
        &[
            "health_checks",
            "ignore_health_on_host_removal",
            "close_connections_on_host_health_failure",
            "drain_connections_on_host_removal",
        ],
        "endpoints are not probed",
        REMOVE,
    ),
    group(&["outlier_detection"], "endpoints are not ejected", REMOVE),
    group(
        &["circuit_breakers"],
        "a mirror's bounds are in its settings",
        "write `max_connections` and `max_copies` in the cluster's `metadata.filter_metadata.mimir_mirror`",
    ),
    group(
        &[
            "ring_hash_lb_config",
            "maglev_lb_config",
            "least_request_lb_config",
            "round_robin_lb_config",
            "original_dst_lb_config",
            "lb_subset_config",
            "common_lb_config",
            "load_balancing_policy",
        ],
        "endpoints are chosen in turn",
        REMOVE,
    ),
    group(&["cluster_type"], "", "write `type: STRICT_DNS` with `dns_refresh_rate` and `dns_lookup_family`"),
    group(
        &["eds_cluster_config", "lrs_server", "lrs_report_endpoint_metrics"],
        NO_XDS,
        "write `load_assignment`",
    ),
    group(
        &[
            "respect_dns_ttl",
            "dns_failure_refresh_rate",
            "dns_jitter",
            "dns_resolvers",
            "use_tcp_for_dns_lookups",
            "dns_resolution_config",
            "typed_dns_resolver_config",
        ],
        "names are resolved by the system, every `dns_refresh_rate`",
        REMOVE,
    ),
    group(&["per_connection_buffer_high_watermark_timeout"], "a mirror cannot hold up a client here", REMOVE),
    group(
        &[
            "alt_stat_name",
            "stats_matcher",
            "wait_for_warm_on_init",
            "cleanup_interval",
            "upstream_bind_config",
            "upstream_connection_options",
            "filters",
            "track_timeout_budgets",
            "track_cluster_stats",
            "preconnect_policy",
            "connection_pool_per_downstream_connection",
            "queuing_policies",
        ],
        "",
        REMOVE,
    ),
];

pub(super) const LOAD_ASSIGNMENT: &[Unsupported] =
    &[group(&["named_endpoints"], "", "write the endpoints in place"), group(&["policy"], "", REMOVE)];

pub(super) const LOCALITY: &[Unsupported] = &[
    group(&["load_balancer_endpoints", "leds_cluster_locality_config"], NO_XDS, "write `lb_endpoints`"),
    group(&["metadata", "proximity"], "", REMOVE),
];

pub(super) const LB_ENDPOINT: &[Unsupported] = &[
    group(&["endpoint_name"], "", "write the endpoint in place"),
    group(&["health_status", "metadata"], "", REMOVE),
];

pub(super) const ENDPOINT: &[Unsupported] = &[
    group(&["health_check_config"], "endpoints are not probed", REMOVE),
    group(&["hostname", "additional_addresses", "observability_name"], "", REMOVE),
];

//! Every field of Envoy's messages (v3 of 1.40, and what v2 had more) that this version does not support,
//! so that "not supported" and "misspelt" are two different answers.
//!
//! Grouped by what to say; the names of a group are separated by blanks. Names come from the message descriptors of Envoy 1.40.

mod access_log;
mod cluster;
mod protocol;
mod route;
#[cfg(test)]
mod tests;
mod tls;

use crate::read::Unsupported;

pub(super) use access_log::{ACCESS_LOG, LOG_FILTER, LOG_FORMAT, LOG_HEADER, LOG_STRING};
pub(super) use cluster::{
    BIND_CONFIG, CARES, CHECK_CONFIG, CIRCUIT_BREAKERS, CLUSTER, CLUSTER_MANAGER, COMMON_LB,
    CONNECTION_OPTIONS, ENDPOINT, HEALTH_CHECK, HTTP_CHECK, LB_ENDPOINT, LEAST_REQUEST, LOAD_ASSIGNMENT,
    LOCALITY, ROUND_ROBIN, TCP_CHECK, THRESHOLDS,
};
pub(super) use protocol::{
    CLIENT_HTTP1_OPTIONS, HTTP_PROTOCOL_OPTIONS, HTTP2_PROTOCOL_OPTIONS, HTTP2_WITHOUT_EFFECT,
    HTTP3_PROTOCOL_OPTIONS, UPSTREAM_COMMON_OPTIONS, UPSTREAM_HTTP1_OPTIONS, UPSTREAM_PROTOCOL_OPTIONS,
};
pub(super) use route::{
    DATA_SOURCE, DIRECT_RESPONSE, HEADER_MUTATION, HEADER_VALUE, QUERY_MATCHER, REDIRECT, RETRY_POLICY,
    ROUTE, ROUTE_ACTION, ROUTE_CONFIG, ROUTE_MATCH, STRING_MATCHER, VIRTUAL_HOST,
};

pub(super) use tls::{
    COMMON_TLS, DOWNSTREAM_TLS, FILTER_CHAIN_MATCH, LISTENER_FILTER, SAN_MATCHER, SAN_TEXT, TLS_CERTIFICATE,
    TLS_INSPECTOR, TLS_PARAMETERS, UPSTREAM_HTTP, UPSTREAM_TLS, VALIDATION_CONTEXT,
};

const REMOVE: &str = "remove it";
const NO_XDS: &str = "there is no xDS: the file is the whole configuration";
const NO_FILTERS: &str = "the router is the only HTTP filter";

const fn group(names: &'static str, why: &'static str, help: &'static str) -> Unsupported {
    Unsupported::new(names, why, help)
}

pub(super) const BOOTSTRAP: &[Unsupported] = &[
    group(
        "dynamic_resources hds_config config_sources default_config_source xds_delegate_extension \
         xds_config_tracker_extension grpc_async_client_manager_config",
        NO_XDS,
        "write listeners and clusters into `static_resources`",
    ),
    group(
        "runtime flags_path",
        "runtime values stand in the file",
        "remove it; write values such as a fraction's `default_value` in place, or a `static_layer` of \
         `layered_runtime`",
    ),
    group(
        "stats_sinks stats_eviction_interval deferred_stat_options enable_dispatcher_stats",
        "statistics are scraped from the admin interface",
        "remove it; scrape `/stats/prometheus`",
    ),
    group("header_prefix", "headers are called `x-envoy-...`", REMOVE),
    group("tracing perf_tracing_file_path", "there is no tracing", REMOVE),
    group(
        "node_context_params use_tcp_for_dns_lookups \
         dns_resolution_config typed_dns_resolver_config bootstrap_extensions fatal_actions \
         default_socket_interface certificate_provider_instances inline_headers default_regex_engine \
         listener_manager application_log_config memory_allocator_manager enable_worker_cpu_affinity",
        "",
        REMOVE,
    ),
];

pub(super) const STATIC_RESOURCES: &[Unsupported] =
    &[group("secrets", "certificates stand where they are used", tls::IN_PLACE)];

pub(super) const NODE: &[Unsupported] = &[group(
    "dynamic_parameters user_agent_name user_agent_version user_agent_build_version extensions \
         client_features listening_addresses build_version",
    NO_XDS,
    REMOVE,
)];

pub(super) const ADMIN: &[Unsupported] =
    &[group("socket_options allow_paths", "", "remove it; bind it to where only those come who may")];

pub(super) const STATS_CONFIG: &[Unsupported] = &[
    group(
        "stats_matcher",
        "every statistic is there",
        "remove it; ask `/stats/prometheus?filter=REGEX`, or drop metrics with a relabelling rule of the scraper",
    ),
    group(
        "histogram_bucket_settings",
        "distributions have Envoy's default buckets",
        "remove it; `/stats?histogram_buckets=detailed` shows finer ones",
    ),
];

pub(super) const STATS_TAG: &[Unsupported] = &[group(
    "regex",
    "names are split into Envoy's default labels",
    "remove it; make labels with a relabelling rule of the scraper, or write a `fixed_value`",
)];

pub(super) const OVERLOAD_MANAGER: &[Unsupported] = &[
    group(
        "actions loadshed_points",
        "what is refused is refused by its own bound, not by a pressure",
        "remove it; bound client connections with the monitor `global_downstream_max_connections` and mirrors \
         with `metadata.filter_metadata.mimir_mirror`",
    ),
    group("buffer_factory_config", "buffers have fixed bounds", REMOVE),
];

pub(super) const RUNTIME_LAYER: &[Unsupported] = &[
    group("disk_layer", "values stand in the file", "write them into a `static_layer`"),
    group("admin_layer", "values change with the file", "remove it; write values into a `static_layer`"),
    group("rtds_layer", NO_XDS, "write values into a `static_layer`"),
];

pub(super) const ADDRESS: &[Unsupported] =
    &[group("pipe envoy_internal_address", "only TCP sockets are supported", "write a `socket_address`")];

pub(super) const SOCKET_ADDRESS: &[Unsupported] = &[
    group("named_port", "", "write the number as `port_value`"),
    group("resolver_name ipv4_compat network_namespace_filepath", "", REMOVE),
];

pub(super) const LISTENER: &[Unsupported] = &[
    group("continue_on_listener_filters_timeout", "clients that say nothing are closed", REMOVE),
    group(
        "access_log",
        "connections have no log",
        "remove it; requests are logged by `access_log` of the connection manager",
    ),
    group(
        "fcds_config filter_chain_matcher",
        "",
        "write the chains into `filter_chains`, with `filter_chain_match`",
    ),
    group("per_connection_buffer_high_watermark_timeout", "a mirror cannot hold up a client here", REMOVE),
    group("udp_listener_config", "HTTP/3 is not supported", REMOVE),
    group(
        "socket_options",
        "options of sockets have fields of their own",
        "remove it; `tcp_keepalive`, `tcp_backlog_size` and `freebind` are supported",
    ),
    group("use_original_dst transparent", "clients connect to the proxy itself", REMOVE),
    group("api_listener internal_listener", "listeners are TCP sockets", "write an `address`"),
    group(
        "stat_prefix stats_matcher tcp_fast_open_queue_length enable_mptcp ignore_global_conn_limit \
         bypass_overload_manager",
        "",
        REMOVE,
    ),
];

pub(super) const ADDITIONAL_ADDRESS: &[Unsupported] = &[
    group("socket_options", "options of sockets have fields of their own", REMOVE),
    group("tcp_keepalive", "", "write it once, beside `additional_addresses`"),
];

pub(super) const CONNECTION_BALANCE: &[Unsupported] =
    &[group("extend_balance", "there are no extensions", "write `exact_balance: {}`")];

pub(super) const FILTER_CHAIN: &[Unsupported] = &[
    group("use_proxy_proto", "the PROXY protocol is not read", REMOVE),
    group("metadata on_demand_configuration", "", REMOVE),
];

pub(super) const FILTER: &[Unsupported] = &[group("config_discovery", NO_XDS, "write `typed_config`")];

pub(super) const HTTP_FILTER: &[Unsupported] = &[
    group("config_discovery", NO_XDS, "write `typed_config`"),
    group("is_optional disabled", NO_FILTERS, REMOVE),
];

pub(super) const ROUTER: &[Unsupported] = &[
    group(
        "upstream_log upstream_log_options",
        "the primary's attempts have no log of their own",
        "remove it; copies are logged by `access_log` in the cluster's `metadata.filter_metadata.mimir_mirror`",
    ),
    group("upstream_http_filters", NO_FILTERS, REMOVE),
    group(
        "dynamic_stats start_child_span strict_check_headers \
         suppress_grpc_request_failure_code_stats reject_connect_request_early_data",
        "",
        REMOVE,
    ),
];

/// Of the connection manager; taken, with a warning.
pub(super) const MANAGER_WITHOUT_EFFECT: [&str; 3] =
    ["drain_timeout", "drain_timeout_jitter", "delayed_close_timeout"];

pub(super) const HCM: &[Unsupported] = &[
    group("rds scoped_routes", NO_XDS, "write the routes into `route_config`"),
    group(
        "access_log_flush_interval flush_access_log_on_new_request access_log_options",
        "a request has one line, written at its end",
        REMOVE,
    ),
    group("tracing", "there is no tracing", REMOVE),
    group("http3_protocol_options", "HTTP/3 is not supported", REMOVE),
    group(
        "upgrade_configs",
        "upgrades (websocket, CONNECT) are not supported",
        "remove it: Mimir needs none, and a request that asks for one gets 403",
    ),
    group("path_normalization_options", "paths are passed on as received", REMOVE),
    group("forward_client_cert_matcher", "", "write `forward_client_cert_details`"),
    group("local_reply_config", "answers are not rewritten", REMOVE),
    group(
        "stream_flush_timeout \
         http1_safe_max_connection_duration",
        "",
        REMOVE,
    ),
    group(
        "add_user_agent",
        "headers are added where a file names them",
        "write the header with `request_headers_to_add` and `append_action: ADD_IF_ABSENT`",
    ),
    group("scheme_header_transformation", "a request's scheme is its connection's", REMOVE),
    group(
        "original_ip_detection_extensions",
        "whom a request is from stands in `x-forwarded-for`",
        "remove it; `xff_num_trusted_hops` and `use_remote_address` are supported",
    ),
    group(
        "early_header_mutation_extensions",
        "headers are changed by routes",
        "write `request_headers_to_add` or `request_headers_to_remove` into `route_config`",
    ),
    group("request_id_extension", "ids are random UUIDs", REMOVE),
    group(
        "append_local_overload proxy_status_config forward_proto_config",
        "of Envoy's own header changes this version has the defaults and the switches in docs/envoy.md",
        REMOVE,
    ),
    group(
        "proxy_100_continue represent_ipv4_remote_address_as_ipv4_mapped_ipv6 \
         stream_error_on_invalid_http_message typed_header_validation_config \
         add_proxy_protocol_connection_state record_route_resolution_stats",
        "",
        REMOVE,
    ),
];

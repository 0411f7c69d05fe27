//! Messages of clusters and their endpoints.

use super::{NO_XDS, REMOVE, group};
use crate::read::Unsupported;

pub(in crate::envoy) const CLUSTER: &[Unsupported] = &[
    group(
        "transport_socket_matches transport_socket_matcher",
        "all endpoints of a cluster are reached in one way",
        "write `transport_socket`, and a cluster of its own for endpoints that differ",
    ),
    group("extension_protocol_options", "the v2 spelling", "write `typed_extension_protocol_options`"),
    group("upstream_config", "clusters are spoken to in HTTP", REMOVE),
    group(
        "outlier_detection",
        NO_EJECTION,
        "remove it; `health_checks` take an endpoint out that does not answer",
    ),
    group(
        "ring_hash_lb_config maglev_lb_config",
        "this proxy does not hash requests onto endpoints",
        "remove it; `lb_policy` can be ROUND_ROBIN, LEAST_REQUEST or RANDOM",
    ),
    group(
        "original_dst_lb_config lb_subset_config",
        "endpoints are chosen in turn, at random or by their requests",
        REMOVE,
    ),
    group("eds_cluster_config lrs_server lrs_report_endpoint_metrics", NO_XDS, "write `load_assignment`"),
    group(
        "alt_stat_name stats_matcher",
        "statistics bear the cluster's name",
        "remove it; name the cluster as its statistics shall be called",
    ),
    group(
        "preconnect_policy",
        "connections are opened when requests need them",
        "remove it; idle connections are kept for a minute",
    ),
    group(
        "wait_for_warm_on_init cleanup_interval filters track_timeout_budgets track_cluster_stats \
         connection_pool_per_downstream_connection queuing_policies",
        "",
        REMOVE,
    ),
];

const NO_EJECTION: &str = "no endpoint is taken out because of what it answers to requests";
const PLAIN_BALANCING: &str = "endpoints of all localities are equal, and new ones from their first moment";

pub(in crate::envoy) const CARES: &[Unsupported] = &[group(
    "use_resolvers_as_fallback filter_unroutable_families udp_max_queries query_timeout_seconds query_tries \
     rotate_nameservers edns0_max_payload_size max_udp_channel_duration reinit_channel_on_timeout qcache_max_ttl",
    "a query is tried twice at each server, 2 s each",
    REMOVE,
)];

pub(in crate::envoy) const ROUND_ROBIN: &[Unsupported] =
    &[group("slow_start_config locality_lb_config", PLAIN_BALANCING, REMOVE)];

pub(in crate::envoy) const LEAST_REQUEST: &[Unsupported] = &[
    group("slow_start_config locality_lb_config", PLAIN_BALANCING, REMOVE),
    group("active_request_bias enable_full_scan selection_method", "only `choice_count` can be set", REMOVE),
];

pub(in crate::envoy) const COMMON_LB: &[Unsupported] = &[
    group("zone_aware_lb_config locality_weighted_lb_config", PLAIN_BALANCING, REMOVE),
    group("consistent_hashing_lb_config", "this proxy does not hash requests onto endpoints", REMOVE),
    group(
        "close_connections_on_host_set_change ignore_new_hosts_until_first_hc override_host_status",
        "",
        REMOVE,
    ),
];

pub(in crate::envoy) const CIRCUIT_BREAKERS: &[Unsupported] =
    &[group("per_host_thresholds", "thresholds are a cluster's, not an endpoint's", "write `thresholds`")];

pub(in crate::envoy) const THRESHOLDS: &[Unsupported] = &[
    group("max_connection_pools", "a worker has one pool for a cluster, of which there is no more", REMOVE),
    group("retry_budget", "retries are bounded by their number", "write `max_retries`"),
];

pub(in crate::envoy) const HEALTH_CHECK: &[Unsupported] = &[
    group(
        "grpc_health_check",
        "gRPC is not spoken to endpoints by checks",
        "write `http_health_check: { path: /ready }`",
    ),
    group(
        "custom_health_check",
        "HTTP and TCP checks are the only ones",
        "write `http_health_check: { path: /ready }`",
    ),
    group(
        "event_log_path event_logger event_service always_log_health_check_failures always_log_health_check_success",
        "changes of health stand in the log",
        REMOVE,
    ),
    group("tls_options transport_socket_match_criteria", "", REMOVE),
];

pub(in crate::envoy) const HTTP_CHECK: &[Unsupported] = &[
    group(
        "send receive response_buffer_size",
        "the status alone tells",
        "remove it; write `expected_statuses`",
    ),
    group("request_headers_to_remove", "a check carries host and user-agent, and what is added", REMOVE),
    group("use_http2 use_alpn_protocol", "health checks are HTTP/1.1", REMOVE),
    group("service_name_matcher service_name", "the status alone tells", REMOVE),
];

pub(in crate::envoy) const TCP_CHECK: &[Unsupported] = &[group(
    "send receive proxy_protocol_config",
    "a connection is all that is asked",
    "remove it, or write `http_health_check: { path: /ready }`",
)];

pub(in crate::envoy) const CONNECTION_OPTIONS: &[Unsupported] =
    &[group("set_local_interface_name_on_upstream_connections happy_eyeballs_config", "", REMOVE)];

pub(in crate::envoy) const CLUSTER_MANAGER: &[Unsupported] = &[
    group("local_cluster_name", "there is no routing by zones", REMOVE),
    group("outlier_detection", "no endpoint is ejected for its answers, so there is no log of it", REMOVE),
    group("load_stats_config enable_deferred_cluster_creation", NO_XDS, REMOVE),
];

pub(in crate::envoy) const BIND_CONFIG: &[Unsupported] = &[
    group(
        "extra_source_addresses additional_source_addresses local_address_selector",
        "connections of a cluster come from one address",
        "remove it; write a cluster of its own for endpoints that shall be reached from another",
    ),
    group("freebind", "the address must be one of this machine's", REMOVE),
    group("socket_options", "options of sockets have fields of their own", REMOVE),
];

pub(in crate::envoy) const CHECK_CONFIG: &[Unsupported] =
    &[group("hostname address", "checks go to the endpoint's address, with the check's `host`", REMOVE)];

pub(in crate::envoy) const LOAD_ASSIGNMENT: &[Unsupported] =
    &[group("named_endpoints", "", "write the endpoints in place"), group("policy", "", REMOVE)];

pub(in crate::envoy) const LOCALITY: &[Unsupported] = &[
    group("load_balancer_endpoints leds_cluster_locality_config", NO_XDS, "write `lb_endpoints`"),
    group("metadata proximity", "", REMOVE),
];

pub(in crate::envoy) const LB_ENDPOINT: &[Unsupported] =
    &[group("endpoint_name", "", "write the endpoint in place"), group("metadata", "", REMOVE)];

pub(in crate::envoy) const ENDPOINT: &[Unsupported] =
    &[group("additional_addresses observability_name", "", REMOVE)];

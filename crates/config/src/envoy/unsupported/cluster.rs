//! Messages of clusters and their endpoints.

use super::{NO_XDS, REMOVE, TLS_HELP, group};
use crate::read::Unsupported;

pub(in crate::envoy) const CLUSTER: &[Unsupported] = &[
    group(
        "transport_socket transport_socket_matches transport_socket_matcher tls_context",
        "clusters are reached in plain HTTP",
        TLS_HELP,
    ),
    group("extension_protocol_options", "the v2 spelling", "write `typed_extension_protocol_options`"),
    group("upstream_http_protocol_options", "clusters are reached in plain HTTP", REMOVE),
    group("upstream_config", "clusters are spoken to in HTTP", REMOVE),
    group(
        "health_checks ignore_health_on_host_removal close_connections_on_host_health_failure \
         drain_connections_on_host_removal",
        "endpoints are not probed",
        REMOVE,
    ),
    group("outlier_detection", "endpoints are not ejected", REMOVE),
    group(
        "circuit_breakers",
        "a mirror's bounds are in its settings",
        "write `max_connections` and `max_copies` in the cluster's `metadata.filter_metadata.mimir_mirror`",
    ),
    group(
        "ring_hash_lb_config maglev_lb_config least_request_lb_config round_robin_lb_config \
         original_dst_lb_config lb_subset_config common_lb_config load_balancing_policy",
        "endpoints are chosen in turn",
        REMOVE,
    ),
    group("cluster_type", "", "write `type: STRICT_DNS` with `dns_refresh_rate` and `dns_lookup_family`"),
    group("eds_cluster_config lrs_server lrs_report_endpoint_metrics", NO_XDS, "write `load_assignment`"),
    group(
        "respect_dns_ttl dns_failure_refresh_rate dns_jitter dns_resolvers use_tcp_for_dns_lookups \
         dns_resolution_config typed_dns_resolver_config",
        "names are resolved by the system, every `dns_refresh_rate`",
        REMOVE,
    ),
    group("per_connection_buffer_high_watermark_timeout", "a mirror cannot hold up a client here", REMOVE),
    group(
        "alt_stat_name stats_matcher wait_for_warm_on_init cleanup_interval upstream_bind_config \
         upstream_connection_options filters track_timeout_budgets track_cluster_stats preconnect_policy \
         connection_pool_per_downstream_connection queuing_policies",
        "",
        REMOVE,
    ),
];

pub(in crate::envoy) const LOAD_ASSIGNMENT: &[Unsupported] =
    &[group("named_endpoints", "", "write the endpoints in place"), group("policy", "", REMOVE)];

pub(in crate::envoy) const LOCALITY: &[Unsupported] = &[
    group("load_balancer_endpoints leds_cluster_locality_config", NO_XDS, "write `lb_endpoints`"),
    group("metadata proximity", "", REMOVE),
];

pub(in crate::envoy) const LB_ENDPOINT: &[Unsupported] =
    &[group("endpoint_name", "", "write the endpoint in place"), group("health_status metadata", "", REMOVE)];

pub(in crate::envoy) const ENDPOINT: &[Unsupported] = &[
    group("health_check_config", "endpoints are not probed", REMOVE),
    group("hostname additional_addresses observability_name", "", REMOVE),
];

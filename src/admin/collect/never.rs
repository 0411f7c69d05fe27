//! What Envoy counts and cannot happen here: 0, and truly so. A dashboard then shows a flat line instead of nothing.
//!
//! Whoever makes one of these possible counts it (see the room's opening words) and takes its name out; a name that
//! stands in both places is no harm, since samples of one name are added up. What does happen here and is not counted
//! is left out on purpose: no number is better than a wrong one.

use super::{Kind, Labels, Metrics};

/// Names after `cluster.<name>.`
const CLUSTER: [(Kind, &str); 2] = [
    (
        Kind::Counter,
        "assignment_stale assignment_timeout_received assignment_use_cached bind_errors \
         http1.dropped_headers_with_underscores http1.metadata_not_supported_error \
         http1.requests_rejected_with_underscores_in_headers http1.response_flood \
         lb_healthy_panic lb_local_cluster_not_ok lb_recalculate_zone_structures lb_subsets_created \
         lb_subsets_fallback lb_subsets_fallback_panic lb_subsets_removed lb_subsets_selected \
         lb_zone_cluster_too_small lb_zone_no_capacity_left lb_zone_routing_all_directly \
         lb_zone_routing_cross_zone lb_zone_routing_sampled original_dst_host_invalid \
         upstream_cx_close_notify upstream_cx_connect_attempts_exceeded upstream_cx_connect_with_0_rtt \
         upstream_cx_http3_total \
         upstream_cx_pool_overflow upstream_cx_preconnect_skipped upstream_http3_broken \
         upstream_internal_redirect_failed_total upstream_internal_redirect_succeeded_total \
         upstream_rq_0rtt \
         upstream_rq_maintenance_mode upstream_rq_rx_reset_no_error \
         upstream_rq_max_duration_reached upstream_rq_per_try_idle_timeout \
         upstream_rq_retry_backoff_ratelimited",
    ),
    (
        Kind::Gauge,
        "circuit_breakers.default.cx_open circuit_breakers.default.cx_pool_open \
         circuit_breakers.default.rq_open circuit_breakers.default.rq_pending_open \
         circuit_breakers.default.rq_retry_open circuit_breakers.high.cx_open \
         circuit_breakers.high.cx_pool_open circuit_breakers.high.rq_open circuit_breakers.high.rq_pending_open \
         circuit_breakers.high.rq_retry_open lb_subsets_active membership_degraded membership_excluded upstream_queue_overloaded \
         version warming_state",
    ),
];

/// Names after `http.<stat_prefix>.`, of the connection manager
const HTTP: [(Kind, &str); 2] = [
    (
        Kind::Counter,
        "downstream_cx_delayed_close_timeout downstream_cx_http3_total \
         downstream_cx_overload_disable_keepalive downstream_cx_upgrades_total \
         downstream_rq_failed_path_normalization downstream_rq_http3_total downstream_rq_max_duration_reached \
         downstream_rq_non_relative_path downstream_rq_overload_close \
         downstream_rq_redirected_with_normalized_path downstream_rq_rejected_via_ip_detection \
         downstream_rq_too_large rs_too_large",
    ),
    (Kind::Gauge, "downstream_cx_http1_soft_drain downstream_cx_http3_active downstream_cx_upgrades_active"),
];

/// ... and of its router and tracer, which the admin listener has not.
const ROUTER: [(Kind, &str); 1] = [(
    Kind::Counter,
    "no_cluster passthrough_internal_redirect_bad_location passthrough_internal_redirect_no_route \
     passthrough_internal_redirect_predicate passthrough_internal_redirect_too_many_redirects \
     passthrough_internal_redirect_unsafe_scheme rq_direct_response rq_overload_local_reply rq_redirect \
     tracing.client_enabled tracing.health_check tracing.not_traceable tracing.random_sampling \
     tracing.service_forced",
)];

/// Names after `listener.<address>.`
const LISTENER: [(Kind, &str); 2] = [
    (
        Kind::Counter,
        "downstream_cx_overload_reject \
         downstream_listener_filter_error downstream_listener_filter_remote_close downstream_pre_cx_timeout \
         extension_config_missing network_extension_config_missing",
    ),
    (Kind::Gauge, "downstream_pre_cx_active"),
];

/// Whole names.
const PROCESS: [(Kind, &str); 2] = [
    (
        Kind::Counter,
        "cluster_manager.cluster_modified cluster_manager.cluster_removed cluster_manager.cluster_updated \
         cluster_manager.cluster_updated_via_merge cluster_manager.update_merge_cancelled \
         cluster_manager.update_out_of_merge_window http.async-client.no_cluster http.async-client.no_route \
         http.async-client.rq_direct_response http.async-client.rq_redirect \
         http.async-client.passthrough_internal_redirect_bad_location \
         http.async-client.passthrough_internal_redirect_no_route \
         http.async-client.passthrough_internal_redirect_predicate \
         http.async-client.passthrough_internal_redirect_too_many_redirects \
         http.async-client.passthrough_internal_redirect_unsafe_scheme \
         http.async-client.rq_overload_local_reply \
         http1.dropped_headers_with_underscores http1.metadata_not_supported_error \
         http1.requests_rejected_with_underscores_in_headers http1.response_flood \
         listener_manager.listener_create_failure listener_manager.listener_in_place_updated \
         listener_manager.listener_modified listener_manager.listener_removed \
         listener_manager.listener_stopped runtime.deprecated_feature_use \
         runtime.load_error runtime.override_dir_exists server.debug_assertion_failures \
         server.dropped_stat_flushes server.dynamic_unknown_fields server.envoy_bug_failures \
         server.static_unknown_fields server.wip_protos",
    ),
    (
        Kind::Gauge,
        "cluster_manager.warming_clusters listener_manager.total_filter_chains_draining \
         listener_manager.total_listeners_draining listener_manager.total_listeners_warming \
         runtime.admin_overrides_active runtime.num_keys runtime.num_layers runtime.deprecated_feature_seen_since_process_start \
         server.compilation_settings.fips_mode server.parent_connections \
         server.stats_recent_lookups",
    ),
];

/// Of `cluster.<name>`.
pub(super) fn cluster(name: &str, labels: &dyn Fn() -> Labels, metrics: &mut Metrics) {
    put(&CLUSTER, "envoy_cluster_", &format!("cluster.{name}."), labels, metrics);
}

/// Names after `cluster.<name>.http2.`
const HTTP2: [(Kind, &str); 2] = [
    (
        Kind::Counter,
        "dropped_headers_with_underscores inbound_priority_frames_flood inbound_window_update_frames_flood \
         metadata_empty_frames nghttp2_downstream_connections nghttp2_upstream_connections \
         oghttp2_downstream_connections oghttp2_upstream_connections requests_rejected_with_underscores_in_headers \
         tx_flush_timeout",
    ),
    (Kind::Gauge, "deferred_stream_close"),
];

/// Of `cluster.<name>.http2`.
pub(super) fn http2(name: &str, labels: &dyn Fn() -> Labels, metrics: &mut Metrics) {
    put(&HTTP2, "envoy_cluster_http2_", &format!("cluster.{name}.http2."), labels, metrics);
}

/// Of `http.<prefix>`.
pub(super) fn http(prefix: &str, labels: &dyn Fn() -> Labels, metrics: &mut Metrics) {
    put(&HTTP, "envoy_http_", &format!("http.{prefix}."), labels, metrics);
}

/// Of `http.<prefix>`, where there is a router.
pub(super) fn router(prefix: &str, labels: &dyn Fn() -> Labels, metrics: &mut Metrics) {
    put(&ROUTER, "envoy_http_", &format!("http.{prefix}."), labels, metrics);
}

/// Of `listener.<address>`.
pub(super) fn listener(address: &str, labels: &dyn Fn() -> Labels, metrics: &mut Metrics) {
    put(&LISTENER, "envoy_listener_", &format!("listener.{address}."), labels, metrics);
}

/// Of `listener.admin`, whose metrics have that name in theirs.
pub(super) fn admin_listener(metrics: &mut Metrics) {
    let [mut counters, gauges] = LISTENER;
    // A listener of Envoy's own making has no extensions to miss.
    counters.1 = "downstream_cx_overflow downstream_cx_overload_reject \
         downstream_cx_transport_socket_connect_timeout downstream_global_cx_overflow \
         downstream_listener_filter_error downstream_listener_filter_remote_close downstream_pre_cx_timeout \
         no_filter_chain_match";
    put(&[counters, gauges], "envoy_listener_admin_", "listener.admin.", &Vec::new, metrics);
}

/// Of the process; what is `http.async-client`'s has that label.
pub(super) fn process(metrics: &mut Metrics) {
    for (kind, names) in PROCESS {
        for name in names.split_ascii_whitespace() {
            let (family, labels) = match name.strip_prefix("http.async-client.") {
                Some(rest) => {
                    (format!("envoy_http_{rest}"), vec![(super::http::PREFIX, "async-client".to_owned())])
                }
                None => (format!("envoy_{}", name.replace('.', "_")), Vec::new()),
            };
            metrics.envoy(family, kind, name.to_owned(), labels, 0);
        }
    }
}

fn put(all: &[(Kind, &str)], family: &str, text: &str, labels: &dyn Fn() -> Labels, metrics: &mut Metrics) {
    for (kind, names) in all {
        for name in names.split_ascii_whitespace() {
            let family = format!("{family}{}", name.replace('.', "_"));
            metrics.envoy(family, *kind, format!("{text}{name}"), labels(), 0);
        }
    }
}

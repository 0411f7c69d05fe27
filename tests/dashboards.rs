//! Dashboards and alerts made for Envoy: a real Prometheus scrapes ours, and what public dashboards ask of it has an
//! answer. The expressions are those of part of the dashboard 11021 of grafana.com and of two public mixins, with
//! their variables filled in.

use crate::dsl::prometheus::Prometheus;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

/// What must have data once a request has passed. Rates are over the last minute.
const EXPRESSIONS: &[&str] = &[
    // The process.
    "sum(envoy_server_live{})",
    "avg(envoy_server_uptime)",
    "sum(envoy_server_memory_allocated{})",
    "sum(envoy_server_memory_heap_size)",
    "sum(envoy_server_memory_physical_size)",
    "sum(envoy_server_total_connections)",
    "sum(envoy_server_concurrency) by (instance)",
    "min(envoy_server_days_until_first_cert_expiring)",
    "sum(envoy_cluster_manager_active_clusters)",
    "sum(envoy_listener_manager_total_listeners_active)",
    "sum(envoy_cluster_version{envoy_cluster_name!=\"envoy-admin\"}) by (envoy_cluster_name)",
    // Health of clusters.
    "sum(envoy_cluster_membership_total{envoy_cluster_name=~\".*\"}) - sum(envoy_cluster_membership_healthy{envoy_cluster_name=~\".*\"})",
    "(sum(envoy_cluster_membership_total) - sum(envoy_cluster_membership_healthy)) == bool 0",
    "sum(envoy_cluster_membership_healthy) / sum(envoy_cluster_membership_total) * 100",
    "avg(envoy_cluster_membership_change{envoy_cluster_name=~\".*\"}) by (envoy_cluster_name)",
    "sum(rate(envoy_cluster_update_attempt[1m]))",
    "sum(rate(envoy_cluster_lb_healthy_panic[1m]))",
    // Connections and requests to clusters.
    "sum(rate(envoy_cluster_upstream_cx_total{envoy_cluster_name=~\".*\"}[1m])) by (envoy_cluster_name)",
    "sum(envoy_cluster_upstream_cx_active{envoy_cluster_name=~\".*\"}) by (envoy_cluster_name)",
    "sum(envoy_cluster_upstream_rq_active{envoy_cluster_name=~\".*\"}) by (envoy_cluster_name)",
    "sum(envoy_cluster_upstream_rq_pending_active{envoy_cluster_name=~\".*\"}) by (envoy_cluster_name)",
    "sum(rate(envoy_cluster_upstream_rq_total{envoy_cluster_name=~\".*\"}[1m])) by (envoy_cluster_name)",
    "sum(rate(envoy_cluster_upstream_rq_completed{envoy_cluster_name=~\".*\"}[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~\".*\",envoy_response_code_class=\"2\"}[1m])) by (envoy_cluster_name)",
    "sum(rate(envoy_cluster_upstream_rq_xx{envoy_response_code_class!=\"5\"}[1m])) / sum(rate(envoy_cluster_upstream_rq_xx[1m])) * 100",
    "sum by (status) (label_replace(rate(envoy_cluster_upstream_rq_xx[1m]), \"status\", \"${1}xx\", \"envoy_response_code_class\", \"(.*)\"))",
    "sum(rate(envoy_cluster_upstream_rq{envoy_response_code=~\"2.*\"}[1m])) by (envoy_response_code)",
    "sum(rate(envoy_cluster_external_upstream_rq{envoy_response_code=\"200\"}[1m]))",
    "sum(rate(envoy_cluster_external_upstream_rq_completed[1m]))",
    "sum(rate(envoy_cluster_internal_upstream_rq_completed[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_timeout{envoy_cluster_name=~\".*\"}[1m])) by (envoy_cluster_name)",
    "sum(irate(envoy_cluster_upstream_rq_retry[1m])) by (envoy_cluster_name)",
    "sum(irate(envoy_cluster_upstream_rq_retry_success[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_retry_overflow[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_pending_overflow[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_pending_failure_eject[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_pending_total[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_rx_reset[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_tx_reset[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_cancelled[1m]))",
    "sum(irate(envoy_cluster_upstream_rq_maintenance_mode[1m]))",
    "sum(irate(envoy_cluster_upstream_cx_connect_fail[1m]))",
    "sum(irate(envoy_cluster_upstream_cx_connect_timeout[1m]))",
    "sum(irate(envoy_cluster_upstream_cx_overflow[1m]))",
    "sum(irate(envoy_cluster_upstream_cx_none_healthy[1m]))",
    "sum(irate(envoy_cluster_upstream_cx_protocol_error[1m]))",
    "sum(increase(envoy_cluster_upstream_cx_destroy[1m])) by (envoy_cluster_name)",
    "sum(irate(envoy_cluster_upstream_cx_destroy_local_with_active_rq[1m]))",
    "sum(irate(envoy_cluster_upstream_cx_destroy_remote_with_active_rq[1m]))",
    "sum(irate(envoy_cluster_bind_errors[1m]))",
    "irate(envoy_cluster_upstream_cx_rx_bytes_total{envoy_cluster_name=~\".*\"}[1m])",
    "irate(envoy_cluster_upstream_cx_tx_bytes_total{envoy_cluster_name=~\".*\"}[1m])",
    "sum(envoy_cluster_circuit_breakers_default_rq_open) by (envoy_cluster_name)",
    // Times of clusters.
    "histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=~\".*\"}[1m])) by (le, envoy_cluster_name)) >= 0",
    "sum(rate(envoy_cluster_upstream_rq_time_sum[1m])) / sum(rate(envoy_cluster_upstream_rq_time_count[1m])) >= 0",
    "histogram_quantile(0.9, sum(rate(envoy_cluster_external_upstream_rq_time_bucket[1m])) by (le)) >= 0",
    "sum(envoy_cluster_upstream_cx_connect_ms_count) by (envoy_cluster_name) > 0",
    "sum(envoy_cluster_upstream_cx_length_ms_count) by (envoy_cluster_name)",
    // Clients.
    "sum(rate(envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix!~\"admin|metrics\"}[1m])) by (envoy_http_conn_manager_prefix)",
    "sum(rate(envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix=~\".*\",envoy_response_code_class=\"2\"}[1m]))",
    "sum(envoy_http_downstream_rq_active) by (envoy_http_conn_manager_prefix)",
    "sum(envoy_http_downstream_cx_active) by (envoy_http_conn_manager_prefix)",
    "sum(rate(envoy_http_downstream_cx_total[1m]))",
    "sum(rate(envoy_http_downstream_cx_rx_bytes_total{envoy_http_conn_manager_prefix!=\"admin\"}[1m]))",
    "sum(rate(envoy_http_downstream_cx_tx_bytes_total{envoy_http_conn_manager_prefix!=\"admin\"}[1m]))",
    "sum(rate(envoy_http_downstream_rq_timeout[1m])) by (envoy_http_conn_manager_prefix)",
    "sum(rate(envoy_http_no_route[1m]))",
    "sum(rate(envoy_http_rq_total{envoy_http_conn_manager_prefix=\"async-client\"}[1m]))",
    "histogram_quantile(0.5, sum(rate(envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix!=\"admin\"}[1m])) by (le)) >= 0",
    "sum(envoy_http_downstream_cx_length_ms_count) by (envoy_http_conn_manager_prefix)",
    "sum(rate(envoy_listener_downstream_cx_total[1m])) by (envoy_listener_address)",
    "sum(envoy_listener_downstream_cx_active) by (envoy_listener_address)",
    "sum(envoy_listener_downstream_cx_overflow)",
    "sum(rate(envoy_listener_http_downstream_rq_xx[1m])) by (envoy_listener_address, envoy_response_code_class)",
    "sum(envoy_listener_worker_downstream_cx_active) by (envoy_worker_id)",
];

#[tokio::test]
async fn dashboards_made_for_envoy_show_data() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let config = Config::envoy().primary(primary.address()).mirror("secondary", mirror.address());
    let proxy = Proxy::start(&config).await;
    let prometheus = Prometheus::scraper(proxy.admin, "/stats/prometheus").await;
    let mut client = proxy.client().await;
    // A rate needs two scrapes, and a series at both: requests go on until each expression has its data.
    for expression in EXPRESSIONS {
        until(format!("data for {expression}"), async || {
            assert_eq!(client.exchange(&Request::push("x")).await.status(), 200);
            let values = prometheus.query(expression).await.unwrap_or_else(|e| panic!("{expression}: {e}"));
            values.iter().any(|value| value != "NaN").then_some(())
        })
        .await;
    }
    // Sums that a person would check at a glance.
    let primary =
        prometheus.query("sum(envoy_cluster_membership_healthy{envoy_cluster_name=\"primary\"})").await;
    assert_eq!(primary, Ok(vec!["1".to_owned()]));
}

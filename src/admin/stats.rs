//! `/stats` and `/stats/prometheus`: which numbers are wanted, and in which form.

use http::StatusCode;

use super::View;
use super::answer::Answer;
use super::collect::{Family, Kind, Sample, Value, collect};
use super::query::{NameFilter, Query};
use super::render;

/// `/stats`.
pub(crate) fn any(view: &View, query: &Query) -> Answer {
    respond(view, query, query.get("format").unwrap_or_default())
}

/// `/stats/prometheus`.
pub(crate) fn prometheus(view: &View, query: &Query) -> Answer {
    respond(view, query, "prometheus")
}

fn respond(view: &View, query: &Query, format: &str) -> Answer {
    let selection = match Selection::from_query(query, format) {
        Ok(selection) => selection,
        Err(answer) => return answer,
    };
    let wanted = |name: &str, family: &Family, sample: &Sample| selection.wants(name, family, sample);
    match format {
        "" | "text" => Answer::text(render::text(&collect(view), &wanted)),
        "json" => Answer::compact_json(&render::json(&collect(view), &wanted)),
        "prometheus" => match render::prometheus(&collect(view), &wanted) {
            Ok(body) => Answer::text(body),
            Err(error) => Answer::error(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => Answer::error(StatusCode::BAD_REQUEST, "usage: /stats?format=(json|prometheus|text)\n\n"),
    }
}

/// What the query asks for.
struct Selection {
    filter: NameFilter,
    /// `None` is all.
    kind: Option<Kind>,
    used_only: bool,
}

impl Selection {
    /// # Errors
    ///
    /// The answer to give when a parameter makes no sense.
    fn from_query(query: &Query, format: &str) -> Result<Self, Answer> {
        let kind = match query.get("type") {
            None | Some("All") => None,
            Some("Counters") => Some(Kind::Counter),
            Some("Gauges") => Some(Kind::Gauge),
            Some("Histograms") => Some(Kind::Histogram),
            Some(_) => return Err(Answer::error(StatusCode::BAD_REQUEST, "invalid &type= param")),
        };
        let buckets = if format == "prometheus" { "cumulative" } else { "summary" };
        if query.get("histogram_buckets").is_some_and(|mode| mode != buckets) {
            let sentence = format!("only histogram_buckets={buckets} is supported in this format\n");
            return Err(Answer::error(StatusCode::BAD_REQUEST, sentence));
        }
        Ok(Self { filter: NameFilter::from_query(query)?, kind, used_only: query.has("usedonly") })
    }

    fn wants(&self, name: &str, family: &Family, sample: &Sample) -> bool {
        // Envoy filters by the dotted name; our own metrics are known by their Prometheus name as well.
        let own = if name.starts_with("mimir_mirror_") { name } else { sample.text.as_str() };
        self.kind.is_none_or(|kind| kind == family.kind)
            && (!self.used_only || is_used(family, sample))
            && self.filter.wants(&[sample.text.as_str(), own])
    }
}

/// Whether something was ever counted. A gauge may be back at 0, so gauges are always in.
fn is_used(family: &Family, sample: &Sample) -> bool {
    match &sample.value {
        Value::Number(n) => family.kind == Kind::Gauge || *n > 0,
        Value::Durations(sum) => sum.count() > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture;

    fn get(endpoint: fn(&View, &Query) -> Answer, query: &str) -> String {
        endpoint(&fixture::busy().view, &Query::parse(query)).body
    }

    #[test]
    fn text_lines_are_envoys() {
        let body = get(any, "filter=^cluster.primary.(external.)?upstream_rq");
        let expected = "\
cluster.primary.external.upstream_rq_1xx: 0
cluster.primary.external.upstream_rq_200: 3
cluster.primary.external.upstream_rq_2xx: 3
cluster.primary.external.upstream_rq_3xx: 0
cluster.primary.external.upstream_rq_4xx: 0
cluster.primary.external.upstream_rq_503: 1
cluster.primary.external.upstream_rq_5xx: 1
cluster.primary.external.upstream_rq_completed: 4
cluster.primary.upstream_rq_1xx: 0
cluster.primary.upstream_rq_200: 3
cluster.primary.upstream_rq_2xx: 3
cluster.primary.upstream_rq_3xx: 0
cluster.primary.upstream_rq_4xx: 0
cluster.primary.upstream_rq_503: 1
cluster.primary.upstream_rq_5xx: 1
cluster.primary.upstream_rq_active: 0
cluster.primary.upstream_rq_completed: 4
cluster.primary.upstream_rq_pending_active: 0
cluster.primary.upstream_rq_pending_total: 0
cluster.primary.upstream_rq_retry: 0
cluster.primary.upstream_rq_rx_reset: 0
cluster.primary.upstream_rq_timeout: 0
cluster.primary.upstream_rq_total: 4
cluster.primary.upstream_rq_tx_reset: 0
cluster.primary.external.upstream_rq_time: P0(nan,1) P25(nan,2) P50(nan,3) P75(nan,4) P90(nan,4.6) P95(nan,4.8) P99(nan,4.96) P99.5(nan,4.98) P99.9(nan,4.996) P100(nan,5)
cluster.primary.upstream_rq_time: P0(nan,1) P25(nan,2) P50(nan,3) P75(nan,4) P90(nan,4.6) P95(nan,4.8) P99(nan,4.96) P99.5(nan,4.98) P99.9(nan,4.996) P100(nan,5)
";
        assert_eq!(body, expected);
    }

    #[test]
    fn a_histogram_without_values_says_so() {
        let body = get(any, "filter=^cluster.mirror_a.upstream_rq_time&type=Histograms");
        assert_eq!(body, "cluster.mirror_a.upstream_rq_time: No recorded values\n");
    }

    #[test]
    fn json_has_envoys_shape() {
        let body = get(any, "format=json&filter=^http.ingress.(rq_total|downstream_rq_time)$");
        let expected = concat!(
            r#"{"stats":[{"name":"http.ingress.rq_total","value":4},{"histograms":{"supported_quantiles":"#,
            r#"[0,25,50,75,90,95,99,99.5,99.9,100],"computed_quantiles":[{"name":"http.ingress.downstream_rq_time","#,
            r#""values":[{"cumulative":null,"interval":null},"#,
        );
        assert!(body.starts_with(expected), "{body}");
        assert_eq!(get(any, "format=json&filter=nothing"), r#"{"stats":[]}"#);
    }

    #[test]
    fn prometheus_names_are_envoys_after_tag_extraction() {
        let body = get(prometheus, "");
        for line in [
            "# TYPE envoy_cluster_upstream_rq_total counter",
            r#"envoy_cluster_upstream_rq_total{envoy_cluster_name="primary"} 4"#,
            r#"envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="primary"} 3"#,
            r#"envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="primary"} 1"#,
            r#"envoy_cluster_external_upstream_rq{envoy_response_code="503",envoy_cluster_name="primary"} 1"#,
            r#"envoy_cluster_internal_upstream_rq_completed{envoy_cluster_name="mirror_a"} 2"#,
            r#"envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="primary",le="1"} 0"#,
            r#"envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="primary",le="5"} 4"#,
            r#"envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="primary",le="3600000"} 4"#,
            r#"envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="primary",le="+Inf"} 4"#,
            r#"envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="primary"} 16"#,
            r#"envoy_cluster_upstream_rq_time_count{envoy_cluster_name="primary"} 4"#,
            r#"envoy_cluster_membership_healthy{envoy_cluster_name="primary"} 1"#,
            r#"envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="ingress"} 3"#,
            r#"envoy_http_rq_total{envoy_http_conn_manager_prefix="async-client"} 5"#,
            r#"envoy_listener_downstream_cx_total{envoy_listener_address="127.0.0.1_9900"} 7"#,
            r#"envoy_listener_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="ingress",envoy_listener_address="127.0.0.1_9900"} 3"#,
            "envoy_server_live 1",
            "envoy_server_concurrency 2",
            "envoy_cluster_manager_active_clusters 2",
            "envoy_listener_manager_total_listeners_active 1",
        ] {
            assert!(body.lines().any(|l| l == line), "{line} is not in\n{body}");
        }
    }

    #[test]
    fn our_own_metrics_have_help_base_units_and_every_outcome() {
        let body = get(prometheus, "filter=^mimir_mirror_");
        for line in [
            "# TYPE mimir_mirror_requests_total counter",
            "# HELP mimir_mirror_requests_total Copies by how they ended. Each copy has exactly one outcome.",
            r#"mimir_mirror_requests_total{mirror="a \"quoted\" name",outcome="delivered",reason=""} 2"#,
            r#"mimir_mirror_requests_total{mirror="a \"quoted\" name",outcome="rejected",reason="out_of_order"} 0"#,
            r#"mimir_mirror_received_total{mirror="a \"quoted\" name"} 5"#,
            r#"mimir_mirror_pending_requests{mirror="a \"quoted\" name"} 2"#,
            r#"mimir_mirror_lag_seconds{mirror="a \"quoted\" name"} 1.5"#,
            r#"mimir_mirror_buffer_limit_bytes{mirror="a \"quoted\" name"} 268435456"#,
            r#"mimir_mirror_request_duration_seconds_bucket{mirror="a \"quoted\" name",le="0.0005"} 0"#,
            r#"mimir_mirror_request_duration_seconds_bucket{mirror="a \"quoted\" name",le="0.025"} 2"#,
            r#"mimir_mirror_request_duration_seconds_sum{mirror="a \"quoted\" name"} 0.04"#,
            r#"mimir_mirror_primary_request_duration_seconds_count{cluster="primary"} 4"#,
            r#"mimir_mirror_trailers_dropped_total{listener="ingress"} 0"#,
        ] {
            assert!(body.lines().any(|l| l == line), "{line} is not in\n{body}");
        }
        let outcomes = body.lines().filter(|line| line.starts_with("mimir_mirror_requests_total{")).count();
        assert_eq!(outcomes, crate::stats::mirror::Outcome::ALL.len());
        assert!(!body.contains("envoy_"), "{body}");
        assert!(!body.contains(r#"primary_request_duration_seconds_count{cluster="mirror_a"}"#));
    }

    #[test]
    fn text_form_of_our_own() {
        let body = get(any, "filter=^mirror");
        for line in [
            r#"mirror.a "quoted" name.received: 5"#,
            r#"mirror.a "quoted" name.requests.failed.http_5xx: 1"#,
            r#"mirror.a "quoted" name.lag_ms: 1500"#,
        ] {
            assert!(body.lines().any(|l| l == line), "{line} is not in\n{body}");
        }
    }

    #[test]
    fn used_only_leaves_out_what_never_happened_but_no_gauge() {
        let body = get(any, "usedonly&filter=^cluster.primary.upstream_rq");
        assert!(!body.contains("upstream_rq_timeout"), "{body}");
        assert!(body.contains("cluster.primary.upstream_rq_active: 0\n"), "{body}");
        assert!(body.contains("cluster.primary.upstream_rq_total: 4\n"), "{body}");
    }

    #[test]
    fn kinds_can_be_chosen() {
        let body = get(any, "type=Gauges&filter=^cluster.primary");
        assert!(body.contains("upstream_cx_active"), "{body}");
        assert!(!body.contains("upstream_cx_total"), "{body}");
    }

    #[test]
    fn senseless_parameters_are_refused() {
        let view = fixture::new().view;
        for query in ["format=html", "type=counters", "filter=[", "histogram_buckets=detailed"] {
            assert_eq!(any(&view, &Query::parse(query)).status, StatusCode::BAD_REQUEST, "{query}");
        }
        assert_eq!(prometheus(&view, &Query::parse("histogram_buckets=cumulative")).status, StatusCode::OK);
    }
}

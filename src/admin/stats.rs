//! `/stats` and `/stats/prometheus`: which numbers are wanted, and in which form.

use http::StatusCode;

use super::View;
use super::answer::Answer;
use super::collect::{Family, Kind, Sample, Value, collect};
use super::query::{NameFilter, Query};
use super::render::{self, Buckets, Page};

/// `/stats`.
pub(crate) fn any(view: &View, query: &Query) -> Answer {
    let form = match query.get("format") {
        None | Some("text") => Some(Form::Text),
        Some("json") => Some(Form::Json),
        Some("prometheus") => Some(Form::Prometheus),
        Some("html") => Some(Form::Html),
        Some("active-html") => Some(Form::ActiveHtml),
        Some(_) => None,
    };
    respond(view, query, form)
}

/// `/stats/prometheus`.
pub(crate) fn prometheus(view: &View, query: &Query) -> Answer {
    respond(view, query, Some(Form::Prometheus))
}

/// The forms of `/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Prometheus,
    Html,
    /// A page that loads itself again.
    ActiveHtml,
}

fn respond(view: &View, query: &Query, form: Option<Form>) -> Answer {
    let Some(form) = form else {
        let usage = "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n";
        return Answer::error(StatusCode::BAD_REQUEST, usage);
    };
    let (selection, buckets) = match (Selection::from_query(query), buckets(query, form)) {
        (Ok(selection), Ok(buckets)) => (selection, buckets),
        (Err(answer), _) | (_, Err(answer)) => return answer,
    };
    let mut metrics = collect(view);
    if view.config.process.stats_flush_on_admin {
        view.books.turn(&metrics);
    }
    view.books.rebase(&mut metrics);
    let page = Page {
        metrics: &metrics,
        wanted: &|name, family, sample| selection.wants(name, family, sample),
        intervals: &view.books.intervals(),
        buckets,
    };
    match form {
        Form::Text => Answer::text(render::text(&page)),
        Form::Json => Answer::compact_json(&render::json(&page)),
        Form::Prometheus => Answer::text(render::prometheus(&page)),
        Form::Html | Form::ActiveHtml => Answer::html(render::html(&page, form == Form::ActiveHtml)),
    }
}

/// # Errors
///
/// The answer to give when the form has no such buckets.
fn buckets(query: &Query, form: Form) -> Result<Buckets, Answer> {
    let refused = |sentence: &str| Err(Answer::error(StatusCode::BAD_REQUEST, sentence));
    match (query.get("histogram_buckets"), form) {
        (None, Form::Prometheus) => Ok(Buckets::Cumulative),
        (None | Some("none"), _) | (Some("summary"), _) => Ok(Buckets::Summary),
        (Some("cumulative"), _) => Ok(Buckets::Cumulative),
        (Some(_), Form::Prometheus) => refused("unsupported prometheus histogram bucket mode"),
        (Some("disjoint"), _) => Ok(Buckets::Disjoint),
        (Some("detailed"), _) => Ok(Buckets::Detailed),
        _ => refused("usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary)\n"),
    }
}

/// What the query asks for.
struct Selection {
    filter: NameFilter,
    /// `None` is all.
    kinds: Option<&'static [Kind]>,
    used_only: bool,
}

impl Selection {
    /// # Errors
    ///
    /// The answer to give when a parameter makes no sense.
    fn from_query(query: &Query) -> Result<Self, Answer> {
        let kinds: Option<&'static [Kind]> = match query.get("type") {
            None | Some("All") => None,
            Some("Counters") => Some(&[Kind::Counter]),
            Some("Gauges") => Some(&[Kind::Gauge]),
            Some("Histograms") => Some(&[Kind::Histogram]),
            // There are none.
            Some("TextReadouts") => Some(&[]),
            Some(_) => return Err(Answer::error(StatusCode::BAD_REQUEST, "invalid &type= param")),
        };
        Ok(Self { filter: NameFilter::from_query(query)?, kinds, used_only: query.has("usedonly") })
    }

    fn wants(&self, name: &str, family: &Family, sample: &Sample) -> bool {
        // Envoy filters by the dotted name; our own metrics are known by their Prometheus name as well.
        let own = if name.starts_with("mimir_mirror_") { name } else { sample.text.as_str() };
        self.kinds.is_none_or(|kinds| kinds.contains(&family.kind))
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
        let body = get(any, "filter=^cluster.primary.external.upstream_rq");
        let expected = "\
cluster.primary.external.upstream_rq_1xx: 0
cluster.primary.external.upstream_rq_200: 3
cluster.primary.external.upstream_rq_2xx: 3
cluster.primary.external.upstream_rq_3xx: 0
cluster.primary.external.upstream_rq_4xx: 0
cluster.primary.external.upstream_rq_503: 1
cluster.primary.external.upstream_rq_5xx: 1
cluster.primary.external.upstream_rq_completed: 4
cluster.primary.external.upstream_rq_time: P0(nan,3.9) P25(nan,3.925) P50(nan,3.95) P75(nan,3.975) P90(nan,3.99) P95(nan,3.995) P99(nan,3.999) P99.5(nan,3.9995) P99.9(nan,3.9999) P100(nan,4)
";
        assert_eq!(body, expected);
    }

    #[test]
    fn distributions_can_be_shown_by_bucket() {
        let fixture = fixture::busy();
        let view = &fixture.view;
        view.books.turn(&collect(view));
        view.stats.workers[0].clusters[0].external.time.record(std::time::Duration::from_millis(30));
        let get = |query: &str| {
            any(view, &Query::parse(&format!("filter=primary.external.upstream_rq_time&{query}"))).body
        };
        let cumulative = get("histogram_buckets=cumulative");
        assert!(cumulative.starts_with("cluster.primary.external.upstream_rq_time: B0.5(0,0) B1(0,0) B5(4,4) B10(4,4) B25(4,4) B50(4,5) "), "{cumulative}");
        assert!(cumulative.ends_with(" B1.8e+06(4,5) B3.6e+06(4,5)\n"), "{cumulative}");
        let disjoint = get("histogram_buckets=disjoint");
        assert!(disjoint.contains(" B1(0,0) B5(4,4) B10(0,0) B25(0,0) B50(0,1) B100(0,0) "), "{disjoint}");
        let detailed = get("histogram_buckets=detailed");
        assert!(
            detailed.contains(":\n  totals=3.9,0.1:4, 29,1:1\n  intervals=3.9,0.1:4\n  summary=P0(3.9,3.9) "),
            "{detailed}"
        );
        let json: serde_json::Value =
            serde_json::from_str(&get("format=json&histogram_buckets=detailed")).unwrap();
        let one = &json["stats"][0]["histograms"]["details"][0];
        assert_eq!(one["totals"][1], serde_json::json!({"lower_bound": 29, "width": 1, "count": 1}));
        let json: serde_json::Value =
            serde_json::from_str(&get("format=json&histogram_buckets=disjoint")).unwrap();
        let bucket = &json["stats"][0]["histograms"][0]["buckets"][5];
        assert_eq!(*bucket, serde_json::json!({"upper_bound": 50, "interval": 0, "cumulative": 1}));
        let page = get("format=active-html");
        assert!(page.contains("refresh") && page.contains("\n<pre>\ncluster.primary.external"), "{page}");
    }

    #[test]
    fn prometheus_can_have_quantiles() {
        let body = get(prometheus, "histogram_buckets=summary&filter=primary.external.upstream_rq_time");
        let expected = "\
# TYPE envoy_cluster_external_upstream_rq_time summary
envoy_cluster_external_upstream_rq_time{envoy_cluster_name=\"primary\",quantile=\"0\"} 3.9
";
        assert!(body.starts_with(expected), "{body}");
        assert!(body.contains("quantile=\"0.995\"} 3.9995\n"), "{body}");
        assert!(body.ends_with("_sum{envoy_cluster_name=\"primary\"} 16\nenvoy_cluster_external_upstream_rq_time_count{envoy_cluster_name=\"primary\"} 4\n"), "{body}");
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
            "envoy_server_live{} 1",
            "envoy_server_concurrency{} 2",
            "envoy_cluster_manager_active_clusters{} 2",
            "envoy_listener_manager_total_listeners_active{} 1",
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
        for query in ["format=xml", "type=counters", "filter=[", "histogram_buckets=all"] {
            assert_eq!(any(&view, &Query::parse(query)).status, StatusCode::BAD_REQUEST, "{query}");
        }
        assert_eq!(prometheus(&view, &Query::parse("histogram_buckets=cumulative")).status, StatusCode::OK);
        assert_eq!(
            prometheus(&view, &Query::parse("histogram_buckets=disjoint")).status,
            StatusCode::BAD_REQUEST
        );
    }
}

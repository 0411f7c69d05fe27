//! Spellings that Envoy's parser accepts, or that v2 had, mean the same here.

#![allow(clippy::panic, reason = "test code outside of #[test] functions")]

use std::time::Duration;

use config::load_str;
use config::model::{Config, Fraction};

const V2: &str = include_str!("../../../examples/envoy-v2.yaml");
const V3: &str = include_str!("../../../examples/envoy-v3.yaml");

fn read(text: &str) -> Config {
    load_str("file", text).unwrap_or_else(|error| panic!("{error}"))
}

/// The text with one part replaced.
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in the example");
    text.replacen(from, to, 1)
}

fn shape(config: &Config) -> String {
    format!("{:#?}{:#?}{:#?}{:#?}", config.admin, config.listeners, config.clusters, config.mirrors)
}

#[test]
fn other_spellings_of_the_same() {
    let before = shape(&read(V3));
    let typed = "typed_config:\n                \"@type\": type.googleapis.com/";
    let v3_type = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let v2_type = "envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager";
    let spellings = [
        with(V3, v3_type, v2_type),
        with(V3, "extensions.filters.http.router.v3", "config.filter.http.router.v2"),
        with(V3, &format!("{typed}{v3_type}"), "config:"),
        with(V3, "name: envoy.filters.network.http_connection_manager", "name: any.name"),
        with(V3, "domains: [\"*\"]", "domains: \"*\""),
        with(V3, "port_value: 9900", "portValue: \"9900\""),
        with(V3, "timeout: 15s", "timeout: null"),
        with(V3, "timeout: 15s", "retry_policy:"),
        with(V3, "stat_prefix: mimir_ingress", "stat_prefix: mimir_ingress\n                access_log: []"),
        with(V3, "- cluster: mimir_secondary", "  cluster: mimir_secondary"),
        with(V3, "type: STRICT_DNS", "type: &t strict_dns").replace("type: STRICT_DNS", "type: *t"),
        with(V3, "type: STRICT_DNS", "type: 1"),
        with(
            V2,
            "request_mirror_policies:\n                              - cluster",
            "request_mirror_policy:\n                              cluster",
        ),
        V2.replace('\n', "\r\n"),
    ];
    for text in spellings {
        assert_eq!(shape(&read(&text)), before, "{text}");
    }
}

#[test]
fn the_document_as_json() {
    let document = read(V2).document;
    let json = serde_json::to_string_pretty(&document).unwrap_or_default();
    assert_eq!(shape(&read(&json)), shape(&read(V2)));
    assert_eq!(read(&json).document, document);
}

#[test]
fn v2_idle_timeout() {
    let text = with(
        V2,
        "stat_prefix: mimir_ingress",
        "stat_prefix: mimir_ingress\n                idle_timeout: 0s",
    );
    assert_eq!(read(&text).listeners[0].http.idle_timeout, None);
    let text = with(
        V2,
        "stat_prefix: mimir_ingress",
        "stat_prefix: mimir_ingress\n                idle_timeout: 7s",
    );
    assert_eq!(read(&text).listeners[0].http.idle_timeout, Some(Duration::from_secs(7)));
}

#[test]
fn fractions() {
    let fraction = |text: &str| {
        let text = with(
            V3,
            "- cluster: mimir_secondary",
            &format!(
                "- cluster: mimir_secondary\n                                runtime_fraction: {{ default_value: {text} }}"
            ),
        );
        read(&text).listeners[0].http.virtual_hosts[0].routes[0].forward().map(|to| to.mirrors[0].fraction)
    };
    assert_eq!(fraction("{ numerator: 0 }"), Some(Fraction { numerator: 0, denominator: 100 }));
    assert_eq!(fraction("{}"), Some(Fraction { numerator: 0, denominator: 100 }));
    assert_eq!(fraction("{ numerator: 150 }"), Some(Fraction { numerator: 150, denominator: 100 }));
    assert_eq!(
        fraction("{ numerator: \"5\", denominator: Million }"),
        Some(Fraction { numerator: 5, denominator: 1_000_000 })
    );
}

#[test]
fn places_are_right_after_other_line_ends_and_wide_characters() {
    let text = "primary: http://a\r\n# é\u{1F600}\r\nmirrors: [{ name: \"é\u{1F600}\", urll: x }]\r\n";
    let error = load_str("wide", text).err().map(|error| error.first_line().to_owned());
    assert_eq!(error.as_deref(), Some("wide:3:11: mirrors[0].url is missing"));
    let text = text.replace("name: \"é\u{1F600}\"", "url: http://b, name: \"é\u{1F600}\"");
    let error = load_str("wide", &text).err().map(|error| error.first_line().to_owned());
    assert_eq!(error.as_deref(), Some("wide:3:40: mirrors[0].urll: no such field"));
}

#[test]
fn every_error_is_named_in_one_go() {
    let text = with(V3, "timeout: 15s", "timeout: 15");
    let text = with(&text, "type: STRICT_DNS", "type: STRICT_DNS\n      outlier_detection: {}");
    let text = with(&text, "admin:", "tracing: {}\nadmin:");
    let error = load_str("many", &text).map(|_| ()).unwrap_err().to_string();
    for part in ["tracing is not supported", "has no unit", "outlier_detection is not supported"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(error.matches("error: ").count(), 3, "{error}");
}

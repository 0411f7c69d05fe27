//! The Grafana dashboard and the Prometheus rules in packaging/: promtool runs the alerts' unit tests, and a real
//! Prometheus that scrapes a running proxy has an answer to every expression.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dsl::backlog::Backlog;
use crate::dsl::prometheus::Prometheus;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The expressions of the dashboard, with its variables filled in.
fn of_the_dashboard() -> Vec<String> {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read(&packaging("grafana/mimir-mirror.json"))).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter();
    let targets = targets.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let filled = |target: &serde_json::Value| {
        let expression = target["expr"].as_str().expect("an expression").to_owned();
        let filled = [("$__rate_interval", "1m"), ("$job", "target"), ("$mirror", ".*")];
        filled.iter().fold(expression, |text, (name, value)| text.replace(name, value))
    };
    targets.map(filled).collect()
}

/// As a condition that has an answer whether it holds or not: 1 or 0.
fn as_condition(alert: &str) -> String {
    let compared = |text: String, operator: &str| text.replace(operator, &format!("{operator}bool "));
    [" > ", " < ", " == "].into_iter().fold(alert.to_owned(), compared)
}

#[test]
fn promtool_takes_the_rules_and_their_tests() {
    for arguments in [
        ["check", "rules", "rules.yaml"].as_slice(),
        &["test", "rules", "mirrors_test.yaml", "process_test.yaml"],
    ] {
        let mut promtool = Command::new("promtool");
        let output = promtool.args(arguments).current_dir(packaging("prometheus")).output().unwrap();
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

/// A test that nobody wrote is not missed by promtool.
#[test]
fn every_alert_has_a_test_and_a_runbook() {
    let rules = read(&packaging("prometheus/rules.yaml"));
    let tests =
        ["mirrors_test.yaml", "process_test.yaml"].map(|file| read(&packaging("prometheus").join(file)));
    let runbook = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts.md"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in &alerts {
        assert!(tests.concat().contains(&format!("alertname: {alert}\n")), "{alert} has no test");
        assert!(runbook.contains(&format!("\n## {alert}\n")), "{alert} has no section in docs/alerts.md");
        let link = format!("runbook_url: docs/alerts.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not link to its section");
    }
    let sections = runbook.lines().filter(|line| line.starts_with("## MimirMirror")).count();
    assert_eq!(sections, alerts.len(), "docs/alerts.md has sections of other alerts");
}

#[tokio::test]
async fn every_expression_has_an_answer_on_real_series() {
    let written =
        "HTTP/1.1 200 OK\r\nx-prometheus-remote-write-samples-written: 1\r\ncontent-length: 0\r\n\r\n";
    let primary = Upstream::scripted(move |request| {
        let fails = request.target() == "/api/prom/push";
        if fails { Reply::new(500, "") } else { Reply::raw(written) }
    })
    .await;
    let secondary = Upstream::scripted(move |_| Reply::raw(written)).await;
    let backlog = Backlog::new();
    let config = Config::native().primary(primary.address()).mirror("memory", secondary.address());
    let config = config.mirror("durable", secondary.address());
    let config = backlog.settings().iter().fold(config, |config, (key, value)| config.setting(key, value));
    let proxy = Proxy::start(&config).await;
    let rules = packaging("prometheus/rules.yaml");
    let prometheus = Prometheus::with_rules(proxy.admin, "/stats/prometheus", &rules).await;
    let rules = prometheus.rules().await;
    assert!(rules.len() > 15, "{rules:?}");
    let rules = rules.iter().map(|rule| as_condition(rule));
    // There is a process, so nothing says that there is none.
    let rules = rules.map(|rule| rule.replace("absent(mimir_mirror_build_info)", "mimir_mirror_build_info"));
    // One connection for all of it, as a sender has.
    let client = tokio::sync::Mutex::new(proxy.client().await);
    for expression in rules.chain(of_the_dashboard()) {
        until(format!("data for {expression}"), async || {
            let mut client = client.lock().await;
            client.exchange(&Request::push("x")).await;
            client.exchange(&Request::new("POST", "/api/prom/push").body("x")).await;
            let values = prometheus.query(&expression).await.unwrap_or_else(|e| panic!("{expression}: {e}"));
            (!values.is_empty()).then_some(())
        })
        .await;
    }
}

//! The Helm chart and the manifests that it makes.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::place::{python, root, said, validate};

/// Renders, holds every document that Kubernetes itself knows against its schema, and prints all as JSON.
const CHECK: &str = r#"
import json, subprocess, sys, warnings, yaml, kubernetes_validate
rendered = subprocess.run([sys.executable, "xtask/src/package/render.py", "packaging/helm/mimir-mirror"] + sys.argv[1:],
                          check=True, capture_output=True, text=True).stdout
documents = [document for document in yaml.safe_load_all(rendered) if document]
for document in documents:
    if "monitoring.coreos.com" not in document["apiVersion"]:
        for version in ("1.30", "1.34"):
            kubernetes_validate.validate(document, version, strict=True)
print(json.dumps(documents))
"#;

struct Rendered(Vec<Value>);

impl Rendered {
    fn with(values: &[&str]) -> Self {
        let text = said(python().args(["-c", CHECK]).args(values));
        Self(serde_json::from_str(&text).expect("a list of documents"))
    }

    fn one(&self, kind: &str) -> &Value {
        self.0.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    }

    fn has(&self, kind: &str) -> bool {
        self.0.iter().any(|document| document["kind"] == kind)
    }

    fn configuration(&self) -> &str {
        self.one("ConfigMap")["data"]["mimir-mirror.yaml"].as_str().expect("a file")
    }

    /// What holds whichever way copies are delivered.
    fn assert_sound(&self, workload: &str) {
        let pod = &self.one(workload)["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let args: Vec<&str> =
            container["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let drain = args.iter().find_map(|arg| arg.strip_prefix("--drain-time-s=")).expect("a drain time");
        let drain: i64 = drain.parse().unwrap();
        let before = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_i64().unwrap();
        assert!(
            pod["terminationGracePeriodSeconds"].as_i64().unwrap() > drain + before,
            "a drain is cut off"
        );
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
        assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/server_info");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(self.one("Service")["spec"]["sessionAffinity"], "ClientIP");
        assert!(self.has("PodDisruptionBudget") && self.has("NetworkPolicy"));
        let mounts = container["volumeMounts"].to_string();
        assert_eq!(mounts.contains("/var/lib/mimir-mirror"), workload == "StatefulSet", "{mounts}");
    }
}

#[test]
fn copies_in_memory_make_a_deployment() {
    let rendered = Rendered::with(&[]);
    rendered.assert_sound("Deployment");
    assert!(!rendered.has("StatefulSet"));
    validate("chart", rendered.configuration());
}

#[test]
fn copies_on_disk_make_a_stateful_set() {
    let rendered = Rendered::with(&["packaging/helm/mimir-mirror/ci/durable.yaml"]);
    rendered.assert_sound("StatefulSet");
    assert!(!rendered.has("Deployment"));
    let claims = &rendered.one("StatefulSet")["spec"]["volumeClaimTemplates"];
    assert_eq!(claims[0]["metadata"]["name"], "backlog");
    validate("chart-durable", rendered.configuration());
}

#[test]
fn the_operator_finds_the_processes_and_the_rules() {
    let rendered = Rendered::with(&["packaging/helm/mimir-mirror/ci/operator.yaml"]);
    rendered.assert_sound("Deployment");
    // Scraped is the headless service, by its label and its port's name.
    let monitor = &rendered.one("ServiceMonitor")["spec"];
    let wanted = monitor["selector"]["matchLabels"].as_object().unwrap();
    let fits =
        |service: &&Value| wanted.iter().all(|(key, value)| service["metadata"]["labels"][key] == *value);
    let services: Vec<_> = rendered.0.iter().filter(|d| d["kind"] == "Service").filter(fits).collect();
    assert_eq!(services.len(), 1, "{services:?}");
    assert_eq!(services[0]["spec"]["ports"][0]["name"], monitor["endpoints"][0]["port"]);
    let groups = rendered.one("PrometheusRule")["spec"]["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2, "{groups:?}");
    let rules = rendered.one("PrometheusRule").to_string();
    assert!(rules.contains("\"runbook_url\":\"https://git.example/mimir-mirror/docs/alerts.md#"), "{rules}");
    // The port is the configuration's.
    let ports = rendered.one("Service")["spec"]["ports"].to_string();
    assert!(ports.contains("9443"), "{ports}");
}

/// The kubelet has neither a token nor a certificate: what it asks must be answered without.
#[test]
fn a_closed_admin_does_not_end_its_pods() {
    let render = |name: &str, admin: &str| {
        let file = crate::place::folder(name).join("values.yaml");
        std::fs::write(&file, admin).unwrap();
        let rendered = Rendered::with(&[file.to_str().unwrap()]);
        rendered.one("Deployment")["spec"]["template"]["spec"]["containers"][0].clone()
    };
    let token = "config: { admin_token_file: /run/secrets/token }\n";
    for (name, values) in
        [("token", token), ("token-flag", "args: [--admin-token-file=/run/secrets/token]\n")]
    {
        let container = render(name, values);
        for probe in ["startupProbe", "livenessProbe"] {
            assert_eq!(container[probe]["tcpSocket"]["port"], "admin", "{values}");
        }
        assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
    }
    let container = render("tls", "config: { admin_tls: { cert: /tls/tls.crt, key: /tls/tls.key } }\n");
    for (probe, port) in [("startupProbe", "admin"), ("livenessProbe", "admin"), ("readinessProbe", "http")] {
        assert_eq!(container[probe]["tcpSocket"]["port"], port, "{probe}");
    }
}

#[test]
fn a_value_that_the_chart_does_not_have_is_refused() {
    let file = crate::place::folder("values").join("values.yaml");
    std::fs::write(&file, "replicaCount: 3\n").unwrap();
    let render = ["xtask/src/package/render.py", "packaging/helm/mimir-mirror"];
    let output = python().args(render).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("replicaCount"), "{said}");
}

#[test]
fn the_plain_manifests_are_the_charts() {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    said(xtask.args(["manifests", "--check"]));
    let manifests: Vec<PathBuf> =
        ["memory.yaml", "durable.yaml"].map(|name| root().join("packaging/kubernetes").join(name)).to_vec();
    assert!(manifests.iter().all(|path| path.is_file()));
}

//! The compose project and the container file. Without an engine their syntax and their configurations can be told.

use crate::place::{python, root, said, validate};

/// Which files a service mounts, and what the container file says.
const READ: &str = "
import json, sys, yaml
services = yaml.safe_load(open('packaging/compose/compose.yaml'))['services']
print(json.dumps({name: [mount.split(':')[0] for mount in service.get('volumes', [])] for name, service in services.items()}))
";

#[test]
fn the_projects_files_exist_and_are_valid() {
    let services: serde_json::Value = serde_json::from_str(&said(python().args(["-c", READ]))).expect("JSON");
    let folder = root().join("packaging/compose");
    let mut mounted = 0;
    for (service, files) in services.as_object().unwrap() {
        for file in files.as_array().unwrap().iter().filter_map(|file| file.as_str()) {
            if file.starts_with('.') {
                assert!(folder.join(file).is_file(), "{service} mounts {file}");
                mounted += 1;
            }
        }
    }
    assert!(mounted >= 5, "{services}");
    validate("compose", &std::fs::read_to_string(folder.join("mimir-mirror.yaml")).unwrap());
    // Prometheus' own look at its file; the rules lie elsewhere in the container.
    let prometheus = folder.join("prometheus.yaml");
    said(std::process::Command::new("promtool").args(["check", "config", "--syntax-only"]).arg(prometheus));
}

#[test]
fn the_container_holds_the_program_alone() {
    let file = std::fs::read_to_string(root().join("packaging/container/Containerfile")).unwrap();
    let steps: Vec<&str> = file.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(steps.first(), Some(&"FROM scratch"), "{steps:?}");
    assert_eq!(steps.iter().filter(|step| step.starts_with("COPY ")).count(), 1, "{steps:?}");
    let user = steps.iter().find_map(|step| step.strip_prefix("USER ")).expect("a user");
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
}

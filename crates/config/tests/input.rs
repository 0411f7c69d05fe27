//! Where a configuration comes from: file, `--config-yaml`, flags, and what they may not be together.

#![allow(clippy::expect_used, clippy::panic, reason = "test code outside of #[test] functions")]

use std::path::PathBuf;

use config::model::Config;
use config::{Flags, Input, load, load_str};

const ENVOY: &str = include_str!("../../../examples/envoy-v3.yaml");
const NATIVE: &str = include_str!("../../../examples/minimal.yaml");

/// A file of this test's own, removed at its end.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("mimir-mirror-config-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("write the file");
        Self(path)
    }

    fn input(&self) -> Input {
        Input { path: Some(self.0.clone()), ..Input::default() }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn refused(input: &Input) -> String {
    load(input).expect_err("must be refused").to_string()
}

fn loaded(input: &Input) -> Config {
    load(input).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn inline_yaml_is_merged_over_the_file() {
    let file = File::new("merge.yaml", ENVOY.as_bytes());
    let inline = "admin: { address: { socketAddress: { port_value: 1234 } } }\n\
                  node: { id: me }\n\
                  static_resources: { clusters: [{ name: extra }] }\n";
    let config = loaded(&Input { inline: Some(inline.to_owned()), ..file.input() });
    assert_eq!(config.admin.expect("an admin").address.to_string(), "0.0.0.0:1234");
    assert_eq!(config.node.id, "me");
    let names: Vec<&str> = config.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(names, ["mimir_primary", "mimir_secondary", "extra"]);
    assert_eq!(config.origin, file.0.display().to_string());
}

#[test]
fn an_error_names_the_text_that_it_stands_in() {
    let file = File::new("place.yaml", ENVOY.as_bytes());
    let error =
        load(&Input { inline: Some("node: { id: [] }".to_owned()), ..file.input() }).expect_err("a list");
    assert_eq!(error.first_line(), "--config-yaml:1:13: node.id: expected a string, found a list");
}

#[test]
fn inline_yaml_alone() {
    let config = loaded(&Input { inline: Some(NATIVE.to_owned()), ..Input::default() });
    assert_eq!(config.origin, "command line");
}

#[test]
fn service_flags_override_the_node() {
    let flags = Flags {
        service_node: Some("n2".to_owned()),
        service_cluster: Some("c2".to_owned()),
        service_zone: Some("z2".to_owned()),
        ..Flags::default()
    };
    let node = format!("node: {{ id: n1, cluster: c1 }}\n{ENVOY}");
    let node = loaded(&Input { inline: Some(node), flags, ..Input::default() }).node;
    assert_eq!((node.id.as_str(), node.cluster.as_str(), node.zone.as_str()), ("n2", "c2", "z2"));
}

#[test]
fn flags_and_files_exclude_each_other() {
    let primary = Flags { primary: Some("http://a".to_owned()), ..Flags::default() };
    let with_file = Input { inline: Some(NATIVE.to_owned()), flags: primary, ..Input::default() };
    assert!(refused(&with_file).contains("--primary cannot be used together with --config-path"));
    let mirror = Flags { mirrors: vec!["http://a".to_owned()], ..Flags::default() };
    assert!(refused(&Input { flags: mirror, ..Input::default() }).contains("--mirror needs --primary"));
    assert!(
        refused(&Input::default()).contains("At least one of --config-path or --config-yaml or --primary")
    );
}

#[test]
fn an_error_in_a_flag_points_at_the_flag() {
    let flags = Flags {
        primary: Some("http://mimir-primary".to_owned()),
        mirrors: vec!["http://127.0.0.1".to_owned(), "https://u:hunter2@mimir".to_owned()],
        admin: Some("off".to_owned()),
        ..Flags::default()
    };
    let error = load(&Input { flags, ..Input::default() }).expect_err("a password");
    assert_eq!(
        error.first_line(),
        "command line:1:79: mirrors[1].url: credentials in a URL are not accepted"
    );
    assert!(!format!("{error}{error:?}").contains("hunter2"), "{error}");
}

#[test]
fn all_flags_together() {
    let flags = Flags {
        primary: Some("http://mimir-primary".to_owned()),
        mirrors: vec!["http://127.0.0.1:1".to_owned(), "http://127.0.0.1:2".to_owned()],
        listen: Some("127.0.0.1:0".to_owned()),
        admin: Some("off".to_owned()),
        ..Flags::default()
    };
    let config = loaded(&Input { flags, ..Input::default() });
    assert!(config.admin.is_none());
    let names: Vec<&str> = config.mirrors.iter().map(|mirror| mirror.name.as_str()).collect();
    assert_eq!(names, ["127.0.0.1:1", "127.0.0.1:2"]);
}

#[test]
fn json_with_tabs_and_a_byte_order_mark() {
    let json =
        "{\n\t\"primary\":\t\"http://a:1\",\n\t\"mirrors\": [\n\t\t{\"url\": \"http://127.0.0.1\"}\n\t]\n}\n";
    assert_eq!(loaded(&File::new("tabs.json", json.as_bytes()).input()).mirrors.len(), 1);
    let marked = format!("\u{feff}{NATIVE}");
    assert_eq!(loaded(&File::new("bom.yaml", marked.as_bytes()).input()).mirrors.len(), 1);
}

#[test]
fn files_that_cannot_be_read() {
    let missing = Input { path: Some(PathBuf::from("/nonexistent/envoy.yaml")), ..Input::default() };
    assert!(refused(&missing).contains("Invalid path: /nonexistent/envoy.yaml"));
    assert!(refused(&File::new("a.pb_text", b"admin {}").input()).contains("protobuf files"));
    assert!(refused(&File::new("latin1.yaml", b"primary: \xe9").input()).contains("byte 9 is not UTF-8"));
    let large = vec![b'#'; (1 << 20) + 1];
    assert!(refused(&File::new("large.yaml", &large).input()).contains("larger than 1 MiB"));
}

#[test]
fn secrets_are_shown_nowhere() {
    let text = "primary: http://a\nmirrors:\n  - url: http://127.0.0.1\n    name: x\n    \
                auth: { username: u, password: hunter2 }\n    \
                headers: { set: { Authorization: hunter2, X-A: b } }\n";
    let config = load_str("secrets", text).expect("loads");
    let shown = format!("{config:?}\n{}", config.document);
    // The second is `u:hunter2` in base64.
    assert!(!shown.contains("hunter2") && !shown.contains("dTpodW50ZXIy"), "{shown}");
    assert_eq!(config.document["mirrors"][0]["auth"]["username"], "u");
    let auth = config.mirrors[0].auth.as_ref().expect("credentials");
    assert_eq!(auth.as_bytes(), b"Basic dTpodW50ZXIy");
}

#[test]
fn secrets_come_from_files_without_their_line_end() {
    let file = File::new("token", b"abc\n");
    let text = format!(
        "primary: http://a\nmirrors: [{{ url: http://localhost, auth: {{ bearer_file: {} }} }}]\n",
        file.0.display()
    );
    let config = load_str("token", &text).expect("loads");
    assert_eq!(config.mirrors[0].auth.as_ref().expect("credentials").as_bytes(), b"Bearer abc");
}

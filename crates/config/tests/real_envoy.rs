//! What we print for Envoy, Envoy itself accepts.
//!
//! `ENVOY=/path/to/envoy cargo test -p mimir-mirror-config --test real_envoy -- --ignored`

#![allow(clippy::expect_used, clippy::panic, reason = "test code outside of #[test] functions")]

use std::path::Path;
use std::process::Command;

use config::convert::to_envoy_v3;
use config::load_str;

fn validate(text: &str) {
    let envoy = std::env::var_os("ENVOY").expect("ENVOY names the binary");
    let path = std::env::temp_dir().join(format!("mimir-mirror-real-envoy-{}.yaml", std::process::id()));
    std::fs::write(&path, text).expect("write the file");
    let output =
        Command::new(envoy).args(["--mode", "validate", "-c"]).arg(&path).output().expect("run Envoy");
    std::fs::remove_file(&path).ok();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs an Envoy 1.40 binary"]
fn envoy_accepts_the_v3_example_and_every_conversion() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let read = |name: &str| std::fs::read_to_string(examples.join(name)).expect("an example");
    validate(&read("envoy-v3.yaml"));
    let rich = include_str!("rich.yaml").to_owned();
    let native = ["minimal.yaml", "native-full.yaml", "native-durable.yaml"].map(read);
    for text in native.into_iter().chain([read("envoy-v2.yaml"), rich]) {
        let config = load_str("example", &text).unwrap_or_else(|error| panic!("{error}"));
        validate(&to_envoy_v3(&config).expect("converts"));
    }
}

//! A scenario's file in v3's form, as ours prints it: Envoy takes it without a warning, and it means the same.

use std::path::Path;
use std::process::Output;

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;

/// Fails the test unless the text converts, Envoy takes what comes out without a warning, and converting that
/// again changes nothing.
pub(super) fn stays_the_same(text: &str) {
    let dir = Dir::new("convert");
    let v3 = converted(&dir.write("before.yaml", text));
    let after = dir.write("after.yaml", &v3);
    assert_eq!(converted(&after), v3, "converted twice is not the same as once");
    let (before, now) = (meaning(text), meaning(&v3));
    let other: Vec<_> = before.lines().zip(now.lines()).filter(|(a, b)| a != b).take(5).collect();
    assert!(before == now, "the converted file means something else, first here: {other:#?}\n{v3}");
    accepted_by_envoy(&after);
}

/// All that a file says, but for where it says it.
fn meaning(text: &str) -> String {
    let config = config::load_str("file.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    format!("{:#?}{:#?}{:#?}{:#?}", config.admin, config.listeners, config.clusters, config.mirrors)
}

fn converted(path: &Path) -> String {
    let output = run(Program::MimirMirror, &["convert", "--to", "envoy-v3"], path);
    assert!(output.status.success(), "does not convert: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("YAML is UTF-8");
    // Its first line names the file that was converted.
    text.split_once('\n').expect("several lines").1.to_owned()
}

/// Fails the test unless Envoy takes the file without a warning.
pub(super) fn accepted_by_envoy(path: &Path) {
    let output = run(Program::Envoy, &["--mode", "validate", "-c"], path);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(output.status.success(), "Envoy refuses the converted file: {said}\n{text}");
    let warned = said.lines().find(|l| l.contains("[warning]") && !l.contains("no configured limit"));
    assert_eq!(warned, None, "Envoy warns of the converted file:\n{text}");
}

fn run(program: Program, arguments: &[&str], path: &Path) -> Output {
    program.command().args(arguments).arg(path).output().expect("it starts")
}

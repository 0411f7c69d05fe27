//! Configurations of the kind that people have (`tests/corpus`): each is taken, or refused with a remedy, and what is
//! taken converts to a v3 file that Envoy takes without a warning.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;

/// The names of the files, and their texts with certificates that exist.
fn corpus() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let certificates = root.join("fields").display().to_string();
    let entries = std::fs::read_dir(root.join("corpus")).expect("tests/corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = std::fs::read_to_string(path).expect("a text");
        (name, text.replace("/etc/envoy/certs", &certificates))
    };
    paths.iter().map(read).collect()
}

fn validate(program: Program, path: &Path) -> Output {
    program.command().args(["--mode", "validate", "-c"]).arg(path).output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_readme_names_every_file() {
    let readme = include_str!("corpus/README.md");
    let files = corpus();
    assert!(files.len() >= 25);
    for (name, _) in &files {
        assert!(readme.contains(&format!("]({name})")), "{name}");
    }
}

#[test]
fn envoy_takes_every_file_but_those_in_v2() {
    let dir = Dir::new("corpus");
    for (name, text) in corpus() {
        let output = validate(Program::Envoy, &dir.write(&name, &text));
        assert_eq!(output.status.success(), !name.starts_with("v2-"), "{name}: {}", said(&output));
    }
}

#[test]
fn every_file_is_taken_and_converts_or_is_refused_with_a_remedy() {
    let dir = Dir::new("corpus");
    let mut wrong = Vec::new();
    for (name, text) in corpus() {
        let path = dir.write(&name, &text);
        let output = validate(Program::MimirMirror, &path);
        let problem =
            if output.status.success() { unconvertible(&dir, &path) } else { unhelpful(&said(&output)) };
        wrong.extend(problem.map(|what| format!("{name}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A refusal names the place and the remedy, and calls no field unknown that Envoy knows.
fn unhelpful(said: &str) -> Option<String> {
    let good = said.contains("help: ") && said.contains(".yaml:") && !said.contains("no such field");
    (!good).then(|| format!("refused without place or remedy: {said}"))
}

/// What is refused is refused in these words: `NAME.stderr` beside the file. `UPDATE_CORPUS=1` writes them anew.
#[test]
fn every_refusal_has_its_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let certificates = folder.join("fields").display().to_string();
    let mut wrong = Vec::new();
    for (name, text) in corpus() {
        let refusal = config::load_str(&name, &text).err().map(|error| format!("{error}\n"));
        let refusal = refusal.map(|text| text.replace(&certificates, "/etc/envoy/certs"));
        let path = folder.join("corpus").join(&name).with_extension("stderr");
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            let _ = std::fs::remove_file(&path);
            refusal.iter().for_each(|text| std::fs::write(&path, text).expect("the text is written"));
        }
        let expected = std::fs::read_to_string(&path).ok();
        if refusal != expected {
            wrong.push(format!("{name}: expected {expected:?}, found {refusal:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn unconvertible(dir: &Dir, path: &Path) -> Option<String> {
    let mut convert = Program::MimirMirror.command();
    let output = convert.args(["convert", "--to", "envoy-v3"]).arg(path).output().expect("it starts");
    if !output.status.success() {
        return Some(format!("does not convert: {}", said(&output)));
    }
    let converted = dir.write("converted.yaml", &String::from_utf8_lossy(&output.stdout));
    let output = validate(Program::Envoy, &converted);
    let said = said(&output);
    let warned = said.lines().any(|l| l.contains("[warning]") && !l.contains("no configured limit"));
    (!output.status.success() || warned).then(|| format!("converted, Envoy says: {said}"))
}

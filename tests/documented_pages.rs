//! What the pages tell people to type: every configuration in them is valid, every command line has flags that exist.

use std::path::{Path, PathBuf};

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::tls::Authority;

/// The README and the pages of docs/, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let pages = pages.chain([root.join("README.md")]);
    pages.map(|path| (path.clone(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// The fenced blocks of a language, without their indentation.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), None::<(usize, String)>);
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match &mut open {
            None if line.trim_start() == format!("```{language}") => open = Some((indent, String::new())),
            None => {}
            Some(_) if line.trim_start() == "```" => found.extend(open.take().map(|(_, block)| block)),
            Some((indent, block)) => {
                block.push_str(line.get(*indent..).unwrap_or_default());
                block.push('\n');
            }
        }
    }
    found
}

/// Files that the pages name, so that they can be read.
fn files(dir: &Dir) {
    let authority = Authority::new("ca");
    let certificate = authority.issue(&["localhost"]);
    dir.write("tls.crt", &certificate.pem);
    dir.write("tls.key", &certificate.key);
    dir.write("ca.crt", &authority.pem());
    for secret in ["key", "secondary", "token"] {
        dir.write(secret, "a secret");
    }
}

/// Whether it is ours, and not Prometheus' or a part of an Envoy file.
fn is_ours(block: &str) -> bool {
    block.lines().any(|line| ["primary:", "mirrors:", "listen:"].iter().any(|key| line.starts_with(key)))
}

#[test]
fn every_configuration_of_the_pages_is_valid() {
    let (dir, mut checked) = (Dir::new("pages"), 0);
    files(&dir);
    for (page, text) in pages() {
        for block in blocks(&text, "yaml").into_iter().filter(|block| is_ours(block)) {
            let whole = block.lines().any(|line| line.starts_with("primary:"));
            let primary = if whole { "" } else { "primary: http://mimir-primary:8080\n" };
            let here = format!("{}/", dir.path().display());
            let text = ["/etc/tls/", "/run/secrets/", "${CREDENTIALS_DIRECTORY}/"]
                .iter()
                .fold(format!("{primary}{block}"), |text, folder| text.replace(folder, &here));
            let file = dir.write("config.yaml", &text);
            let mut command = Program::MimirMirror.command();
            let output = command.arg("-c").arg(&file).args(["--mode", "validate"]).output().unwrap();
            assert!(output.status.success(), "{}: {text}\n{output:?}", page.display());
            checked += 1;
        }
    }
    assert!(checked >= 8, "only {checked} configurations were found");
}

/// With `--help` behind it a command line does nothing but be read: flags that do not exist are refused.
#[test]
fn every_command_line_of_the_pages_can_be_read() {
    let mut checked = 0;
    for (page, text) in pages() {
        for line in blocks(&text, "console").iter().flat_map(|block| block.lines()) {
            let Some(line) = line.strip_prefix("$ mimir-mirror ") else { continue };
            let words = line.split_once(" #").map_or(line, |(words, _)| words).trim_end_matches('&');
            let words: Vec<&str> =
                words.split_whitespace().take_while(|word| !matches!(*word, "&" | "|" | ">")).collect();
            let output = Program::MimirMirror.command().args(&words).arg("--help").output().unwrap();
            assert!(output.status.success(), "{}: {line}\n{output:?}", page.display());
            checked += 1;
        }
    }
    assert!(checked >= 15, "only {checked} command lines were found");
}

/// What stands in a table's cells, by the first of them.
fn row<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
    let start = format!("| {first}");
    let line =
        text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no row {first:?}"));
    line.trim_matches('|').split('|').map(str::trim).skip(1).collect()
}

/// Figures of the README's table are those of the pages that it says they are from.
#[test]
fn the_readmes_figures_are_those_of_the_pages() {
    let read = |path: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a page")
    };
    let (readme, isolation, benchmarks) =
        (read("README.md"), read("docs/isolation.md"), read("docs/benchmarks.md"));
    let heading = "\n## 67 KB, HTTP/1.1, saturated, 32 connections\n";
    let measured = benchmarks.split(heading).nth(1).expect("the case of the README");
    for (at, program) in ["mimir-mirror", "Envoy", "nginx"].into_iter().enumerate() {
        let of_page = row(measured, program)[1].split(' ').next();
        let of_readme = row(&readme, "CPU time of a 67 KB")[at].strip_suffix(" µs");
        assert_eq!(of_readme, of_page, "CPU time of {program}");
    }
    for (at, program) in ["mimir-mirror", "Envoy", "nginx", "Traefik"].into_iter().enumerate() {
        let start = format!("- **{program}**: of 3672 writes ");
        let said = isolation.lines().find_map(|line| line.strip_prefix(&start)).expect("a line of it");
        let cell = |first: &str| row(&readme, first)[at].split([' ', ',']).next().unwrap_or_default();
        let unanswered = cell("Writes without an answer");
        assert!(said.starts_with(&format!("{unanswered} had no answer")), "{program}: {said}");
        let states = said.split("was 500 ms and more: ").nth(1).and_then(|rest| rest.split(". ").next());
        let states = states.filter(|states| *states != "none").map_or(0, |all| all.split("; ").count());
        assert_eq!(cell("States in which p99"), states.to_string(), "{program}: {said}");
        let most = format!("At most {} MiB and ", cell("Most memory"));
        assert!(said.contains(&most), "{program}: {said}");
        let left = format!("at most {} sockets were left", cell("Sockets left"));
        assert!(said.contains(&left), "{program}: {said}");
    }
}

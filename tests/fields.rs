//! `docs/fields`: every field of Envoy's messages with a verdict, held against the code.
//!
//! A page is a message, a row a field: `works` names the scenario of `tests/differential` that proves it, `differs` does
//! so too and says how, `refused` fields are refused with a sentence. Every row has an example, which is put into the
//! smallest file that can hold it: ours must accept or refuse it as the row says, and what ours accepts, Envoy must.
//! Whoever changes what a field does changes its row; `cargo xtask docs` counts anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;

mod page;
mod summary;

use page::{Page, Row, Verdict, pages};

fn fields() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fields")
}

/// A folder with what examples refer to as `<dir>`.
fn surroundings() -> Dir {
    let dir = Dir::new("fields");
    dir.write("cert.pem", include_str!("fields/cert.pem"));
    dir.write("key.pem", include_str!("fields/key.pem"));
    dir
}

fn text_of(dir: &Dir, all: &[Page], page: &Page, row: &Row) -> String {
    page::file(all, page, &row.example).replace("<dir>", &dir.path().display().to_string()) + "\n"
}

#[test]
fn every_example_is_taken_or_refused_as_its_row_says() {
    let (all, dir) = (pages(&fields()), surroundings());
    let mut wrong = Vec::new();
    for page in &all {
        for row in page.rows.iter().filter(|row| !row.example.is_empty()) {
            let loaded = config::load_str("example.yaml", &text_of(&dir, &all, page, row));
            let taken = loaded.is_ok();
            let said = loaded.err().map(|error| error.to_string()).unwrap_or_default();
            let problem = match (row.verdict == Verdict::Refused, taken) {
                (false, true) => continue,
                (true, true) => "is refused by its row, but accepted",
                (false, false) => "is refused",
                (true, false) if said.contains("no such field") => "is no field to us",
                (true, false) if !said.contains("help: ") => "is refused without a remedy",
                (true, false) => continue,
            };
            wrong.push(format!("{}.{} {problem}: {}\n{said}", page.slug, row.field, row.example));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Of the fields that we take, so that an example is what Envoy means by them.
#[test]
fn envoy_takes_the_same_examples() {
    let (all, dir) = (pages(&fields()), surroundings());
    let mut wrong = Vec::new();
    for page in &all {
        let taken = |row: &&Row| row.verdict != Verdict::Refused && !row.example.is_empty();
        for row in page.rows.iter().filter(taken).filter(|row| !row.note.contains("v2")) {
            let file = dir.write("example.yaml", &text_of(&dir, &all, page, row));
            let mut envoy = Program::Envoy.command();
            let output = envoy.args(["--mode", "validate", "-c"]).arg(file).output().expect("it starts");
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                wrong.push(format!("{}.{}: {}\n{said}", page.slug, row.field, row.example));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_scenario_that_a_row_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
    for page in pages(&fields()) {
        for row in page.rows.iter().filter(|row| row.verdict != Verdict::Refused) {
            let (module, function) = row.proof.split_once("::").unwrap_or_else(|| {
                panic!("{}.{}: {:?} is not `file::function`", page.slug, row.field, row.proof)
            });
            let source = std::fs::read_to_string(folder.join(format!("{module}.rs"))).unwrap_or_default();
            let there = source.contains(&format!("#[tokio::test]\nasync fn {function}() {{"));
            assert!(there, "{}.{}: there is no scenario {}", page.slug, row.field, row.proof);
        }
    }
}

#[test]
fn no_row_stands_twice_and_every_difference_is_told() {
    for page in pages(&fields()) {
        let names: BTreeSet<_> = page.rows.iter().map(|row| row.field.as_str()).collect();
        assert_eq!(names.len(), page.rows.len(), "{}: a field has two rows", page.slug);
        for row in &page.rows {
            let told = row.verdict != Verdict::Differs || !row.note.is_empty();
            assert!(told, "{}.{}: say how it differs", page.slug, row.field);
        }
    }
}

/// Both are written by `cargo xtask docs`, which runs this with `UPDATE_DOCS` set.
#[test]
fn the_pages_count_the_rows() {
    let pages = pages(&fields());
    holds(&fields().join("README.md"), |_| summary::text(&pages));
    let overview = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/envoy.md");
    holds(&overview, |text| {
        let lines = text.lines().map(|line| match line.starts_with("Of the ") {
            true => summary::headline(&pages),
            false => line.to_owned(),
        });
        lines.map(|line| line + "\n").collect()
    });
}

fn holds(path: &Path, text: impl FnOnce(&str) -> String) {
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let text = text(&committed);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, text).unwrap();
        return;
    }
    let name = path.display();
    assert!(text.contains("fields of these messages of Envoy 1.40"), "{name} does not count the rows");
    assert!(committed == text, "{name} counts other rows: run `cargo xtask docs`");
}

//! Diagnostics as the operator sees them: every `cases/NAME.yaml` with its text in `cases/NAME.stderr`.
//!
//! `UPDATE_CASES=1 cargo test -p mimir-mirror-config --test cases` writes the texts anew; read the diff.

#![allow(clippy::expect_used, clippy::panic, reason = "test code outside of #[test] functions")]

use std::fs;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = fs::read_dir(directory).expect("the directory of cases");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}

/// Errors, or the warnings of a file that is accepted.
fn diagnostics(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a case");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    match config::load_str(name, &text) {
        Ok(config) => config.warnings.join("\n\n") + "\n",
        Err(error) => {
            let first = error.first_line();
            assert!(first.starts_with(name) && !first.contains('\n'), "no place in {first:?}");
            format!("{error}\n")
        }
    }
}

#[test]
fn every_case_has_its_text() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let cases = cases();
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for path in cases {
        let found = diagnostics(&path);
        assert!(!found.trim().is_empty(), "{} is accepted without a warning", path.display());
        assert!(!found.contains("hunter2"), "{} shows a secret:\n{found}", path.display());
        let expected = path.with_extension("stderr");
        if update {
            fs::write(&expected, &found).expect("write the text");
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("--- {}\n{found}", path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases differ (UPDATE_CASES=1 rewrites them)\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

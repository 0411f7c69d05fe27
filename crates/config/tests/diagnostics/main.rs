//! `docs/diagnostics.md` names everything that is said of a configuration: it is made from the sources, and this holds
//! that it is up to date. `cargo xtask docs` writes it anew.
#![allow(clippy::expect_used, clippy::panic, reason = "a test whose surroundings fail cannot go on")]

mod page;
mod scan;
mod text;

use std::path::{Path, PathBuf};

/// Where a message comes from elsewhere: `file: function it is handed to in function`. What it says is found where it is
/// made, or is the text of a library.
const HANDED_ON: [&str; 16] = [
    // Made by `secrets`, `headers`, `address`, `format` and `variables`, as a pair with its remedy.
    "auth.rs: refuse in from_file",
    "format.rs: refuse in of",
    "headers.rs: refuse in name_of",
    "native/admin.rs: refuse in token_of",
    "native/mirror.rs: refuse_key in mutations",
    "native/mod.rs: refuse in url",
    "variables.rs: Diagnostic in node",
    // Made by `units` and by `model::pattern`.
    "read/scalars.rs: refuse in duration",
    "envoy/pattern.rs: refuse in replacement",
    // What makes them.
    "envoy/unsupported/mod.rs: Unsupported::new in group",
    "read/mod.rs: Diagnostic in refuse",
    "read/mod.rs: Diagnostic in refuse_key",
    "read/mod.rs: Diagnostic in warn",
    "read/mod.rs: Diagnostic in warn_line",
    "read/mod.rs: missing in require",
    "read/mod.rs: refuse_key in leftover",
];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn documented() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/diagnostics.md")
}

#[test]
fn every_diagnostic_is_found() {
    let lost: Vec<String> = scan::scan(&sources()).lost.into_iter().collect();
    let unknown: Vec<_> = lost.iter().filter(|one| !HANDED_ON.contains(&one.as_str())).collect();
    assert!(
        unknown.is_empty(),
        "their texts cannot be followed, so that the page would lack them: {unknown:#?}"
    );
    let gone: Vec<_> = HANDED_ON.iter().filter(|one| !lost.iter().any(|other| other == *one)).collect();
    assert!(gone.is_empty(), "nothing is handed on there any more: {gone:#?}");
}

#[test]
fn the_page_has_every_diagnostic() {
    let page = page::write(&scan::scan(&sources()).said);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(documented(), &page).expect("the page can be written");
    }
    let known = std::fs::read_to_string(documented()).expect("docs/diagnostics.md");
    let missing: Vec<&str> = page.lines().filter(|line| !known.lines().any(|other| other == *line)).collect();
    assert!(missing.is_empty(), "not in docs/diagnostics.md (`cargo xtask docs` writes it): {missing:#?}");
    assert!(known == page, "docs/diagnostics.md has what is not said any more: `cargo xtask docs`");
}

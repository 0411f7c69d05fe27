//! Rows for the tables that `cargo xtask chaos` makes: one file a test, since each test is a process of its own.

use std::fs;
use std::path::{Path, PathBuf};

/// Writes the rows of one test, each with its columns separated by tabs.
pub(super) fn write(table: &str, name: &str, rows: &[String]) {
    let folder = folder(table);
    fs::create_dir_all(&folder).expect("the build's temporary folder is writable");
    fs::write(folder.join(name), rows.join("\n") + "\n").expect("own folder is writable");
}

fn folder(table: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos").join(table)
}

/// Bytes in whole mebibytes, rounded up.
pub(super) fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

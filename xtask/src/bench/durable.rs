//! Durable delivery beside memory delivery: the same binary, the same load at a fixed rate, since at saturation the disk
//! would be what is measured. And the store by itself, beside a plain sequential write.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::case::{self, Case};
use super::measure::{Bench, Round};
use super::proc;
use super::variant::Variant;
use crate::shell;

/// MiB that the store writes for each of its figures.
const STORE_MIB: &str = "256";

/// Both deliveries in turn: each round is durable, then memory.
pub(super) fn measure(bench: &mut Bench, binary: &Path, rounds: usize) -> Result<Vec<(Case, Vec<Round>)>> {
    let backlog = proc::target_folder()?.join("bench/backlog");
    let variants =
        [Variant::durable(binary.to_path_buf(), backlog)?, Variant::mimir_mirror(binary.to_path_buf())?];
    case::durable()
        .into_iter()
        .map(|case| bench.rounds(&case, &variants, rounds).map(|all| (case, all)))
        .collect()
}

/// The store's own benchmark, line by line as it prints.
pub(super) fn store() -> Result<Vec<String>> {
    let folder = proc::target_folder()?.join("bench");
    std::fs::create_dir_all(&folder)?;
    let folder = folder.to_str().context("an odd name of a folder")?;
    let example =
        ["run", "--release", "--quiet", "--package", "mimir-mirror-backlog", "--example", "append", "--"];
    let arguments: Vec<&str> = example.into_iter().chain([folder, STORE_MIB]).collect();
    Ok(shell::output(&mut shell::cargo(&arguments))?.lines().map(str::to_owned).collect())
}

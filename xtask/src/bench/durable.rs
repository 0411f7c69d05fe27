//! Durable delivery beside memory delivery: the same binary, the same load at a fixed rate, since at saturation the disk
//! would be what is measured. And the store by itself, beside a plain sequential write.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::measure::{Bench, Pair};
use super::proc;
use super::size::Size;
use super::variant::Variant;
use crate::shell;

/// Body sizes, and requests a second: 67 KB are 2000 samples, so 500 are a million samples a second.
const LOADS: [(&str, u32); 2] = [("1KiB", 3200), ("67KB", 500)];
/// MiB that the store writes for each of its figures.
const STORE_MIB: &str = "256";

/// What was measured at one rate.
pub(super) struct Measured {
    pub(super) size: Size,
    pub(super) rate: u32,
    /// `ours` is durable, `envoy` is memory.
    pub(super) pairs: Vec<Pair>,
}

/// Both deliveries in turn.
pub(super) fn measure(
    binary: &Path,
    connections: usize,
    rounds: usize,
    duration: Duration,
) -> Result<Vec<Measured>> {
    let backlog = proc::target_folder()?.join("bench/backlog");
    let mut all = Vec::new();
    for (size, rate) in LOADS {
        let variants = [
            Variant::durable(binary.to_path_buf(), backlog.clone())?,
            Variant::mimir_mirror(binary.to_path_buf())?,
        ];
        let mut bench = Bench::start(variants, connections, rate, duration)?;
        let size: Size = size.parse().map_err(anyhow::Error::msg)?;
        let pairs = bench.size(&size, rounds)?;
        all.push(Measured { size, rate, pairs });
    }
    Ok(all)
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

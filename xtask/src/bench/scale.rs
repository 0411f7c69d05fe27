//! How cost and memory grow: with workers, client connections, mirrors and endpoints, at a fixed rate.

use anyhow::Result;

use super::case::{self, Case};
use super::measure::Bench;
use super::memory::IDLE_CONNECTIONS;
use super::sample::Sample;
use super::statistics::summary;
use super::variant::Variant;
use super::{LOAD_CPU, PROXY_CPU};

/// Requests a second: little enough that the slowest of these keeps up.
const RATE: u32 = 1_000;
/// How often each is measured.
const ROUNDS: usize = 3;

/// One line of the table.
pub(super) struct Line {
    /// What grows.
    pub(super) what: &'static str,
    pub(super) count: usize,
    pub(super) size: String,
    pub(super) cpu_us: f64,
    pub(super) p99_us: f64,
    pub(super) peak_memory_kib: u64,
    pub(super) complete: bool,
}

/// Ours alone: what others do is in the rows.
pub(super) fn measure(bench: &mut Bench, ours: &Variant) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut add = |what, count, variant: &Variant, case: Case| {
        let line = line(bench, what, count, variant, &case.at(RATE));
        line.map(|line| lines.push(line))
    };
    for workers in [1, 2] {
        let variant = Variant { concurrency: workers, ..ours.clone() };
        add("workers", workers, &variant, case::connections("67KB", 32))?;
    }
    for connections in [1, 10, 100, 1_000, IDLE_CONNECTIONS] {
        add("client connections", connections, ours, case::connections("1KiB", connections))?;
    }
    for mirrors in [1, 2, 3, 5] {
        let variant = Variant { mirrors, ..ours.clone() };
        add("mirrors", mirrors, &variant, case::connections("67KB", 32))?;
    }
    for endpoints in [1, 10, 100] {
        let variant = Variant { endpoints, ..ours.clone() };
        add("endpoints of each cluster", usize::from(endpoints), &variant, case::connections("1KiB", 32))?;
    }
    Ok(lines)
}

fn line(bench: &mut Bench, what: &'static str, count: usize, variant: &Variant, case: &Case) -> Result<Line> {
    eprintln!("scale: {count} {what}: {case}");
    let mut load = bench.load(case)?;
    let both = format!("{PROXY_CPU},{LOAD_CPU}");
    let cpus = if variant.concurrency > 1 { both.as_str() } else { PROXY_CPU };
    let samples: Vec<Sample> =
        (0..ROUNDS).map(|_| bench.measure_on(variant, cpus, case, &mut load)).collect::<Result<_>>()?;
    let figure = |pick: fn(&Sample) -> f64| summary(samples.iter().map(pick)).median;
    Ok(Line {
        what,
        count,
        size: case.size.to_string(),
        cpu_us: figure(|sample| sample.cpu_us),
        p99_us: figure(|sample| sample.p99_us as f64),
        peak_memory_kib: samples.iter().map(|sample| sample.peak_memory_kib).max().unwrap_or_default(),
        complete: samples.iter().all(Sample::complete),
    })
}

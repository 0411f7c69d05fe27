//! docs/isolation.md: tables of what was counted, and sentences that are computed from the same rows.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::{setup, shell};

/// The programs, in the order of the columns; as the rows name them.
const PROGRAMS: [&str; 4] = ["mimir-mirror", "Envoy", "nginx", "Traefik"];

/// The size that most writes have.
const USUAL: &str = "67000";

const UNKNOWN_WHOLE: &str = "
## The whole table of mimir-mirror

It was not part of this run: `make chaos` has it.
";

/// One run of one program: what the clients saw, what it took, what came.
struct Run<'a> {
    state: &'a str,
    size: &'a str,
    program: &'a str,
    writes: u64,
    answered: u64,
    /// Writes that the primary got whole.
    primary: u64,
    p99: u64,
    memory: u64,
    sockets: u64,
    left: u64,
    /// Copies that came whole, or a dash.
    copies: &'a str,
}

impl<'a> Run<'a> {
    fn of(row: &'a [String]) -> Result<Self> {
        let text = |n: usize| row.get(n).map(String::as_str).context("a row is too short");
        let number = |n: usize| -> Result<u64> { text(n)?.parse().context("a row's number is none") };
        Ok(Self {
            state: text(0)?,
            size: text(1)?,
            program: text(2)?,
            writes: number(3)?,
            answered: number(4)?,
            primary: number(5)?,
            p99: number(6)?,
            memory: number(7)?,
            sockets: number(8)?,
            left: number(9)?,
            copies: text(10)?,
        })
    }
}

pub(super) fn render(whole: &[Vec<String>], beside: &[Vec<String>]) -> Result<String> {
    let runs = beside.iter().map(|row| Run::of(row)).collect::<Result<Vec<_>>>()?;
    let mut page =
        include_str!("head.txt").replace("@MACHINE@", &machine()).replace("@VERSIONS@", &versions());
    page.push_str("\n## In short\n\n");
    for program in PROGRAMS {
        writeln!(page, "- **{program}**: {}", summary(&runs, program))?;
    }
    let mut sizes: Vec<&str> = runs.iter().map(|run| run.size).collect();
    sizes.dedup();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.sort_by_key(|size| size.len());
    for size in sizes {
        let of_size: Vec<&Run<'_>> = runs.iter().filter(|run| run.size == size).collect();
        tables(&mut page, size, &of_size)?;
    }
    page.push_str(if whole.is_empty() { UNKNOWN_WHOLE } else { include_str!("whole.txt") });
    for row in whole {
        writeln!(page, "| {} |", row.join(" | "))?;
    }
    Ok(page)
}

/// The worst that this program's rows show.
fn summary(runs: &[Run<'_>], program: &str) -> String {
    let own: Vec<&Run<'_>> = runs.iter().filter(|run| run.program == program).collect();
    let writes: u64 = own.iter().map(|run| run.writes).sum();
    let missed: u64 = own.iter().map(|run| run.writes - run.answered).sum();
    let lost: u64 = own.iter().map(|run| run.writes.saturating_sub(run.primary)).sum();
    let slowed: Vec<_> =
        own.iter().filter(|run| run.p99 >= 500 && run.size == USUAL).map(|run| short(run)).collect();
    let memory = own.iter().map(|run| run.memory).max().unwrap_or_default();
    let sockets = own.iter().map(|run| run.sockets).max().unwrap_or_default();
    let left = own.iter().map(|run| run.left).max().unwrap_or_default();
    let slowed = match slowed.as_slice() {
        [] => "none".to_owned(),
        some => some.join("; "),
    };
    format!(
        "of {writes} writes {missed} had no answer of the primary, and {lost} did not reach it whole. States in which \
         the p99 of writes of 67 KB was 500 ms and more: {slowed}. At most {memory} MiB and {sockets} sockets; at most \
         {left} sockets were left when the clients had gone."
    )
}

fn short(run: &Run<'_>) -> String {
    format!("{} ({} ms)", run.state, run.p99)
}

fn words(size: &str) -> &str {
    match size {
        "67000" => "67 KB",
        "10485760" => "10 MiB",
        other => other,
    }
}

fn tables(page: &mut String, size: &str, runs: &[&Run<'_>]) -> Result<()> {
    let writes = runs.first().map_or(0, |run| run.writes);
    writeln!(page, "\n## Bodies of {}: {writes} writes in each state", words(size))?;
    page.push_str("\nWrites that the primary answered to the client, and p99 in milliseconds:\n\n");
    table(page, runs, |run| format!("{}, {} ms", run.answered, run.p99))?;
    page.push_str("\nPeak memory in MiB, and sockets: at their peak, and when the clients had gone:\n\n");
    table(page, runs, |run| format!("{} MiB, {}, {}", run.memory, run.sockets, run.left))?;
    page.push_str("\nCopies that the mirror read whole:\n\n");
    table(page, runs, |run| run.copies.to_owned())
}

fn table(page: &mut String, runs: &[&Run<'_>], cell: impl Fn(&Run<'_>) -> String) -> Result<()> {
    writeln!(page, "| the mirror | {} |\n|---|{}", PROGRAMS.join(" | "), "---|".repeat(PROGRAMS.len()))?;
    let mut states: Vec<&str> = runs.iter().map(|run| run.state).collect();
    states.dedup();
    for state in states {
        write!(page, "| {state} |")?;
        for program in PROGRAMS {
            let run = runs.iter().find(|run| run.state == state && run.program == program);
            write!(page, " {} |", run.map_or_else(String::new, |run| cell(run)))?;
        }
        page.push('\n');
    }
    Ok(())
}

fn machine() -> String {
    let first = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split(':').nth(1).unwrap_or_default().trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = first("/proc/meminfo", "MemTotal");
    let kibibytes: u64 = memory.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} ({cores} cores, {} GiB), Linux {}",
        first("/proc/cpuinfo", "model name"),
        kibibytes.div_ceil(1 << 20),
        kernel.trim()
    )
}

/// The file that a run leaves its commit in.
pub(super) const COMMIT: &str = "commit";

/// What is checked out; empty where that cannot be told.
pub(super) fn commit_now() -> String {
    shell::output(&mut shell::command("git", &["rev-parse", "--short", "HEAD"])).unwrap_or_default()
}

fn versions() -> String {
    // Of the program that ran, whatever was committed meanwhile.
    let commit = fs::read_to_string(shell::root().join("target/tmp/chaos").join(COMMIT)).unwrap_or_default();
    let commit = if commit.is_empty() { commit } else { format!(" (commit {commit})") };
    format!(
        "mimir-mirror {}{commit}, Envoy {}, nginx {}, Traefik {}",
        env!("CARGO_PKG_VERSION"),
        setup::ENVOY_VERSION,
        setup::NGINX_VERSION,
        setup::TRAEFIK_VERSION
    )
}

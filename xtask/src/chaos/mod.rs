//! `chaos`: every state of a mirror on ours and on three other programs, written down as docs/isolation.md.
//!
//! The tests do the work (tests/chaos), each in a process of its own, and leave rows in files; this runs them on the
//! release build and makes tables of the rows.

mod page;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{setup, shell};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only write the page anew, from the rows of the last run
    #[arg(long)]
    page: bool,
}

/// Sets up, runs, writes the page. A test that fails leaves the page as it was.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.page {
        return render(&rows("whole").unwrap_or_default());
    }
    setup::run()?;
    setup::rivals()?;
    shell::run(&mut shell::cargo(&["build", "--release", "--quiet"]))?;
    let left = shell::root().join("target/tmp/chaos");
    if left.exists() {
        fs::remove_dir_all(&left).context("cannot remove the rows of the last run")?;
    }
    fs::create_dir_all(&left)?;
    fs::write(left.join(page::COMMIT), page::commit_now()).context("cannot note the commit")?;
    let binary = shell::root().join("target/release/mimir-mirror");
    // Only counts are asserted of the whole table, so its tests may crowd each other; what is measured beside others is
    // measured alone.
    tests("whole", "2", &binary)?;
    tests("beside", "1", &binary)?;
    render(&rows("whole")?)
}

/// Runs the tests of one table, so many at a time.
fn tests(table: &str, threads: &str, binary: &Path) -> Result<()> {
    let mut tests = if shell::find("cargo-nextest").is_some() {
        let profile =
            ["nextest", "run", "--profile", "soak", "--run-ignored", "only", "--test-threads", threads];
        let mut tests = shell::cargo(&profile);
        tests.args(["-E", &format!("test(/^chaos::{table}::/)")]);
        tests
    } else {
        let table = format!("chaos::{table}::");
        shell::cargo(&["test", "--test", "contract", &table, "--", "--ignored", "--test-threads", threads])
    };
    shell::run(tests.env("MIMIR_MIRROR_BINARY", binary))
}

/// Makes the page of the rows that are there.
fn render(whole: &[Vec<String>]) -> Result<()> {
    let beside = rows("beside")?;
    ensure!(!beside.is_empty(), "the tests left no rows");
    let page = page::render(whole, &beside)?;
    fs::write(shell::root().join("docs/isolation.md"), page).context("cannot write docs/isolation.md")
}

/// All rows of a table, in the order of their first column, which is left out.
fn rows(table: &str) -> Result<Vec<Vec<String>>> {
    let folder: PathBuf = shell::root().join("target/tmp/chaos").join(table);
    let mut lines = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("no rows in {}", folder.display()))? {
        let text = fs::read_to_string(entry?.path())?;
        lines.extend(text.lines().map(str::to_owned));
    }
    // Stable, so that the rows of one file keep their order.
    lines.sort_by(|a, b| a.split('\t').next().cmp(&b.split('\t').next()));
    Ok(lines.iter().map(|line| line.split('\t').skip(1).map(str::to_owned).collect()).collect())
}

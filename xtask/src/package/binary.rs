//! What a package has to know of a program: for which machine it is, and which C library it needs.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// An ELF program for Linux.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// As Debian calls it.
    pub(super) architecture: &'static str,
    /// The newest version of glibc that one of its symbols needs; nothing if it is static.
    pub(super) glibc: Option<(u32, u32)>,
}

impl Program {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of(&bytes).with_context(|| format!("{} cannot be packaged", path.display()))
    }

    fn of(bytes: &[u8]) -> Result<Self> {
        // Magic, 64 bits, little endian; the machine is a half word at 18.
        if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
            bail!("not a 64-bit ELF program");
        }
        let architecture = match bytes.get(18..20) {
            Some([0x3e, 0]) => "amd64",
            Some([0xb7, 0]) => "arm64",
            _ => bail!("neither for x86-64 nor for arm64"),
        };
        let versions = bytes.windows(6).enumerate().filter(|(_, window)| *window == b"GLIBC_");
        let glibc = versions.filter_map(|(at, _)| version(bytes.get(at + 6..)?)).max();
        Ok(Self { architecture, glibc })
    }

    /// As compilers call it.
    pub(super) fn machine(&self) -> &'static str {
        if self.architecture == "arm64" { "aarch64" } else { "x86_64" }
    }

    /// Debian's `Depends`. `libgcc-s1` unwinds panics' backtraces.
    pub(super) fn depends(&self) -> String {
        match self.glibc {
            Some((major, minor)) => format!("libc6 (>= {major}.{minor}), libgcc-s1, ca-certificates"),
            None => "ca-certificates".to_owned(),
        }
    }
}

/// `2.34` at the start of these bytes.
fn version(bytes: &[u8]) -> Option<(u32, u32)> {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse().ok();
    let (major, rest) = bytes.split_at(digits(bytes));
    let rest = rest.strip_prefix(b".")?;
    Some((number(major)?, number(rest.get(..digits(rest))?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(18, 0);
        bytes.extend([machine, 0]);
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn the_newest_symbol_decides() {
        let program = Program::of(&elf(0x3e, b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.2.5\0")).ok();
        assert_eq!(program, Some(Program { architecture: "amd64", glibc: Some((2, 34)) }));
        let program = Program::of(&elf(0xb7, b"GLIBC_PRIVATE")).ok();
        assert_eq!(program, Some(Program { architecture: "arm64", glibc: None }));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert!(Program::of(b"#!/bin/sh").is_err());
        assert!(Program::of(&elf(0x28, b"")).is_err());
    }
}

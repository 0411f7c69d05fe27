//! Talking to this program's other processes: one line there, one line back. They end when their input ends,
//! so none outlives a benchmark that was interrupted.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

use super::LOAD_CPU;

/// Another process of this program, pinned to the CPU of load and upstreams.
pub(super) struct Helper {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts this program again with a hidden command.
    pub(super) fn start(name: &'static str, arguments: &[String]) -> Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", LOAD_CPU])
            .arg(env::current_exe()?)
            .arg(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start taskset")?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { name, child, input, output })
    }

    /// Sends one line and reads the numbers of the line that answers it.
    pub(super) fn ask<const N: usize>(&mut self, question: &str) -> Result<[u64; N]> {
        writeln!(self.input, "{question}").with_context(|| format!("{} has ended", self.name))?;
        self.numbers()
    }

    /// Reads one line of exactly `N` numbers.
    pub(super) fn numbers<const N: usize>(&mut self) -> Result<[u64; N]> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            let status = self.child.wait()?;
            bail!("{} ended with {status}", self.name);
        }
        numbers(&line)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The numbers of a line, which must be exactly `N`.
pub(super) fn numbers<const N: usize>(line: &str) -> Result<[u64; N]> {
    let numbers: Result<Vec<u64>, _> = line.split_ascii_whitespace().map(u64::from_str).collect();
    let numbers = numbers.ok().and_then(|numbers| <[u64; N]>::try_from(numbers).ok());
    numbers.with_context(|| format!("expected {N} numbers, got {:?}", line.trim_end()))
}

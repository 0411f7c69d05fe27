//! What is measured: a proxy's binary, its flags and its configuration file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::upstream::Ports;
use crate::shell;

/// The file both proxies get.
const TEMPLATE: &str = include_str!("proxy.yaml");

/// For Envoy alone: its default limit of 1024 requests would drop copies, which is cheap and no comparison.
const BREAKERS: &str = "circuit_breakers: { thresholds: [{ max_connections: 10000, max_pending_requests: 10000, \
                        max_requests: 10000, max_retries: 10000 }] }";

/// Flags of Envoy alone: no shared memory for hot restarts, no log below errors.
const ENVOY_FLAGS: [&str; 3] = ["--disable-hot-restart", "--log-level", "error"];

/// One of the proxies that are compared.
#[derive(Clone)]
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) binary: PathBuf,
    /// Size of the binary in bytes.
    pub(super) binary_bytes: u64,
    /// What it says its version is, one line.
    pub(super) version: String,
    flags: &'static [&'static str],
    breakers: &'static str,
    /// Where copies are kept on disk, if they are.
    pub(super) backlog: Option<PathBuf>,
}

impl Variant {
    pub(super) fn mimir_mirror(binary: PathBuf) -> Result<Self> {
        Self::new("mimir-mirror", binary, &[], "")
    }

    /// The same with durable delivery, its backlog in this directory.
    pub(super) fn durable(binary: PathBuf, backlog: PathBuf) -> Result<Self> {
        Ok(Self { name: "durable", backlog: Some(backlog), ..Self::new("durable", binary, &[], "")? })
    }

    pub(super) fn envoy(binary: PathBuf) -> Result<Self> {
        Self::new("Envoy", binary, &ENVOY_FLAGS, BREAKERS)
    }

    fn new(
        name: &'static str,
        binary: PathBuf,
        flags: &'static [&'static str],
        breakers: &'static str,
    ) -> Result<Self> {
        let binary = fs::canonicalize(&binary).with_context(|| format!("no binary {}", binary.display()))?;
        let version = shell::output(Command::new(&binary).arg("--version"))?;
        // Envoy prints its path and a list with slashes: commit/version/state/kind/library.
        let version = match version.split('/').collect::<Vec<_>>().as_slice() {
            [.., number, _, "RELEASE", _] => format!("Envoy {number}"),
            _ => version,
        };
        let binary_bytes = fs::metadata(&binary)?.len();
        Ok(Self { name, binary, binary_bytes, version, flags, breakers, backlog: None })
    }

    /// The configuration's text for one measurement.
    pub(super) fn configuration(&self, listener: u16, upstreams: Ports) -> String {
        let durable = self.backlog.as_ref().map_or_else(String::new, |path| {
            let settings = format!("delivery: durable, backlog: {{ path: '{}' }}", path.display());
            format!("metadata: {{ filter_metadata: {{ mimir_mirror: {{ {settings} }} }} }}")
        });
        TEMPLATE
            .replace("@DURABLE@", &durable)
            .replace("@LISTENER@", &listener.to_string())
            .replace("@PRIMARY@", &upstreams.primary.to_string())
            .replace("@SECONDARY@", &upstreams.secondary.to_string())
            .replace("@BREAKERS@", self.breakers)
    }

    /// The flags after the program's name but for the file's.
    pub(super) fn flags(&self) -> impl Iterator<Item = &'static str> {
        ["--concurrency", "1"].into_iter().chain(self.flags.iter().copied())
    }

    /// The command line as a reader would type it.
    pub(super) fn command_line(&self) -> String {
        let program = self.binary.file_name().unwrap_or_default().to_string_lossy();
        let flags: Vec<_> = self.flags().collect();
        format!("{program} -c proxy.yaml {}", flags.join(" "))
    }
}

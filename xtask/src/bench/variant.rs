//! What is measured: a program, its flags and its configuration file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::case::Protocol;
use super::certificate::Certificate;
use super::proc;
use super::upstream::Ports;
use crate::shell;

/// The file that ours and Envoy get.
const BOOTSTRAP: &str = include_str!("proxy.yaml");
/// nginx's.
const NGINX: &str = include_str!("proxy.nginx.conf");

/// For Envoy alone: its default limit of 1024 requests would drop copies, which is cheap and no comparison.
const BREAKERS: &str = "circuit_breakers: { thresholds: [{ max_connections: 20000, max_pending_requests: 20000, \
                        max_requests: 20000, max_retries: 20000 }] }, ";

/// Flags of Envoy alone: no shared memory for hot restarts, no log below errors.
const ENVOY_FLAGS: [&str; 3] = ["--disable-hot-restart", "--log-level", "error"];

/// Which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    MimirMirror,
    Envoy,
    Nginx,
    Floor,
}

/// One of the proxies that are compared.
#[derive(Clone)]
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) program: Program,
    pub(super) binary: PathBuf,
    /// Size of the binary in bytes.
    pub(super) binary_bytes: u64,
    /// What it says its version is, one line.
    pub(super) version: String,
    /// Workers.
    pub(super) concurrency: usize,
    /// Where copies are kept on disk, if they are.
    pub(super) backlog: Option<PathBuf>,
    /// How many clusters get a copy of each request: all of them are the one secondary.
    pub(super) mirrors: usize,
    /// Endpoints of each cluster, which are as many addresses of the same port.
    pub(super) endpoints: u8,
}

impl Variant {
    pub(super) fn mimir_mirror(binary: PathBuf) -> Result<Self> {
        Self::new("mimir-mirror", Program::MimirMirror, binary)
    }

    /// The same with durable delivery, its backlog in this directory.
    pub(super) fn durable(binary: PathBuf, backlog: PathBuf) -> Result<Self> {
        Ok(Self { backlog: Some(backlog), ..Self::new("durable", Program::MimirMirror, binary)? })
    }

    pub(super) fn envoy(binary: PathBuf) -> Result<Self> {
        Self::new("Envoy", Program::Envoy, binary)
    }

    pub(super) fn nginx(binary: PathBuf) -> Result<Self> {
        Self::new("nginx", Program::Nginx, binary)
    }

    pub(super) fn floor(binary: PathBuf) -> Result<Self> {
        Self::new("floor", Program::Floor, binary)
    }

    /// The same without a mirror.
    pub(super) fn alone(&self) -> Self {
        Self { mirrors: 0, ..self.clone() }
    }

    fn new(name: &'static str, program: Program, binary: PathBuf) -> Result<Self> {
        let binary = fs::canonicalize(&binary).with_context(|| format!("no binary {}", binary.display()))?;
        let version = match program {
            Program::MimirMirror | Program::Envoy => shell::output(Command::new(&binary).arg("--version"))?,
            // nginx says it on standard error.
            Program::Nginx => {
                let said = Command::new(&binary).arg("-v").output()?;
                String::from_utf8_lossy(&said.stderr).trim().replace("nginx version: ", "")
            }
            Program::Floor => "the floor".to_owned(),
        };
        // Envoy prints its path and a list with slashes: commit/version/state/kind/library.
        let version = match version.split('/').collect::<Vec<_>>().as_slice() {
            [.., number, _, "RELEASE", _] => format!("Envoy {number}"),
            _ => version,
        };
        let binary_bytes = fs::metadata(&binary)?.len();
        Ok(Self {
            name,
            program,
            binary,
            binary_bytes,
            version,
            concurrency: 1,
            backlog: None,
            mirrors: 1,
            endpoints: 1,
        })
    }

    /// The command that starts it, its configuration written.
    pub(super) fn command(
        &self,
        ports: &Listening,
        upstreams: Ports,
        certificate: &Certificate,
    ) -> Result<Command> {
        let folder = proc::target_folder()?.join("bench");
        fs::create_dir_all(&folder)?;
        let mut command = Command::new(&self.binary);
        match self.program {
            Program::Floor => {
                let ports = [ports.listener, upstreams.primary, upstreams.secondary];
                command.args(ports.map(|port| port.to_string()));
            }
            Program::Nginx => {
                let file = folder.join("nginx.conf");
                let mirror = if self.mirrors > 0 { "mirror /mirror;" } else { "" };
                let text = filled(NGINX, ports, upstreams)
                    .replace("@MIRROR@", mirror)
                    .replace("@FOLDER@", &folder.display().to_string());
                fs::write(&file, text)?;
                command.arg("-e").arg("stderr").arg("-c").arg(&file);
            }
            Program::MimirMirror | Program::Envoy => {
                let file = folder.join(format!("{}.yaml", self.name));
                fs::write(&file, self.bootstrap(ports, upstreams, certificate))?;
                command.arg("-c").arg(&file).args(["--concurrency", &self.concurrency.to_string()]);
                command.args(if self.program == Program::Envoy { &ENVOY_FLAGS[..] } else { &[] });
            }
        }
        Ok(command)
    }

    fn bootstrap(&self, ports: &Listening, upstreams: Ports, certificate: &Certificate) -> String {
        let tls =
            if ports.protocol == Protocol::Tls { certificate.transport_socket() } else { String::new() };
        let names: Vec<_> = (0..self.mirrors).map(|index| format!("mimir_secondary_{index}")).collect();
        let policies: Vec<_> = names.iter().map(|name| format!("{{ cluster: {name} }}")).collect();
        let clusters: Vec<_> = std::iter::once(self.cluster("mimir_primary", upstreams.primary, ""))
            .chain(names.iter().map(|name| self.cluster(name, upstreams.secondary, &self.delivery())))
            .collect();
        filled(BOOTSTRAP, ports, upstreams)
            .replace("- @TLS@\n          filters", &format!("- {tls}filters"))
            .replace("@MIRROR@", &format!("request_mirror_policies: [{}]", policies.join(", ")))
            .replace("@CLUSTERS@", &clusters.join("\n    "))
    }

    fn cluster(&self, name: &str, port: u16, delivery: &str) -> String {
        let address =
            |index| format!("{{ socket_address: {{ address: 127.0.0.{index}, port_value: {port} }} }}");
        let endpoints: Vec<_> = (1..=self.endpoints)
            .map(|index| format!("{{ endpoint: {{ address: {} }} }}", address(index)))
            .collect();
        let breakers = if self.program == Program::Envoy { BREAKERS } else { "" };
        format!(
            "- {{ name: {name}, type: STATIC, connect_timeout: 1s, {breakers}{delivery}load_assignment: {{ cluster_name: \
             {name}, endpoints: [{{ lb_endpoints: [{}] }}] }} }}",
            endpoints.join(", ")
        )
    }

    fn delivery(&self) -> String {
        self.backlog.as_ref().map_or_else(String::new, |path| {
            let settings = format!("delivery: durable, backlog: {{ path: '{}' }}", path.display());
            format!("metadata: {{ filter_metadata: {{ mimir_mirror: {{ {settings} }} }} }}, ")
        })
    }

    /// The command line as a reader would type it.
    pub(super) fn command_line(&self) -> String {
        let program = self.binary.file_name().unwrap_or_default().to_string_lossy();
        match self.program {
            Program::MimirMirror => format!("{program} -c proxy.yaml --concurrency 1"),
            Program::Envoy => format!("{program} -c proxy.yaml --concurrency 1 {}", ENVOY_FLAGS.join(" ")),
            Program::Nginx => format!("{program} -c proxy.nginx.conf"),
            Program::Floor => program.into_owned(),
        }
    }
}

/// Where a proxy listens, and for what.
pub(super) struct Listening {
    pub(super) listener: u16,
    pub(super) admin: u16,
    pub(super) protocol: Protocol,
}

fn filled(template: &str, ports: &Listening, upstreams: Ports) -> String {
    template
        .replace("@LISTENER@", &ports.listener.to_string())
        .replace("@ADMIN@", &ports.admin.to_string())
        .replace("@PRIMARY@", &upstreams.primary.to_string())
        .replace("@SECONDARY@", &upstreams.secondary.to_string())
}

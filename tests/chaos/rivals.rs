//! The same mirror behind each of four programs, each set up as its own documentation has it.
//!
//! nginx and Traefik are told that a copy may take a second; the copies of the other two have the time of their route.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::state::Mirror;
use crate::dsl::clusters::SECONDARY;
use crate::dsl::dir::Dir;
use crate::dsl::ports::Port;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::{Client, Config, Proxy, Request, Upstream, until};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rival {
    Ours,
    Envoy,
    Nginx,
    Traefik,
}

impl Rival {
    pub(super) const ALL: [Self; 4] = [Self::Ours, Self::Envoy, Self::Nginx, Self::Traefik];
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "mimir-mirror",
            Self::Envoy => "Envoy",
            Self::Nginx => "nginx",
            Self::Traefik => "Traefik",
        })
    }
}

/// A running program.
pub(super) struct Running {
    program: Held,
    pub listen: SocketAddr,
}

enum Held {
    Proxy(Box<Proxy>),
    /// With the port that was promised to it.
    Process(Box<(Process, Port)>),
}

impl Running {
    pub(super) fn process(&self) -> u32 {
        match &self.program {
            Held::Proxy(proxy) => proxy.process.id(),
            Held::Process(process) => process.0.id(),
        }
    }
}

pub(super) async fn start(rival: Rival, primary: &Upstream, mirror: &Mirror) -> Running {
    match rival {
        Rival::Ours => proxy(Program::MimirMirror, &one_file(primary, mirror)).await,
        Rival::Envoy => proxy(Program::Envoy, &one_file(primary, mirror)).await,
        Rival::Nginx => nginx(primary, mirror).await,
        Rival::Traefik => traefik(primary, mirror).await,
    }
}

/// The file that both run on.
fn one_file(primary: &Upstream, mirror: &Mirror) -> Config {
    let (host, port) = mirror.endpoint();
    let config = Config::envoy().primary(primary.address()).mirror_at(SECONDARY, &[(&host, port)]);
    if mirror.scheme() == "http" {
        return config;
    }
    let context = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    config.mirror_entries(&format!(
        "transport_socket: {{ name: envoy.transport_sockets.tls, typed_config: {{ \"@type\": {context} }} }}"
    ))
}

async fn proxy(program: Program, config: &Config) -> Running {
    // Envoy is started with one worker.
    let flags: &[&str] = if program == Program::Envoy { &[] } else { &["--concurrency", "1"] };
    let proxy = Proxy::launch(program, config, flags).await;
    let listen = proxy.listen;
    Running { program: Held::Proxy(Box::new(proxy)), listen }
}

async fn nginx(primary: &Upstream, mirror: &Mirror) -> Running {
    let (dir, port) = (Dir::new("nginx"), Port::reserve());
    let (host, mirror_port) = mirror.endpoint();
    let text = include_str!("nginx.conf")
        .replace("@FOLDER@", &dir.path().display().to_string())
        .replace("@LISTENER@", &port.address().to_string())
        .replace("@PRIMARY@", &primary.address().to_string())
        .replace("@RESOLVER@", &mirror.dns.address().to_string())
        .replace("@SECONDARY@", &format!("{}://{host}:{mirror_port}", mirror.scheme()));
    let mut command = Command::new(tool("nginx"));
    command.arg("-c").arg(dir.write("nginx.conf", &text)).arg("-p").arg(dir.path());
    running("nginx", command, dir, port).await
}

async fn traefik(primary: &Upstream, mirror: &Mirror) -> Running {
    let (dir, port) = (Dir::new("traefik"), Port::reserve());
    let (host, mirror_port) = mirror.endpoint();
    let services = include_str!("traefik-services.yaml")
        .replace("@PRIMARY@", &primary.address().to_string())
        .replace("@SECONDARY@", &format!("{}://{host}:{mirror_port}", mirror.scheme()));
    let services = dir.write("services.yaml", &services);
    let text = include_str!("traefik.yaml")
        .replace("@LISTENER@", &port.address().to_string())
        .replace("@SERVICES@", &services.display().to_string());
    let mut command = Command::new(tool("traefik"));
    command.arg(format!("--configfile={}", dir.write("traefik.yaml", &text).display()));
    running("traefik", command, dir, port).await
}

fn tool(name: &str) -> std::path::PathBuf {
    let link = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(name);
    link.canonicalize().unwrap_or_else(|e| panic!("{}: {e}; `make chaos` gets it", link.display()))
}

/// Ready is who brings a request to the primary.
async fn running(name: &str, command: Command, dir: Dir, port: Port) -> Running {
    let mut process = Process::spawn(name, command, dir);
    let listen = port.address();
    until(format!("{name}'s readiness"), async || {
        if let Some(status) = process.ended() {
            panic!("{name} ended at its start: {status}\n{}", process.stderr());
        }
        let mut client = Client::try_connect(listen).await?;
        let request = Request::get("/ready").header("connection", "close");
        let answer = client.attempt(&request.bytes()).await.0?;
        (answer.status() == 200).then_some(())
    })
    .await;
    Running { program: Held::Process(Box::new((process, port))), listen }
}

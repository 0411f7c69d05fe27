//! The program under test, running on a configuration: ours, or Envoy where the two are compared.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::client::Client;
use super::config::{Config, Form};
use super::dir::Dir;
use super::http1::Message;
use super::metrics::{Ledger, Metrics};
use super::ports::Port;
use super::process::Process;
use super::request::Request;
use super::wait::{LIMIT, until, until_within};

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    MimirMirror,
    Envoy,
}

impl Program {
    /// What `PROXY_UNDER_TEST` says; ours, unless it says `envoy`.
    pub(crate) fn under_test() -> Self {
        match std::env::var("PROXY_UNDER_TEST") {
            Ok(name) if name == "envoy" => Self::Envoy,
            _ => Self::MimirMirror,
        }
    }

    /// The command, without arguments of the test's.
    pub(crate) fn command(self) -> Command {
        match self {
            Self::MimirMirror => Command::new(ours()),
            Self::Envoy => {
                let mut command = Command::new(envoy());
                command.args(["--disable-hot-restart", "--concurrency", "1", "-l", "warning"]);
                command
            }
        }
    }
}

/// The build of this profile, unless another is named: comparisons run the release.
fn ours() -> PathBuf {
    let named = std::env::var_os("MIMIR_MIRROR_BINARY");
    named.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_mimir-mirror")), PathBuf::from)
}

/// Where the tool set-up puts Envoy. Behind the package's start script stands the binary, which is what signals
/// must reach.
fn envoy() -> PathBuf {
    let link = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/envoy");
    let script =
        link.canonicalize().unwrap_or_else(|e| panic!("{}: {e}; `make test` gets it", link.display()));
    let root = script.parent().and_then(Path::parent).expect("ROOT/bin/envoy");
    let libraries = std::fs::read_dir(root.join("lib")).into_iter().flatten().flatten();
    let inside = |entry: std::fs::DirEntry| entry.path().join("site-packages/envoy/_bin/envoy");
    libraries.map(inside).find(|binary| binary.exists()).unwrap_or(script)
}

/// A running proxy.
pub(crate) struct Proxy {
    pub process: Process,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Its admin interface.
    pub admin: SocketAddr,
    _ports: [Port; 2],
}

impl Proxy {
    /// Starts the program under test and waits until it is ready.
    pub(crate) async fn start(config: &Config) -> Self {
        Self::launch(Program::under_test(), config, &[]).await
    }

    /// The same with flags.
    pub(crate) async fn launch_with(config: &Config, flags: &[&str]) -> Self {
        Self::launch(Program::under_test(), config, flags).await
    }

    /// Starts one of the two programs.
    pub(crate) async fn launch(program: Program, config: &Config, flags: &[&str]) -> Self {
        assert!(
            program == Program::MimirMirror || config.form == Form::Envoy,
            "Envoy reads its own form only"
        );
        Self::on_text(program.command(), |listen, admin| config.text(listen, admin), flags).await
    }

    /// Starts a command on a file whose text depends on the two addresses.
    pub(crate) async fn on_text(
        mut command: Command,
        text: impl FnOnce(SocketAddr, SocketAddr) -> String,
        flags: &[&str],
    ) -> Self {
        let dir = Dir::new("proxy");
        let ports = [Port::reserve(), Port::reserve()];
        let (listen, admin) = (ports[0].address(), ports[1].address());
        let file = dir.write("config.yaml", &text(listen, admin));
        command.arg("-c").arg(file).args(flags);
        let mut proxy = Self { process: Process::spawn("proxy", command, dir), listen, admin, _ports: ports };
        proxy.ready().await;
        proxy
    }

    /// Starts ours with flags only, which name the two addresses.
    pub(crate) async fn on_flags(flags: impl FnOnce(SocketAddr, SocketAddr) -> Vec<String>) -> Self {
        let ports = [Port::reserve(), Port::reserve()];
        let flags = flags(ports[0].address(), ports[1].address());
        Self::on(ports, flags).await
    }

    /// Starts ours with flags only, which lead to these two ports.
    pub(crate) async fn on(ports: [Port; 2], flags: impl IntoIterator<Item = String>) -> Self {
        let (listen, admin) = (ports[0].address(), ports[1].address());
        let mut command = Program::MimirMirror.command();
        command.args(flags);
        let process = Process::spawn("proxy", command, Dir::new("proxy"));
        let mut proxy = Self { process, listen, admin, _ports: ports };
        proxy.ready().await;
        proxy
    }

    async fn ready(&mut self) {
        until("the proxy's readiness", async || {
            if let Some(status) = self.process.ended() {
                panic!("the proxy ended at its start: {status}\n{}", self.process.stderr());
            }
            tokio::net::TcpStream::connect(self.admin).await.ok()?;
            (self.admin_get("/ready").await.status() == 200).then_some(())
        })
        .await;
    }

    /// Ends it at once, as a crash does.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Asks it to end, and waits until it has, without an error.
    pub(crate) async fn terminate(&mut self) {
        self.process.signal("TERM");
        assert_eq!(self.process.end().await.code(), Some(0));
    }

    /// Starts it again after its end, with the same file, on the same addresses.
    pub(crate) async fn start_again(&mut self) {
        self.process.start_again();
        self.ready().await;
    }

    /// A connection to the listener.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.listen).await
    }

    /// One request on a new connection.
    pub(crate) async fn send(&self, request: &Request) -> Message {
        Client::once(self.listen, request).await
    }

    pub(crate) async fn admin_get(&self, target: &str) -> Message {
        Client::once(self.admin, &Request::get(target).header("connection", "close")).await
    }

    pub(crate) async fn admin_post(&self, target: &str) -> Message {
        let request = Request::new("POST", target).body("").header("connection", "close");
        Client::once(self.admin, &request).await
    }

    /// All counters and gauges.
    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics::parse(&self.admin_get("/stats/prometheus").await.text())
    }

    /// What became of a mirror's copies so far.
    pub(crate) async fn ledger(&self, mirror: &str) -> Ledger {
        Ledger::read(&self.metrics().await, mirror)
    }

    /// The ledger once no copy is pending; fails the test if it does not add up then, or a token was lost.
    pub(crate) async fn settled(&self, mirror: &str) -> Ledger {
        self.settled_within(LIMIT, mirror).await
    }

    /// The same with more patience.
    pub(crate) async fn settled_within(&self, limit: Duration, mirror: &str) -> Ledger {
        let what = format!("the end of {mirror}'s pending copies");
        let ledger = until_within(limit, what, async || {
            let ledger = self.ledger(mirror).await;
            (ledger.pending == 0).then_some(ledger)
        })
        .await;
        ledger.assert_adds_up();
        ledger
    }

    /// The ledger once this many copies have been received and none is pending.
    pub(crate) async fn settled_at(&self, mirror: &str, received: u64) -> Ledger {
        let what = format!("{received} copies received for {mirror}");
        until(what, async || (self.ledger(mirror).await.received >= received).then_some(())).await;
        let ledger = self.settled(mirror).await;
        assert_eq!(ledger.received, received, "{ledger:?}");
        ledger
    }
}

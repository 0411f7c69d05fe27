//! A line of processes that take over from each other, and who must not notice.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use crate::dsl::dir::Dir;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::{Client, Clusters, Config, Proxy, Receiver, Request, Treatment, until};

/// A base id of this test's own.
pub(crate) fn base_id() -> String {
    static USED: AtomicUsize = AtomicUsize::new(0);
    let own = USED.fetch_add(1, Ordering::Relaxed);
    (std::process::id() as usize * 64 + own).to_string()
}

/// A line of processes with one base id.
pub(crate) struct Line {
    pub(crate) base_id: String,
    pub(crate) epoch: u32,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self { base_id: base_id(), epoch: 0 }
    }

    /// A new line and its first process, on this file.
    pub(crate) async fn first(config: &Config) -> (Self, Proxy) {
        let line = Self::new();
        let flags = line.flags();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let proxy = Proxy::launch(Program::MimirMirror, config, &flags).await;
        (line, proxy)
    }

    /// A new line whose first process stands between a prompt primary and this secondary.
    pub(crate) async fn between_clusters(
        secondary: Receiver,
        settings: &[(&'static str, &str)],
    ) -> (Self, Clusters) {
        let line = Self::new();
        let flags = line.flags();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let primary = Receiver::treating(Treatment::prompt()).await;
        let clusters = Clusters::of(primary, secondary, settings, &flags).await;
        (line, clusters)
    }

    pub(crate) fn flags(&self) -> Vec<String> {
        let flags = ["--base-id", &self.base_id, "--log-format", "json", "--restart-epoch"];
        flags.into_iter().map(str::to_owned).chain([self.epoch.to_string()]).collect()
    }

    /// Starts the next process beside the running one.
    pub(crate) fn next(&mut self, proxy: &Proxy, config: &Config, more: &[&str]) -> Process {
        self.epoch += 1;
        self.spawn(&config.text(proxy.listen, proxy.admin), more)
    }

    /// Starts a process of the present epoch on a file of this text.
    pub(crate) fn spawn(&self, text: &str, more: &[&str]) -> Process {
        let dir = Dir::new("successor");
        let file = dir.write("config.yaml", text);
        let mut command: Command = Program::MimirMirror.command();
        command.arg("-c").arg(file).args(self.flags()).args(more);
        Process::spawn("successor", command, dir)
    }

    /// Lets the next process take over. Returns the old one, which may still be running.
    pub(crate) async fn upgrade(&mut self, proxy: &mut Proxy, config: &Config, more: &[&str]) -> Process {
        let mut new = self.next(proxy, config, more);
        until("the new process' admin", async || {
            assert!(new.ended().is_none(), "it ended: {}", new.stderr());
            (epoch(proxy).await? == u64::from(self.epoch)).then_some(())
        })
        .await;
        std::mem::replace(&mut proxy.process, new)
    }
}

/// The epoch of the process that answers at the admin's address; nothing while it changes hands.
pub(crate) async fn epoch(proxy: &Proxy) -> Option<u64> {
    let mut client = Client::try_connect(proxy.admin).await?;
    let request = Request::get("/server_info").header("connection", "close").bytes();
    let (answer, _) = client.attempt(&request).await;
    let info: Value = serde_json::from_str(&answer.filter(|answer| answer.complete)?.text()).ok()?;
    (info["state"] == "LIVE").then(|| info["command_line_options"]["restart_epoch"].as_u64())?
}

/// What the log of an ended process says about its mirror: copies received, and each outcome's number.
pub(crate) fn ledger(process: &Process) -> (u64, String) {
    ledgers(process).pop().expect("it has ended in order")
}

/// The same for each configuration that has ended.
pub(crate) fn ledgers(process: &Process) -> Vec<(u64, String)> {
    let log = process.stderr();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["message"] == "the mirror's ledger");
    lines
        .map(|line| (line["received"].as_u64().unwrap(), line["copies"].as_str().unwrap().to_owned()))
        .collect()
}

/// Sends one request after the other, each over a connection of its own, until told that it is enough.
pub(crate) struct Visitors {
    enough: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    running: tokio::task::JoinHandle<()>,
}

impl Visitors {
    pub(crate) fn start(to: SocketAddr) -> Self {
        let (enough, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stop, count) = (Arc::clone(&enough), Arc::clone(&served));
        let running = tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let mut client = Client::try_connect(to).await.expect("no connection is refused");
                let (answer, sent) = client.attempt(&Request::get("/visit").bytes()).await;
                let answer =
                    answer.unwrap_or_else(|| panic!("a request without an answer; sending: {sent:?}"));
                assert!(answer.complete && answer.status() < 500, "{answer:?}");
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { enough, served, running }
    }

    pub(crate) async fn finish(self) -> usize {
        self.enough.store(true, Ordering::SeqCst);
        self.running.await.expect("every visitor was served");
        self.served.load(Ordering::SeqCst)
    }
}

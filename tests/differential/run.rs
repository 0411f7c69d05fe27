//! One program in the middle of a scenario: what a script does with it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use crate::dsl::dir::Dir;
use crate::dsl::http1::Message;
use crate::dsl::ports::Port;
use crate::dsl::proxy::Program;
use crate::dsl::wait::{LIMIT, Patience};
use crate::dsl::{Client, Gate, Proxy, Request, until};

use super::seen::{Record, Seen};
use super::server::Server;

/// A server and how many of its messages are recorded.
pub(super) struct Standing {
    pub name: &'static str,
    pub server: Box<dyn Server>,
    pub recorded: usize,
}

/// See the module.
pub(super) struct Run {
    pub program: Program,
    pub proxy: Proxy,
    /// What `gated` servers wait for.
    pub gate: Gate,
    pub(super) servers: Vec<Standing>,
    pub(super) ports: HashMap<&'static str, Port>,
    pub(super) dir: Dir,
    pub(super) record: Record,
}

impl Run {
    pub(super) fn is_envoy(&self) -> bool {
        self.program == Program::Envoy
    }

    /// Where clients connect.
    pub(super) fn listen(&self) -> SocketAddr {
        self.proxy.listen
    }

    /// The scenario's folder, `<dir>` in its file.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The address of a server, or of a port named with `Scenario::port`.
    pub(super) fn address(&self, name: &str) -> SocketAddr {
        let server = self.servers.iter().find(|s| s.name == name).map(|s| s.server.address());
        server.unwrap_or_else(|| self.ports.get(name).expect("a name of the scenario's").address())
    }

    /// A new connection to the listener.
    pub(super) async fn client(&self) -> Client {
        self.proxy.client().await
    }

    /// Sends on a new connection; records the answer, and what each of `reached` got.
    pub(super) async fn exchange(&mut self, step: &str, request: &Request, reached: &[&str]) -> Message {
        let answer = self.raw(step, &request.bytes(), reached).await;
        answer.unwrap_or_else(|| panic!("{step}: closed without an answer"))
    }

    /// Sends these bytes on a new connection. Without an answer the client's status is `closed`.
    pub(super) async fn raw(&mut self, step: &str, bytes: &[u8], reached: &[&str]) -> Option<Message> {
        let (answer, _) = self.client().await.attempt(bytes).await;
        self.answered(step, answer.as_ref());
        self.arrived(step, reached).await;
        answer
    }

    /// Records what a client got.
    pub(super) fn answered(&mut self, step: &str, answer: Option<&Message>) {
        match answer {
            Some(answer) => self.record.message(&format!("{step} / client"), answer),
            None => self.record.note(&format!("{step} / client: status"), "closed"),
        }
    }

    /// Waits until each of these has got a further complete request, and records it.
    pub(super) async fn arrived(&mut self, step: &str, reached: &[&str]) {
        for name in reached {
            let standing = self.servers.iter_mut().find(|s| s.name == *name).expect("a server of this name");
            let what = format!("{step}: a request at {name}, from {:?}", self.program);
            let message = until(what, async || {
                standing.server.messages().into_iter().nth(standing.recorded).filter(|m| m.complete)
            })
            .await;
            standing.recorded += 1;
            self.record.message(&format!("{step} / {name}"), &message);
        }
    }

    /// Waits until a server has got a request that broke off before its end, and records that.
    pub(super) async fn broken(&mut self, step: &str, name: &str) {
        let standing = self.servers.iter_mut().find(|s| s.name == name).expect("a server of this name");
        let what = format!("{step}: a request at {name}, from {:?}", self.program);
        until(what, async || standing.server.messages().get(standing.recorded).map(|_| ())).await;
        standing.recorded += 1;
        self.record.note(&format!("{step} / {name}"), "broken off");
    }

    /// Takes the next request of a server as seen, however far it came.
    pub(super) fn skip(&mut self, name: &str) {
        let standing = self.servers.iter_mut().find(|s| s.name == name).expect("a server of this name");
        standing.recorded += 1;
    }

    /// Takes every request of a server so far as seen.
    pub(super) fn skip_all(&mut self, name: &str) {
        let standing = self.servers.iter_mut().find(|s| s.name == name).expect("a server of this name");
        standing.recorded = standing.server.messages().len();
    }

    /// Records a value of any kind, as `step / who: what`.
    pub(super) fn note(&mut self, what: &str, value: impl ToString) {
        self.record.note(what, &value.to_string());
    }

    /// Waits until a statistic of `/stats` is above a value.
    pub(super) async fn stat_above(&self, name: &str, value: u64) {
        until(format!("{name} above {value}"), async || {
            self.read_stat(name).await.parse::<u64>().ok().filter(|now| *now > value)
        })
        .await;
    }

    /// Waits until a statistic of `/stats` has this value.
    pub(super) async fn stat(&self, name: &str, value: u64) {
        let mut patience = Patience::of(LIMIT);
        let mut last = self.read_stat(name).await;
        while last != value.to_string() && !patience.is_over() {
            patience.pause(name).await;
            last = self.read_stat(name).await;
        }
        if last == value.to_string() {
            return;
        }
        let scope: Vec<_> = name.split('.').take(2).collect();
        let all = self.proxy.admin_get("/stats?usedonly&type=Counters").await.text();
        let near: Vec<_> = all.lines().filter(|line| line.starts_with(&scope.join("."))).collect();
        panic!("{:?}: {name} is {last}, not {value}, in\n{}", self.program, near.join("\n"));
    }

    /// What `/stats` says about a name now; `(absent)` if nothing.
    pub(super) async fn read_stat(&self, name: &str) -> String {
        let pattern = format!("^{}$", name.replace('.', "\\."));
        let filter: String = pattern.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let text = self.proxy.admin_get(&format!("/stats?filter={filter}")).await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or("(absent)").to_owned()
    }

    /// Waits for so many lines of a file in `<dir>`, and records each.
    pub(super) async fn log(&mut self, file: &str, lines: usize) {
        let path = self.dir.path().join(file);
        let what = format!("{lines} lines in {file}, from {:?}", self.program);
        let text = until(what, async || {
            std::fs::read_to_string(&path).ok().filter(|text| text.lines().count() >= lines)
        })
        .await;
        for (number, line) in text.lines().enumerate() {
            self.record.note(&format!("{file} {}", number + 1), line);
        }
    }

    /// All that was recorded; what came to a server and no step named is an error of the scenario or of a program.
    pub(super) fn finish(mut self) -> Seen {
        for standing in &self.servers {
            for message in standing.server.messages().iter().skip(standing.recorded) {
                let seen = self.record.seen.entry(format!("unexpected at {}", standing.name)).or_default();
                seen.push_str(&message.start);
                seen.push_str("; ");
            }
        }
        std::mem::take(&mut self.record.seen)
    }
}

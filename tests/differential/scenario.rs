//! A scenario: a file, servers, a script, and the list of what differs on purpose.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::dsl::dir::Dir;
use crate::dsl::fault::{Fault, Faulty};
use crate::dsl::http1::Message;
use crate::dsl::ports::Port;
use crate::dsl::proxy::Program;
use crate::dsl::{Gate, Proxy, Reply, Upstream};

use super::file::File;
use super::run::{Run, Standing};
use super::seen::{Record, Seen};
use super::server::Server;

type Starting = Pin<Box<dyn Future<Output = Box<dyn Server>>>>;
type Start = Box<dyn Fn(Gate) -> Starting>;

/// What ours does otherwise on purpose.
struct Difference {
    what: &'static str,
    envoy: &'static str,
    ours: &'static str,
    why: &'static str,
}

/// See the module of all scenarios.
pub(super) struct Scenario {
    file: File,
    /// Ours on another file than Envoy.
    ours: Option<File>,
    servers: Vec<(&'static str, Start)>,
    ports: Vec<&'static str>,
    files: Vec<(&'static str, Vec<u8>)>,
    flags: Vec<&'static str>,
    differences: Vec<Difference>,
    only: Option<fn(&str) -> bool>,
    one_worker: bool,
    converts: bool,
}

impl Scenario {
    pub(super) fn of(file: File) -> Self {
        Self {
            file,
            ours: None,
            servers: Vec::new(),
            ports: Vec::new(),
            files: Vec::new(),
            flags: Vec::new(),
            differences: Vec::new(),
            only: None,
            one_worker: false,
            converts: true,
        }
    }

    /// A server that `start` starts, once for each program.
    pub(super) fn server<S: Server + 'static, F: Future<Output = S> + 'static>(
        mut self,
        name: &'static str,
        start: impl Fn(Gate) -> F + 'static,
    ) -> Self {
        let boxed: Start = Box::new(move |gate| {
            let started = start(gate);
            Box::pin(async move { Box::new(started.await) as Box<dyn Server> })
        });
        self.servers.push((name, boxed));
        self
    }

    /// An HTTP/1.1 server that answers as `script` says, which sees the head.
    pub(super) fn upstream(
        self,
        name: &'static str,
        script: impl Fn(&Message) -> Reply + Clone + Send + Sync + 'static,
    ) -> Self {
        self.server(name, move |_| Upstream::scripted(script.clone()))
    }

    /// One that gives these answers in turn, the last one for ever.
    pub(super) fn replies(self, name: &'static str, replies: &[Reply]) -> Self {
        let replies = replies.to_vec();
        self.server(name, move |_| {
            let (replies, next) = (replies.clone(), AtomicUsize::new(0));
            Upstream::scripted(move |_| {
                let place = next.fetch_add(1, Ordering::Relaxed);
                replies[place.min(replies.len() - 1)].clone()
            })
        })
    }

    /// One whose answers depend on the run's gate.
    pub(super) fn gated(self, name: &'static str, reply: impl Fn(&Gate) -> Reply + 'static) -> Self {
        self.server(name, move |gate| Upstream::answering(reply(&gate)))
    }

    /// A bad server.
    pub(super) fn faulty(self, name: &'static str, fault: Fault) -> Self {
        self.server(name, move |_| Faulty::start(fault.clone()))
    }

    /// A further port, `<name>` in the file, on which nothing listens but what the file binds to it.
    pub(super) fn port(mut self, name: &'static str) -> Self {
        self.ports.push(name);
        self
    }

    /// A file `<dir>/name`, there before the program starts.
    pub(super) fn with_file(mut self, name: &'static str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name, content.into()));
        self
    }

    /// Flags of both programs.
    pub(super) fn flags(mut self, flags: &[&'static str]) -> Self {
        self.flags.extend(flags);
        self
    }

    /// Ours has one worker, as Envoy always has here.
    pub(super) fn one_worker(mut self) -> Self {
        self.one_worker = true;
        self
    }

    /// Ours runs on this file, Envoy on the first.
    pub(super) fn ours(mut self, file: File) -> Self {
        self.ours = Some(file);
        self
    }

    /// What ours does otherwise, and why. `(absent)` is what one of the two does not see.
    pub(super) fn differs(
        mut self,
        what: &'static str,
        envoy: &'static str,
        ours: &'static str,
        why: &'static str,
    ) -> Self {
        assert!(!why.is_empty());
        self.differences.push(Difference { what, envoy, ours, why });
        self
    }

    /// Compares only what `matters`. Say why where it is called.
    pub(super) fn only(mut self, matters: fn(&str) -> bool) -> Self {
        self.only = Some(matters);
        self
    }

    /// The file cannot be said in v3's form; why is for the reader.
    pub(super) fn not_convertible(mut self, why: &str) -> Self {
        assert!(!why.is_empty());
        self.converts = false;
        self
    }

    /// Runs the script through both programs, and compares.
    pub(super) async fn run(self, script: impl AsyncFn(&mut Run)) {
        let envoy = self.observe(Program::Envoy, &script).await;
        let ours = self.observe(Program::MimirMirror, &script).await;
        let wrong = self.compare(&envoy, &ours);
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    async fn observe(&self, program: Program, script: &impl AsyncFn(&mut Run)) -> Seen {
        let (dir, gate) = (Dir::new("scenario"), Gate::closed());
        for (name, content) in &self.files {
            std::fs::write(dir.path().join(name), content).expect("own folder is writable");
        }
        let (servers, ports) = self.surroundings(&gate).await;
        let mut record = Record::default();
        let mut places = vec![("<dir>".to_owned(), dir.path().display().to_string())];
        let named = servers.iter().map(|s| (s.name, s.server.address().port()));
        for (name, port) in named.chain(ports.iter().map(|(name, port)| (*name, port.number()))) {
            places.push((format!("<{name}>"), port.to_string()));
            record.call(format!("127.0.0.1:{port}"), &format!("<{name}>"));
        }
        record.call(dir.path().display().to_string(), "<dir>");
        let file = self.ours.as_ref().filter(|_| program == Program::MimirMirror).unwrap_or(&self.file);
        let mut command = program.command();
        command.args(["--file-flush-interval-msec", "20"]);
        if self.one_worker && program == Program::MimirMirror {
            command.args(["--concurrency", "1"]);
        }
        let mut text = String::new();
        let write = |listen: std::net::SocketAddr, admin: std::net::SocketAddr| {
            places.push(("<listen>".to_owned(), listen.port().to_string()));
            places.push(("<admin>".to_owned(), admin.port().to_string()));
            text = places.iter().fold(file.render(), |text, (place, value)| text.replace(place, value));
            text.clone()
        };
        let proxy = Proxy::on_text(command, write, &self.flags).await;
        record.call(format!("127.0.0.1:{}", proxy.listen.port()), "<listen>");
        record.call(format!("127.0.0.1:{}", proxy.admin.port()), "<admin>");
        let mut run = Run { program, proxy, gate, servers, ports, dir, record };
        script(&mut run).await;
        if program == Program::MimirMirror && self.converts {
            super::convert::stays_the_same(&text);
        }
        run.finish()
    }

    async fn surroundings(&self, gate: &Gate) -> (Vec<Standing>, HashMap<&'static str, Port>) {
        let mut servers = Vec::new();
        for (name, start) in &self.servers {
            servers.push(Standing { name, server: start(gate.clone()).await, recorded: 0 });
        }
        for name in super::BOTH {
            if !self.servers.iter().any(|(n, _)| *n == name) && !self.ports.contains(&name) {
                let server = Box::new(Upstream::answering(Reply::ok()).await);
                servers.push(Standing { name, server, recorded: 0 });
            }
        }
        (servers, self.ports.iter().map(|name| (*name, Port::reserve())).collect())
    }

    /// What differs must be listed, and what is listed must differ.
    fn compare(&self, envoy: &Seen, ours: &Seen) -> Vec<String> {
        let absent = "(absent)".to_owned();
        let mut listed: Vec<_> = self.differences.iter().collect();
        let mut wrong = Vec::new();
        let mut all: Vec<_> = envoy.keys().chain(ours.keys()).collect();
        all.sort();
        all.dedup();
        for what in all.into_iter().filter(|what| self.only.is_none_or(|matters| matters(what))) {
            let (theirs, own) = (envoy.get(what).unwrap_or(&absent), ours.get(what).unwrap_or(&absent));
            if theirs == own && !what.starts_with("unexpected") {
                continue;
            }
            let place = listed.iter().position(|d| d.what == what && d.envoy == theirs && d.ours == own);
            match place {
                Some(place) => drop(listed.remove(place)),
                None => wrong.push(format!("{what}: Envoy {theirs:?}, ours {own:?}")),
            }
        }
        wrong.extend(listed.iter().map(|d| format!("{}: differs no longer as listed ({})", d.what, d.why)));
        wrong
    }
}

/// Envoy takes the file, and ours refuses it by the name of a field, with a remedy.
pub(super) fn refused_by_ours(file: &File, field: &str) {
    let (envoy, _) = validated(Program::Envoy, file);
    assert!(envoy.is_ok(), "Envoy: {envoy:?}");
    let (ours, text) = validated(Program::MimirMirror, file);
    let said = ours.expect_err(&text);
    assert!(said.contains(field) && said.contains("help: "), "{said}");
}

/// Both refuse the file in these words.
pub(super) fn refused_by_both(file: &File, words: &str) {
    for program in [Program::Envoy, Program::MimirMirror] {
        let (result, text) = validated(program, file);
        let said = result.expect_err(&text);
        assert!(said.contains(words), "{program:?}: {said}");
    }
}

/// What a program says of a file, with its text.
fn validated(program: Program, file: &File) -> (Result<(), String>, String) {
    let dir = Dir::new("validate");
    let places = [("<listen>", "0"), ("<admin>", "0"), ("<primary>", "9"), ("<mirror>", "9")];
    let text = places.iter().fold(file.render(), |text, (place, value)| text.replace(place, value));
    let path = dir.write("file.yaml", &text);
    let output = program.command().args(["--mode", "validate", "-c"]).arg(path).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success().then_some(()).ok_or(said), text)
}

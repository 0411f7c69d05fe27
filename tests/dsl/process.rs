//! A program under the test's control: its log in a file, its end with the value's.

use std::fs::File;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::dir::Dir;
use super::wait::until;

/// A running program. Dropping it kills it, and prints the end of its log if the test is failing.
pub(crate) struct Process {
    child: Child,
    command: Command,
    name: String,
    dir: Dir,
}

impl Process {
    /// Starts `command` with its output in files of `dir`.
    pub(crate) fn spawn(name: &str, mut command: Command, dir: Dir) -> Self {
        let file = |kind: &str| File::create(dir.path().join(kind)).expect("own folder is writable");
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let child = command.spawn().unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        Self { child, command, name: name.to_owned(), dir }
    }

    /// Starts the same command again after its end. Its log goes on where it stopped.
    pub(crate) fn start_again(&mut self) {
        assert!(self.ended().is_some(), "{} still runs", self.name);
        self.child = self.command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e}", self.name));
    }

    /// Ends it at once, as a crash does (SIGKILL).
    pub(crate) async fn kill(&mut self) {
        self.child.kill().expect("own child");
        self.end().await;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Replaces the content of one of its files by another file of the name, as editors and Kubernetes do.
    pub(crate) fn rewrite(&self, name: &str, text: &str) {
        let new = self.dir.write(&format!("{name}.new"), text);
        std::fs::rename(new, self.dir.path().join(name)).expect("own folder is writable");
    }

    /// How often its log has these words.
    pub(crate) fn said(&self, words: &str) -> usize {
        self.stderr().matches(words).count()
    }

    /// Its log.
    pub(crate) fn stderr(&self) -> String {
        let bytes = std::fs::read(self.dir.path().join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How it ended, or nothing if it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("own child")
    }

    /// Waits for its end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let name = self.name.clone();
        until(format!("the end of {name}"), async || self.ended()).await
    }

    /// Sends a signal by its name (`TERM`).
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.is_ok_and(|s| s.success()), "cannot signal {}", self.name);
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("a Linux process");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("VmRSS: N kB");
        kib * 1024
    }

    /// Threads.
    pub(crate) fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.id())).expect("it runs").count()
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("it runs").count()
    }
}

impl Drop for Process {
    #[allow(clippy::print_stderr, reason = "the test's own output, shown when it fails")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.stderr();
            let tail: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("--- last log lines of {} ({})", self.name, self.dir.path().display());
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

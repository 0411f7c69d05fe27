//! A proxy that runs, pinned to its CPU, for one measurement.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::case::Protocol;
use super::certificate::Certificate;
use super::proc::{self, CpuTime};
use super::upstream::Ports;
use super::variant::{Listening, Program, Variant};

/// How long a proxy may take until it listens.
const START_MAX: Duration = Duration::from_secs(20);
/// How long its admin may take for one answer.
const ADMIN_MAX: Duration = Duration::from_secs(5);

/// A running proxy; dropping it ends it.
pub(super) struct Proxy {
    child: Child,
    pub(super) port: u16,
    admin: Option<u16>,
}

impl Proxy {
    /// Starts a fresh process on these CPUs, so that no measurement inherits another's memory, and waits until it
    /// listens.
    pub(super) fn start(
        variant: &Variant,
        cpus: &str,
        protocol: Protocol,
        upstreams: Ports,
        certificate: &Certificate,
    ) -> Result<Self> {
        let listening = Listening { listener: free_port()?, admin: free_port()?, protocol };
        if let Some(backlog) = variant.backlog.as_ref().filter(|backlog| backlog.exists()) {
            fs::remove_dir_all(backlog)?;
        }
        let program = variant.command(&listening, upstreams, certificate)?;
        let log = proc::target_folder()?.join("bench").join(format!("{}.log", variant.name));
        let output = File::create(&log)?;

        let mut command = Command::new("taskset");
        command.args(["-c", cpus]).arg(program.get_program()).args(program.get_args());
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // A group of its own: Ctrl-C at the terminal reaches this program, which then ends it.
        let child = command.process_group(0).spawn().context("cannot start taskset")?;
        let admin = (variant.program == Program::MimirMirror).then_some(listening.admin);
        let mut proxy = Self { child, port: listening.listener, admin };
        proxy.wait_until_listening().with_context(|| {
            let log = fs::read_to_string(&log).unwrap_or_default();
            format!("{} does not start; its log:\n{log}", variant.name)
        })?;
        Ok(proxy)
    }

    fn wait_until_listening(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("nothing listens on port {} after {START_MAX:?}", self.port);
            }
            pause(Duration::from_millis(5));
        }
        Ok(())
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of all its threads so far.
    pub(super) fn cpu_time(&self) -> Result<CpuTime> {
        proc::cpu_time(self.child.id())
    }

    /// Most memory it has had resident so far, in KiB.
    pub(super) fn peak_memory_kib(&self) -> Result<u64> {
        proc::peak_memory_kib(self.child.id())
    }

    /// Memory it has resident now, in KiB.
    pub(super) fn memory_kib(&self) -> Result<u64> {
        proc::memory_kib(self.child.id())
    }

    /// How copies came to be sent so far: directly, after waiting, after their series were read. Ours alone says so.
    pub(super) fn copies(&self) -> Result<Option<[u64; 3]>> {
        let Some(port) = self.admin else { return Ok(None) };
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("no admin")?;
        stream.set_read_timeout(Some(ADMIN_MAX))?;
        stream.write_all(b"GET /stats/prometheus HTTP/1.0\r\nhost: bench\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(Some(["direct", "waited", "read"].map(|path| counter(&text, path))))
    }
}

/// The value of `mimir_mirror_ordered_total` with this path.
fn counter(text: &str, path: &str) -> u64 {
    let label = format!("path=\"{path}\"");
    let mut lines = text.lines().filter(|line| line.starts_with("mimir_mirror_ordered_total{"));
    let value = lines.find(|line| line.contains(&label)).and_then(|line| line.rsplit_once(' '));
    value.and_then(|(_, value)| value.parse().ok()).unwrap_or_default()
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for another process to get on with its work.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes offer nothing to wait on; callers poll a condition"
)]
pub(super) fn pause(time: Duration) {
    thread::sleep(time);
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_path() {
        let text = "# TYPE mimir_mirror_ordered_total counter\n\
                    mimir_mirror_ordered_total{mirror=\"a\",path=\"direct\"} 12\n\
                    mimir_mirror_ordered_total{mirror=\"a\",path=\"waited\"} 3\n";
        assert_eq!(["direct", "waited", "read"].map(|path| counter(text, path)), [12, 3, 0]);
    }
}

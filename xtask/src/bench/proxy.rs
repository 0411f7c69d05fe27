//! A proxy that runs, pinned to its CPU, for one measurement.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::upstream::Ports;
use super::variant::Variant;
use super::{PROXY_CPU, proc};

/// How long a proxy may take until it listens.
const START_MAX: Duration = Duration::from_secs(20);

/// A running proxy; dropping it ends it.
pub(super) struct Proxy {
    child: Child,
    pub(super) port: u16,
}

impl Proxy {
    /// Starts a fresh process, so that no measurement inherits another's memory, and waits until it listens.
    pub(super) fn start(variant: &Variant, upstreams: Ports) -> Result<Self> {
        let folder = proc::target_folder()?.join("bench");
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let file = folder.join(format!("{}.yaml", variant.name));
        fs::write(&file, variant.configuration(port, upstreams))?;
        if let Some(backlog) = variant.backlog.as_ref().filter(|backlog| backlog.exists()) {
            fs::remove_dir_all(backlog)?;
        }
        let log = folder.join(format!("{}.log", variant.name));
        let output = File::create(&log)?;

        let child = Command::new("taskset")
            .args(["-c", PROXY_CPU])
            .arg(&variant.binary)
            .arg("-c")
            .arg(&file)
            .args(variant.flags())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("cannot start taskset")?;
        let mut proxy = Self { child, port };
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

    /// CPU time of all its threads so far.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
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

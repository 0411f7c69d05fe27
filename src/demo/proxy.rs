//! The proxy between sender and clusters: this same binary as a child process, with flags and no file.
//!
//! The child must not outlive the demo, however that ends. Linux can promise it, but only to a process that asks for
//! itself: so the child starts as a hidden form of `demo`, asks, and then becomes the proxy by `exec`.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};
use tokio::time::Instant;

use super::admin;

/// How long the proxy may take until it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// A port that was free may be taken a moment later: how often to try others.
const ATTEMPTS: u32 = 3;

/// A running proxy. It is killed when this is dropped, and when this process ends without dropping it.
pub(super) struct Proxy {
    child: Child,
    /// Where it takes requests.
    pub(super) listen: SocketAddr,
    /// Where it tells about itself.
    pub(super) admin: SocketAddr,
}

impl Proxy {
    /// Starts a proxy from `primary` to `mirror` and waits until it says that it is ready. Must be called from the
    /// main thread: the child is killed when the thread that started it ends.
    ///
    /// # Errors
    /// If the proxy ends or does not become ready within 10 s.
    pub(super) async fn start(primary: SocketAddr, mirror: SocketAddr) -> anyhow::Result<Self> {
        let mut outcome = Err(anyhow::anyhow!("not tried"));
        for _ in 0..ATTEMPTS {
            outcome = Self::spawn(primary, mirror)?.ready().await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome.context("the proxy did not start")
    }

    /// The proxy's process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says how the proxy ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    fn spawn(primary: SocketAddr, mirror: SocketAddr) -> anyhow::Result<Self> {
        let (listen, admin) = free_ports()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["demo", "--proxy-of", &getpid().as_raw_nonzero().to_string(), "--"])
            .args(["--primary", &format!("http://{primary}"), "--mirror", &format!("http://{mirror}")])
            .args(["--listen", &listen.to_string(), "--admin", &admin.to_string()])
            .args(["--log-level", "warning"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child, listen, admin })
    }

    async fn ready(mut self) -> anyhow::Result<Self> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = self.ended() {
                bail!("it ended with {status}");
            }
            if admin::get(self.admin, "/ready").await.is_ok_and(|(status, _)| status.is_success()) {
                return Ok(self);
            }
            if Instant::now() > deadline {
                bail!("its admin at {} was not ready after {} s", self.admin, START_TIMEOUT.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two ports that nobody listens on: both are held until both are known, so that they differ.
fn free_ports() -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback");
    let (one, other) = (bind()?, bind()?);
    Ok((one.local_addr()?, other.local_addr()?))
}

/// The hidden form of `demo`: ties this process to `parent` and becomes the binary with `arguments`.
///
/// # Errors
/// Always, as on success there is nobody left to return to: the parent is gone, or `exec` failed.
pub(super) fn become_proxy(parent: i32, arguments: &[OsString]) -> anyhow::Result<std::convert::Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot be tied to the parent process")?;
    // The parent may have ended before the line above; then nobody would send the signal.
    if getppid().map(Pid::as_raw_nonzero).map(i32::from) != Some(parent) {
        bail!("the demo has ended");
    }
    Err(Command::new(std::env::current_exe()?).args(arguments).exec().into())
}

//! The signals that a process listens to.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// See the module.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Ready at a signal to stop, with its name.
    pub(crate) async fn stop(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                // As Envoy: a closed terminal must not end a proxy.
                _ = self.hangup.recv() => tracing::warn!("SIGHUP is ignored: a new configuration needs a restart"),
            }
        }
    }
}

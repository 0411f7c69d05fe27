//! The signals that a process listens to.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// See the module.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    reopen: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// To stop, by the signal of this name.
    Stop(&'static str),
    /// To open log files again (SIGUSR1).
    ReopenLogs,
    /// To read the configuration again (SIGHUP).
    Reload,
}

impl Signals {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
        })
    }

    /// Ready at a signal to stop, with its name.
    pub(crate) async fn stop(&mut self) -> &'static str {
        loop {
            if let Heard::Stop(why) = self.next().await {
                return why;
            }
        }
    }

    /// Ready at a signal that asks for something.
    pub(crate) async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.terminate.recv() => Heard::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Heard::Stop("SIGINT"),
            _ = self.reopen.recv() => Heard::ReopenLogs,
            // A closed terminal sends it too, and must not end a proxy.
            _ = self.hangup.recv() => Heard::Reload,
        }
    }
}

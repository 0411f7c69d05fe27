//! The control thread: the life of the process. It decides; others are told.
//!
//! Enters: the configuration, signals, the admin's commands. Leaves: addresses and the phase of the process, which
//! the workers watch. It binds, resolves, starts the workers and accepts (`start`), and ends everything in order.

mod held_up;
mod leave;
mod mirrors;
mod notify;
mod report;
mod sockets;
mod start;
mod upgrade;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use config::model::Config;
use tokio::sync::{mpsc, watch};

use crate::access_log::writer::Writer;
use crate::admin::Command;
use crate::cli::Serve;
use crate::lifecycle::Lifecycle;
use crate::log::Loggers;
use crate::signals::{Heard, Signals};
use crate::stats::Stats;
use crate::worker::Phase;
use mirrors::Running;
use upgrade::door::Successor;
use upgrade::successor::News;

/// Runs the proxy until it is told to stop.
pub(crate) fn run(config: Config, flags: &Serve, loggers: Loggers) -> anyhow::Result<()> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    for (flag, why) in flags.compat.notes() {
        tracing::info!(flag, why, "accepted, and changes nothing");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match start::start(config, flags, loggers).await? {
            Some(process) => process.supervise().await,
            None => Ok(()),
        }
    })
}

/// The running proxy.
struct Process {
    config: Arc<Config>,
    stats: Arc<Stats>,
    lifecycle: Arc<Lifecycle>,
    phase: watch::Sender<Phase>,
    stop_accepting: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    mirrors: Running,
    admin: Option<JoinHandle<()>>,
    commands: mpsc::Receiver<Command>,
    signals: Signals,
    loggers: Loggers,
    logs: Writer,
    drain_time: Duration,
    /// A process that has taken over.
    successors: mpsc::Receiver<Successor>,
    /// What the process before this one has done.
    news: mpsc::Receiver<News>,
    /// The process before this one has not ended.
    after_another: bool,
    /// The backlogs were given free before the end.
    backlogs_free: bool,
}

impl Process {
    /// Until the process is told to stop, then through its end.
    async fn supervise(mut self) -> anyhow::Result<()> {
        let mut reporter =
            report::Reporter::new(Arc::clone(&self.config), Arc::clone(&self.stats), self.mirrors.paces());
        let mut tick = tokio::time::interval(report::EVERY);
        let mut drain_listeners_at: Option<tokio::time::Instant> = None;
        let mut release_at = Some(tokio::time::Instant::now() + self.drain_time);
        let successor = loop {
            tokio::select! {
                heard = self.signals.next() => match heard {
                    Heard::Stop(why) => {
                        tracing::info!(why, drain_time = ?self.drain_time, "draining; once more leaves at once");
                        break None;
                    }
                    Heard::ReopenLogs => self.reopen_logs(),
                },
                // Without an admin there are no commands, and this branch is never taken.
                Some(command) = self.commands.recv() => match command {
                    Command::Quit => {
                        tracing::info!(why = "POST /quitquitquit", drain_time = ?self.drain_time, "draining");
                        break None;
                    }
                    Command::DrainListeners { graceful, skip_exit: false } => {
                        self.lifecycle.set_closing();
                        let after = if graceful { self.drain_time } else { Duration::ZERO };
                        drain_listeners_at = Some(tokio::time::Instant::now() + after);
                    }
                    command => self.obey(command),
                },
                () = sleep_until(drain_listeners_at) => {
                    drain_listeners_at = None;
                    tracing::info!("listeners are closed");
                    self.stop_accepting.send_replace(true);
                }
                Some(successor) = self.successors.recv() => break Some(successor),
                Some(news) = self.news.recv() => self.hear(&news),
                () = sleep_until(release_at) => {
                    release_at = None;
                    self.stop_waiting();
                }
                _ = tick.tick() => reporter.look(),
            }
        };
        match successor {
            Some(successor) => self.part(&successor).await,
            None => self.drain().await,
        }
        reporter.conclude();
        Ok(())
    }
}

impl Process {
    /// What an operator wants, but for what changes the loop.
    fn obey(&mut self, command: Command) {
        match command {
            Command::ReopenLogs => self.reopen_logs(),
            Command::FailHealthCheck => self.lifecycle.set_failing(true),
            Command::PassHealthCheck => self.lifecycle.set_failing(false),
            Command::Hold { mirror, held } => self.mirrors.hold(mirror, held),
            Command::Skip { mirror } => self.mirrors.skip(mirror),
            Command::DrainListeners { .. } => self.lifecycle.set_closing(),
            Command::Quit => {}
        }
    }

    /// A rotation has moved files away.
    fn reopen_logs(&self) {
        self.loggers.reopen();
        self.logs.opened().reopen();
    }

    /// The process before this one has no copies for a mirror any more, or has ended.
    fn hear(&mut self, news: &News) {
        let mirror = match news {
            News::Quiet(mirror) => Some(mirror.as_str()),
            News::Gone => {
                self.after_another = false;
                tracing::info!("the process before this one has ended");
                None
            }
        };
        self.mirrors.release(mirror);
    }

    /// The process before this one took its time: copies of mirrors that it has not told about go on without it.
    fn stop_waiting(&mut self) {
        for mirror in self.mirrors.release(None) {
            tracing::warn!(
                mirror,
                "the process before this one still has copies; later ones may overtake them from now on"
            );
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

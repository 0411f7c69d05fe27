//! The control thread: the life of the process. It decides; others are told.
//!
//! Enters: the configuration, signals, the admin's commands. Leaves: addresses and the phase of the process, which
//! the workers watch. It binds, resolves, starts the workers and accepts (`start`), and ends everything in order.

mod held_up;
mod mirrors;
mod report;
mod sockets;
mod start;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use config::model::Config;
use tokio::sync::{mpsc, watch};

use crate::admin::Command;
use crate::cli::Serve;
use crate::lifecycle::Lifecycle;
use crate::log::Loggers;
use crate::signals::{Heard, Signals};
use crate::stats::Stats;
use crate::worker::Phase;
use mirrors::Running;

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
    drain_time: Duration,
}

impl Process {
    /// Until the process is told to stop, then through its end.
    async fn supervise(mut self) -> anyhow::Result<()> {
        let mut reporter =
            report::Reporter::new(Arc::clone(&self.config), Arc::clone(&self.stats), self.mirrors.paces());
        let mut tick = tokio::time::interval(report::EVERY);
        let mut drain_listeners_at: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                heard = self.signals.next() => match heard {
                    Heard::Stop(why) => {
                        tracing::info!(why, drain_time = ?self.drain_time, "draining; once more leaves at once");
                        break;
                    }
                    Heard::ReopenLogs => self.loggers.reopen(),
                },
                // Without an admin there are no commands, and this branch is never taken.
                Some(command) = self.commands.recv() => match command {
                    Command::Quit => {
                        tracing::info!(why = "POST /quitquitquit", drain_time = ?self.drain_time, "draining");
                        break;
                    }
                    Command::ReopenLogs => self.loggers.reopen(),
                    Command::FailHealthCheck => self.lifecycle.set_failing(true),
                    Command::PassHealthCheck => self.lifecycle.set_failing(false),
                    Command::DrainListeners { skip_exit: true, .. } => self.lifecycle.set_closing(),
                    Command::DrainListeners { graceful, .. } => {
                        self.lifecycle.set_closing();
                        let after = if graceful { self.drain_time } else { Duration::ZERO };
                        drain_listeners_at = Some(tokio::time::Instant::now() + after);
                    }
                    Command::Hold { mirror, held } => self.mirrors.hold(mirror, held),
                    Command::Skip { mirror } => self.mirrors.skip(mirror),
                },
                () = sleep_until(drain_listeners_at) => {
                    drain_listeners_at = None;
                    tracing::info!("listeners are closed");
                    self.stop_accepting.send_replace(true);
                }
                _ = tick.tick() => reporter.look(),
            }
        }
        self.drain().await;
        reporter.conclude();
        Ok(())
    }

    /// Stop accepting, finish requests and copies, leave; at the latest after the drain time or a second signal.
    async fn drain(&mut self) {
        self.lifecycle.set_failing(true);
        self.stop_accepting.send_replace(true);
        self.phase.send_replace(Phase::Draining);
        let workers = std::mem::take(&mut self.workers);
        let mut joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                // A panic has been reported by the thread itself.
                let _ = worker.join();
            }
        });
        tokio::select! {
            _ = &mut joined => {}
            () = tokio::time::sleep(self.drain_time) => {
                tracing::warn!("the drain time is over; what is left is given up");
                self.phase.send_replace(Phase::Leaving);
                let _ = joined.await;
            }
            why = self.signals.stop() => {
                tracing::warn!(why, "leaving at once; what is left is given up");
                self.phase.send_replace(Phase::Leaving);
                let _ = joined.await;
            }
        }
        let mirrors = std::mem::take(&mut self.mirrors);
        let _ = tokio::task::spawn_blocking(move || mirrors.leave()).await;
        self.commands.close();
        if let Some(admin) = self.admin.take() {
            let _ = tokio::task::spawn_blocking(move || admin.join()).await;
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

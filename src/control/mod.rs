//! The control thread: the life of the process. It decides; others are told.
//!
//! Enters: the configuration, signals, the admin's commands. Leaves: addresses and the phase of the process, which
//! the workers watch. It binds, resolves, starts the workers and accepts (`start`), and ends everything in order. A new
//! configuration gets a control thread of its own (`reload`).

mod held_up;
mod leave;
mod mirrors;
mod notify;
mod reload;
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
pub(crate) use reload::Watch;
use reload::{End, Generations, Way};
use upgrade::door::{Doorway, Successor};
use upgrade::line::Before;
use upgrade::successor::News;

/// How often it is looked whether the configuration file has changed, if it is watched.
const LOOK: Duration = Duration::from_secs(1);

/// Runs the proxy on this configuration until it is told to stop. `watch` has looked at its file before it was read.
pub(crate) fn run(
    flags: Serve,
    config: Config,
    watch: Option<Watch>,
    loggers: Loggers,
) -> anyhow::Result<()> {
    for (flag, why) in flags.compat.notes() {
        tracing::info!(flag, why, "accepted, and changes nothing");
    }
    let (generations, ended) = Generations::new(flags, watch, loggers);
    run_generation(config, &generations, None)?;
    drop(generations);
    // Another configuration may be in force by now, or an older one not be done yet.
    ended.wait();
    tracing::info!("exiting");
    Ok(())
}

/// Runs one configuration on this thread. `way` leads to the one in force.
///
/// # Errors
/// When it cannot be started.
fn run_generation(config: Config, generations: &Arc<Generations>, way: Option<Way>) -> anyhow::Result<()> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if let Some(process) = start::start(config, generations, way).await? {
            process.supervise().await;
        }
        Ok(())
    })
}

/// The running proxy, as one configuration makes it.
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
    generations: Arc<Generations>,
    /// How the process ends.
    end: watch::Receiver<End>,
    logs: Writer,
    drain_time: Duration,
    /// Where the next configuration comes in. Nothing once the listeners are closed, or will be.
    doorway: Option<Doorway>,
    /// A process or configuration that has taken over.
    successors: mpsc::Receiver<Successor>,
    /// What the one before has done.
    news: mpsc::Receiver<News>,
    before: Before,
    /// The backlogs were given free before the end.
    backlogs_free: bool,
}

impl Process {
    /// Until the process is told to stop or another takes over, then through the end.
    async fn supervise(mut self) {
        let mut reporter =
            report::Reporter::new(Arc::clone(&self.config), Arc::clone(&self.stats), self.mirrors.paces());
        if self.generations.is_watched() {
            tokio::spawn(look_again_and_again(Arc::clone(&self.generations)));
        }
        match self.serve(&mut reporter).await {
            Some(successor) => self.part(&successor).await,
            None => self.drain().await,
        }
        reporter.conclude();
    }

    /// Until this has to end. Returns who has taken over, if that is why.
    async fn serve(&mut self, reporter: &mut report::Reporter) -> Option<Successor> {
        let mut tick = tokio::time::interval(report::EVERY);
        let mut drain_listeners_at: Option<tokio::time::Instant> = None;
        let mut release_at = Some(tokio::time::Instant::now() + self.drain_time);
        loop {
            tokio::select! {
                heard = self.signals.next() => match heard {
                    Heard::Stop(why) => {
                        tracing::info!(why, drain_time = ?self.drain_time, "draining; once more leaves at once");
                        return None;
                    }
                    Heard::ReopenLogs => self.reopen_logs(),
                    Heard::Reload => self.reload(),
                },
                // Without an admin there are no commands, and this branch is never taken.
                Some(command) = self.commands.recv() => match command {
                    Command::Quit => {
                        tracing::info!(why = "POST /quitquitquit", drain_time = ?self.drain_time, "draining");
                        return None;
                    }
                    Command::DrainListeners { graceful, skip_exit: false } => {
                        self.lifecycle.set_closing();
                        self.doorway = None;
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
                Some(successor) = self.successors.recv() => return Some(successor),
                Some(news) = self.news.recv() => self.hear(&news),
                () = sleep_until(release_at) => {
                    release_at = None;
                    self.stop_waiting();
                }
                _ = tick.tick() => {
                    reporter.look();
                    // One that had to wait, or that the file's change asks for.
                    reload::begin(&self.generations, self.doorway.as_ref());
                }
                // The one before was told to stop while this one started.
                _ = reload::sooner(&mut self.end, End::No) => return None,
            }
        }
    }
}

/// Looks whether the configuration file has changed.
async fn look_again_and_again(generations: Arc<Generations>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let generations = Arc::clone(&generations);
        let _ = tokio::task::spawn_blocking(move || generations.look()).await;
    }
}

impl Process {
    /// SIGHUP.
    fn reload(&self) {
        if self.generations.flags.config_path.is_none() {
            tracing::info!("SIGHUP: there is no configuration file that could be read again");
            return;
        }
        tracing::info!(file = self.generations.flags.origin(), "SIGHUP: the configuration is read again");
        self.generations.want();
        reload::begin(&self.generations, self.doorway.as_ref());
    }

    /// What an operator wants, but for what changes the loop.
    fn obey(&mut self, command: Command) {
        match command {
            Command::ReopenLogs => self.reopen_logs(),
            Command::FailHealthCheck => self.fail_health_check(true),
            Command::PassHealthCheck => self.fail_health_check(false),
            Command::Hold { mirror, held } => self.hold(mirror, held),
            Command::Skip { mirror } => self.mirrors.skip(mirror),
            Command::DrainListeners { .. } => self.lifecycle.set_closing(),
            Command::Quit => {}
        }
    }

    fn fail_health_check(&self, failing: bool) {
        self.lifecycle.set_failing(failing);
        self.generations.wish(|wishes| wishes.failing = failing);
    }

    fn hold(&mut self, mirror: usize, held: bool) {
        self.mirrors.hold(mirror, held);
        let Some(name) = self.config.mirrors.get(mirror).map(|mirror| mirror.name.clone()) else { return };
        self.generations.wish(|wishes| {
            if held {
                wishes.paused.insert(name)
            } else {
                wishes.paused.remove(&name)
            };
        });
    }

    /// A rotation has moved files away.
    fn reopen_logs(&self) {
        self.generations.loggers.reopen();
        self.logs.opened().reopen();
    }

    /// The one before has no copies for a mirror any more, or has ended.
    fn hear(&mut self, news: &News) {
        let mirror = match news {
            News::Quiet(mirror) => Some(mirror.as_str()),
            News::Gone => {
                // A configuration says so itself.
                if self.before == Before::Process {
                    tracing::info!("the process before this one has ended");
                }
                None
            }
        };
        self.mirrors.release(mirror);
    }

    /// The one before took its time: copies of mirrors that it has not told about go on without it.
    fn stop_waiting(&mut self) {
        for mirror in self.mirrors.release(None) {
            tracing::warn!(
                mirror,
                "the {} before this one still has copies; later ones may overtake them from now on",
                self.before.name()
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

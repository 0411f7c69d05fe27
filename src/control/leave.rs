//! The end of the process: a drain before its exit, or parting from its clients after another process or configuration
//! has taken over.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep_until};

use super::reload::{self, End};
use super::upgrade::door::Successor;
use super::{Process, notify};
use crate::signals::{Heard, Signals};
use crate::worker::Phase;

/// How often a parting process looks which mirrors have no more copies.
const LOOK: Duration = Duration::from_millis(20);

/// What one that leaves is told meanwhile.
enum Word {
    /// To leave sooner, or at once.
    End(End, &'static str),
    ReopenLogs,
}

/// Hears what the process is told. Signals are for the configuration in force, which tells the older ones.
async fn word(signals: &mut Signals, end: &mut watch::Receiver<End>, follows: bool, now: End) -> Word {
    loop {
        tokio::select! {
            heard = signals.next() => match heard {
                Heard::ReopenLogs => return Word::ReopenLogs,
                Heard::Stop(why) if !follows && now < End::Drain => return Word::End(End::Drain, why),
                Heard::Stop(why) if !follows => return Word::End(End::AtOnce, why),
                Heard::Stop(_) => {}
                Heard::Reload if follows => {}
                Heard::Reload => tracing::info!("SIGHUP is ignored: this process ends"),
            },
            sooner = reload::sooner(end, now) => return Word::End(sooner, "the process ends"),
        }
    }
}

/// Ready, once, when the workers have ended.
async fn ended(workers: &mut Option<JoinHandle<()>>) {
    match workers {
        Some(running) => {
            // A panic has been reported by the thread itself.
            let _ = running.await;
            *workers = None;
        }
        None => std::future::pending().await,
    }
}

impl Process {
    /// Stop accepting, finish requests and copies, leave; at the latest after the drain time or a second signal.
    pub(super) async fn drain(&mut self) {
        notify::stopping();
        self.doorway = None;
        self.tell_all(End::Drain);
        self.lifecycle.set_failing(true);
        self.stop_accepting.send_replace(true);
        self.phase.send_replace(Phase::Draining);
        let mut workers = Some(self.join_workers());
        let end = Instant::now() + self.drain_time;
        while workers.is_some() {
            tokio::select! {
                () = ended(&mut workers) => {}
                () = sleep_until(end) => {
                    tracing::warn!("the drain time is over; what is left is given up");
                    self.give_up(workers).await;
                    break;
                }
                Some(news) = self.news.recv() => self.hear(&news),
                word = word(&mut self.signals, &mut self.end, false, End::Drain) => match word {
                    Word::ReopenLogs => self.reopen_logs(),
                    Word::End(_, why) => {
                        self.leave_at_once(workers, why).await;
                        break;
                    }
                },
            }
        }
        self.leave_mirrors().await;
        self.close_admin().await;
    }

    /// Another process or configuration accepts. Clients are asked to leave by their next answer, and nothing is cut; each
    /// mirror that has no more copies here is told to the other, which holds its own back until then. At the latest after
    /// the time that the other gives, or a second signal, what is left is given up.
    pub(super) async fn part(&mut self, successor: &Successor) {
        let follows = successor.is_within();
        self.doorway = None;
        self.lifecycle.set_closing();
        self.stop_accepting.send_replace(true);
        self.phase.send_replace(Phase::Parting);
        say_parting(successor);
        self.commands.close();
        let mut workers = Some(self.join_workers());
        let (started, mut look) = (Instant::now(), interval(LOOK));
        let mut end = started + successor.longest;
        let mut now = End::No;
        let mut quiet = vec![false; self.config.mirrors.len()];
        // Who has nothing itself still stands between its successor and those before.
        while workers.is_some() || self.mirrors.waits() {
            tokio::select! {
                () = ended(&mut workers) => {}
                _ = look.tick() => self.tell_quiet(successor, &mut quiet).await,
                Some(news) = self.news.recv() => self.hear(&news),
                () = sleep_until(end) => {
                    tracing::warn!("the time to leave is over; what is left is given up");
                    self.give_up(workers).await;
                    break;
                }
                word = word(&mut self.signals, &mut self.end, follows, now) => match word {
                    Word::ReopenLogs => self.reopen_logs(),
                    Word::End(End::AtOnce, why) => {
                        self.leave_at_once(workers, why).await;
                        break;
                    }
                    Word::End(sooner, why) => {
                        now = sooner;
                        end = end.min(self.leave_sooner(why, follows, successor.longest));
                    }
                },
                () = sleep_until(started + self.drain_time), if *self.phase.borrow() < Phase::Draining => {
                    self.phase.send_replace(Phase::Draining);
                    self.stop_waiting();
                }
            }
        }
        self.leave_mirrors().await;
        self.close_admin().await;
        if follows {
            tracing::info!("what was in progress under the configuration before is finished");
        }
    }

    /// Nobody waits for clients any more. Returns the latest end from now on.
    fn leave_sooner(&self, why: &'static str, follows: bool, longest: Duration) -> Instant {
        tracing::info!(why, "closing idle connections; once more leaves at once");
        self.phase.send_replace(Phase::Draining);
        if follows {
            return Instant::now() + self.drain_time;
        }
        self.tell_all(End::Drain);
        Instant::now() + longest
    }

    /// Those before, and one that is being started.
    fn tell_all(&self, end: End) {
        self.generations.end.send_if_modified(|told| {
            let sooner = *told < end;
            *told = if sooner { end } else { *told };
            sooner
        });
    }

    async fn leave_at_once(&self, workers: Option<JoinHandle<()>>, why: &'static str) {
        tracing::warn!(why, "leaving at once; what is left is given up");
        self.tell_all(End::AtOnce);
        self.give_up(workers).await;
    }

    /// Mirrors that have no more copies here, and can get none, are told once.
    async fn tell_quiet(&mut self, successor: &Successor, told: &mut [bool]) {
        // While one before this one has copies, those here wait for it, and its backlogs are not open here yet.
        if self.lifecycle.without_clients() < self.stats.workers.len() || self.mirrors.waits() {
            return;
        }
        if !std::mem::replace(&mut self.backlogs_free, true) {
            let mut mirrors = std::mem::take(&mut self.mirrors);
            let left = tokio::task::spawn_blocking(move || {
                mirrors.leave_backlogs();
                mirrors
            });
            self.mirrors = left.await.unwrap_or_default();
        }
        for (index, told) in told.iter_mut().enumerate().filter(|(_, told)| !**told) {
            let workers = self.stats.workers.iter();
            let pending =
                workers.filter_map(|worker| worker.mirrors.get(index)).map(|mirror| mirror.pending.get());
            if pending.fold(0, u64::wrapping_add) == 0
                && let Some(mirror) = self.config.mirrors.get(index)
            {
                successor.tell_quiet(&mirror.name).await;
                *told = true;
            }
        }
    }

    fn join_workers(&mut self) -> JoinHandle<()> {
        let workers = std::mem::take(&mut self.workers);
        tokio::task::spawn_blocking(move || {
            for worker in workers {
                // A panic has been reported by the thread itself.
                let _ = worker.join();
            }
        })
    }

    async fn give_up(&self, mut workers: Option<JoinHandle<()>>) {
        self.phase.send_replace(Phase::Leaving);
        if workers.is_some() {
            ended(&mut workers).await;
        }
    }

    async fn leave_mirrors(&mut self) {
        let mirrors = std::mem::take(&mut self.mirrors);
        let _ = tokio::task::spawn_blocking(move || mirrors.leave()).await;
        // Nobody is left who could log a request.
        self.logs.stop();
    }

    async fn close_admin(&mut self) {
        self.commands.close();
        if let Some(admin) = self.admin.take() {
            let _ = tokio::task::spawn_blocking(move || admin.join()).await;
        }
    }
}

fn say_parting(successor: &Successor) {
    let (pid, longest) = (successor.pid, successor.longest);
    if successor.is_within() {
        tracing::info!(
            ?longest,
            "another configuration has taken over; requests and copies under this one are finished"
        );
    } else {
        tracing::info!(
            pid,
            ?longest,
            "another process has taken over; requests and copies here are finished"
        );
    }
}

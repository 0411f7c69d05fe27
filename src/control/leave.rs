//! The end of the process: a drain before its exit, or parting from its clients after another process has taken over.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep_until};

use super::upgrade::door::Successor;
use super::{Process, notify};
use crate::signals::Heard;
use crate::worker::Phase;

/// How often a parting process looks which mirrors have no more copies.
const LOOK: Duration = Duration::from_millis(20);

impl Process {
    /// Stop accepting, finish requests and copies, leave; at the latest after the drain time or a second signal.
    pub(super) async fn drain(&mut self) {
        notify::stopping();
        self.lifecycle.set_failing(true);
        self.stop_accepting.send_replace(true);
        self.phase.send_replace(Phase::Draining);
        let mut joined = self.join_workers();
        let end = Instant::now() + self.drain_time;
        loop {
            tokio::select! {
                _ = &mut joined => break,
                () = sleep_until(end) => {
                    tracing::warn!("the drain time is over; what is left is given up");
                    self.give_up(joined).await;
                    break;
                }
                Some(news) = self.news.recv() => self.hear(&news),
                heard = self.signals.next() => match heard {
                    Heard::ReopenLogs => self.reopen_logs(),
                    Heard::Stop(why) => {
                        tracing::warn!(why, "leaving at once; what is left is given up");
                        self.give_up(joined).await;
                        break;
                    }
                },
            }
        }
        self.leave_mirrors().await;
        self.close_admin().await;
    }

    /// Another process accepts. Clients are asked to leave by their next answer, and nothing is cut; each mirror that has
    /// no more copies here is told to the other process, which holds its own back until then. At the latest after the
    /// time that the other process gives, or a second signal, what is left is given up.
    pub(super) async fn part(&mut self, successor: &Successor) {
        let (pid, longest) = (successor.pid, successor.longest);
        tracing::info!(
            pid,
            ?longest,
            "another process has taken over; requests and copies here are finished"
        );
        self.lifecycle.set_closing();
        self.stop_accepting.send_replace(true);
        self.phase.send_replace(Phase::Parting);
        self.close_admin().await;
        let mut joined = self.join_workers();
        let (started, mut look) = (Instant::now(), interval(LOOK));
        let mut quiet = vec![false; self.config.mirrors.len()];
        loop {
            tokio::select! {
                _ = &mut joined => break,
                _ = look.tick() => self.tell_quiet(successor, &mut quiet).await,
                Some(news) = self.news.recv() => self.hear(&news),
                () = sleep_until(started + longest) => {
                    tracing::warn!("the time to leave is over; what is left is given up");
                    self.give_up(joined).await;
                    break;
                }
                heard = self.signals.next() => match heard {
                    Heard::ReopenLogs => self.reopen_logs(),
                    Heard::Stop(why) if *self.phase.borrow() < Phase::Draining => {
                        tracing::info!(why, "closing idle connections; once more leaves at once");
                        self.phase.send_replace(Phase::Draining);
                    }
                    Heard::Stop(why) => {
                        tracing::warn!(why, "leaving at once; what is left is given up");
                        self.give_up(joined).await;
                        break;
                    }
                },
                () = sleep_until(started + self.drain_time), if *self.phase.borrow() < Phase::Draining => {
                    self.phase.send_replace(Phase::Draining);
                }
            }
        }
        self.leave_mirrors().await;
    }

    /// Mirrors that have no more copies here, and can get none, are told once.
    async fn tell_quiet(&mut self, successor: &Successor, told: &mut [bool]) {
        // While a process before this one has copies, those here wait for it, and its backlogs are not open here yet.
        if self.lifecycle.without_clients() < self.stats.workers.len() || self.after_another {
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

    async fn give_up(&self, joined: JoinHandle<()>) {
        self.phase.send_replace(Phase::Leaving);
        let _ = joined.await;
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

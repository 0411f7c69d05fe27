//! A reload: a new configuration takes over within the process, as a new process does in an upgrade.
//!
//! Each configuration that was in force and is not done with yet is a generation: a control thread with workers,
//! mirrors, an admin and counters of its own. SIGHUP, or a changed file with `--watch`, starts the next one (`begin.rs`). It
//! asks the present one for the listening sockets, in the language of upgrades ([`super::upgrade`]) over a pair of
//! sockets, and when it serves the present one parts from its clients. What cannot be read or started is refused: the
//! new thread ends, and nothing else happens. Generations share the listening sockets, the log, and what stands here.

mod begin;
mod watch;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};

use tokio::sync::watch as told;

use crate::cli::Serve;
use crate::log::Loggers;
use crate::stats::Stats;
use crate::stats::reloads::Reloads;

pub(crate) use watch::Watch;

pub(super) use begin::{Way, begin};

/// Generations at the same time. A further reload waits until an older one has ended.
const MOST: usize = 4;

/// What the generations of one process share.
#[derive(Debug)]
pub(super) struct Generations {
    pub(super) flags: Serve,
    pub(super) loggers: Loggers,
    pub(super) reloads: Arc<Reloads>,
    /// How the process ends. Older generations follow the one in force, which hears signals and commands.
    pub(super) end: told::Sender<End>,
    watched: Option<Mutex<Watch>>,
    /// The configuration shall be read again.
    wanted: AtomicBool,
    /// It is being read or started.
    starting: AtomicBool,
    /// A generation has not ended while its counters are there.
    counters: Mutex<Vec<Weak<Stats>>>,
    wishes: Mutex<Wishes>,
    /// Gone when the last generation has ended.
    _open: mpsc::Sender<()>,
}

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum End {
    /// Not now.
    No,
    /// What is in progress is finished.
    Drain,
    /// What has no outcome yet is given up.
    AtOnce,
}

/// Ready when the process is told to end sooner than `now` says.
pub(super) async fn sooner(end: &mut told::Receiver<End>, now: End) -> End {
    match end.wait_for(|end| *end > now).await {
        Ok(end) => *end,
        // Its sender lives as long as this generation.
        Err(_) => std::future::pending().await,
    }
}

/// What an operator has asked of the admin, which outlives a reload.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    /// Mirrors that nothing is sent to.
    pub(super) paused: HashSet<String>,
    /// `/ready` says `DRAINING`.
    pub(super) failing: bool,
}

/// Ready when every generation has ended.
pub(super) struct Ended(mpsc::Receiver<()>);

impl Ended {
    pub(super) fn wait(self) {
        // Nothing is ever sent: this is the end of the last sender.
        let _ = self.0.recv();
    }
}

impl Generations {
    pub(super) fn new(flags: Serve, watch: Option<Watch>, loggers: Loggers) -> (Arc<Self>, Ended) {
        let (open, ended) = mpsc::channel();
        let generations = Self {
            flags,
            loggers,
            reloads: Arc::default(),
            end: told::Sender::new(End::No),
            watched: watch.map(Mutex::new),
            wanted: AtomicBool::new(false),
            starting: AtomicBool::new(false),
            counters: Mutex::default(),
            wishes: Mutex::default(),
            _open: open,
        };
        (Arc::new(generations), Ended(ended))
    }

    /// The configuration shall be read again, as soon as that can be.
    pub(super) fn want(&self) {
        self.wanted.store(true, SeqCst);
    }

    /// Whether to begin a reload now; who hears yes begins one.
    fn may_begin(&self) -> bool {
        if !self.wanted.load(SeqCst) || self.starting.load(SeqCst) || *self.end.borrow() > End::No {
            return false;
        }
        if self.before().len() >= MOST {
            return false;
        }
        self.wanted.store(false, SeqCst);
        self.starting.store(true, SeqCst);
        true
    }

    /// The one that was starting serves, or never will.
    pub(super) fn started(&self) {
        self.starting.store(false, SeqCst);
    }

    /// The counters of those that have not ended.
    pub(super) fn before(&self) -> Vec<Weak<Stats>> {
        let mut counters = lock(&self.counters);
        counters.retain(|stats| stats.strong_count() > 0);
        counters.clone()
    }

    /// One more has not ended while this is there.
    pub(super) fn add(&self, stats: &Arc<Stats>) {
        lock(&self.counters).push(Arc::downgrade(stats));
    }

    pub(super) fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut lock(&self.wishes));
    }

    pub(super) fn wishes(&self) -> Wishes {
        lock(&self.wishes).clone()
    }

    /// Looks at the file, if it is watched. Touches the disk.
    pub(super) fn look(&self) {
        if self.watched.as_ref().is_some_and(|watched| lock(watched).has_changed()) {
            tracing::info!(file = self.flags.origin(), "the configuration has changed");
            self.want();
        }
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// The file is about to be read. Touches the disk.
    fn renew_watch(&self) {
        self.watched.iter().for_each(|watched| lock(watched).renew());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

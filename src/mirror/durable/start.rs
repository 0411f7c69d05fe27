//! Starts a mirror's durable delivery, and ends it.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use config::model::{Config, Delivery, Mirror, MirrorPolicy};
use http::HeaderValue;
use tokio::sync::{mpsc as tokio_mpsc, watch};

use super::backlog_thread::{self, Parts};
use super::delivery;
use super::in_flight::InFlight;
use super::intake::Gate;
use super::message::{ToBacklog, ToDelivery};
use crate::access_log::writer::Opened;
use crate::cluster::Members;
use crate::limits;
use crate::mirror::send::pace::Pace;
use crate::stats::Stats;
use crate::stats::mirror::unix_ms;
use crate::tls::Materials;

/// Places begin at the clock, so that they can be given before the backlog is open: later than those of an earlier
/// process, unless the clock went back (then the backlog thread moves them), with room for this many a millisecond.
const PLACES_A_MILLISECOND_BITS: u32 = 16;

/// What durable delivery is made of.
pub(crate) struct Plan<'a> {
    pub(crate) config: &'a Arc<Config>,
    /// Index of the mirror.
    pub(crate) mirror: usize,
    pub(crate) stats: &'a Stats,
    /// Of the mirror's cluster.
    pub(crate) addresses: watch::Receiver<Members>,
    pub(crate) tls: watch::Receiver<Arc<Materials>>,
    pub(crate) pace: &'a Arc<Pace>,
    pub(crate) own_address: HeaderValue,
    /// The files of the process' access logs; without them nothing is logged.
    pub(crate) logs: Option<&'a Opened>,
    /// The process before this one has the backlog, until [`Durable::free`].
    pub(crate) waits: bool,
}

/// A mirror's running durable delivery.
#[derive(Debug)]
pub(crate) struct Durable {
    to_backlog: mpsc::Sender<ToBacklog>,
    to_delivery: tokio_mpsc::UnboundedSender<ToDelivery>,
    threads: [JoinHandle<()>; 2],
}

impl Durable {
    /// Starts both threads. `None` for a mirror whose delivery is not durable.
    pub(crate) fn start(plan: Plan<'_>) -> io::Result<Option<(Self, Gate)>> {
        let Plan { config, mirror, stats, addresses, tls, pace, own_address, logs, waits } = plan;
        let Some(Mirror { name, delivery: Delivery::Durable(backlog), .. }) = config.mirrors.get(mirror)
        else {
            return Ok(None);
        };
        let (Some(Some(backlog_stats)), Some(Some(stats))) =
            (stats.backlogs.get(mirror), stats.deliveries.get(mirror))
        else {
            return Ok(None);
        };
        let (to_backlog, inbox) = mpsc::channel();
        #[allow(clippy::disallowed_methods, reason = "a copy in it holds its part of the mirror's bounds")]
        let (to_delivery, messages) = tokio_mpsc::unbounded_channel();
        let first_place = unix_ms() << PLACES_A_MILLISECOND_BITS;
        let in_flight = Arc::new(InFlight::default());
        let policies = policies(config, mirror);
        let backlog_thread = backlog_thread::spawn(Parts {
            mirror: name.clone(),
            settings: backlog.clone(),
            first_place,
            inbox,
            delivery: to_delivery.clone(),
            in_flight: Arc::clone(&in_flight),
            stats: Arc::clone(backlog_stats),
            pace: backlog_thread::Pace::default(),
            waits,
        })?;
        let delivery_thread = delivery::spawn(delivery::Plan {
            config: Arc::clone(config),
            mirror,
            backlog: backlog.clone(),
            stats: Arc::clone(stats),
            addresses,
            tls,
            pace: Arc::clone(pace),
            own_address,
            logs: logs.cloned(),
            policies: Arc::clone(&policies),
            messages,
            to_backlog: to_backlog.clone(),
            in_flight,
        })?;
        let gate = Gate {
            sender: to_backlog.clone(),
            places: Arc::new(AtomicU64::new(first_place)),
            policies,
            settings: backlog.clone(),
        };
        Ok(Some((Self { to_backlog, to_delivery, threads: [delivery_thread, backlog_thread] }, gate)))
    }

    /// The process before this one has given the backlog free, or is not waited for any longer.
    pub(crate) fn free(&self) {
        let _ = self.to_backlog.send(ToBacklog::Free);
    }

    /// Lets go of everything that is not on its way.
    pub(crate) fn skip(&self) {
        // Refused only when the threads have ended.
        let _ = self.to_backlog.send(ToBacklog::Skip);
    }

    /// Ends both threads, when all workers have ended. What has no outcome stays on disk. Blocks for a moment, and not for
    /// long even if the disk hangs: a mirror never delays the exit.
    pub(crate) fn leave(self) {
        let [delivery, backlog] = self.threads;
        let _ = self.to_delivery.send(ToDelivery::Leave);
        join(delivery, 2 * limits::DELIVERY_EXIT);
        // The delivery thread has said so too, unless it is no more.
        let _ = self.to_backlog.send(ToBacklog::Close);
        join(backlog, limits::BACKLOG_EXIT);
    }
}

/// Waits for a thread, but not for ever.
#[allow(clippy::disallowed_methods, reason = "the process ends; this thread serves nobody")]
fn join(thread: JoinHandle<()>, longest: Duration) {
    let until = Instant::now() + longest;
    while !thread.is_finished() && Instant::now() < until {
        std::thread::sleep(limits::DELIVERY_TICK);
    }
    if thread.is_finished() {
        // A panic has been reported by the thread itself.
        let _ = thread.join();
    } else {
        tracing::warn!(thread = thread.thread().name(), "a thread does not end; the process ends without it");
    }
}

/// A mirror's policies, each once, in the order of the configuration.
fn policies(config: &Config, mirror: usize) -> Arc<[MirrorPolicy]> {
    let hosts = config.listeners.iter().flat_map(|listener| &listener.http.virtual_hosts);
    let policies =
        hosts.flat_map(|host| &host.routes).filter_map(|route| route.forward()).flat_map(|to| &to.mirrors);
    let mut distinct: Vec<MirrorPolicy> = Vec::new();
    for policy in policies.filter(|policy| policy.mirror == mirror) {
        if !distinct.contains(policy) {
            distinct.push(policy.clone());
        }
    }
    distinct.into()
}

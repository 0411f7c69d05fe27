//! `mimir-mirror backlog drain`: sends what backlogs hold, without the proxy. Nothing listens; durable delivery alone
//! runs, with the names' resolution that it needs, until every copy has its outcome.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use config::model::{Config, Delivery};
use tokio::runtime;
use tokio::time::{Instant, interval, sleep};
use tracing::level_filters::LevelFilter;

use super::summary::Summary;
use super::{Target, load, look, words};
use crate::cluster::discovery::{self, Wanted};
use crate::cluster::health;
use crate::mirror::durable::start::{Durable, Plan};
use crate::mirror::own_address;
use crate::mirror::send::pace::Pace;
use crate::signals::Signals;
use crate::stats::Stats;
use crate::stats::mirror::unix_ms;
use crate::tls;
use crate::tls::reload::Store;
use crate::{cli, descriptors, log};

/// How often it looks whether all is done.
const LOOK: Duration = Duration::from_millis(100);
/// Time between two lines about the same mirror.
const PROGRESS: Duration = Duration::from_secs(5);

/// Does it, and tells how it goes on standard output.
pub(super) fn run(command: &cli::Drain) -> anyhow::Result<String> {
    let config = Arc::new(load(&command.config_path)?);
    let mut jobs = Vec::new();
    for (mirror, target) in targets(&config, &command.config_path, command.mirror.as_deref())? {
        jobs.extend(Job::of(mirror, target)?);
    }
    if jobs.is_empty() {
        return Ok(String::new());
    }
    log::init(log::Options::plain(LevelFilter::WARN))?;
    descriptors::raise_limit();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(deliver(&config, &mut jobs, command.timeout));
    // A resolver that hangs must not delay the end.
    runtime.shutdown_background();
    conclude(&jobs, ended?)
}

/// The durable mirrors of a configuration: this one, or all.
fn targets(config: &Config, file: &Path, mirror: Option<&str>) -> anyhow::Result<Vec<(usize, Target)>> {
    let is_durable = |name: &str| {
        let mut mirrors = config.mirrors.iter();
        mirrors.any(|mirror| mirror.name == name && mirror.delivery != Delivery::Memory)
    };
    let all = config.mirrors.iter().map(|mirror| mirror.name.as_str());
    let names: Vec<&str> =
        mirror.map_or_else(|| all.filter(|name| is_durable(name)).collect(), |name| vec![name]);
    if names.is_empty() {
        bail!("no mirror of '{}' is set to `delivery: durable`", file.display());
    }
    names.into_iter().map(|name| Target::of_mirror(config, file, name)).collect()
}

/// One mirror's backlog.
struct Job {
    mirror: usize,
    name: String,
    target: Target,
    running: Option<Durable>,
    /// Copies in it at the start.
    copies: u64,
    /// What the last line told, and when.
    told: (u64, Instant),
    told_at_ms: u64,
}

/// Why it ended.
enum Ended {
    Empty,
    Timeout,
    Signal(&'static str),
}

impl Job {
    /// `None` if there is nothing to do.
    fn of(mirror: usize, target: Target) -> anyhow::Result<Option<Self>> {
        let found = look(&target.directory, false)?;
        target.is_free(&found)?;
        target.owner(&found)?;
        let name = words::shown(target.mirror.as_deref().unwrap_or_default());
        let directory = target.directory.display().to_string();
        let sum = Summary::of(&found);
        if sum.copies == 0 && found.unreadable.is_empty() {
            say(&format!("{name}: nothing to drain: {directory} holds no copies"));
            return Ok(None);
        }
        say(&format!("{name}: {} in {directory}", sum.copies_text()));
        let told = (0, Instant::now());
        Ok(Some(Self {
            mirror,
            name,
            target,
            running: None,
            copies: sum.copies,
            told,
            told_at_ms: unix_ms(),
        }))
    }

    /// Whether every copy has its outcome.
    fn is_done(&self, stats: &Stats) -> bool {
        let sums = stats.mirror(self.mirror);
        sums.sum(|mirror| mirror.recovery_known.get()) > 0 && sums.pending() == 0
    }

    /// Says now and then how far it is, and what holds it up.
    fn progress(&mut self, stats: &Stats) {
        let (before, at) = self.told;
        if at.elapsed() < PROGRESS {
            return;
        }
        let sums = stats.mirror(self.mirror);
        let settled = sums.sum(|mirror| mirror.settled.get());
        let refusal = sums.last_refusal().filter(|(_, words)| words.at_ms >= self.told_at_ms);
        let refusal = refusal.map_or_else(String::new, |(outcome, words)| {
            format!("; the mirror said last: {} {}", outcome.name(), words::shown(&words.to_string()))
        });
        if settled > before || !refusal.is_empty() {
            let (name, copies) = (&self.name, self.copies);
            say(&format!("{name}: {settled} of {copies} done, {} left{refusal}", sums.pending()));
        }
        self.told = (settled, Instant::now());
        self.told_at_ms = unix_ms();
    }
}

/// Runs durable delivery until all is done, or the time is over, or a signal comes.
async fn deliver(
    config: &Arc<Config>,
    jobs: &mut [Job],
    timeout: Duration,
) -> anyhow::Result<(Ended, Stats)> {
    let mut signals = Signals::listen()?;
    let stats = Stats::new(config, 0);
    start(config, jobs, &stats).await?;
    let (mut look, deadline) = (interval(LOOK), sleep(timeout));
    tokio::pin!(deadline);
    let ended = loop {
        tokio::select! {
            why = signals.stop() => break Ended::Signal(why),
            () = &mut deadline => break Ended::Timeout,
            _ = look.tick() => {
                if jobs.iter().all(|job| job.is_done(&stats)) {
                    break Ended::Empty;
                }
                jobs.iter_mut().for_each(|job| job.progress(&stats));
            }
        }
    };
    // Blocks for a moment; nothing else is to be done here any more.
    jobs.iter_mut().filter_map(|job| job.running.take()).for_each(Durable::leave);
    Ok((ended, stats))
}

async fn start(config: &Arc<Config>, jobs: &mut [Job], stats: &Stats) -> anyhow::Result<()> {
    let mirrors: Vec<_> = jobs.iter().filter_map(|job| config.mirrors.get(job.mirror)).collect();
    let wanted = mirrors.iter().filter_map(|mirror| {
        let cluster = config.clusters.get(mirror.cluster)?;
        Some(Wanted { index: mirror.cluster, cluster, awaited: true })
    });
    let (certificates, _) = Store::load(config, tls::reload::Wanted::Clusters)?;
    let common = health::Common::new(stats, &certificates.unchanging());
    let (addresses, _) = discovery::start(wanted, common).await;
    for ((job, mirror), addresses) in jobs.iter_mut().zip(mirrors).zip(addresses) {
        let started = Durable::start(Plan {
            config,
            mirror: job.mirror,
            stats,
            addresses,
            tls: certificates.unchanging(),
            pace: &Pace::new(mirror.max_connections),
            own_address: own_address(false),
            logs: None,
            waits: false,
        })?;
        // Nothing new comes in here.
        job.running = started.map(|(durable, _)| durable);
    }
    Ok(())
}

/// Looks what is left on disk, which is what counts.
fn conclude(jobs: &[Job], (ended, stats): (Ended, Stats)) -> anyhow::Result<String> {
    let (mut text, mut is_empty) = (String::new(), true);
    for Job { mirror, name, target, .. } in jobs {
        let found = look(&target.directory, false)?;
        // Somebody was faster.
        target.is_free(&found)?;
        let outcomes = match stats.mirror(*mirror).outcomes_text() {
            none if none.is_empty() => "none was delivered".to_owned(),
            some => some,
        };
        let sum = Summary::of(&found);
        let directory = target.directory.display();
        if sum.copies > 0 {
            is_empty = false;
            text += &format!("{name}: {outcomes}; {} left in {directory}\n", sum.copies_text());
        } else if !found.unreadable.is_empty() {
            is_empty = false;
            let segments = words::segments(&found.unreadable);
            text += &format!("{name}: {outcomes}; {segments} could not be read and stay\n");
        } else {
            text += &format!("{name}: {outcomes}; nothing is left\n");
        }
    }
    if is_empty {
        return Ok(text);
    }
    say(text.trim_end());
    match ended {
        Ended::Empty => bail!("not all could be sent; what is left stays for the next time"),
        Ended::Timeout => bail!("the time is over; what is left stays for the next time"),
        Ended::Signal(name) => bail!("stopped by {name}; what is left stays for the next time"),
    }
}

fn say(line: &str) {
    // With standard output closed there is nobody left to tell; the copies are sent all the same.
    let _ = writeln!(std::io::stdout(), "{line}");
}

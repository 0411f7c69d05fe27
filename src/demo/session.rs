//! One demo from its first line to its verdict.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::Options;
use super::admin::{self, Ledger};
use super::cluster::Cluster;
use super::fault::{Fault, Key, Script};
use super::head::Totals;
use super::keys::Keys;
use super::plan::Plan;
use super::proxy::Proxy;
use super::screen::{Place, Screen, Second};
use super::sender::Sender;
use super::verdict::Verdict;
use super::watch::{Finding, Watch, survey};

/// How often both clusters are looked at.
const LOOK: Duration = Duration::from_millis(25);
/// How long the sender may take for what it has in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a healthy secondary may take for the copies that still wait: longer than a copy's own timeout.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How things stood when the secondary was first hurt.
struct Hurt {
    primary: Totals,
    ledger: Ledger,
}

struct Session {
    primary: Cluster,
    secondary: Cluster,
    proxy: Proxy,
    sender: Sender,
    plan: Plan,
    screen: Screen,
    script: Script,
    watch: Watch,
    started: Instant,
    ledger: Ledger,
    hurt: Option<Hurt>,
    /// The loss was said since the secondary's state has changed.
    told: bool,
    /// What it lacked a second ago, since its state has changed.
    lacked: Option<u64>,
}

/// Runs the demo until its time is over, `q`, Ctrl-C or SIGTERM.
pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // What ends the future drops all it owns: the proxy is killed and the terminal put back.
    tokio::select! {
        outcome = to_the_end(options) => outcome,
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
    }
}

async fn to_the_end(options: Options) -> anyhow::Result<ExitCode> {
    let seconds = options.seconds;
    let mut session = Session::start(options).await?;
    let mut keys = Keys::start();
    let (mut look, mut second) = (every(LOOK), every(Duration::from_secs(1)));
    second.tick().await;
    loop {
        tokio::select! {
            _ = look.tick() => session.watch.look(&session.primary, &session.secondary),
            _ = second.tick() => {
                session.second().await?;
                if seconds.is_some_and(|end| session.elapsed() >= end) || session.play_script()? {
                    break;
                }
            }
            letter = keys.next() => match Key::new(letter) {
                Some(Key::Quit) => break,
                Some(Key::Secondary(fault)) => session.set(fault)?,
                None => {}
            },
        }
    }
    let good = session.finish().await?;
    Ok(if seconds.is_none() || good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl Session {
    async fn start(options: Options) -> anyhow::Result<Self> {
        let Options { shards, series, rate, batch, .. } = options;
        let (primary, secondary) = (Cluster::start("primary")?, Cluster::start("secondary")?);
        let mut plan = Plan { target: primary.address(), shards, series, rate, batch };
        plan.check().map_err(anyhow::Error::msg)?;
        let proxy = Proxy::start(primary.address(), secondary.address()).await?;
        let screen = Screen::new();
        let place = Place {
            proxy: proxy.listen,
            process: proxy.id(),
            admin: proxy.admin,
            primary: primary.address(),
            secondary: secondary.address(),
        };
        screen.introduce(&place, &plan)?;
        plan.target = proxy.listen;
        let sender = Sender::start(plan)?;
        Ok(Self {
            primary,
            secondary,
            proxy,
            sender,
            plan,
            screen,
            script: options.script.unwrap_or_default(),
            watch: Watch::default(),
            started: Instant::now(),
            ledger: Ledger::default(),
            hurt: None,
            told: false,
            lacked: None,
        })
    }

    fn elapsed(&self) -> u64 {
        // Rounded, as the ticks of a second come some milliseconds late.
        (self.started.elapsed() + Duration::from_millis(500)).as_secs()
    }

    /// Presses the script's keys that are due; true if one of them quits.
    fn play_script(&mut self) -> std::io::Result<bool> {
        while let Some(key) = self.script.due(self.elapsed()) {
            match key {
                Key::Quit => return Ok(true),
                Key::Secondary(fault) => self.set(fault)?,
            }
        }
        Ok(false)
    }

    fn set(&mut self, fault: Fault) -> std::io::Result<()> {
        if fault == self.secondary.state() {
            return Ok(());
        }
        if fault != Fault::None && self.hurt.is_none() {
            self.hurt = Some(Hurt { primary: self.primary.head().totals(), ledger: self.ledger.clone() });
        }
        (self.watch, self.lacked, self.told) = (Watch::default(), None, false);
        self.secondary.set(fault);
        self.screen.note(&format!("the secondary {}: {}", fault.sentence(), fault.lesson()))
    }

    /// Prints the line of the second that has ended.
    async fn second(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.proxy.ended() {
            anyhow::bail!("the proxy has ended with {status}");
        }
        let ledger = self.read_ledger().await;
        let tally = self.sender.tally();
        let (latencies, refusal) = (tally.take_latencies(), tally.take_refusal());
        let finding = self.watch.take();
        let second = Second {
            elapsed: self.elapsed(),
            state: self.secondary.state(),
            primary: self.primary.head().totals(),
            finding,
            batch: u64::from(self.plan.batch),
            latencies,
            ledger,
        };
        self.screen.second(second)?;
        if let Some(text) = refusal {
            self.screen.note(&format!("the sender gave up a batch: {text}"))?;
        }
        self.tell_loss(finding)?;
        Ok(())
    }

    async fn read_ledger(&mut self) -> Option<Ledger> {
        let (status, page) = admin::get(self.proxy.admin, "/stats/prometheus").await.ok()?;
        let ledger = status.is_success().then(|| Ledger::read(&page)).filter(Ledger::is_known)?;
        self.ledger = ledger.clone();
        Some(ledger)
    }

    /// Once the secondary is well and nothing is left of the queue, says once what has been lost for good.
    fn tell_loss(&mut self, finding: Finding) -> std::io::Result<()> {
        let lacks = match finding {
            Finding::Same => 0,
            Finding::Lacks(samples) => samples,
            Finding::Differs => return Ok(()),
        };
        let steady = self.lacked.replace(lacks) == Some(lacks);
        // Each shard may have a copy on its way at any time; more than that is a queue.
        let queue = self.ledger.pending.is_some_and(|pending| pending > u64::from(self.plan.shards));
        if self.secondary.state() != Fault::None || !steady || queue {
            return Ok(());
        }
        let Some(hurt) = self.hurt.as_ref().filter(|_| !self.told) else { return Ok(()) };
        let written = self.primary.head().totals().samples - hurt.primary.samples;
        let has = if lacks == 0 { "has all".to_owned() } else { format!("lacks {lacks}") };
        let losses = self.ledger.losses_since(&hurt.ledger);
        self.screen.note(&format!(
            "the secondary {has} of the {written} samples since the fault; copies lost: {losses}"
        ))?;
        self.told = true;
        if lacks == 0 {
            self.hurt = None;
        }
        Ok(())
    }

    /// Stops the sender, lets the copies arrive and prints the verdict: true if both are the same and healthy.
    async fn finish(&mut self) -> anyhow::Result<bool> {
        self.screen.say("\nThe sender stops; what is on its way arrives.")?;
        self.sender.stop(STOP_TIMEOUT).await;
        let state = self.secondary.state();
        self.settle(if state == Fault::None { SETTLE_TIMEOUT } else { Duration::from_secs(1) }).await;
        let (primary, secondary, difference) = survey(&self.primary, &self.secondary);
        let verdict = Verdict { samples: primary.samples, difference, state };
        let tally = self.sender.tally();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (acknowledged, refused) = (count(&tally.acknowledged), count(&tally.refused));
        let delivered =
            if self.ledger.is_known() { self.ledger.delivered().to_string() } else { "?".to_owned() };
        let losses = self.ledger.losses_since(&Ledger::default());
        self.screen.say(&format!(
            "  primary    {} series, {} samples\
             \n  secondary  {} series, {} samples\
             \n  sender     {acknowledged} samples acknowledged, {refused} refused, {} attempts repeated\
             \n  copies     {delivered} delivered; lost: {losses}",
            primary.series,
            primary.samples,
            secondary.series,
            secondary.samples,
            count(&tally.retries),
        ))?;
        self.screen.verdict(verdict.is_good(), &verdict.sentence())?;
        Ok(verdict.is_good())
    }

    /// Waits until both are the same, or nothing waits and nothing has changed for a second, or `patience` is over.
    async fn settle(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut last = (Totals::default(), Totals::default(), Instant::now());
        loop {
            self.read_ledger().await;
            let now = (self.primary.head().totals(), self.secondary.head().totals());
            if now != (last.0, last.1) {
                last = (now.0, now.1, Instant::now());
            }
            let idle = self.ledger.pending.unwrap_or(0) == 0;
            let still = last.2.elapsed() >= Duration::from_secs(1);
            if (idle && (now.0 == now.1 || still)) || Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

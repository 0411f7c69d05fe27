//! One measurement: a fresh proxy, a warm-up, a timed load, and the check that every copy arrived whole.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::PROXY_CPU;
use super::case::Case;
use super::certificate::Certificate;
use super::child::Helper;
use super::load::Tally;
use super::proc;
use super::proxy::{Proxy, pause};
use super::sample::{Counts, Sample, since};
use super::upstream::Ports;
use super::variant::Variant;

/// CPU time of others on the proxy's CPU, above which a measurement is repeated.
pub(super) const FOREIGN_MAX: f64 = 0.10;
/// How often one measurement is repeated at most; then the quietest counts.
const REPEATS_MAX: usize = 3;
/// Without a further copy for this long the missing ones count as lost.
const COPY_WAIT: Duration = Duration::from_secs(2);
/// How long an idle proxy runs before its memory is read.
const IDLE: Duration = Duration::from_secs(1);

/// One sample of each variant, one after the other.
pub(super) type Round = Vec<Sample>;

/// What all measurements share.
pub(super) struct Bench {
    pub(super) duration: Duration,
    upstream: Helper,
    ports: Ports,
    certificate: Certificate,
    /// What the secondary takes to answer, in milliseconds.
    mirror_ms: u64,
    /// Repeats left: a machine that is never quiet must not keep the benchmark from ending.
    repeats: usize,
    /// Whether system calls are counted too, in a run of their own.
    pub(super) system_calls: bool,
}

impl Bench {
    pub(super) fn start(duration: Duration) -> Result<Self> {
        let mut upstream = Helper::start("bench-upstream", &[])?;
        let [primary, secondary] = upstream.numbers()?;
        let ports = Ports { primary: u16::try_from(primary)?, secondary: u16::try_from(secondary)? };
        let certificate = Certificate::make()?;
        Ok(Self { duration, upstream, ports, certificate, mirror_ms: 0, repeats: 0, system_calls: true })
    }

    /// A fresh proxy for what a row needs.
    pub(super) fn proxy(&self, variant: &Variant, cpus: &str, case: &Case) -> Result<Proxy> {
        Proxy::start(variant, cpus, case.protocol, self.ports, &self.certificate)
    }

    /// Memory before the first request, in KiB.
    pub(super) fn idle(&self, variant: &Variant, case: &Case) -> Result<u64> {
        let proxy = self.proxy(variant, PROXY_CPU, case)?;
        pause(IDLE);
        proxy.memory_kib()
    }

    /// The clients of a row, and the secondary as it has it.
    pub(super) fn load(&mut self, case: &Case) -> Result<Helper> {
        self.load_with(case, None)
    }

    /// The same with one body for all connections.
    pub(super) fn load_once(&mut self, case: &Case) -> Result<Helper> {
        self.load_with(case, Some("--same-body".to_owned()))
    }

    fn load_with(&mut self, case: &Case, besides: Option<String>) -> Result<Helper> {
        let mut arguments = vec![
            format!("--bytes={}", case.size.bytes),
            format!("--connections={}", case.connections),
            format!("--rate={}", case.rate),
            format!("--protocol={}", case.protocol.word()),
        ];
        if case.protocol == super::case::Protocol::Tls {
            arguments.push(format!("--certificate={}", self.certificate.chain.display()));
        }
        arguments.extend(besides);
        let mut load = Helper::start("bench-load", &arguments)?;
        let [_bytes, _samples] = load.numbers()?;
        self.mirror(case.mirror_ms)?;
        Ok(load)
    }

    /// The time that the secondary takes to answer from now on.
    pub(super) fn mirror(&mut self, milliseconds: u64) -> Result<()> {
        self.mirror_ms = milliseconds;
        self.counts().map(drop)
    }

    /// All rounds of one row. Who goes first changes, so that nobody always follows the same other.
    pub(super) fn rounds(&mut self, case: &Case, variants: &[Variant], rounds: usize) -> Result<Vec<Round>> {
        eprintln!("{case}");
        let mut load = self.load(case)?;
        self.repeats = rounds;
        let mut all = Vec::new();
        for round in 0..rounds {
            let mut samples: Vec<Option<Sample>> = vec![None; variants.len()];
            for turn in 0..variants.len() {
                let index = (round + turn) % variants.len();
                if let (Some(variant), Some(place)) = (variants.get(index), samples.get_mut(index)) {
                    *place = Some(self.quiet(variant, case, &mut load)?);
                }
            }
            all.push(samples.into_iter().flatten().collect());
        }
        Ok(all)
    }

    /// Measures until others leave the proxy's CPU alone, or the repeats are used up.
    fn quiet(&mut self, variant: &Variant, case: &Case, load: &mut Helper) -> Result<Sample> {
        let mut best = self.measure(variant, case, load)?;
        for _ in 0..REPEATS_MAX {
            // A faulty measurement stays: a proxy that loses copies sometimes does lose copies.
            if best.foreign <= FOREIGN_MAX || self.repeats == 0 || !best.complete() {
                break;
            }
            self.repeats -= 1;
            let again = self.measure(variant, case, load)?;
            if again.foreign < best.foreign || !again.complete() {
                best = again;
            }
        }
        Ok(best)
    }

    /// One measurement on the proxy's CPU.
    pub(super) fn measure(&mut self, variant: &Variant, case: &Case, load: &mut Helper) -> Result<Sample> {
        self.measure_on(variant, PROXY_CPU, case, load)
            .with_context(|| format!("measuring {} at {case}", variant.name))
    }

    /// One measurement on these CPUs.
    pub(super) fn measure_on(
        &mut self,
        variant: &Variant,
        cpus: &str,
        case: &Case,
        load: &mut Helper,
    ) -> Result<Sample> {
        let base = self.counts()?;
        let proxy = self.proxy(variant, cpus, case)?;
        let short = (self.duration / 5).max(Duration::from_millis(200)).as_millis();
        load.ask::<7>(&format!("{} {short}", proxy.port))?;

        let [primary_before, secondary_before] = self.settled(base, variant)?;
        let copies_before = proxy.copies()?;
        let (others_before, proxy_before, begin) =
            (proc::proxy_cpu_busy()?, proxy.cpu_time()?, Instant::now());
        let sent = Tally::from(load.ask::<7>(&format!("0 {}", self.duration.as_millis()))?);
        let [primary_after, secondary_after] = self.settled(base, variant)?;
        let elapsed = begin.elapsed().as_secs_f64();
        let used = proxy.cpu_time()?.since(proxy_before);
        let busy = (proc::proxy_cpu_busy()? - others_before).as_secs_f64();

        let expected = Counts { requests: sent.requests, body_bytes: sent.body_bytes };
        let primary = since(primary_before, primary_after);
        let secondary = since(secondary_before, secondary_after);
        let requests = primary.requests.max(1) as f64;
        let mirrors = variant.mirrors as u64;
        let copies = Counts { requests: sent.requests * mirrors, body_bytes: sent.body_bytes * mirrors };
        let mut sample = Sample {
            requests: primary.requests,
            requests_per_second: sent.requests as f64 / (sent.elapsed_us as f64 / 1e6),
            cpu_us: used.both().as_secs_f64() * 1e6 / requests,
            user_us: used.user.as_secs_f64() * 1e6 / requests,
            p50_us: sent.p50_us,
            p99_us: sent.p99_us,
            p999_us: sent.p999_us,
            peak_memory_kib: proxy.peak_memory_kib()?,
            copies: copies_before.zip(proxy.copies()?).map(|(before, after)| difference(before, after)),
            system_calls: None,
            not_ok: sent.not_ok,
            all_arrived: primary == expected && secondary == copies,
            lost: (primary.requests * mirrors).saturating_sub(secondary.requests),
            foreign: (busy - used.both().as_secs_f64()).max(0.0) / elapsed,
        };
        if self.system_calls {
            let run = || load.ask::<7>(&format!("0 {short}"));
            let (calls, run) = proc::system_calls(proxy.pid(), run)?;
            sample.system_calls = calls.map(|calls| calls as f64 / Tally::from(run).requests.max(1) as f64);
        }
        eprintln!("  {}", sample.line(variant.name));
        Ok(sample)
    }

    /// What both clusters have received, once they have received the same since `base` or no more comes.
    fn settled(&mut self, base: [Counts; 2], variant: &Variant) -> Result<[Counts; 2]> {
        let mirrors = variant.mirrors as u64;
        let missing =
            |now: [Counts; 2]| since(base[0], now[0]).requests * mirrors != since(base[1], now[1]).requests;
        let mut last = self.counts()?;
        let mut progress = Instant::now();
        while missing(last) && progress.elapsed() < COPY_WAIT {
            pause(Duration::from_millis(2));
            let now = self.counts()?;
            if now != last {
                (last, progress) = (now, Instant::now());
            }
        }
        Ok(last)
    }

    fn counts(&mut self) -> Result<[Counts; 2]> {
        let [requests, body_bytes, copies, copy_bytes] = self.upstream.ask(&self.mirror_ms.to_string())?;
        Ok([Counts { requests, body_bytes }, Counts { requests: copies, body_bytes: copy_bytes }])
    }
}

fn difference(before: [u64; 3], after: [u64; 3]) -> [u64; 3] {
    let [a, b, c] = before;
    let [x, y, z] = after;
    [x - a, y - b, z - c]
}

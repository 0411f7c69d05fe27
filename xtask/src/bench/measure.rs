//! One measurement: a fresh proxy, a warm-up, a timed load, and the check that every copy arrived whole.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::child::Helper;
use super::load::Tally;
use super::proc;
use super::proxy::{Proxy, pause};
use super::size::Size;
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

/// One measurement of one variant.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
    pub(super) cpu_us: f64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) peak_memory_kib: u64,
    /// Answers other than 200.
    pub(super) not_ok: u64,
    /// Whether requests and bytes at both clusters are what the clients sent.
    pub(super) all_arrived: bool,
    /// Copies that never arrived.
    pub(super) lost: u64,
    /// Share of the proxy's CPU that others took.
    pub(super) foreign: f64,
}

impl Sample {
    /// Whether the proxy did all of its work.
    pub(super) fn complete(&self) -> bool {
        self.all_arrived && self.not_ok == 0
    }
}

/// The two variants, measured one after the other.
pub(super) struct Pair {
    pub(super) ours: Sample,
    pub(super) envoy: Sample,
}

impl Pair {
    /// How many times our CPU time a request Envoy needs.
    pub(super) fn advantage(&self) -> f64 {
        self.envoy.cpu_us / self.ours.cpu_us
    }
}

/// Requests and body bytes at one cluster.
#[derive(Clone, Copy, PartialEq)]
struct Counts {
    requests: u64,
    body_bytes: u64,
}

/// What all measurements share.
pub(super) struct Bench {
    pub(super) variants: [Variant; 2],
    pub(super) connections: usize,
    pub(super) rate: u32,
    pub(super) duration: Duration,
    upstream: Helper,
    ports: Ports,
    /// Repeats left: a machine that is never quiet must not keep the benchmark from ending.
    repeats: usize,
}

impl Bench {
    /// `rate`: requests a second, or 0 for as many as are answered.
    pub(super) fn start(
        variants: [Variant; 2],
        connections: usize,
        rate: u32,
        duration: Duration,
    ) -> Result<Self> {
        let mut upstream = Helper::start("bench-upstream", &[])?;
        let [primary, secondary] = upstream.numbers()?;
        let ports = Ports { primary: u16::try_from(primary)?, secondary: u16::try_from(secondary)? };
        Ok(Self { variants, connections, rate, duration, upstream, ports, repeats: 0 })
    }

    /// Memory of each variant before its first request, in KiB.
    pub(super) fn idle(&self) -> Result<[u64; 2]> {
        let memory = |variant: &Variant| {
            let proxy = Proxy::start(variant, self.ports)?;
            pause(IDLE);
            proxy.memory_kib()
        };
        let [ours, envoy] = &self.variants;
        Ok([memory(ours)?, memory(envoy)?])
    }

    /// All rounds with one body size. Who goes first changes, so that neither always follows the other.
    pub(super) fn size(&mut self, size: &Size, rounds: usize) -> Result<Vec<Pair>> {
        eprintln!("{size}: preparing bodies");
        let arguments = [
            format!("--bytes={}", size.bytes),
            format!("--connections={}", self.connections),
            format!("--rate={}", self.rate),
        ];
        let mut load = Helper::start("bench-load", &arguments)?;
        let [bytes, samples] = load.numbers()?;
        eprintln!("{size}: {bytes} bytes with {samples} samples");

        self.repeats = rounds;
        let [ours, envoy] = self.variants.clone();
        let mut pairs = Vec::new();
        for round in 0..rounds {
            let pair = if round % 2 == 0 {
                let ours = self.quiet(&ours, &mut load)?;
                Pair { ours, envoy: self.quiet(&envoy, &mut load)? }
            } else {
                let envoy = self.quiet(&envoy, &mut load)?;
                Pair { ours: self.quiet(&ours, &mut load)?, envoy }
            };
            let [first, second] = &self.variants;
            let advantage = pair.advantage();
            let (first, second) = (first.name, second.name);
            eprintln!("{size}: round {}: {second} needs {advantage:.2} times the CPU of {first}", round + 1);
            pairs.push(pair);
        }
        Ok(pairs)
    }

    /// Measures until others leave the proxy's CPU alone, or the repeats are used up.
    fn quiet(&mut self, variant: &Variant, load: &mut Helper) -> Result<Sample> {
        let mut best = self.measure(variant, load)?;
        for _ in 0..REPEATS_MAX {
            // A faulty measurement stays: a proxy that loses copies sometimes does lose copies.
            if best.foreign <= FOREIGN_MAX || self.repeats == 0 || !best.complete() {
                break;
            }
            self.repeats -= 1;
            let again = self.measure(variant, load)?;
            if again.foreign < best.foreign || !again.complete() {
                best = again;
            }
        }
        Ok(best)
    }

    fn measure(&mut self, variant: &Variant, load: &mut Helper) -> Result<Sample> {
        let failed = || format!("measuring {}", variant.name);
        let base = self.counts()?;
        let proxy = Proxy::start(variant, self.ports).with_context(failed)?;
        let warm_up = (self.duration / 5).as_millis();
        load.ask::<6>(&format!("{} {warm_up}", proxy.port)).with_context(failed)?;

        let [primary_before, secondary_before] = self.settled(base)?;
        let (others_before, proxy_before, begin) =
            (proc::proxy_cpu_busy()?, proxy.cpu_time()?, Instant::now());
        let run = load.ask::<6>(&format!("0 {}", self.duration.as_millis())).with_context(failed)?;
        let [primary_after, secondary_after] = self.settled(base)?;
        let elapsed = begin.elapsed().as_secs_f64();
        let used = (proxy.cpu_time()? - proxy_before).as_secs_f64();
        let busy = (proc::proxy_cpu_busy()? - others_before).as_secs_f64();

        let sent = Tally::from(run);
        let expected = Counts { requests: sent.requests, body_bytes: sent.body_bytes };
        let primary = since(primary_before, primary_after);
        let secondary = since(secondary_before, secondary_after);
        let sample = Sample {
            requests: primary.requests,
            requests_per_second: sent.requests as f64 / (sent.elapsed_us as f64 / 1e6),
            cpu_us: used * 1e6 / primary.requests as f64,
            p50_us: sent.p50_us,
            p99_us: sent.p99_us,
            peak_memory_kib: proxy.peak_memory_kib()?,
            not_ok: sent.not_ok,
            all_arrived: primary == expected && secondary == expected,
            lost: primary.requests.saturating_sub(secondary.requests),
            foreign: (busy - used).max(0.0) / elapsed,
        };
        eprintln!("  {}", line(variant, &sample));
        Ok(sample)
    }

    /// What both clusters have received, once they have received the same since `base` or no more comes.
    fn settled(&mut self, base: [Counts; 2]) -> Result<[Counts; 2]> {
        let missing = |now: [Counts; 2]| since(base[0], now[0]) != since(base[1], now[1]);
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
        let [requests, body_bytes, copies, copy_bytes] = self.upstream.ask("counts")?;
        Ok([Counts { requests, body_bytes }, Counts { requests: copies, body_bytes: copy_bytes }])
    }
}

fn since(before: Counts, after: Counts) -> Counts {
    Counts { requests: after.requests - before.requests, body_bytes: after.body_bytes - before.body_bytes }
}

/// One line of progress.
fn line(variant: &Variant, sample: &Sample) -> String {
    let Sample { requests, requests_per_second, cpu_us, p50_us, p99_us, lost, foreign, .. } = sample;
    let faults = if sample.complete() {
        String::new()
    } else {
        format!(", FAULTY: {lost} copies lost, {} answers other than 200", sample.not_ok)
    };
    format!(
        "{}: {requests} requests, {requests_per_second:.0}/s, {cpu_us:.1} µs CPU each, p50 {p50_us} µs, p99 {p99_us} µs, \
         others {:.0} % of its CPU{faults}",
        variant.name,
        foreign * 100.0
    )
}

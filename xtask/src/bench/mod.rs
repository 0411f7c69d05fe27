//! `bench`: what a request costs this proxy and Envoy, with the same load and the same upstreams.
//!
//! The figure that decides is CPU time a request, of the proxy process and all its threads. Throughput and latency
//! depend on the machine's other work, so variants take turns in short rounds and only ratios within a round are
//! compared. The proxy has CPU 0 to itself; the clients and both clusters share CPU 1 as processes of their own.
//!
//! The rooms: [`variant`] what is measured, [`proxy`] a running one, [`upstream`] the two clusters, [`load`] the
//! clients, [`child`] how this process talks to those two, [`measure`] one measurement, [`order`] the figures that no
//! load shows, [`report`] the page.

mod child;
mod client;
mod durable;
mod load;
mod measure;
mod order;
mod proc;
mod proxy;
mod report;
mod size;
mod statistics;
mod upstream;
mod variant;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::measure::{Bench, Pair};
use self::size::Size;
use self::variant::Variant;
use crate::{setup, shell};

pub(crate) use self::load::{Options as LoadOptions, run as run_load};
pub(crate) use self::upstream::run as run_upstream;

/// Which CPU the proxy has to itself.
const PROXY_CPU: &str = "0";
/// Which CPU everything else shares.
const LOAD_CPU: &str = "1";

#[derive(Args)]
pub(crate) struct Options {
    /// Two rounds of two seconds, printed and not written
    #[arg(long)]
    quick: bool,
    /// How often each variant is measured with each size
    #[arg(long)]
    rounds: Option<usize>,
    /// Body sizes, in bytes or with KB, KiB, MB, MiB
    #[arg(long, value_delimiter = ',', default_value = "1KiB,67KB,1MiB")]
    sizes: Vec<Size>,
    /// Length of one measurement in seconds
    #[arg(long)]
    seconds: Option<f64>,
    /// Keep-alive connections, each with one request in flight
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Where the page is written
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Measure Envoy against itself: what is left is noise
    #[arg(long)]
    self_check: bool,
}

impl Options {
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 2.0 } else { 5.0 }))
    }

    /// Where the page goes: nowhere for a glance or a check of the method.
    fn page(&self) -> Option<PathBuf> {
        let standard = || (!self.quick && !self.self_check).then(|| shell::root().join("docs/benchmarks.md"));
        self.out.clone().or_else(standard)
    }
}

/// Measures, prints, and writes the page.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.rounds() > 0 && options.connections > 0, "nothing to measure");
    ensure!(
        options.duration() >= Duration::from_millis(500),
        "CPU time is counted in ticks of 10 ms: measure longer"
    );
    ensure!(proc::cpus() >= 2, "needs two CPUs: one for the proxy, one for clients and upstreams");
    setup::run()?;
    let variants = variants(options.self_check)?;
    let order = order::measure()?;
    let store = if options.self_check { Vec::new() } else { durable::store()? };
    proc::pin_this_process(LOAD_CPU)?;

    let mut bench = Bench::start(variants, options.connections, 0, options.duration())?;
    let idle = bench.idle()?;
    let mut results = Vec::new();
    for size in &options.sizes {
        results.push((size.clone(), bench.size(size, options.rounds())?));
    }
    let durable = if options.self_check {
        Vec::new()
    } else {
        let [ours, _] = &bench.variants;
        durable::measure(&ours.binary.clone(), options.connections, options.rounds(), options.duration())?
    };
    let figures = report::Figures { idle, order, results, durable, store };
    let page = report::page(&bench, &figures, options);
    println!("{page}");
    if let Some(file) = options.page() {
        fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("written to {}", file.display());
    }
    let durable = figures.durable.iter().map(|measured| &measured.pairs);
    refuse_losses(figures.results.iter().map(|(_, pairs)| pairs).chain(durable))
}

/// The release binary and Envoy, or Envoy twice.
fn variants(self_check: bool) -> Result<[Variant; 2]> {
    let envoy = Variant::envoy(setup::envoy())?;
    if self_check {
        return Ok([envoy.clone(), envoy]);
    }
    shell::run(&mut shell::cargo(&[
        "build",
        "--release",
        "--package",
        "mimir-mirror",
        "--bin",
        "mimir-mirror",
    ]))?;
    let binary = proc::target_folder()?.join("release/mimir-mirror");
    Ok([Variant::mimir_mirror(binary)?, envoy])
}

/// A proxy that drops copies is cheap: the page says so, and the command fails.
fn refuse_losses<'a>(results: impl Iterator<Item = &'a Vec<Pair>>) -> Result<()> {
    let samples = results.flatten().flat_map(|pair| [&pair.ours, &pair.envoy]);
    let faulty = samples.filter(|sample| !sample.complete()).count();
    ensure!(faulty == 0, "{faulty} measurements lost copies or got answers other than 200");
    Ok(())
}

//! `bench`: what a request costs this proxy, Envoy, nginx's mirror and a floor, with the same load and upstreams.
//!
//! The figure that decides is CPU time a request, of the proxy process and all its threads. Throughput and latency
//! depend on the machine's other work, so variants take turns in short rounds and only ratios within a round are
//! compared. The proxy has CPU 0 to itself; the clients and both clusters share CPU 1 as processes of their own.
//!
//! The rooms: [`case`] the rows, [`variant`] what is measured, [`proxy`] a running one, [`upstream`] the two clusters,
//! [`load`] the clients, [`child`] how this process talks to those two, [`measure`] one measurement and [`sample`] what
//! it gave; [`isolation`], [`memory`], [`scale`], [`durable`] and [`order`] the figures that the rows do not show;
//! [`report`] the page and its plot.

mod case;
mod certificate;
mod child;
mod durable;
mod isolation;
mod load;
mod measure;
mod memory;
mod order;
mod proc;
mod proxy;
mod report;
mod sample;
mod scale;
mod size;
mod statistics;
mod upstream;
mod variant;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::case::{Case, Company};
use self::measure::Bench;
use self::report::Figures;
use self::variant::Variant;
use crate::{setup, shell};

pub(crate) use self::load::{Options as LoadOptions, run as run_load};
pub(crate) use self::upstream::run as run_upstream;

/// Which CPU the proxy has to itself.
const PROXY_CPU: &str = "0";
/// Which CPU everything else shares.
const LOAD_CPU: &str = "1";
/// What the floor may cost at 1 KiB as a share of Envoy's: above it this machine shows something else than proxies.
const FLOOR_MAX: f64 = 0.30;

#[derive(Args)]
pub(crate) struct Options {
    /// Three rows, two short rounds, printed and not written: under three minutes once it is built
    #[arg(long)]
    quick: bool,
    /// How often each variant is measured in each row
    #[arg(long)]
    rounds: Option<usize>,
    /// Length of one measurement in seconds
    #[arg(long)]
    seconds: Option<f64>,
    /// Only rows whose title contains this, and none of the other sections
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
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
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 1.5 } else { 3.0 }))
    }

    /// Whether only rows are measured.
    fn rows_alone(&self) -> bool {
        self.quick || self.self_check || self.only.is_some()
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = if self.quick { case::quick() } else { case::all() };
        if let Some(text) = &self.only {
            cases.retain(|case| case.to_string().contains(text));
        }
        cases
    }

    /// Where the page goes: nowhere for a glance or a check of the method.
    fn page(&self) -> Option<PathBuf> {
        let standard = || (!self.rows_alone()).then(|| shell::root().join("docs/benchmarks.md"));
        self.out.clone().or_else(standard)
    }
}

/// Measures, prints, and writes the page.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.rounds() > 0, "nothing to measure");
    ensure!(
        options.duration() >= Duration::from_millis(500),
        "CPU time is counted in ticks of 10 ms: measure longer"
    );
    ensure!(proc::cpus() >= 2, "needs two CPUs: one for the proxy, one for clients and upstreams");
    setup::run()?;
    setup::rivals()?;
    let variants = variants(options)?;
    let (order, store) = match options.rows_alone() {
        true => Default::default(),
        false => (order::measure()?, durable::store()?),
    };
    proc::pin_this_process(LOAD_CPU)?;

    let mut bench = Bench::start(options.duration())?;
    let mut figures = Figures { order, store, ..Figures::default() };
    for case in options.cases() {
        let variants: Vec<Variant> = taking_part(&case, &variants).cloned().collect();
        let rounds = bench.rounds(&case, &variants, options.rounds())?;
        figures.rows.push((case, rounds));
    }
    if !options.rows_alone() {
        others(&mut bench, &variants, options, &mut figures)?;
    }
    let page = report::page(&variants, &figures, options);
    println!("{page}");
    if let Some(file) = options.page() {
        let write = |file: &PathBuf, text: &str| {
            fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
        };
        write(&file, &page)?;
        write(&file.with_extension("svg"), &report::plot(&figures))?;
        eprintln!("written to {}", file.display());
    }
    refuse_losses(&figures)?;
    refuse_void(&figures, options)
}

/// The sections beside the rows.
fn others(bench: &mut Bench, variants: &[Variant], options: &Options, figures: &mut Figures) -> Result<()> {
    let [ours, envoy, nginx, _floor] = variants else { return Ok(()) };
    bench.system_calls = false;
    figures.isolation = isolation::measure(bench, &[ours, envoy, nginx])?;
    figures.memory = memory::measure(bench, &[ours, envoy])?;
    figures.scale = scale::measure(bench, ours)?;
    figures.durable = durable::measure(bench, &ours.binary, options.rounds())?;
    Ok(())
}

/// The release binary, Envoy, nginx and the floor; or Envoy twice.
fn variants(options: &Options) -> Result<Vec<Variant>> {
    let envoy = Variant::envoy(setup::envoy())?;
    if options.self_check {
        return Ok(vec![envoy.clone(), envoy]);
    }
    let packages = ["build", "--release", "--package", "mimir-mirror", "--package", "mimir-mirror-floor"];
    shell::run(&mut shell::cargo(&packages))?;
    let release = proc::target_folder()?.join("release");
    Ok(vec![
        Variant::mimir_mirror(release.join("mimir-mirror"))?,
        envoy,
        Variant::nginx(shell::tools().join("nginx"))?,
        Variant::floor(release.join("mimir-mirror-floor"))?,
    ])
}

/// Who is measured in a row.
fn taking_part<'a>(case: &Case, variants: &'a [Variant]) -> impl Iterator<Item = &'a Variant> {
    variants.iter().take(if case.company == Company::All { variants.len() } else { 2 })
}

/// A proxy that drops copies is cheap: the page says so, and the command fails where it is ours.
fn refuse_losses(figures: &Figures) -> Result<()> {
    let rounds = figures.rows.iter().chain(&figures.durable).flat_map(|(_, rounds)| rounds);
    let faulty = rounds.filter_map(|round| round.first()).filter(|ours| !ours.complete()).count();
    ensure!(faulty == 0, "{faulty} measurements of ours lost copies or got answers other than 200");
    Ok(())
}

/// The first row shows a proxy's own work best; there the floor must be one.
fn refuse_void(figures: &Figures, options: &Options) -> Result<()> {
    let first = figures.rows.first().filter(|_| !options.self_check && options.only.is_none());
    let Some(share) = first.and_then(|(_, rounds)| report::floor_share(rounds)) else { return Ok(()) };
    ensure!(
        share <= FLOOR_MAX,
        "void: the floor costs {share:.2} of Envoy, which must be {FLOOR_MAX} at most; a busy machine, or another CPU"
    );
    Ok(())
}

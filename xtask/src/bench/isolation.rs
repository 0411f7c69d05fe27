//! Whether a mirror shows in the primary's latency: the tail with a healthy and with a hanging mirror, against none.

use anyhow::Result;

use super::PROXY_CPU;
use super::case::{self, Case};
use super::measure::Bench;
use super::statistics::{Interval, interval};
use super::variant::{Program, Variant};

/// Pairs for each figure: enough that the interval's ends are not its extremes.
const PAIRS: usize = 20;
/// A mirror that never answers: longer than any measurement.
const NEVER_MS: u64 = 3_600_000;

/// One proxy's tail beside its own without a mirror.
pub(super) struct Tail {
    pub(super) name: &'static str,
    /// Of the runs without a mirror, in microseconds.
    pub(super) alone_us: f64,
    /// p99 with a healthy mirror / without.
    pub(super) healthy: Interval,
    /// p99 with a hanging mirror / without; nothing where clients get no answer then.
    pub(super) hanging: Option<Interval>,
}

/// The rows: a healthy and a hanging mirror against none, in turn.
pub(super) fn measure(bench: &mut Bench, variants: &[&Variant]) -> Result<Vec<Tail>> {
    let case = case::tail();
    eprintln!("isolation: {case}");
    variants.iter().map(|variant| tail(bench, variant, &case)).collect()
}

fn tail(bench: &mut Bench, variant: &Variant, case: &Case) -> Result<Tail> {
    let mut load = bench.load(case)?;
    let alone = variant.alone();
    // nginx's mirror module lets the client's next request wait until the mirror has answered this one.
    let answers = variant.program != Program::Nginx;
    let (mut without, mut healthy, mut hanging) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let mut p99 = |variant: &Variant, milliseconds: u64| {
            bench.mirror(milliseconds)?;
            bench.measure_on(variant, PROXY_CPU, case, &mut load).map(|sample| sample.p99_us as f64)
        };
        // The order changes, so that drift of the machine falls on all alike.
        let states = [(&alone, 0), (variant, 0), (variant, NEVER_MS)];
        let states = states.iter().filter(|(_, ms)| answers || *ms != NEVER_MS);
        let order: Vec<_> = if pair % 2 == 0 { states.collect() } else { states.rev().collect() };
        let mut tails: Vec<f64> =
            order.into_iter().map(|(variant, ms)| p99(variant, *ms)).collect::<Result<_>>()?;
        if pair % 2 != 0 {
            tails.reverse();
        }
        let [none, fast, stuck @ ..] = tails.as_slice() else { continue };
        without.push(*none);
        healthy.push(fast / none);
        hanging.extend(stuck.iter().map(|stuck| stuck / none));
    }
    bench.mirror(0)?;
    let alone_us = interval(without).median;
    let hanging = answers.then(|| interval(hanging));
    Ok(Tail { name: variant.name, alone_us, healthy: interval(healthy), hanging })
}

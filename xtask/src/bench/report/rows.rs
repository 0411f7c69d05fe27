//! The rows: ratios against their goals first, then what each program did.

use std::fmt::Write as _;

use super::super::FLOOR_MAX;
use super::super::case::{Case, Limit};
use super::super::measure::Round;
use super::super::sample::Sample;
use super::super::statistics::{Summary, summary};
use super::super::variant::Variant;
use super::text::{copies, megabytes_of_kib, spread, times, wrap};

/// Where Envoy and the floor stand in a round.
const ENVOY: usize = 1;
const FLOOR: usize = 3;

/// The ratio of ours to another's CPU time a request, round by round.
pub(super) fn share(rounds: &[Round], other: usize) -> Option<Summary> {
    let ratio = |round: &Round| Some(round.first()?.cpu_us / round.get(other)?.cpu_us);
    let ratios: Vec<f64> = rounds.iter().filter_map(ratio).collect();
    (!ratios.is_empty()).then(|| summary(ratios))
}

/// Every row's ratios beside the most that they may be.
pub(super) fn overview(rows: &[(Case, Vec<Round>)]) -> String {
    let mut text = String::from(
        "| CPU time a request | ours / Envoy | at most | ours / floor | at most |\n|---|---|---|---|---|\n",
    );
    for (case, rounds) in rows {
        let (envoy, floor) = (share(rounds, ENVOY), share(rounds, FLOOR));
        let cell =
            |ratio: Option<Summary>| ratio.map_or_else(String::new, |ratio| format!("**{}**", times(ratio)));
        let _ = writeln!(
            text,
            "| {case} | {} | {} | {} | {} |",
            cell(envoy),
            limit(case.to_envoy, envoy),
            cell(floor),
            limit(case.to_floor, floor)
        );
    }
    text += &wrap(
        "\nRatios are taken within each round and given as median (least to greatest). Below 1 means that ours needs \
         less.\n\n",
    );
    text + &validity(rows)
}

/// What the floor says of this machine: where it costs too much of Envoy, shares of Envoy's cost are no longer about
/// proxies.
fn validity(rows: &[(Case, Vec<Round>)]) -> String {
    let floor = rows.first().and_then(|(_, rounds)| floor_share(rounds));
    let Some(floor) = floor.filter(|floor| *floor > FLOOR_MAX) else { return String::new() };
    wrap(&format!(
        "**On this machine the floor costs {floor:.2} of Envoy in the first row, where {FLOOR_MAX} at most was to be \
         expected:** Envoy's work in user space is cheap here beside the kernel's, which all share. The limits of \
         \"ours / Envoy\" were set on another CPU, where it was dearer, and no proxy could reach the first; \"ours / \
         floor\" holds.\n\n"
    ))
}

/// The floor's cost as a share of Envoy's.
pub(in crate::bench) fn floor_share(rounds: &[Round]) -> Option<f64> {
    let ratio = |round: &Round| Some(round.get(FLOOR)?.cpu_us / round.get(ENVOY)?.cpu_us);
    let ratios: Vec<f64> = rounds.iter().filter_map(ratio).collect();
    (!ratios.is_empty()).then(|| summary(ratios).median)
}

/// The goal, and whether it is reached.
fn limit(limit: Option<Limit>, ratio: Option<Summary>) -> String {
    let (Some(Limit { goal, must }), Some(ratio)) = (limit, ratio) else { return String::new() };
    let verdict = match ratio.median {
        median if median <= goal => "met",
        median if median <= must => "within",
        _ => "**missed**",
    };
    if goal < must { format!("{goal} ({must}): {verdict}") } else { format!("{must}: {verdict}") }
}

/// What each program did in one row.
pub(super) fn table(case: &Case, rounds: &[Round], variants: &[Variant]) -> String {
    let mut text = format!("## {case}\n\n");
    text += "| | requests/s | CPU µs a request | of it user | system calls | p50 µs | p99 µs | p99.9 µs | peak MB | copies |\n";
    text += "|---|---|---|---|---|---|---|---|---|---|\n";
    for (index, variant) in variants.iter().enumerate() {
        let samples: Vec<&Sample> = rounds.iter().filter_map(|round| round.get(index)).collect();
        if samples.is_empty() {
            continue;
        }
        let figure = |pick: fn(&Sample) -> f64| summary(samples.iter().map(|sample| pick(sample)));
        let calls: Vec<f64> = samples.iter().filter_map(|sample| sample.system_calls).collect();
        let calls = if calls.is_empty() { "–".to_owned() } else { format!("{:.1}", summary(calls).median) };
        let peak = samples.iter().map(|sample| sample.peak_memory_kib).max().unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {:.0} | {} | {:.1} | {calls} | {:.0} | {} | {:.0} | {:.0} | {}{} |",
            variant.name,
            figure(|sample| sample.requests_per_second).median,
            spread(figure(|sample| sample.cpu_us), 1),
            figure(|sample| sample.user_us).median,
            figure(|sample| sample.p50_us as f64).median,
            spread(figure(|sample| sample.p99_us as f64), 0),
            figure(|sample| sample.p999_us as f64).median,
            megabytes_of_kib(peak),
            copies(samples.iter().copied()),
            ways(&samples),
        );
    }
    text + "\n"
}

/// How copies came to be sent, in per cent.
fn ways(samples: &[&Sample]) -> String {
    let mut sums = [0_u64; 3];
    for copies in samples.iter().filter_map(|sample| sample.copies) {
        sums.iter_mut().zip(copies).for_each(|(sum, count)| *sum += count);
    }
    let all: u64 = sums.iter().sum();
    if all == 0 {
        return String::new();
    }
    let [direct, waited, read] = sums.map(|count| count as f64 * 100.0 / all as f64);
    format!("; {direct:.0} % direct, {waited:.0} % waited, {read:.0} % read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::case;

    #[test]
    fn the_overview_gives_paired_ratios_and_verdicts() {
        let case = case::quick().remove(0);
        let rounds = [60.0, 80.0, 50.0].map(|envoy| [20.0, envoy, 40.0, 16.0].map(Sample::fixture).to_vec());
        let text = overview(&[(case, rounds.into())]);
        let expected = "| 1 KiB, HTTP/1.1, saturated, 32 connections | **0.33 (0.25 to 0.40)** | 0.33 (0.38): within | \
                        **1.25 (1.25 to 1.25)** | 1.35 (1.6): met |";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_row_says_how_copies_went() {
        let case = case::quick().remove(0);
        let ours = Sample { copies: Some([90, 9, 1]), system_calls: Some(6.0), ..Sample::fixture(20.0) };
        assert_eq!(ways(&[&ours]), "; 90 % direct, 9 % waited, 1 % read");
        assert!(!table(&case, &[vec![ours]], &[]).contains("direct"));
    }
}

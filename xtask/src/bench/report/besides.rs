//! What the rows do not show: tails against no mirror, memory of connections, growth, sizing, durable delivery, order.

use std::fmt::Write as _;

use super::super::case::{Case, Protocol};
use super::super::isolation::Tail;
use super::super::measure::Round;
use super::super::memory::{IDLE_CONNECTIONS, Memory};
use super::super::order::Cost;
use super::super::sample::Sample;
use super::super::scale::Line;
use super::super::statistics::{Interval, summary};
use super::super::variant::Variant;
use super::text::{copies, megabytes_of_kib, times, wrap};

/// Samples of a batch of Prometheus with default settings, which is what 67 KB are.
const BATCH: f64 = 2_000.0;

pub(super) fn isolation(tails: &[Tail]) -> String {
    if tails.is_empty() {
        return String::new();
    }
    let mut text = String::from("## Does the mirror show in the primary's answers?\n\n");
    text += &wrap(
        "p99 of the clients at 500 writes of 67 KB a second with a healthy mirror, and with one that never answers, \
         against the same proxy without a mirror: median of 20 pairs taken in turn, and the interval that holds the true \
         median in 95 of 100 cases. An interval that holds 1 cannot be told from no mirror.\n\n",
    );
    text += "| | p99 µs without | healthy / without | hanging / without |\n|---|---|---|---|\n";
    for Tail { name, alone_us, healthy, hanging } in tails {
        let hanging = hanging.map_or_else(|| "the client's next request gets no answer".to_owned(), told);
        let _ = writeln!(text, "| {name} | {alone_us:.0} | {} | {hanging} |", told(*healthy));
    }
    text + "\n"
}

fn told(ratio: Interval) -> String {
    let Interval { median, low, high } = ratio;
    let verdict = if ratio.holds_one() { "not distinguishable" } else { "distinguishable" };
    format!("{median:.2} ({low:.2} to {high:.2}), {verdict}")
}

pub(super) fn memory(memory: &[Memory], variants: &[Variant]) -> String {
    if memory.is_empty() {
        return String::new();
    }
    let mut text = String::from("## Memory and size\n\n");
    let _ = writeln!(
        text,
        "| | binary MB | idle MB | KiB for each of {IDLE_CONNECTIONS} idle connections, never used | after one write of 67 KB |\n\
         |---|---|---|---|---|"
    );
    for Memory { name, start_kib, never_used_kib, after_write_kib } in memory {
        let binary =
            variants.iter().find(|variant| variant.name == *name).map_or(0, |variant| variant.binary_bytes);
        let (binary, idle) = (binary as f64 / 1e6, megabytes_of_kib(*start_kib));
        let _ = writeln!(
            text,
            "| {name} | {binary:.1} | {idle:.1} | {never_used_kib:.1} | {after_write_kib:.1} |"
        );
    }
    text + &wrap(
        "\nGoals for mimir-mirror: under 20 MB each, at most 10 KB for a connection that was never used and 32 KB after \
         a write.\n\n",
    )
}

pub(super) fn scale(lines: &[Line]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = String::from("## How it grows\n\n");
    text += &wrap(
        "mimir-mirror at 1,000 requests a second; one thing grows at a time. Two workers share both CPUs with clients and \
         clusters.\n\n",
    );
    text += "| | | body | CPU µs a request | p99 µs | peak MB | copies |\n|---|---|---|---|---|---|---|\n";
    for Line { what, count, size, cpu_us, p99_us, peak_memory_kib, complete } in lines {
        let (peak, copies) =
            (megabytes_of_kib(*peak_memory_kib), if *complete { "all" } else { "**lost some**" });
        let _ = writeln!(
            text,
            "| {count} | {what} | {size} | {cpu_us:.1} | {p99_us:.0} | {peak:.0} | {copies} |"
        );
    }
    text + "\n"
}

/// Cores and traffic for rates of samples, from the saturated row of a real batch.
pub(super) fn sizing(rows: &[(Case, Vec<Round>)], scale: &[Line]) -> String {
    let batch = |(case, _): &&(Case, Vec<Round>)| {
        case.protocol == Protocol::Http1
            && case.size.to_string() == "67 KB"
            && case.rate == 0
            && case.connections == 32
    };
    let (Some((case, rounds)), false) = (rows.iter().find(batch), scale.is_empty()) else {
        return String::new();
    };
    let ours: Vec<&Sample> = rounds.iter().filter_map(|round| round.first()).collect();
    let cpu_us = summary(ours.iter().map(|sample| sample.cpu_us)).median;
    let fastest = summary(ours.iter().map(|sample| sample.requests_per_second)).median;
    let mut text = String::from("## What a rate of samples needs\n\n");
    text += &wrap(&format!(
        "From the row \"{case}\": {cpu_us:.0} µs a batch of 2,000 samples. The largest load that this machine gave was \
         {fastest:.0} batches a second, {:.1} million samples a second, on one worker.\n\n",
        fastest * BATCH / 1e6
    ));
    text += "| samples/s | requests/s | cores busy | traffic in, and out twice |\n|---|---|---|---|\n";
    for samples in [1e6, 1e7, 1e8, 1e9] {
        let requests = samples / BATCH;
        let (cores, traffic) = (requests * cpu_us / 1e6, requests * case.size.bytes as f64 / 1e6);
        let _ = writeln!(text, "| {samples:.0} | {requests:.0} | {cores:.2} | {traffic:.0} MB/s |");
    }
    text + "\n[sizing.md](sizing.md) turns this into proxies, memory, sockets and disk.\n\n"
}

pub(super) fn durable(rows: &[(Case, Vec<Round>)], store: &[String]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = String::from("## Durable delivery\n\n");
    text += &wrap(
        "The same binary with copies kept on disk, beside copies kept in memory, at a fixed rate: at saturation the disk \
         would be what is measured.\n\n",
    );
    text += "| | CPU µs a request, durable | in memory | ratio | p99 µs, durable | in memory | ratio | copies |\n";
    text += "|---|---|---|---|---|---|---|---|\n";
    for (case, rounds) in rows {
        let pairs: Vec<(&Sample, &Sample)> =
            rounds.iter().filter_map(|round| Some((round.first()?, round.get(1)?))).collect();
        let figure = |pick: fn(&(&Sample, &Sample)) -> f64| summary(pairs.iter().map(pick));
        let _ = writeln!(
            text,
            "| {case} | {:.1} | {:.1} | **{}** | {:.0} | {:.0} | {} | {} |",
            figure(|(durable, _)| durable.cpu_us).median,
            figure(|(_, memory)| memory.cpu_us).median,
            times(figure(|(durable, memory)| durable.cpu_us / memory.cpu_us)),
            figure(|(durable, _)| durable.p99_us as f64).median,
            figure(|(_, memory)| memory.p99_us as f64).median,
            times(figure(|(durable, memory)| durable.p99_us as f64 / memory.p99_us.max(1) as f64)),
            copies(pairs.iter().map(|(durable, _)| *durable)),
        );
    }
    text += "\nGoals: at most 1.25 times the CPU, and 1.05 times the p99.\n\n";
    text += &wrap(
        "The store by itself (`crates/backlog`), beside a plain sequential write of the same bytes with the same fsync \
         schedule on the same disk (goal: 0.7 of it), and how long it takes to open:\n\n",
    );
    format!("{text}```text\n{}\n```\n\n", store.join("\n"))
}

pub(super) fn order(order: &[Cost]) -> String {
    if order.is_empty() {
        return String::new();
    }
    let mut text = String::from("## Order\n\n");
    text += &wrap(
        "Where copies wait for a distant mirror, a thread of lowest priority reads which series they carry and keeps \
         them until the copy has its outcome. With a mirror as fast as the primary nothing is read. For one copy of a \
         default batch (remote write 1.0, 2000 series):\n\n",
    );
    text += "| what waits meanwhile | reading, CPU µs | keeping, CPU µs | together |\n|---|---|---|---|\n";
    for Cost { waiting, reading, keeping, together } in order {
        let _ = writeln!(text, "| {waiting} | {reading:.0} | {keeping:.0} | **{together:.0}** |");
    }
    text + "\nGoal: under 400 µs together.\n\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_has_a_row_for_each_of_its_costs() {
        let cost = |waiting: &str, together| Cost {
            waiting: waiting.to_owned(),
            reading: 171.6,
            keeping: 18.2,
            together,
        };
        let text = order(&[cost("no other copy", 190.7), cost("1000 copies", 298.5)]);
        assert!(text.contains("| no other copy | 172 | 18 | **191** |\n| 1000 copies |"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    }

    #[test]
    fn a_tail_says_whether_it_can_be_told() {
        let ratio = |low, high| Interval { median: 1.2, low, high };
        assert_eq!(told(ratio(0.9, 1.4)), "1.20 (0.90 to 1.40), not distinguishable");
        assert_eq!(told(ratio(1.1, 1.4)), "1.20 (1.10 to 1.40), distinguishable");
    }
}

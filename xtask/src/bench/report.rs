//! The page: what was measured, the figures, how to read them. No dates, so that it changes with results alone.

use std::fmt::Write as _;

use super::durable::Measured;
use super::measure::{Bench, FOREIGN_MAX, Pair, Sample};
use super::order::Cost;
use super::size::Size;
use super::statistics::{Summary, summary};
use super::variant::Variant;
use super::{Options, proc};

/// How one variant's sample is picked from a round.
type Side = fn(&Pair) -> &Sample;

/// All that was measured.
pub(super) struct Figures {
    /// Idle memory in KiB: ours, Envoy's.
    pub(super) idle: [u64; 2],
    pub(super) order: Vec<Cost>,
    pub(super) results: Vec<(Size, Vec<Pair>)>,
    pub(super) durable: Vec<Measured>,
    /// Lines of the store's own benchmark.
    pub(super) store: Vec<String>,
}

/// The whole page as Markdown.
pub(super) fn page(bench: &Bench, figures: &Figures, options: &Options) -> String {
    let Figures { idle, order, results, durable, store } = figures;
    let mut page = String::from("# Benchmark against Envoy\n\n");
    page += &introduction(options);
    page += &overview(results);
    for (size, pairs) in results {
        page += &table(size, pairs, &bench.variants);
    }
    page += &delivery(durable, store);
    page += &slow_path(order);
    page += &footprint(bench, idle);
    page += &method(bench, results, options);
    page
}

fn introduction(options: &Options) -> String {
    let subject = if options.self_check {
        "Envoy against itself: whatever differs from 1 is noise of this machine.\n\n"
    } else {
        "What a mirrored remote write costs mimir-mirror and Envoy, with the same load, the same upstreams and the \
         same configuration file. Written by `make bench`; `cargo xtask bench --quick` prints a shorter run.\n\n"
    };
    wrap(subject)
}

fn overview(results: &[(Size, Vec<Pair>)]) -> String {
    let mut text =
        String::from("| body | CPU time of Envoy / ours, a request | p99 of Envoy / ours |\n|---|---|---|\n");
    for (size, pairs) in results {
        let cpu = summary(pairs.iter().map(Pair::advantage));
        let tail =
            summary(pairs.iter().map(|pair| pair.envoy.p99_us as f64 / pair.ours.p99_us.max(1) as f64));
        let _ = writeln!(text, "| {size} | **{}** | {} |", times(cpu), times(tail));
    }
    text + &wrap(
        "\nRatios are taken within each round and given as median (least to greatest). Above 1 means that Envoy \
         needs more.\n\n",
    )
}

fn table(size: &Size, pairs: &[Pair], variants: &[Variant; 2]) -> String {
    let mut text = format!("## Bodies of {size}\n\n");
    text += "| | requests/s | CPU µs a request | p50 µs | p99 µs | peak memory MB | copies |\n";
    text += "|---|---|---|---|---|---|---|\n";
    let sides: [Side; 2] = [|pair| &pair.ours, |pair| &pair.envoy];
    for (variant, side) in variants.iter().zip(sides) {
        let figure = |pick: fn(&Sample) -> f64| summary(pairs.iter().map(|pair| pick(side(pair))));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.0} | {} |",
            variant.name,
            spread(figure(|sample| sample.requests_per_second), 0),
            spread(figure(|sample| sample.cpu_us), 1),
            spread(figure(|sample| sample.p50_us as f64), 0),
            spread(figure(|sample| sample.p99_us as f64), 0),
            megabytes(figure(|sample| sample.peak_memory_kib as f64).greatest * 1024.0),
            copies(pairs.iter().map(side)),
        );
    }
    text + "\n"
}

/// Whether every copy of every round arrived, by count and by bytes.
fn copies<'a>(samples: impl Iterator<Item = &'a Sample>) -> String {
    let (mut requests, mut lost, mut not_ok, mut complete) = (0, 0, 0, true);
    for sample in samples {
        requests += sample.requests;
        lost += sample.lost;
        not_ok += sample.not_ok;
        complete &= sample.complete();
    }
    if complete {
        return format!("all {requests}");
    }
    format!("**{lost} of {requests} lost, {not_ok} answers other than 200**")
}

fn delivery(durable: &[Measured], store: &[String]) -> String {
    if durable.is_empty() {
        return String::new();
    }
    let mut text = String::from("## Durable delivery\n\n");
    text += &wrap(
        "The same binary with copies kept on disk, beside copies kept in memory, at a fixed rate: at saturation the disk \
         would be what is measured.\n\n",
    );
    text += "| body | requests/s | CPU µs a request, durable | in memory | ratio | p99 µs, durable | in memory | ratio | copies |\n";
    text += "|---|---|---|---|---|---|---|---|---|\n";
    for Measured { size, rate, pairs } in durable {
        let figure = |pick: fn(&Pair) -> f64| summary(pairs.iter().map(pick)).median;
        let cpu = summary(pairs.iter().map(|pair| pair.ours.cpu_us / pair.envoy.cpu_us));
        let tail =
            summary(pairs.iter().map(|pair| pair.ours.p99_us as f64 / pair.envoy.p99_us.max(1) as f64));
        let _ = writeln!(
            text,
            "| {size} | {rate} | {:.1} | {:.1} | **{}** | {:.0} | {:.0} | {} | {} |",
            figure(|pair| pair.ours.cpu_us),
            figure(|pair| pair.envoy.cpu_us),
            times(cpu),
            figure(|pair| pair.ours.p99_us as f64),
            figure(|pair| pair.envoy.p99_us as f64),
            times(tail),
            copies(pairs.iter().map(|pair| &pair.ours)),
        );
    }
    text += "\nGoals: at most 1.25 times the CPU, and 1.05 times the p99.\n\n";
    text += &wrap(
        "The store by itself (`crates/backlog`), beside a plain sequential write of the same bytes with the same fsync \
         schedule on the same disk (goal: 0.7 of it), and how long it takes to open:\n\n",
    );
    format!("{text}```text\n{}\n```\n\n", store.join("\n"))
}

fn slow_path(order: &[Cost]) -> String {
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

fn footprint(bench: &Bench, idle: &[u64; 2]) -> String {
    let mut text = String::from("## Size\n\n| | binary MB | idle memory MB |\n|---|---|---|\n");
    for (variant, idle_kib) in bench.variants.iter().zip(idle) {
        let binary = megabytes(variant.binary_bytes as f64);
        let idle = megabytes(*idle_kib as f64 * 1024.0);
        let _ = writeln!(text, "| {} | {binary:.1} | {idle:.1} |", variant.name);
    }
    text + "\nGoals for mimir-mirror: under 20 MB each.\n\n"
}

fn method(bench: &Bench, results: &[(Size, Vec<Pair>)], options: &Options) -> String {
    let [ours, envoy] = &bench.variants;
    let samples = results.iter().flat_map(|(_, pairs)| pairs).flat_map(|pair| [&pair.ours, &pair.envoy]);
    let (mut all, mut noisy) = (0, 0);
    for sample in samples {
        all += 1;
        noisy += usize::from(sample.foreign > FOREIGN_MAX);
    }
    let mut text = String::from("## How it is measured\n\n");
    for item in [
        format!("Machine: {}.", proc::machine()),
        format!("Programs: {} and {}.", ours.version, envoy.version),
        format!("Started as `{}` and `{}`, each measurement with a fresh process.", ours.command_line(), envoy.command_line()),
        "Both get the same file (`xtask/src/bench/proxy.yaml`), a v3 bootstrap without access log; Envoy's has its \
         circuit breakers raised besides, since its default would drop copies under this load."
            .to_owned(),
        "The proxy has CPU 0 to itself. Clients, primary and secondary share CPU 1, three ports of loopback.".to_owned(),
        format!(
            "Load: {} keep-alive connections, each sending its next request when the last is answered, for {} s after \
             a warm-up of a fifth of that. Bodies are valid remote write 1.0 to `/api/v1/push`; each connection has \
             series of its own. Both clusters answer 200 at once.",
            bench.connections,
            bench.duration.as_secs_f64()
        ),
        "CPU time is user plus system time of the proxy process with all its threads (`/proc/PID/stat`) until the \
         last copy has arrived, divided by the requests counted at the primary."
            .to_owned(),
        "Order: CPU time of a thread that does nothing else (`benches/order.rs`), the middle one of 2000 rounds."
            .to_owned(),
        "Copies are checked by count and by body bytes at the secondary, against what clients sent.".to_owned(),
        format!(
            "Rounds: {} for each size. The variants take turns, and who goes first changes. A measurement during which \
             others took more than {:.0} % of the proxy's CPU is repeated, at most three times; of the {all} that \
             count, {noisy} stayed above.",
            options.rounds(),
            FOREIGN_MAX * 100.0
        ),
        "Cells are median (least to greatest) of the rounds; peak memory is the greatest. Requests/s and latencies \
         are those of a saturated proxy, not of a given rate, and end where CPU 1 does. On loopback the sender pays \
         for the receiver's part of TCP; a network card would shift both sides alike."
            .to_owned(),
    ] {
        text += &wrap(&format!("- {item}\n"));
    }
    text
}

fn times(ratio: Summary) -> String {
    format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.least, ratio.greatest)
}

fn spread(figures: Summary, digits: usize) -> String {
    let Summary { median, least, greatest } = figures;
    format!("{median:.digits$} ({least:.digits$} to {greatest:.digits$})")
}

fn megabytes(bytes: f64) -> f64 {
    bytes / 1e6
}

/// Breaks a paragraph or list item at 110 columns, continuation lines of an item indented.
fn wrap(paragraph: &str) -> String {
    let indent = if paragraph.starts_with("- ") { "  " } else { "" };
    let body = paragraph.trim_matches('\n');
    let (before, after) = paragraph.split_once(body).unwrap_or(("", "\n"));
    let mut lines = vec![String::new()];
    for word in body.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > indent.len() && line + 1 + word.chars().count() > 110 {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    format!("{before}{}{after}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(lost: u64) -> Sample {
        Sample {
            requests: 1_000,
            requests_per_second: 500.0,
            cpu_us: 20.0,
            p50_us: 10,
            p99_us: 90,
            peak_memory_kib: 9_000,
            not_ok: 0,
            all_arrived: lost == 0,
            lost,
            foreign: 0.0,
        }
    }

    #[test]
    fn lost_copies_stand_in_the_table() {
        assert_eq!(copies([sample(0), sample(0)].iter()), "all 2000");
        assert_eq!(copies([sample(0), sample(7)].iter()), "**7 of 2000 lost, 0 answers other than 200**");
    }

    #[test]
    fn the_overview_gives_paired_ratios() {
        let dearer = |cpu_us| Sample { cpu_us, p99_us: 180, ..sample(0) };
        let pairs = [60.0, 80.0, 50.0].map(|cpu_us| Pair { ours: sample(0), envoy: dearer(cpu_us) });
        let text = overview(&[("67KB".parse().unwrap(), pairs.into())]);
        assert!(text.contains("| 67 KB | **3.00 (2.50 to 4.00)** | 2.00 (2.00 to 2.00) |"), "{text}");
    }

    #[test]
    fn order_has_a_row_for_each_of_its_costs() {
        let cost = |waiting: &str, together| Cost {
            waiting: waiting.to_owned(),
            reading: 171.6,
            keeping: 18.2,
            together,
        };
        let text = slow_path(&[cost("no other copy", 190.7), cost("1000 copies", 298.5)]);
        assert!(text.contains("| no other copy | 172 | 18 | **191** |\n| 1000 copies |"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    }

    #[test]
    fn long_items_are_wrapped_without_loss() {
        let item = format!("- {}\n", "word ".repeat(60).trim_end());
        let wrapped = wrap(&item);
        assert!(wrapped.lines().all(|line| line.chars().count() <= 110));
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("  word")));
        assert_eq!(wrapped.split_ascii_whitespace().count(), 61);
        assert!(wrapped.ends_with("word\n"));
    }
}

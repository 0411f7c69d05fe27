//! The page: what was measured, the figures, how to read them. No dates, so that it changes with results alone.

mod besides;
mod method;
mod plot;
mod rows;
mod text;

use super::Options;
use super::case::Case;
use super::isolation::Tail;
use super::measure::Round;
use super::memory::Memory;
use super::order::Cost;
use super::scale::Line;
use super::variant::Variant;

pub(super) use self::plot::plot;
pub(super) use self::rows::floor_share;

/// All that was measured.
#[derive(Default)]
pub(super) struct Figures {
    /// Each round has a sample for each variant that takes part: ours, Envoy, and then nginx and the floor.
    pub(super) rows: Vec<(Case, Vec<Round>)>,
    pub(super) isolation: Vec<Tail>,
    pub(super) memory: Vec<Memory>,
    pub(super) scale: Vec<Line>,
    /// Each round is durable delivery, then delivery from memory.
    pub(super) durable: Vec<(Case, Vec<Round>)>,
    pub(super) order: Vec<Cost>,
    /// Lines of the store's own benchmark.
    pub(super) store: Vec<String>,
}

/// The whole page as Markdown.
pub(super) fn page(variants: &[Variant], figures: &Figures, options: &Options) -> String {
    let mut page = String::from("# Benchmark\n\n");
    page += &text::wrap(if options.self_check {
        "Envoy against itself: whatever differs from 1 is noise of this machine.\n\n"
    } else {
        "What a mirrored remote write costs mimir-mirror, Envoy, nginx with its mirror module, and a floor: a tee by \
         hand that checks nothing and forgets everything (`benches/floor`), to show what of it is the kernel's. Same \
         load, same upstreams, in turn. Written by `make bench`; `cargo xtask bench --quick` prints a few rows.\n\n"
    });
    page += &rows::overview(&figures.rows);
    if !options.rows_alone() {
        page += "![CPU time a request](benchmarks.svg)\n\n";
    }
    for (case, rounds) in &figures.rows {
        page += &rows::table(case, rounds, variants);
    }
    page += &besides::isolation(&figures.isolation);
    page += &besides::memory(&figures.memory, variants);
    page += &besides::scale(&figures.scale);
    page += &besides::sizing(&figures.rows, &figures.scale);
    page += &besides::durable(&figures.durable, &figures.store);
    page += &besides::order(&figures.order);
    page += &method::section(variants, &figures.rows, options);
    page
}

//! How much a receiver says it has written. Remote write 2.0 has it say so, in headers of its answer.

const NAMES: [&str; 2] =
    ["x-prometheus-remote-write-samples-written", "x-prometheus-remote-write-histograms-written"];

/// Samples and histograms. `value` looks a header up by its name in lower case.
pub(super) fn written<'h>(value: impl Fn(&str) -> Option<&'h [u8]>) -> u64 {
    let count = |name: &&str| std::str::from_utf8(value(name)?).ok()?.trim().parse::<u32>().ok();
    NAMES.iter().filter_map(count).map(u64::from).sum()
}

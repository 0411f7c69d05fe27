//! Memory for each client connection: idle ones that never sent anything, and idle ones after one write.

use std::time::Duration;

use anyhow::Result;

use super::PROXY_CPU;
use super::case;
use super::measure::Bench;
use super::proxy::pause;
use super::variant::Variant;

/// Connections of the idle flood: what ours takes where 20,000 descriptors are the limit, since each client may need
/// one to the primary.
pub(super) const IDLE_CONNECTIONS: usize = 8_000;
/// Requests a second, and for how long, so that each connection has its turn.
const RATE: u32 = 2_500;
const ONCE: Duration = Duration::from_millis(4_200);
/// Until memory that is given back has been.
const SETTLE: Duration = Duration::from_secs(2);

/// What one proxy holds.
pub(super) struct Memory {
    pub(super) name: &'static str,
    /// Before the first connection, in KiB.
    pub(super) start_kib: u64,
    /// For each idle connection that has sent nothing, in KiB.
    pub(super) never_used_kib: f64,
    /// For each idle connection after one write of 67 KB, in KiB.
    pub(super) after_write_kib: f64,
}

/// Of each of these programs.
pub(super) fn measure(bench: &mut Bench, variants: &[&Variant]) -> Result<Vec<Memory>> {
    variants.iter().map(|variant| one(bench, variant)).collect()
}

fn one(bench: &mut Bench, variant: &Variant) -> Result<Memory> {
    let case = case::connections("67KB", IDLE_CONNECTIONS).at(RATE);
    eprintln!("memory of {}: {case}", variant.name);
    // One body for all: ten thousand different ones would be the load's memory, and order is not what this shows.
    let mut load = bench.load_once(&case)?;
    let start_kib = bench.idle(variant, &case)?;
    let proxy = bench.proxy(variant, PROXY_CPU, &case)?;
    let each = |now: u64| now.saturating_sub(start_kib) as f64 / IDLE_CONNECTIONS as f64;
    load.ask::<7>(&format!("{} 0", proxy.port))?;
    pause(SETTLE);
    let never_used = proxy.memory_kib()?;
    load.ask::<7>(&format!("0 {}", ONCE.as_millis()))?;
    pause(SETTLE);
    let after_write = proxy.memory_kib()?;
    Ok(Memory {
        name: variant.name,
        start_kib,
        never_used_kib: each(never_used),
        after_write_kib: each(after_write),
    })
}

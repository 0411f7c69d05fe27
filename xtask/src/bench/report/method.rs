//! How it was measured: enough to do it again, and to doubt it.

use super::super::case::Case;
use super::super::measure::{FOREIGN_MAX, Round};
use super::super::variant::Variant;
use super::super::{Options, proc};
use super::text::wrap;

pub(super) fn section(variants: &[Variant], rows: &[(Case, Vec<Round>)], options: &Options) -> String {
    let (mut all, mut noisy) = (0, 0);
    for sample in rows.iter().flat_map(|(_, rounds)| rounds).flatten() {
        all += 1;
        noisy += usize::from(sample.foreign > FOREIGN_MAX);
    }
    let list = |pick: fn(&Variant) -> String| variants.iter().map(pick).collect::<Vec<_>>().join(", ");
    let mut text = String::from("## How it is measured\n\n");
    for item in [
        format!("Machine: {}.", proc::machine()),
        format!("Programs: {}.", list(|variant| variant.version.clone())),
        format!("Started as {}, each measurement with a fresh process.", list(|variant| format!("`{}`", variant.command_line()))),
        "Ours and Envoy get the same file (`xtask/src/bench/proxy.yaml`), a v3 bootstrap without access log; order, \
         ledger, statistics and the default log level are on. Envoy's has its circuit breakers raised besides, since its \
         default would drop copies under this load. nginx gets `xtask/src/bench/proxy.nginx.conf`."
            .to_owned(),
        "The proxy has CPU 0 to itself. Clients, primary and secondary share CPU 1, on loopback.".to_owned(),
        format!(
            "Load: each connection sends its next request when the last is answered, or when its time has come besides, \
             for {} s after a warm-up of a fifth of that. Bodies are valid remote write 1.0 of one tenant to \
             `/api/v1/push`; each connection has series of its own. Both clusters answer 200 at once, unless the row says \
             otherwise.",
            options.duration().as_secs_f64()
        ),
        "CPU time is user plus system time of the proxy process with all its threads (`/proc/PID/stat`) until the \
         last copy has arrived, divided by the requests counted at the primary. The kernel tells user and system apart by \
         sampling. System calls are counted in a run of their own (`perf stat -e raw_syscalls:sys_enter`)."
            .to_owned(),
        "Order: CPU time of a thread that does nothing else (`benches/order.rs`), the middle one of 2000 rounds."
            .to_owned(),
        "Copies are checked by count and by body bytes at the secondary, against what clients sent.".to_owned(),
        format!(
            "Rounds: {} for each row. The variants take turns, and who goes first changes. A measurement during which \
             others took more than {:.0} % of the proxy's CPU is repeated, at most three times; of the {all} that \
             count, {noisy} stayed above. The floor must cost at most {} of Envoy at 1 KiB, or the run is void.",
            options.rounds(),
            FOREIGN_MAX * 100.0,
            super::super::FLOOR_MAX
        ),
        "Cells are medians of the rounds, (least to greatest) where there are brackets; peak memory is the greatest. \
         Requests/s and latencies of saturated rows are those of a saturated proxy and end where CPU 1 does. On loopback \
         the sender pays for the receiver's part of TCP; a network card would shift all sides alike."
            .to_owned(),
    ] {
        text += &wrap(&format!("- {item}\n"));
    }
    text
}

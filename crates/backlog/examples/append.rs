//! How fast the store appends, against a plain sequential write of the same bytes with the same fsync schedule on the
//! same disk, and how long opening takes. Run it built with `--release`, in a directory on the disk in question:
//!
//! `cargo run --release -p mimir-mirror-backlog --example append -- [DIRECTORY] [MEBIBYTES]`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends at the first trouble"
)]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backlog::fs::RealFs;
use backlog::{Backlog, NewRecord, Options, Sync};

/// Records of one batch, as a busy append thread would find them in its inbox.
const BATCH: usize = 64;
const ROUNDS: usize = 5;

#[derive(Clone, Copy)]
enum Schedule {
    EachBatch,
    Every(Duration),
    Never,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let total = arguments.next().map_or(256, |text| text.parse().unwrap()) << 20;
    let dir = base.join(format!("backlog-bench-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    for (size, name) in [(67 << 10, "67 KiB"), (1 << 10, "1 KiB")] {
        for (schedule, when) in [
            (Schedule::Never, "no fsync"),
            (Schedule::Every(Duration::from_millis(100)), "fsync every 100 ms"),
            (Schedule::EachBatch, "fsync each batch of 64"),
        ] {
            // 1 KiB with an fsync each 64 KiB takes long on any disk.
            let slow = matches!(schedule, Schedule::EachBatch) && size < 10_000;
            compare(&dir, size, name, schedule, when, if slow { total / 8 } else { total });
        }
    }
    recovery(&dir, 67 << 10, "67 KiB");
    recovery(&dir, 1 << 10, "1 KiB");
    fs::remove_dir_all(&dir).unwrap();
}

/// Rounds in turn, and the median of the ratios: the disk's mood changes by the second.
fn compare(dir: &Path, size: usize, name: &str, schedule: Schedule, when: &str, total: usize) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let plain = plain(dir, size, schedule, total);
        let store = store(dir, size, schedule, total);
        rounds.push((store / plain, store, plain));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, store, plain) = rounds[ROUNDS / 2];
    let (low, high) = (rounds[0].0, rounds[ROUNDS - 1].0);
    println!(
        "{name:>7}, {when:<22}: store {store:6.0} MB/s, plain {plain:6.0} MB/s, ratio {ratio:.2} ({low:.2}-{high:.2})"
    );
}

/// Syncs when the schedule says so, and at the end.
struct Clock(Schedule, Instant);

impl Clock {
    fn due(&mut self) -> bool {
        match self.0 {
            Schedule::Never => false,
            Schedule::EachBatch => true,
            Schedule::Every(interval) => {
                let due = self.1.elapsed() >= interval;
                if due {
                    self.1 = Instant::now();
                }
                due
            }
        }
    }
}

/// MB/s of payload in one file written batch by batch: the same bytes as the store's, so with room for its headers.
/// (Batches of a power of two would be another race: ext4 writes 64 KiB at multiples of 4 KiB 1.6 times as fast as
/// 64 KiB and 8 bytes, whoever writes them.)
fn plain(dir: &Path, size: usize, schedule: Schedule, total: usize) -> f64 {
    let path = dir.join("plain");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path).unwrap();
    let batch = vec![0xA5_u8; (size + 48).next_multiple_of(8) * BATCH];
    let batches = total / (size * BATCH);
    let started = Instant::now();
    let mut clock = Clock(schedule, started);
    for _ in 0..batches {
        file.write_all(&batch).unwrap();
        if clock.due() {
            file.sync_data().unwrap();
        }
    }
    if !matches!(schedule, Schedule::Never) {
        file.sync_data().unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    fs::remove_file(path).unwrap();
    (batches * size * BATCH) as f64 / 1e6 / seconds
}

/// MB/s of payload appended to a store.
fn store(dir: &Path, size: usize, schedule: Schedule, total: usize) -> f64 {
    let path = dir.join("store");
    let sync = if matches!(schedule, Schedule::Never) { Sync::Never } else { Sync::Interval };
    let (mut store, _) = Backlog::open(&path, Options { sync, ..Options::new("bench") }, RealFs).unwrap();
    let batches = total / (size * BATCH);
    let started = Instant::now();
    let mut clock = Clock(schedule, started);
    fill(&mut store, size, batches, |store| {
        if clock.due() {
            store.sync().unwrap();
        }
    });
    store.sync().unwrap();
    let seconds = started.elapsed().as_secs_f64();
    drop(store);
    fs::remove_dir_all(path).unwrap();
    (batches * size * BATCH) as f64 / 1e6 / seconds
}

fn fill(store: &mut Backlog, size: usize, batches: usize, mut after: impl FnMut(&mut Backlog)) {
    let (head, body) = (vec![0x5A_u8; 200], vec![0xA5_u8; size - 200]);
    let payload: &[&[u8]] = &[&head, &body];
    let mut place = store.next_place();
    for _ in 0..batches {
        let record = |nth| NewRecord { place: place + nth, arrival_ms: place, tenant: 1, kind: 0, payload };
        let batch: Vec<NewRecord<'_>> = (0..BATCH as u64).map(record).collect();
        store.append(&batch).unwrap();
        place += BATCH as u64;
        after(store);
    }
}

/// Opening a backlog of 1 GiB whose last segment was not closed, and reading the first 16 MiB of it.
fn recovery(dir: &Path, size: usize, name: &str) {
    let path = dir.join("recovery");
    let (mut store, _) = Backlog::open(&path, Options::new("bench"), RealFs).unwrap();
    fill(&mut store, size, (1 << 30) / (size * BATCH), |_| {});
    store.checkpoint().unwrap();
    drop(store);
    let cold = drop_caches();
    let started = Instant::now();
    let (mut store, recovery) = Backlog::open(&path, Options::new("bench"), RealFs).unwrap();
    let opened = started.elapsed();
    let read = store.read_from(0, 16 << 20).records.len();
    let all = started.elapsed();
    assert!(recovery.is_clean() && read > 0, "{recovery:?}");
    println!(
        "recovery of 1 GiB in {name} records, {}: {} records known after {opened:.1?}, 16 MiB read after {all:.1?}, {} MiB resident",
        if cold { "caches dropped" } else { "from the page cache" },
        recovery.records,
        resident_kib() >> 10,
    );
    drop(store);
    fs::remove_dir_all(path).unwrap();
}

/// Only root may.
fn drop_caches() -> bool {
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

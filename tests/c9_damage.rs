//! C9: damage to the files costs what it hit, and is counted. The process starts, serves, and delivers the rest.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::path::Path;

use crate::dsl::clusters::SECONDARY;
use crate::dsl::{Backlog, Clusters, Ledger, Receiver, Treatment, Writer, bytes_of};

/// Copies that wait when the damage comes, of 100 kB each: three segments.
const COPIES: usize = 100;
/// A segment has this many at most.
const OF_A_SEGMENT: usize = 42;

/// Each copy has two series of its own, so that what is missing shows, and none waits for another.
async fn write(clusters: &Clusters, names: std::ops::Range<usize>) {
    let mut client = clusters.proxy.client().await;
    for name in names {
        Writer::new(name).heavy(100_000).catch_up(&mut client, 0..1).await;
    }
}

/// The secondary is away, and all copies wait for it.
async fn waiting(backlog: &Backlog) -> Clusters {
    let [primary, secondary] = [Treatment::prompt(), Treatment::prompt()].map(Receiver::treating);
    let mut clusters = Clusters::durable(primary.await, secondary.await, backlog, &[]).await;
    clusters.secondary.stop().await;
    write(&clusters, 0..COPIES).await;
    assert!(backlog.segments().len() > 2, "{:?}", backlog.segments());
    clusters
}

/// How many writes the primary has and the secondary has not.
fn missing(clusters: &Clusters) -> usize {
    let held = clusters.secondary.samples();
    let expected = clusters.primary.samples();
    assert!(held.iter().all(|(series, samples)| expected.get(series) == Some(samples)), "samples of nobody");
    (expected.len() - held.len()) / 2
}

/// A write of after the damage gets through, and with it everything that is left. Returns what is missing.
async fn delivers_the_rest(clusters: &mut Clusters) -> (usize, Ledger) {
    write(clusters, COPIES..COPIES + 1).await;
    clusters.secondary.resume().await;
    write(clusters, COPIES + 1..COPIES + 2).await;
    let ledger = clusters.proxy.settled(SECONDARY).await;
    let of_damage = ledger.reason("failed", "damaged");
    assert_eq!(ledger.taken() + of_damage, ledger.received + ledger.recovered, "{ledger:?}");
    assert!(clusters.proxy.process.ended().is_none(), "the process ended");
    (missing(clusters), ledger)
}

/// Damage while nothing runs. What the next process finds damaged is missing in `recovered`, or counted as failed when
/// it is read.
async fn stopped(damage: impl FnOnce(&Backlog), lost: RangeInclusive<usize>) {
    let backlog = Backlog::new().small();
    let mut clusters = waiting(&backlog).await;
    clusters.proxy.kill().await;
    damage(&backlog);
    clusters.proxy.start_again().await;
    clusters.reaches("mimir_mirror_recovered_total", 1).await;
    let (missing, ledger) = delivers_the_rest(&mut clusters).await;
    assert!(lost.contains(&missing), "{missing} writes are missing: {ledger:?}");
    assert_eq!(ledger.received, 2, "{ledger:?}");
    let counted = COPIES as u64 - ledger.recovered + ledger.reason("failed", "damaged");
    assert_eq!(counted, missing as u64, "{ledger:?}");
    let (log, name) = (clusters.proxy.process.stderr(), backlog.path().to_string_lossy().into_owned());
    assert!(missing == 0 || log.contains(&name), "the log does not name the damaged backlog: {log}");
}

fn segment(backlog: &Backlog, n: usize) -> File {
    File::options().read(true).write(true).open(&backlog.segments()[n]).expect("own file")
}

fn length(file: &File) -> u64 {
    file.metadata().expect("own file").len()
}

/// Overwrites some bytes at this part of the file.
fn scribble(file: &mut File, at: u64) {
    file.seek(SeekFrom::Start(at)).expect("own file");
    file.write_all(&bytes_of(64, at)).expect("own file");
}

fn last(backlog: &Backlog) -> usize {
    backlog.segments().len() - 1
}

#[tokio::test]
async fn c9_a_tail_that_was_cut_off_costs_the_last_copy() {
    let cut = |backlog: &Backlog| {
        let file = segment(backlog, last(backlog));
        file.set_len(length(&file) - 1000).expect("own file");
    };
    stopped(cut, 1..=1).await;
}

#[tokio::test]
async fn c9_flipped_bytes_in_a_full_segment_cost_what_they_hit() {
    let flip = |backlog: &Backlog| {
        let mut file = segment(backlog, 0);
        let middle = length(&file) / 2;
        scribble(&mut file, middle);
    };
    stopped(flip, 1..=2).await;
}

#[tokio::test]
async fn c9_flipped_bytes_in_the_last_segment_cost_what_they_hit() {
    let flip = |backlog: &Backlog| {
        let mut file = segment(backlog, last(backlog));
        let middle = length(&file) / 2;
        scribble(&mut file, middle);
    };
    stopped(flip, 1..=2).await;
}

/// The header, and the index at the end, can be done without.
#[tokio::test]
async fn c9_flipped_bytes_at_both_ends_of_a_full_segment_cost_at_most_what_they_hit() {
    let flip = |backlog: &Backlog| {
        let mut file = segment(backlog, 0);
        let end = length(&file) - 64;
        scribble(&mut file, 0);
        scribble(&mut file, end);
    };
    stopped(flip, 0..=1).await;
}

#[tokio::test]
async fn c9_a_segment_that_is_gone_costs_its_copies() {
    let remove = |backlog: &Backlog| std::fs::remove_file(&backlog.segments()[1]).expect("own file");
    stopped(remove, 1..=OF_A_SEGMENT).await;
}

#[tokio::test]
async fn c9_an_emptied_segment_costs_its_copies() {
    stopped(|backlog| segment(backlog, 0).set_len(0).expect("own file"), 1..=OF_A_SEGMENT).await;
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("own folder");
}

#[tokio::test]
async fn c9_foreign_and_empty_files_cost_nothing() {
    let add = |backlog: &Backlog| {
        let file = |name: &str| backlog.path().join(name);
        put(&file("notes.txt"), b"not a segment");
        put(&file("garbage.segment"), &bytes_of(10_000, 1));
        put(&file("00000000000000009999-0123456789abcdef.segment"), b"");
        std::fs::create_dir(file("lost+found")).expect("own folder");
    };
    stopped(add, 0..=0).await;
}

#[tokio::test]
async fn c9_garbage_in_place_of_the_checkpoint_costs_nothing() {
    stopped(|backlog| put(&backlog.path().join("checkpoint"), &bytes_of(500, 1)), 0..=0).await;
}

#[tokio::test]
async fn c9_a_checkpoint_that_is_gone_costs_nothing() {
    let remove = |backlog: &Backlog| {
        let _ = std::fs::remove_file(backlog.path().join("checkpoint"));
    };
    stopped(remove, 0..=0).await;
}

/// Damage under the feet of the running process, most of whose copies are to be read back. The primary's answers are
/// as ever, and what is damaged is counted.
async fn running(damage: impl FnOnce(&Backlog)) {
    let backlog = Backlog::new().small();
    let mut clusters = waiting(&backlog).await;
    damage(&backlog);
    let (missing, ledger) = delivers_the_rest(&mut clusters).await;
    assert_eq!(ledger.received, COPIES as u64 + 2, "{ledger:?}");
    assert_eq!(ledger.reason("failed", "damaged"), missing as u64, "{ledger:?}");
    // What memory held at that time was not concerned.
    assert!(missing < COPIES, "{ledger:?}");
}

#[tokio::test]
async fn c9_a_segment_that_is_truncated_under_way_is_survived() {
    running(|backlog| {
        let file = segment(backlog, 1);
        file.set_len(length(&file) / 2).expect("own file");
    })
    .await;
}

#[tokio::test]
async fn c9_the_segment_being_written_truncated_under_way_is_survived() {
    running(|backlog| segment(backlog, last(backlog)).set_len(100).expect("own file")).await;
}

#[tokio::test]
async fn c9_bytes_flipped_under_way_are_survived() {
    running(|backlog| {
        for n in 0..backlog.segments().len() {
            let mut file = segment(backlog, n);
            let middle = length(&file) / 2;
            scribble(&mut file, middle);
        }
    })
    .await;
}

#[tokio::test]
async fn c9_a_directory_that_is_deleted_under_way_is_survived() {
    running(|backlog| std::fs::remove_dir_all(backlog.path()).expect("own folder")).await;
}

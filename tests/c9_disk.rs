//! C9: a disk that is full, unusable or away costs what it cannot keep, never the process and never the primary.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::dsl::clusters::SECONDARY;
use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::{Backlog, Clusters, Config, Crowd, Proxy, Receiver, Tmpfs, Treatment, Writer, until};

const COPIES: &str = "mimir_mirror_backlog_copies";
const RECOVERED: &str = "mimir_mirror_recovered_total";

/// Writes so many batches of 100 kB, each with series of its own. All are answered with 200, at once.
async fn write(clusters: &Clusters, name: &str, count: usize) {
    let mut client = clusters.proxy.client().await;
    for n in 0..count {
        Writer::new(format!("{name}-{n}")).heavy(100_000).catch_up(&mut client, 0..1).await;
    }
}

async fn prompt(backlog: &Backlog) -> Clusters {
    let [primary, secondary] = [Treatment::prompt(), Treatment::prompt()].map(Receiver::treating);
    Clusters::durable(primary.await, secondary.await, backlog, &[]).await
}

/// The process that started first is still there.
fn assert_alive(clusters: &mut Clusters) {
    assert!(clusters.proxy.process.ended().is_none(), "the process ended");
}

/// The disk is good again: all that is pending gets there, as a crash shows.
async fn is_kept_and_survives(clusters: &mut Clusters, pending: u64) {
    clusters.is_at(COPIES, pending).await;
    clusters.proxy.kill().await;
    clusters.proxy.start_again().await;
    // Some that were delivered just before may be among them.
    clusters.reaches(RECOVERED, pending).await;
    clusters.secondary.resume().await;
    clusters.assert_kept().await;
}

/// What waits for the secondary is three times what the disk takes. The rest waits in memory.
#[tokio::test]
async fn c9_copies_beyond_a_full_disk_wait_in_memory() {
    let disk = Tmpfs::of("2m");
    let backlog = Backlog::at(disk.path().join("kept"));
    let mut clusters = prompt(&backlog).await;
    write(&clusters, "before", 2).await;
    clusters.assert_kept().await;
    clusters.secondary.stop().await;
    write(&clusters, "away", 60).await;
    let ledger = clusters.proxy.ledger(SECONDARY).await;
    assert_eq!((ledger.pending, ledger.received), (60, 62), "{ledger:?}");
    let kept =
        until("some copies on disk", async || Some(clusters.number(COPIES).await).filter(|&n| n > 0)).await;
    assert!(kept < 60, "{kept} of 60 copies on a disk for about 20");
    clusters.secondary.resume().await;
    assert_eq!(clusters.assert_kept().await.delivered(), 62);
    assert_alive(&mut clusters);
    // With what was delivered away, there is room again.
    clusters.secondary.stop().await;
    write(&clusters, "after", 5).await;
    is_kept_and_survives(&mut clusters, 5).await;
}

/// Copies of one series, some on disk and some in memory, go in the order in which they came.
#[tokio::test]
async fn c9_order_spans_disk_and_memory() {
    const BATCHES: usize = 20;
    let disk = Tmpfs::of("2m");
    let backlog = Backlog::at(disk.path().join("kept"));
    let mut clusters = prompt(&backlog).await;
    clusters.secondary.stop().await;
    let writers = || (0..3).map(|n| Writer::new(n).heavy(50_000));
    for round in 0..3 {
        match round {
            1 => disk.fill(),
            2 => disk.make_room(),
            _ => {}
        }
        let batches = round * BATCHES..(round + 1) * BATCHES;
        let sent = Crowd::catching_up(clusters.proxy.listen, writers(), batches).finish().await;
        assert_eq!((sent.answered, sent.repeated), (3 * BATCHES, 0));
    }
    clusters.secondary.resume().await;
    let ledger = clusters.assert_kept().await;
    assert_eq!(ledger.received, (9 * BATCHES) as u64, "{ledger:?}");
    assert_eq!(clusters.secondary.rejected(), 0, "{ledger:?}");
    assert_alive(&mut clusters);
}

/// Without a single byte for the backlog from the start.
#[tokio::test]
async fn c9_a_disk_that_was_full_from_the_start_is_used_when_there_is_room() {
    let disk = Tmpfs::of("2m");
    disk.fill();
    let backlog = Backlog::at(disk.path().join("kept"));
    let mut clusters = prompt(&backlog).await;
    write(&clusters, "prompt", 5).await;
    clusters.assert_kept().await;
    clusters.secondary.stop().await;
    write(&clusters, "full", 5).await;
    assert_eq!(clusters.number(COPIES).await, 0);
    disk.make_room();
    write(&clusters, "room", 5).await;
    assert_alive(&mut clusters);
    is_kept_and_survives(&mut clusters, 10).await;
}

/// While the secondary keeps up, a full disk is not even noticed by the copies.
#[tokio::test]
async fn c9_on_a_full_disk_copies_go_on() {
    let disk = Tmpfs::of("2m");
    let backlog = Backlog::at(disk.path().join("kept"));
    let mut clusters = prompt(&backlog).await;
    for round in 0..3 {
        write(&clusters, &format!("{round}-with-room"), 10).await;
        disk.fill();
        write(&clusters, &format!("{round}-full"), 10).await;
        disk.make_room();
    }
    let ledger = clusters.assert_kept().await;
    assert_eq!((ledger.delivered(), ledger.received), (60, 60), "{ledger:?}");
    assert_alive(&mut clusters);
}

/// Something is wrong with the path: the process serves all the same, says so, and uses it once it is mended.
async fn unusable(path: PathBuf, mend: impl FnOnce()) {
    let backlog = Backlog::at(path);
    let mut clusters = prompt(&backlog).await;
    write(&clusters, "prompt", 5).await;
    clusters.assert_kept().await;
    clusters.secondary.stop().await;
    write(&clusters, "unusable", 5).await;
    assert_eq!(clusters.number(COPIES).await, 0);
    let log = clusters.proxy.process.stderr();
    assert!(log.contains(&*backlog.path().to_string_lossy()), "the log does not name the backlog: {log}");
    mend();
    write(&clusters, "mended", 5).await;
    assert_alive(&mut clusters);
    is_kept_and_survives(&mut clusters, 10).await;
}

#[tokio::test]
async fn c9_a_file_in_place_of_the_directory_is_survived() {
    let dir = Dir::new("unusable");
    let file = dir.write("kept", "no directory");
    unusable(file.clone(), || std::fs::remove_file(file).expect("own file")).await;
}

#[tokio::test]
async fn c9_a_file_in_place_of_the_parent_is_survived() {
    let dir = Dir::new("unusable");
    let file = dir.write("parent", "no directory");
    unusable(file.join("kept"), || std::fs::remove_file(file).expect("own file")).await;
}

/// A directory that belongs to another mirror is left alone.
#[tokio::test]
async fn c9_another_mirrors_backlog_is_not_touched() {
    let backlog = Backlog::new();
    let mut first = prompt(&backlog).await;
    first.secondary.stop().await;
    write(&first, "first", 5).await;
    first.proxy.kill().await;
    first.secondary.resume().await;
    let before = contents(&backlog);
    let mut other = another(&backlog, first.primary.address(), first.secondary.address()).await;
    let mut client = other.client().await;
    Writer::new("other").catch_up(&mut client, 0..5).await;
    let ledger = other.settled_at("another", 5).await;
    assert_eq!(ledger.delivered(), 5, "{ledger:?}");
    other.terminate().await;
    assert_eq!(contents(&backlog), before);
    first.proxy.start_again().await;
    first.is_at(RECOVERED, 5).await;
    assert_eq!(first.assert_kept().await.delivered(), 5);
}

/// A proxy whose mirror has another name and the same directory.
async fn another(backlog: &Backlog, primary: SocketAddr, secondary: SocketAddr) -> Proxy {
    let config = Config::native().primary(primary).mirror("another", secondary);
    let settings = backlog.settings();
    let config = settings.iter().fold(config, |config, (key, value)| config.setting(key, value));
    Proxy::launch(Program::MimirMirror, &config, &[]).await
}

/// Its files, but the lock.
fn contents(backlog: &Backlog) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = backlog.files();
    files.retain(|file| !file.ends_with("lock"));
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).expect("readable"))).collect()
}

//! A proxy that hardly gets the processor: others of higher priority want the one that it may run on.

use std::process::{Child, Command, Stdio};

use crate::dsl::clusters::SECONDARY;
use crate::dsl::{Clusters, Crowd, Proxy, Receiver, Treatment, Writer};

/// Processes that compute without an end, on the processor of the proxy.
struct Busy(Vec<Child>);

impl Busy {
    /// Moves the proxy to the first processor, at the lowest priority, and lets others compute there at the usual one: it
    /// gets less than a hundredth of it.
    fn beside(proxy: &Proxy) -> Self {
        let process = proxy.process.id().to_string();
        run("taskset", &["--all-tasks", "--cpu-list", "--pid", "0", &process]);
        for thread in std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs") {
            let thread = thread.expect("it runs").file_name().into_string().expect("a number");
            // Some have the lowest already.
            run("renice", &["--priority", "19", "--pid", &thread]);
        }
        let endless = || {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", "0", "sh", "-c", "while :; do :; done"]);
            command.stdin(Stdio::null()).spawn().expect("taskset of util-linux")
        };
        Self((0..2).map(|_| endless()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{program} {arguments:?}");
}

/// Between clusters of this treatment of copies, while it hardly runs. Returns how many writes were answered.
async fn write_through(secondary: Treatment) -> (Clusters, u64) {
    let (primary, secondary) =
        (Receiver::treating(Treatment::prompt()).await, Receiver::treating(secondary).await);
    let settings = [("buffer", "1MiB"), ("max_request", "64KiB")];
    let clusters = Clusters::of(primary, secondary, &settings, &["--concurrency", "2"]).await;
    let busy = Busy::beside(&clusters.proxy);
    let crowd = Crowd::catching_up(clusters.proxy.listen, (0..8).map(Writer::new), 0..25);
    let sent = crowd.finish().await;
    drop(busy);
    assert_eq!((sent.answered, sent.repeated), (8 * 25, 0));
    assert_eq!((clusters.primary.held(), clusters.primary.rejected()), (200 * 100, 0));
    (clusters, sent.answered as u64)
}

#[tokio::test]
async fn c5_who_hardly_runs_loses_no_copy() {
    let (clusters, writes) = write_through(Treatment::prompt()).await;
    clusters.assert_same(writes).await;
}

#[tokio::test]
async fn c2_who_hardly_runs_is_not_held_up_by_a_mirror_that_hangs() {
    let never = crate::dsl::Gate::closed();
    let (clusters, writes) = write_through(Treatment::behind(&never)).await;
    let ledger = clusters.proxy.ledger(SECONDARY).await;
    assert_eq!((ledger.received, ledger.delivered()), (writes, 0), "{ledger:?}");
    ledger.assert_adds_up();
    assert_eq!(clusters.proxy.metrics().await.sum("mimir_mirror_lost_tokens_total", &[]), 0);
    never.open();
    let ledger = clusters.proxy.settled(SECONDARY).await;
    assert!(ledger.delivered() > 0, "{ledger:?}");
}

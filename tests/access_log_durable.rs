//! The access log of a mirror whose copies are kept on disk: one line for each, when its outcome is final.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::{Proxy, Reply, Request, Upstream, until};

const FORMAT: &str = "%MIRROR% %COPY_OUTCOME% %COPY_REASON% %RESPONSE_CODE% %REQ(:PATH)% %COPY_TENANT% \
                      %BYTES_RECEIVED% %UPSTREAM_REQUEST_ATTEMPT_COUNT%";

/// A proxy with a durable mirror `kept`, its backlog and its log in `dir`, and more settings of it.
async fn keeping(primary: &Upstream, mirror: SocketAddr, dir: &Path, format: &str, more: &str) -> Proxy {
    let (to, dir) = (primary.address(), dir.display());
    let text = |listen: SocketAddr, admin: SocketAddr| {
        format!(
            "listen: {listen}\nadmin: {admin}\nprimary: http://{to}\nmirrors:\n- {{ url: 'http://{mirror}', name: kept, \
             delivery: durable, backlog: {{ path: '{dir}/backlog' }}, {more} \
             access_log: {{ path: '{dir}/copies.log', format: '{format}' }} }}\n"
        )
    };
    Proxy::on_text(Program::MimirMirror.command(), text, &["--file-flush-interval-msec", "20"]).await
}

async fn lines(dir: &Path, count: usize) -> Vec<String> {
    until(format!("{count} lines"), async || {
        let text = std::fs::read_to_string(dir.join("copies.log")).ok()?;
        (text.lines().count() >= count).then(|| text.lines().map(str::to_owned).collect())
    })
    .await
}

/// Waits until copies were sent again so often.
async fn retried(proxy: &Proxy, times: u64) {
    until(format!("{times} retries"), async || {
        (proxy.metrics().await.sum("mimir_mirror_retries_total", &[]) >= times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_copy_that_is_tried_again_has_one_line_with_its_attempts() {
    let primary = Upstream::answering(Reply::ok()).await;
    let asked = AtomicUsize::new(0);
    let mirror = Upstream::scripted(move |message| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Reply::new(503, "not now"),
        _ => {
            let peer = message.peer.map(|peer| peer.to_string()).unwrap_or_default();
            Reply::new(200, &peer)
        }
    })
    .await;
    let dir = Dir::new("copy-log");
    let format =
        format!("{FORMAT} %UPSTREAM_HOST% %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %UPSTREAM_PROTOCOL%");
    let proxy = keeping(&primary, mirror.address(), dir.path(), &format, "").await;
    proxy.send(&Request::push("abc")).await;
    let to = mirror.address();
    let expected = format!("kept delivered - 200 /api/v1/push tenant-1 3 3 {to} 127.0.0.1 HTTP/1.1");
    assert_eq!(lines(dir.path(), 1).await, [expected]);
    proxy.send(&Request::push("abcd")).await;
    let expected = format!("kept delivered - 200 /api/v1/push tenant-1 4 1 {to} 127.0.0.1 HTTP/1.1");
    assert_eq!(lines(dir.path(), 2).await[1..], [expected]);
}

#[tokio::test]
async fn a_copy_that_the_mirror_judges_or_that_is_too_large_has_a_line_too() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::new(400, "no such thing")).await;
    let dir = Dir::new("copy-log");
    let proxy = keeping(&primary, mirror.address(), dir.path(), FORMAT, "max_request: 4,").await;
    proxy.send(&Request::push("abc")).await;
    let first = lines(dir.path(), 1).await;
    assert!(first[0].starts_with("kept rejected "), "{first:?}");
    assert!(first[0].ends_with(" 400 /api/v1/push tenant-1 3 1"), "{first:?}");
    proxy.send(&Request::push("abcdef")).await;
    assert_eq!(lines(dir.path(), 2).await[1..], ["kept dropped too_large 0 /api/v1/push tenant-1 6 0"]);
}

/// How often it was tried before, and when first, is on no disk. That it has its line only once is.
#[tokio::test]
async fn after_a_restart_what_is_not_known_is_a_dash() {
    let primary = Upstream::answering(Reply::ok()).await;
    let broken = Upstream::answering(Reply::new(503, "not now")).await;
    let dir = Dir::new("copy-log");
    let format = format!("{FORMAT} %COPY_WAIT%");
    let mut proxy = keeping(&primary, broken.address(), dir.path(), &format, "").await;
    proxy.send(&Request::push("abc")).await;
    retried(&proxy, 1).await;
    proxy.terminate().await;
    assert_eq!(std::fs::read_to_string(dir.path().join("copies.log")).unwrap(), "", "it has no outcome yet");

    let whole = Upstream::answering(Reply::ok()).await;
    let mut proxy = keeping(&primary, whole.address(), dir.path(), &format, "").await;
    let expected = "kept delivered - 200 /api/v1/push tenant-1 3 - -";
    assert_eq!(lines(dir.path(), 1).await, [expected]);
    proxy.terminate().await;
    assert_eq!(lines(dir.path(), 1).await, [expected]);
}

#[tokio::test]
async fn skipped_copies_have_lines() {
    let primary = Upstream::answering(Reply::ok()).await;
    let mirror = Upstream::answering(Reply::ok()).await;
    let dir = Dir::new("copy-log");
    let proxy = keeping(&primary, mirror.address(), dir.path(), FORMAT, "").await;
    proxy.admin_post("/mirrors/pause?mirror=kept").await;
    proxy.send(&Request::push("abc")).await;
    until("the copy in the backlog", async || {
        (proxy.metrics().await.sum("mimir_mirror_backlog_copies", &[]) == 1).then_some(())
    })
    .await;
    proxy.admin_post("/mirrors/skip?mirror=kept").await;
    assert_eq!(lines(dir.path(), 1).await, ["kept expired skipped 0 /api/v1/push tenant-1 3 0"]);
    assert_eq!(mirror.begun(), 0);
}

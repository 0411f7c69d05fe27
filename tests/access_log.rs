//! Access logs from outside: rotation, the end of the process, files that cannot be written. Lines of copies are in
//! `access_log_copies.rs`.

use std::path::Path;

use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::{Proxy, Reply, Request, Upstream, until};

/// Our native form with one log.
async fn logging(primary: &Upstream, log: &str, flags: &[&str]) -> Proxy {
    let primary = primary.address();
    let text = |listen: std::net::SocketAddr, admin: std::net::SocketAddr| {
        format!("listen: {listen}\nadmin: {admin}\nprimary: http://{primary}\naccess_log: {log}\n")
    };
    Proxy::on_text(Program::MimirMirror.command(), text, flags).await
}

async fn lines(path: &Path, count: usize) -> Vec<String> {
    until(format!("{count} lines in {}", path.display()), async || {
        let text = std::fs::read_to_string(path).ok()?;
        (text.lines().count() >= count).then(|| text.lines().map(str::to_owned).collect())
    })
    .await
}

const SOON: [&str; 2] = ["--file-flush-interval-msec", "20"];

#[tokio::test]
async fn a_rotated_file_is_opened_again_at_a_signal_and_by_the_admin() {
    let primary = Upstream::answering(Reply::ok()).await;
    let dir = Dir::new("log");
    let (path, first, second) = (dir.path().join("a.log"), dir.path().join("a.1"), dir.path().join("a.2"));
    let log = format!("{{ path: '{}', format: '%REQ(:PATH)% %RESPONSE_CODE%' }}", path.display());
    let proxy = logging(&primary, &log, &SOON).await;
    proxy.send(&Request::get("/1")).await;
    assert_eq!(lines(&path, 1).await, ["/1 200"]);

    std::fs::rename(&path, &first).unwrap();
    proxy.send(&Request::get("/2")).await;
    assert_eq!(
        lines(&first, 2).await,
        ["/1 200", "/2 200"],
        "lines follow the file until it is opened again"
    );
    proxy.process.signal("USR1");
    until("the new file", async || path.exists().then_some(())).await;
    proxy.send(&Request::get("/3")).await;
    assert_eq!(lines(&path, 1).await, ["/3 200"]);

    std::fs::rename(&path, &second).unwrap();
    assert_eq!(proxy.admin_post("/reopen_logs").await.text(), "OK\n");
    until("the new file", async || path.exists().then_some(())).await;
    proxy.send(&Request::get("/4")).await;
    assert_eq!(lines(&path, 1).await, ["/4 200"]);
    assert_eq!(lines(&first, 2).await.len(), 2);
}

#[tokio::test]
async fn the_end_of_the_process_writes_what_was_gathered() {
    let primary = Upstream::answering(Reply::ok()).await;
    let dir = Dir::new("log");
    let path = dir.path().join("a.log");
    let log = format!(
        "{{ path: '{}', json: {{ path: '%REQ(:PATH)%', code: '%RESPONSE_CODE%' }} }}",
        path.display()
    );
    let mut proxy = logging(&primary, &log, &["--file-flush-interval-msec", "3600000"]).await;
    for number in 0..3 {
        proxy.send(&Request::get(&format!("/{number}"))).await;
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "", "nothing is due yet");
    proxy.terminate().await;
    let written = lines(&path, 3).await;
    assert_eq!(written, [0, 1, 2].map(|number| format!("{{\"code\":200,\"path\":\"/{number}\"}}")));
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_nothing_else() {
    let primary = Upstream::answering(Reply::ok()).await;
    let proxy = logging(&primary, "{ path: /dev/full }", &SOON).await;
    assert_eq!(proxy.send(&Request::get("/1")).await.status(), 200);
    until("a failed write", async || {
        (proxy.metrics().await.sum("envoy_filesystem_write_failed", &[]) > 0).then_some(())
    })
    .await;
    assert_eq!(proxy.send(&Request::get("/2")).await.status(), 200);
    assert!(proxy.process.stderr().contains("an access log cannot be written"));
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_ends_the_start() {
    let dir = Dir::new("log");
    let file = dir.write(
        "config.yaml",
        "listen: 127.0.0.1:0\nadmin: 'off'\nprimary: http://127.0.0.1:1\naccess_log: { path: /no/such/folder/a.log }\n",
    );
    let output = Program::MimirMirror.command().arg("-c").arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("unable to open file '/no/such/folder/a.log': No such file or directory"),
        "{said}"
    );
}

#[tokio::test]
async fn standard_output_can_be_a_log() {
    let primary = Upstream::answering(Reply::ok()).await;
    let proxy = logging(&primary, "[ { path: stderr, format: 'line %REQ(:PATH)%' } ]", &SOON).await;
    proxy.send(&Request::get("/1")).await;
    until("the line", async || proxy.process.stderr().lines().any(|line| line == "line /1").then_some(()))
        .await;
}

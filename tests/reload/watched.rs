//! `--watch`: the file's change is enough.

use super::{have_ended, reloads};
use crate::dsl::dir::Dir;
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

async fn applied(proxy: &Proxy, times: u64) {
    let what = format!("reload {times} of the changed file");
    until(what, async || (reloads(proxy, "applied").await == times).then_some(())).await;
}

#[tokio::test]
async fn a_changed_file_is_taken_up_and_a_broken_one_is_refused_once() {
    let [primary, other] = [(); 2].map(|()| Upstream::answering(Reply::ok()));
    let (primary, other) = (primary.await, other.await);
    let config = Config::native().primary(primary.address());
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &["--watch"]).await;
    let text = Config::native().primary(other.address()).text(proxy.listen, proxy.admin);
    proxy.process.rewrite("config.yaml", "{");
    until("the refusal", async || (reloads(&proxy, "refused").await == 1).then_some(())).await;
    assert_eq!(proxy.send(&Request::get("/old")).await.status(), 200);
    proxy.process.rewrite("config.yaml", &text);
    applied(&proxy, 1).await;
    have_ended(&proxy.process, 1).await;
    assert_eq!(proxy.send(&Request::get("/new")).await.status(), 200);
    assert_eq!((primary.completed(), other.completed()), (1, 1));
    // The one in force watches, too.
    proxy.process.rewrite("config.yaml", &format!("{text}\n# other words\n"));
    applied(&proxy, 2).await;
    assert_eq!(reloads(&proxy, "refused").await, 1);
    proxy.terminate().await;
}

/// A ConfigMap's files are links to links, of which one is swapped.
#[tokio::test]
async fn a_swapped_link_is_a_change() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let dir = Dir::new("config-map");
    let link = |to: &str| {
        let data = dir.path().join("..data");
        let _ = std::fs::remove_file(&data);
        std::os::unix::fs::symlink(to, data).unwrap();
    };
    for version in ["..1", "..2"] {
        std::fs::create_dir(dir.path().join(version)).unwrap();
    }
    link("..1");
    let file = dir.path().join("config.yaml");
    std::os::unix::fs::symlink("..data/config.yaml", &file).unwrap();
    let ports = [(); 2].map(|()| crate::dsl::ports::Port::reserve());
    let text = config.text(ports[0].address(), ports[1].address());
    dir.write("..1/config.yaml", &text);
    dir.write("..2/config.yaml", &format!("{text}\n# the second\n"));
    let file = file.display().to_string();
    let flags = ["-c", &file, "--watch"].map(str::to_owned);
    let proxy = Proxy::on(ports, flags).await;
    link("..2");
    applied(&proxy, 1).await;
    assert_eq!(proxy.send(&Request::get("/x")).await.status(), 200);
}

#[tokio::test]
async fn there_must_be_a_file() {
    let said = crate::dsl::process::Process::spawn(
        "watcher",
        {
            let mut command = Program::MimirMirror.command();
            command.args(["--watch", "--primary", "http://127.0.0.1:1"]);
            command
        },
        Dir::new("watcher"),
    );
    let mut said = said;
    assert_eq!(said.end().await.code(), Some(1));
    assert!(said.stderr().contains("--watch needs a configuration file (-c)"), "{}", said.stderr());
}

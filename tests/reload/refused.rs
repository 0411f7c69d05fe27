//! What cannot be used is refused, and what is in force goes on as if nothing had been.

use super::{reload, reloads};
use crate::dsl::ports::Port;
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

/// What the command for a terminal says.
fn status(proxy: &Proxy) -> String {
    let mut command = Program::MimirMirror.command();
    command.args(["status", "--admin", &format!("http://{}", proxy.admin)]);
    String::from_utf8_lossy(&command.output().expect("it runs").stdout).into_owned()
}

#[tokio::test]
async fn c4_a_configuration_that_cannot_be_used_changes_nothing() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &[]).await;
    let good = config.text(proxy.listen, proxy.admin);
    let taken = Port::reserve();
    let _holder = std::net::TcpListener::bind(taken.address()).unwrap();
    let mut client = proxy.client().await;
    assert_eq!(client.exchange(&Request::get("/x")).await.status(), 200);
    let (descriptors, threads) = (proxy.process.descriptors(), proxy.process.threads());
    let unknown = format!("{good}\nno_such_field: 1\n");
    for (round, (text, words)) in (1..).zip([
        (unknown.as_str(), "no_such_field"),
        ("", "config.yaml"),
        ("{", "config.yaml"),
        (&config.text(taken.address(), proxy.admin), "cannot bind"),
    ]) {
        proxy.process.rewrite("config.yaml", text);
        proxy.process.signal("HUP");
        until("the refusal", async || (reloads(&proxy, "refused").await == round).then_some(())).await;
        let log = proxy.process.stderr();
        let line = log.lines().rfind(|line| line.contains("is refused")).expect("it says so");
        assert!(line.contains(words), "{words}: {line}");
        let answer = client.exchange(&Request::get("/x")).await;
        assert_eq!((answer.status(), answer.header("connection")), (200, None), "told to leave");
    }
    let metrics = proxy.metrics().await;
    assert_eq!(metrics.sum("mimir_mirror_config_last_reload_successful", &[]), 0);
    assert!(status(&proxy).contains("config     the file was refused"), "{}", status(&proxy));
    until("the end of what could not start", async || {
        (proxy.process.descriptors() <= descriptors && proxy.process.threads() <= threads).then_some(())
    })
    .await;
    proxy.process.rewrite("config.yaml", &good);
    reload(&proxy).await;
    assert_eq!(proxy.metrics().await.sum("mimir_mirror_config_last_reload_successful", &[]), 1);
    assert_eq!(reloads(&proxy, "refused").await, 4, "over the life of the process");
    assert!(!status(&proxy).contains("refused"), "{}", status(&proxy));
    proxy.terminate().await;
}

#[tokio::test]
async fn without_a_file_there_is_nothing_to_read() {
    let primary = Upstream::answering(Reply::ok()).await;
    let primary = format!("http://{}", primary.address());
    let mut proxy = Proxy::on_flags(|listen, admin| {
        ["--primary", &primary, "--listen", &listen.to_string(), "--admin", &admin.to_string()]
            .map(str::to_owned)
            .into()
    })
    .await;
    proxy.process.signal("HUP");
    until("an answer", async || (proxy.process.said("no configuration file") == 1).then_some(())).await;
    assert_eq!(proxy.send(&Request::push("x")).await.status(), 200);
    assert_eq!((reloads(&proxy, "applied").await, reloads(&proxy, "refused").await), (0, 0));
    proxy.terminate().await;
}

/// A reload would open them again.
#[tokio::test]
async fn c4_after_the_listeners_were_drained_there_is_no_reload() {
    let primary = Upstream::answering(Reply::ok()).await;
    let proxy = Proxy::start(&Config::envoy().primary(primary.address())).await;
    assert_eq!(proxy.admin_post("/drain_listeners").await.status(), 200);
    proxy.process.signal("HUP");
    until("the refusal", async || (reloads(&proxy, "refused").await == 1).then_some(())).await;
    assert_eq!(proxy.process.said("the listeners are closed"), 1, "{}", proxy.process.stderr());
}

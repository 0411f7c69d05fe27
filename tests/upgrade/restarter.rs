//! Under a script of the kind that people start Envoy with.

use std::process::Command;

use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Upstream, until};

use super::line::{Visitors, base_id, epoch};

#[tokio::test]
async fn a_hot_restarter_upgrades_by_sighup() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let mut command = Command::new("/usr/bin/python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upgrade/restarter.py"));
    command.arg(Program::MimirMirror.command().get_program());
    let base_id = base_id();
    let text = |listen, admin| config.text(listen, admin);
    let mut script = Proxy::on_text(command, text, &["--base-id", &base_id]).await;
    assert_eq!(epoch(&script).await, Some(0));
    let visitors = Visitors::start(script.listen);
    for next in 1..=2 {
        script.process.signal("HUP");
        until(format!("epoch {next}"), async || (epoch(&script).await? == next).then_some(())).await;
        let reaped = format!("reaped epoch {} with 0\n", next - 1);
        until(&reaped, async || script.process.stderr().contains(&reaped).then_some(())).await;
    }
    assert!(visitors.finish().await > 0);
    script.process.signal("TERM");
    assert_eq!(script.process.end().await.code(), Some(0));
    let said = script.process.stderr();
    assert!(said.contains("ended epoch 2 with 0\n"), "{said}");
}

//! `mimir-mirror backlog drain`: what a proxy left is delivered without it.

use std::process::{Command, Output, Stdio};

use crate::dsl::clusters::SECONDARY;
use crate::dsl::dir::Dir;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::{Backlog, Clusters, Gate, Receiver, Switch, Treatment, Writer};

const COUNT: usize = 40;

/// A proxy that was killed with `COUNT` pending copies while its secondary was away, and a folder with its file.
struct Killed {
    clusters: Clusters,
    dir: Dir,
    backlog: Backlog,
    switch: Switch,
}

impl Killed {
    async fn new(backlog: Backlog) -> Self {
        let switch = Switch::on(Treatment::prompt());
        let mut secondary = Receiver::switched(&switch).await;
        secondary.stop().await;
        let primary = Receiver::treating(Treatment::prompt()).await;
        let mut clusters = Clusters::durable(primary, secondary, &backlog, &[]).await;
        for name in ["a", "b"] {
            let mut client = clusters.proxy.client().await;
            Writer::new(name).catch_up(&mut client, 0..COUNT / 2).await;
        }
        clusters.proxy.kill().await;
        let dir = Dir::new("drain");
        dir.write("config.yaml", &clusters.config.text(clusters.proxy.listen, clusters.proxy.admin));
        Self { clusters, dir, backlog, switch }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Program::MimirMirror.command();
        command.args(["backlog", "drain", "-c"]).arg(self.dir.path().join("config.yaml")).args(arguments);
        command
    }

    /// Runs it to its end, while the receivers go on.
    async fn drain(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.command(arguments);
        let command = command.stdin(Stdio::null());
        let (stdout, stderr) = (Stdio::piped(), Stdio::piped());
        let child = command.stdout(stdout).stderr(stderr).spawn().unwrap();
        let waits = tokio::task::spawn_blocking(move || child.wait_with_output());
        let Output { status, stdout, stderr } = waits.await.unwrap().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    /// The secondary is there, and gets everything, once and in order.
    async fn drains(&self) {
        let (code, said, errors) = self.drain(&["--timeout", "120s"]).await;
        assert_eq!(code, Some(0), "{said}\n{errors}");
        assert!(said.ends_with(&format!("{SECONDARY}: delivered={COUNT}; nothing is left\n")), "{said}");
        assert_eq!(self.clusters.secondary.rejected(), 0);
        self.clusters.assert_equal();
    }

    fn path(&self) -> String {
        self.backlog.path().display().to_string()
    }
}

#[tokio::test]
async fn c9_what_a_killed_proxy_left_is_delivered_without_it() {
    let mut killed = Killed::new(Backlog::new()).await;
    killed.clusters.secondary.resume().await;
    killed.drains().await;
    assert_eq!(killed.clusters.secondary.begun(), COUNT);
    let again = killed.drain(&["--mirror", SECONDARY]).await;
    let nothing = format!("{SECONDARY}: nothing to drain: {} holds no copies\n", killed.path());
    assert_eq!(again, (Some(0), nothing, String::new()));
}

#[tokio::test]
async fn c9_when_the_time_is_over_what_is_left_stays() {
    let mut killed = Killed::new(Backlog::new()).await;
    let (code, said, errors) = killed.drain(&["--timeout", "1500ms"]).await;
    assert_eq!(code, Some(1), "{said}\n{errors}");
    let left = format!("{SECONDARY}: none was delivered; {COUNT} copies of 1 tenant, ");
    let ending = format!(" left in {}\n", killed.path());
    assert!(said.contains(&left) && said.ends_with(&ending), "{said}");
    assert!(
        errors.ends_with("backlog: the time is over; what is left stays for the next time\n"),
        "{errors}"
    );
    killed.clusters.secondary.resume().await;
    killed.drains().await;
}

#[tokio::test]
async fn c9_a_signal_ends_it_and_what_is_left_stays() {
    let gate = Gate::closed();
    let mut killed = Killed::new(Backlog::new()).await;
    killed.switch.set(Treatment::behind(&gate));
    killed.clusters.secondary.resume().await;
    for (name, round) in [("TERM", 1), ("INT", 2)] {
        let before = killed.clusters.secondary.begun();
        let mut drain = Process::spawn("drain", killed.command(&[]), Dir::new("drain-process"));
        killed.clusters.secondary.has_begun(before + 1).await;
        drain.signal(name);
        assert_eq!(drain.end().await.code(), Some(1), "{round}: {}", drain.stderr());
        let ending = format!("backlog: stopped by SIG{name}; what is left stays for the next time\n");
        assert!(drain.stderr().ends_with(&ending), "{}", drain.stderr());
    }
    assert_eq!(killed.clusters.secondary.held(), 0);
    // What was judged after the process that sent it had gone would come twice.
    killed.clusters.secondary.stop().await;
    killed.switch.set(Treatment::prompt());
    killed.clusters.secondary.resume().await;
    killed.drains().await;
}

#[tokio::test]
async fn c9_beside_the_proxy_that_uses_it_nothing_is_drained() {
    let mut killed = Killed::new(Backlog::new()).await;
    killed.clusters.proxy.start_again().await;
    killed.clusters.is_at("mimir_mirror_backlog_copies", COUNT as u64).await;
    let (code, said, errors) = killed.drain(&[]).await;
    let refused = format!("backlog: {} is in use by another process: stop the proxy first\n", killed.path());
    assert_eq!((code, said, errors), (Some(1), String::new(), refused));
    killed.clusters.secondary.resume().await;
    killed.clusters.assert_kept().await;
}

#[tokio::test]
async fn c9_only_a_durable_mirror_can_be_drained() {
    let dir = Dir::new("drain");
    let text = "primary: http://127.0.0.1:1\nmirrors:\n  - { url: http://127.0.0.1:3, name: other }\n";
    let file = dir.write("config.yaml", text);
    let fails = |arguments: &[&str]| {
        let mut command = Program::MimirMirror.command();
        let output = command.args(["backlog", "drain", "-c"]).arg(&file).args(arguments).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(
        fails(&[]),
        format!("backlog: no mirror of '{}' is set to `delivery: durable`\n", file.display())
    );
    assert!(fails(&["--mirror", "other"]).contains("the mirror `other` has no backlog"));
    assert!(fails(&["--mirror", "nobody"]).contains("has no mirror `nobody`, but the mirror `other`"));
    assert!(fails(&["--timeout", "soon"]).contains("`soon` is not a duration; write a duration such as"));
}

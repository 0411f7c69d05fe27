//! Who cannot take over, and what it is told. The old process goes on, and the right successor still can.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::dsl::dir::Dir;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, until};

use super::line::{Line, base_id};

#[tokio::test]
async fn who_cannot_take_over_is_told_why() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let (line, proxy) = Line::first(&config).await;
    let text = config.text(proxy.listen, proxy.admin);
    // The same epoch again, as with Envoy.
    let mut second = line.spawn(&text, &[]);
    assert_eq!(second.end().await.code(), Some(1));
    let words = format!("unable to bind domain socket with base_id={}, id=0, errno=98", line.base_id);
    assert!(second.stderr().contains(&words), "{}", second.stderr());
    // An epoch whose predecessor does not run.
    let far = Line { base_id: line.base_id.clone(), epoch: 5 };
    let mut lonely = far.spawn(&text, &[]);
    assert_eq!(lonely.end().await.code(), Some(1));
    assert!(lonely.stderr().contains("cannot reach the process to take over from"), "{}", lonely.stderr());
    assert_eq!(proxy.send(&Request::get("/x")).await.status(), 200);
}

#[tokio::test]
async fn with_hot_restart_disabled_nobody_takes_over() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let line = Line::new();
    let flags = ["--base-id", &line.base_id, "--disable-hot-restart"];
    let proxy = Proxy::launch(Program::MimirMirror, &config, &flags).await;
    assert_eq!(proxy.admin_get("/hot_restart_version").await.text(), "disabled");
    let next = Line { base_id: line.base_id, epoch: 1 };
    let mut next = next.spawn(&config.text(proxy.listen, proxy.admin), &[]);
    assert_eq!(next.end().await.code(), Some(1));
}

/// One end of what two processes talk over.
fn socket() -> Socket {
    Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap()
}

fn say(socket: &Socket, message: &Value) {
    socket.send(message.to_string().as_bytes()).unwrap();
}

fn hear(mut socket: &Socket) -> Value {
    let mut bytes = [0; 4096];
    let length = std::io::Read::read(&mut socket, &mut bytes).unwrap();
    serde_json::from_slice(&bytes[..length]).expect("an answer")
}

/// A later version's process comes to an old one.
#[tokio::test]
async fn a_successor_that_speaks_another_version_is_refused() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let dir = Dir::new("door");
    let door = dir.path().join("door").display().to_string();
    let mut line = Line::new();
    let flags = ["--base-id", &line.base_id, "--socket-path", &door];
    let mut proxy = Proxy::launch(Program::MimirMirror, &config, &flags).await;
    let peer = socket();
    peer.connect(&SockAddr::unix(format!("{door}_{}_0", line.base_id)).unwrap()).unwrap();
    say(&peer, &json!({"version": "99.0", "pid": 1}));
    let answer = tokio::task::spawn_blocking(move || hear(&peer)).await.unwrap();
    assert_eq!(answer, json!({"refused": "it speaks another language of upgrades than 1.0"}));
    until("the line of the old process", async || {
        proxy.process.stderr().contains("has not taken over; this one goes on").then_some(())
    })
    .await;
    assert_eq!(proxy.send(&Request::get("/x")).await.status(), 200);
    let mut old = line.upgrade(&mut proxy, &config, &["--socket-path", &door]).await;
    assert_eq!(old.end().await.code(), Some(0));
}

/// This process comes to one of another version.
#[tokio::test]
async fn a_predecessor_that_speaks_another_version_ends_the_start() {
    let (dir, base_id) = (Dir::new("door"), base_id());
    let door = dir.path().join("door").display().to_string();
    let old = socket();
    old.bind(&SockAddr::unix(format!("{door}_{base_id}_0")).unwrap()).unwrap();
    old.listen(1).unwrap();
    let refusing = tokio::task::spawn_blocking(move || {
        let (peer, _) = old.accept().unwrap();
        let said = hear(&peer);
        say(&peer, &json!({"refused": "it speaks another language of upgrades than 99.0"}));
        said
    });
    let line = Line { base_id, epoch: 1 };
    let text = "listen: 127.0.0.1:0\nadmin: 'off'\nprimary: http://127.0.0.1:9\n";
    let mut new = line.spawn(text, &["--socket-path", &door]);
    assert_eq!(refusing.await.unwrap()["version"], "1.0");
    assert_eq!(new.end().await.code(), Some(1));
    let said = new.stderr();
    assert!(said.contains("it refuses: it speaks another language of upgrades than 99.0"), "{said}");
}

const NOBODY: u32 = 65_534;

/// Asks for the sockets as another user, and prints what it was given.
const STRANGER: &str = "
import json, socket, sys
door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
door.connect('\\0' + sys.argv[1])
try:
    door.send(json.dumps({'version': '1.0', 'pid': 1}).encode())
except BrokenPipeError:
    pass
try:
    print(socket.recv_fds(door, 4096, 8)[:2])
except ConnectionResetError:
    print((b'', []))
";

/// Changing the user needs root; the rule itself is tested where it stands (`control/upgrade`).
#[tokio::test]
async fn another_user_gets_no_sockets() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let (mut line, mut proxy) = Line::first(&config).await;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let door = format!("mimir_mirror_domain_socket_{}_0", line.base_id);
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", STRANGER, &door]).uid(NOBODY).current_dir(Path::new("/"));
    let dir = Dir::new("stranger");
    let given = dir.path().join("stdout");
    let mut stranger = Process::spawn("stranger", command, dir);
    let status = stranger.end().await;
    assert!(status.success(), "{}", stranger.stderr());
    assert_eq!(std::fs::read_to_string(given).unwrap(), "(b'', [])\n");
    let words = format!("it runs as user {NOBODY}, this process as 0");
    until("the line of the old process", async || proxy.process.stderr().contains(&words).then_some(()))
        .await;
    let mut old = line.upgrade(&mut proxy, &config, &[]).await;
    assert_eq!(old.end().await.code(), Some(0));
}

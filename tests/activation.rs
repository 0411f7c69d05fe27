//! Sockets that a service manager passes, and what it hears of the process.

use std::process::Command;

use crate::dsl::dir::Dir;
use crate::dsl::ports::Port;
use crate::dsl::process::Process;
use crate::dsl::proxy::Program;
use crate::dsl::wait::within;
use crate::dsl::{Client, Config, Reply, Request, Upstream};

/// As a service manager does: the socket is there before the program, which finds it by its number.
const ACTIVATE: &str = "
import os, socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', int(sys.argv[1])))
listener.listen(128)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='http')
os.execv(sys.argv[2], sys.argv[2:])
";

#[tokio::test]
async fn systemd_passes_the_socket_and_hears_when_it_serves() {
    let primary = Upstream::answering(Reply::ok()).await;
    let config = Config::native().primary(primary.address());
    let (listen, admin, dir) = (Port::reserve(), Port::reserve(), Dir::new("activated"));
    let file = dir.write("config.yaml", &config.text(listen.address(), admin.address()));
    let notify = dir.path().join("notify");
    let told = tokio::net::UnixDatagram::bind(&notify).unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", ACTIVATE, &listen.number().to_string()]);
    command
        .arg(Program::MimirMirror.command().get_program())
        .arg("-c")
        .arg(file)
        .arg("--disable-hot-restart");
    command.env("NOTIFY_SOCKET", &notify);
    let mut process = Process::spawn("activated", command, dir);
    // Whoever comes before the program waits in the socket's queue.
    let mut state = [0; 64];
    let length = within("READY=1", told.recv(&mut state)).await.unwrap();
    assert_eq!(&state[..length], b"READY=1", "{}", process.stderr());
    assert_eq!(Client::once(listen.address(), &Request::get("/x")).await.status(), 200);
    process.signal("TERM");
    let length = within("STOPPING=1", told.recv(&mut state)).await.unwrap();
    assert_eq!(&state[..length], b"STOPPING=1");
    assert_eq!(process.end().await.code(), Some(0));
}

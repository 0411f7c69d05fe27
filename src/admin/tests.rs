//! The admin listener over a real socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fixture::{self, Fixture};
use super::{Command, spawn};
use crate::limits::{ADMIN_BODY_MAX, ADMIN_CONNECTIONS};
use crate::route::tests::corpus;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    at: SocketAddr,
    thread: JoinHandle<()>,
    fixture: Fixture,
}

fn start() -> Running {
    let fixture = fixture::busy();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let thread = spawn(listener, fixture.view.clone()).unwrap();
    Running { at, thread, fixture }
}

struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: Vec<String>,
    body: String,
}

impl Reply {
    fn has(&self, header: &str) -> bool {
        self.head.iter().any(|line| line.eq_ignore_ascii_case(header))
    }
}

impl Client {
    fn connect(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    fn send(&mut self, request: &str) {
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
    }

    fn receive(&mut self, has_body: bool) -> Reply {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.stream.read_line(&mut line).unwrap(), 0, "closed after {head:?}");
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; if has_body { length } else { 0 }];
        self.stream.read_exact(&mut body).unwrap();
        Reply { status, head, body: String::from_utf8(body).unwrap() }
    }

    fn request(&mut self, method: &str, target: &str, headers: &str) -> Reply {
        self.send(&format!("{method} {target} HTTP/1.1\r\nhost: admin:9901\r\n{headers}\r\n"));
        self.receive(method != "HEAD")
    }
}

#[test]
fn pages_are_served_on_one_connection_with_envoys_headers() {
    let running = start();
    let mut client = Client::connect(running.at);
    for (target, content_type, part) in [
        ("/", "text/html; charset=UTF-8", "<title>mimir-mirror</title>"),
        ("/certs", "application/json", "\"certificates\": []"),
        ("/clusters", "text/plain; charset=UTF-8", "primary::127.0.0.1:8080::rq_total::4\n"),
        ("/clusters?format=json", "application/json", "\"cluster_statuses\""),
        ("/config_dump", "application/json", "envoy.admin.v3.BootstrapConfigDump"),
        ("/help", "text/plain; charset=UTF-8", "admin commands are:\n  /: Admin home page\n"),
        ("/hot_restart_version", "text/plain; charset=UTF-8", "1.0"),
        ("/listeners", "text/plain; charset=UTF-8", "ingress::127.0.0.1:9900\n"),
        ("/memory", "application/json", "\"allocated\": \""),
        ("/ready", "text/plain; charset=UTF-8", "LIVE\n"),
        ("/server_info", "application/json", "\"state\": \"LIVE\""),
        ("/stats", "text/plain; charset=UTF-8", "cluster.primary.upstream_rq_total: 4\n"),
        ("/stats?format=json", "application/json", "{\"stats\":[{\"name\":"),
        ("/stats/prometheus", "text/plain; charset=UTF-8", "\nenvoy_server_live{} 1\n"),
        ("/stats?format=prometheus", "text/plain; charset=UTF-8", "\nenvoy_server_live{} 1\n"),
    ] {
        let reply = client.request("GET", target, "");
        assert_eq!(reply.status, 200, "{target}");
        assert!(reply.has(&format!("content-type: {content_type}")), "{target} {:?}", reply.head);
        assert!(reply.has("cache-control: no-cache, max-age=0"), "{target}");
        assert!(reply.has("x-content-type-options: nosniff"), "{target}");
        assert!(reply.body.contains(part), "{target}\n{}", reply.body);
    }
}

#[test]
fn an_unknown_path_is_404_with_help() {
    let reply = Client::connect(start().at).request("GET", "/nope", "");
    assert_eq!(reply.status, 404);
    assert!(
        reply.body.starts_with("invalid path. admin commands are:\n  /: Admin home page\n"),
        "{}",
        reply.body
    );
}

#[test]
fn what_changes_something_needs_post() {
    let mut running = start();
    let mut client = Client::connect(running.at);
    let paths = [
        "/quitquitquit",
        "/healthcheck/fail",
        "/healthcheck/ok",
        "/drain_listeners?graceful",
        "/logging?level=debug",
        "/reset_counters",
    ];
    for (method, path) in paths.iter().flat_map(|path| [("GET", path), ("DELETE", path)]) {
        let reply = client.request(method, path, "");
        assert_eq!(reply.status, 405, "{method} {path}");
        assert_eq!(reply.body, format!("Method {method} not allowed, POST required."));
    }
    assert_eq!(client.request("HEAD", "/quitquitquit", "").status, 405);
    assert!(running.fixture.commands.try_recv().is_err(), "nothing was commanded");
}

#[test]
fn head_is_answered_without_a_body() {
    let running = start();
    let mut client = Client::connect(running.at);
    let reply = client.request("HEAD", "/ready", "");
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert!(reply.has("content-length: 5"), "{:?}", reply.head);
    assert_eq!(client.request("GET", "/ready", "").body, "LIVE\n");
}

#[test]
fn a_post_becomes_a_command_and_a_full_inbox_a_503() {
    let mut running = start();
    let mut client = Client::connect(running.at);
    let post = |client: &mut Client, target| client.request("POST", target, "content-length: 0\r\n");
    let reply = post(&mut client, "/healthcheck/fail");
    assert_eq!((reply.status, reply.body.as_str()), (200, "OK\n"));
    assert_eq!(running.fixture.commands.try_recv().unwrap(), Command::FailHealthCheck);

    client.send(
        "POST /logging HTTP/1.1\r\nhost: admin:9901\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: 11\r\n\r\nlevel=debug",
    );
    assert!(client.receive(true).body.starts_with("active loggers:\n  admin: debug\n"));

    for _ in 0..running.fixture.commands.max_capacity() {
        assert_eq!(post(&mut client, "/quitquitquit").status, 200);
    }
    assert_eq!(post(&mut client, "/quitquitquit").status, 503);
}

#[test]
fn another_sites_page_cannot_post() {
    let mut running = start();
    let mut client = Client::connect(running.at);
    for header in ["origin: http://evil.example", "origin: null", "sec-fetch-site: cross-site"] {
        let reply = client.request("POST", "/quitquitquit", &format!("{header}\r\ncontent-length: 0\r\n"));
        assert_eq!(reply.status, 403, "{header}");
    }
    assert!(running.fixture.commands.try_recv().is_err(), "nothing was commanded");
    let own = "origin: http://admin:9901\r\nsec-fetch-site: same-origin\r\ncontent-length: 0\r\n";
    assert_eq!(client.request("POST", "/quitquitquit", own).status, 200);
    assert_eq!(running.fixture.commands.try_recv().unwrap(), Command::Quit);
}

#[test]
fn a_body_is_read_up_to_a_bound() {
    let mut running = start();
    let mut client = Client::connect(running.at);
    let request =
        |length| format!("POST /quitquitquit HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    client.send(&request(ADMIN_BODY_MAX));
    client.send(&"x".repeat(ADMIN_BODY_MAX));
    assert_eq!(client.receive(true).status, 200);
    assert_eq!(running.fixture.commands.try_recv().unwrap(), Command::Quit);

    client.send(&request(ADMIN_BODY_MAX + 1));
    client.send(&"x".repeat(ADMIN_BODY_MAX + 1));
    let reply = client.receive(true);
    assert_eq!(reply.status, 413);
    assert!(reply.has("connection: close"), "{:?}", reply.head);
    assert!(running.fixture.commands.try_recv().is_err(), "nothing was commanded");
}

#[test]
fn connections_are_bounded_and_a_place_that_gets_free_is_used() {
    let running = start();
    let mut held: Vec<_> = (0..ADMIN_CONNECTIONS).map(|_| Client::connect(running.at)).collect();
    for client in &mut held {
        assert_eq!(client.request("GET", "/ready", "").status, 200);
    }
    let mut waiting = Client::connect(running.at);
    waiting.send("GET /ready HTTP/1.1\r\nhost: a\r\n\r\n");
    // Every place is taken and each of them still works, so the newcomer waits in the backlog.
    for client in &mut held {
        assert_eq!(client.request("GET", "/ready", "").status, 200);
    }
    waiting.stream.get_ref().set_nonblocking(true).unwrap();
    let nothing = waiting.stream.get_mut().read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    waiting.stream.get_ref().set_nonblocking(false).unwrap();
    held.pop();
    assert_eq!(waiting.receive(true).status, 200);
}

#[test]
fn who_asks_for_the_exit_hears_the_answer() {
    let Running { at, thread, mut fixture } = start();
    let mut idle = Client::connect(at);
    assert_eq!(idle.request("GET", "/ready", "").status, 200);
    let mut client = Client::connect(at);
    client.send("POST /quitquitquit HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(fixture.commands.blocking_recv().unwrap(), Command::Quit);
    drop(fixture.commands);
    assert_eq!(client.receive(true).body, "OK\n");
    for client in [&mut client, &mut idle] {
        assert_eq!(client.stream.read(&mut [0]).unwrap(), 0, "closed in good order");
    }
    thread.join().unwrap();
}

#[test]
fn the_thread_ends_with_the_control_thread() {
    let Running { thread, fixture, .. } = start();
    assert_eq!(thread.thread().name(), Some("admin"));
    drop(fixture.commands);
    let deadline = Instant::now() + PATIENCE;
    while !thread.is_finished() {
        assert!(Instant::now() < deadline, "the admin thread did not end");
        std::thread::yield_now();
    }
    thread.join().unwrap();
}

#[path = "../../fuzz/src/admin.rs"]
mod asked;

/// What the fuzzer runs, on what it found worth keeping.
#[test]
fn whatever_is_asked_is_answered() {
    let fixture = std::cell::RefCell::new(fixture::busy());
    let view = fixture.borrow().view.clone();
    let commanded = || fixture.borrow_mut().commands.try_recv().is_ok();
    corpus::replay(env!("CARGO_MANIFEST_DIR"), "admin", 5_000, |bytes| {
        asked::admin(&view, fixture::SECRET, commanded, bytes);
    });
}

//! Clients, a primary, and the transcript of both: what a run with a mirror must not change.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::usage::Watch;
use crate::dsl::h2c::{Frames, H2Client};
use crate::dsl::http1::{Fields, Message};
use crate::dsl::{Client, Reply, Request, Upstream, Writer};

/// What the clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// So many clients, each with a connection of its own and so many writes of this size, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub protocol: Protocol,
    pub size: usize,
    pub clients: usize,
    pub each: usize,
}

impl Load {
    pub(super) fn total(self) -> usize {
        self.clients * self.each
    }
}

const NUMBER: &str = "x-number";

/// What came back for each write: an answer, or nothing.
pub(super) struct Outcome {
    pub answers: BTreeMap<String, Option<Answer>>,
    /// From a write's first byte to its answer's last, in no order.
    pub durations: Vec<Duration>,
}

/// What a client or the primary sees of a message: the first line, the headers that are no clock's, the body.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Answer {
    start: String,
    headers: Fields,
    body: Vec<u8>,
}

impl Answer {
    fn of(message: &Message) -> Self {
        // Times, which are never the same.
        let timed = |name: &str| matches!(name, "date" | "x-envoy-upstream-service-time");
        let mut headers = message.headers.clone();
        headers.retain(|(name, _)| !timed(name));
        headers.sort();
        Self { start: message.start.clone(), headers, body: message.body.clone() }
    }

    /// Whether it is the primary's answer to this write.
    pub(super) fn is_for(&self, number: &str) -> bool {
        self.start.split(' ').nth(1) == Some("200") && self.body == number.as_bytes()
    }
}

/// A primary that answers each write with its number and what the specification of remote write has it say.
pub(super) async fn primary() -> Upstream {
    Upstream::scripted(|request| {
        let number = request.header(NUMBER).unwrap_or_default();
        Reply::raw(format!(
            "HTTP/1.1 200 OK\r\nx-prometheus-remote-write-samples-written: 2\r\ncontent-length: {}\r\n\r\n{number}",
            number.len()
        ))
    })
    .await
}

/// The writes that the primary got whole, by number.
pub(super) fn got(primary: &Upstream) -> BTreeMap<String, Vec<Answer>> {
    let mut got = BTreeMap::<String, Vec<Answer>>::new();
    for request in primary.requests().iter().filter(|request| request.complete) {
        if let Some(number) = request.header(NUMBER) {
            got.entry(number).or_default().push(Answer::of(request));
        }
    }
    got
}

/// Sends all of it. What is not answered within `patience` counts as unanswered. The clients' connections are closed at
/// the end.
pub(super) async fn send(load: Load, to: SocketAddr, watch: &Arc<Watch>, patience: Duration) -> Outcome {
    let mut clients = JoinSet::new();
    for client in 0..load.clients {
        clients.spawn(one_client(load, to, client, (Arc::clone(watch), patience)));
    }
    let mut all = Outcome { answers: BTreeMap::new(), durations: Vec::new() };
    while let Some(done) = clients.join_next().await {
        let mut one = done.expect("no panic in there");
        all.answers.append(&mut one.answers);
        all.durations.append(&mut one.durations);
    }
    all
}

async fn one_client(
    load: Load,
    to: SocketAddr,
    client: usize,
    (watch, patience): (Arc<Watch>, Duration),
) -> Outcome {
    let write = write_of(client, load.size);
    let mut connection = None;
    let mut outcome = Outcome { answers: BTreeMap::new(), durations: Vec::new() };
    for n in 0..load.each {
        let number = format!("{client}-{n}");
        let request = write.clone().header(NUMBER, &number);
        let begun = Instant::now();
        let answer = timeout(patience, attempt(&mut connection, load.protocol, to, &request)).await;
        let answer = answer.ok().flatten();
        outcome.durations.push(begun.elapsed());
        if answer.is_none() {
            connection = None;
        }
        watch.look();
        outcome.answers.insert(number, answer);
    }
    outcome
}

/// A client's write. Kept, since making the largest takes longer than sending it.
fn write_of(client: usize, size: usize) -> Request {
    static MADE: Mutex<BTreeMap<(usize, usize), Request>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().expect("no panic in there");
    let make = || Writer::new(format!("client-{client}")).heavy(size).batch(0);
    made.entry((client, size)).or_insert_with(make).clone()
}

enum Connection {
    Http1(Client),
    Http2(H2Client),
}

async fn attempt(
    connection: &mut Option<Connection>,
    protocol: Protocol,
    to: SocketAddr,
    request: &Request,
) -> Option<Answer> {
    if connection.is_none() {
        *connection = match protocol {
            Protocol::Http1 => Client::try_connect(to).await.map(Connection::Http1),
            Protocol::Http2 => Some(Connection::Http2(H2Client::connect(to).await)),
        };
    }
    let message = match connection.as_mut()? {
        Connection::Http1(client) => client.attempt(&request.bytes()).await.0?,
        Connection::Http2(client) => {
            let (head, body) = request.over_http2();
            client.attempt(head, Frames::default().data(body)).await?.message()
        }
    };
    message.complete.then(|| Answer::of(&message))
}

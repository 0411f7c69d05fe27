//! A cluster that records exactly what it gets and answers exactly what the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::http1::{Message, Wire};
use super::task::Task;
use super::wait::{Gate, until};

/// What to answer, when, and what then.
#[derive(Clone)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    early: bool,
    gate: Option<Gate>,
    // The body is not read before.
    reading: Option<Gate>,
    // Written after the bytes, once its gate is open.
    rest: Option<(Gate, Vec<u8>)>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    KeepAlive,
    Close,
    HalfClose,
    Reset,
}

impl Reply {
    /// These bytes, once the request is complete.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            early: false,
            gate: None,
            reading: None,
            rest: None,
            then: Then::KeepAlive,
        }
    }

    /// A status with a body.
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self::raw(format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }

    /// 200 without a body.
    pub(crate) fn ok() -> Self {
        Self::new(200, "")
    }

    /// Nothing at all.
    pub(crate) fn silence() -> Self {
        Self::raw("")
    }

    /// Answer when the head is there, before the body is read.
    pub(crate) fn early(self) -> Self {
        Self { early: true, ..self }
    }

    /// Not before the gate opens. The request is read meanwhile.
    pub(crate) fn behind(self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self }
    }

    /// Do not read the body before the gate opens.
    pub(crate) fn reading_behind(self, gate: &Gate) -> Self {
        Self { reading: Some(gate.clone()), ..self }
    }

    /// More bytes, once the gate is open.
    pub(crate) fn then_behind(self, gate: &Gate, rest: &str) -> Self {
        Self { rest: Some((gate.clone(), rest.as_bytes().to_vec())), ..self }
    }

    /// Close the connection after the answer.
    pub(crate) fn close(self) -> Self {
        Self { then: Then::Close, ..self }
    }

    /// After it nothing more is sent, while the connection is read until the other side ends it.
    pub(crate) fn half_close(self) -> Self {
        Self { then: Then::HalfClose, ..self }
    }

    /// Reset the connection after the answer.
    pub(crate) fn reset(self) -> Self {
        Self { then: Then::Reset, ..self }
    }
}

type Script = dyn Fn(&Message) -> Reply + Send + Sync;

/// A running cluster of one server.
pub(crate) struct Upstream {
    address: SocketAddr,
    book: Arc<Book>,
    server: Task,
}

/// What came in, in the order of arrival.
#[derive(Default)]
struct Book {
    requests: Mutex<Vec<Message>>,
    connections: Mutex<usize>,
    abandoned: Mutex<usize>,
}

impl Book {
    fn begin(&self, message: Message) -> usize {
        let mut requests = self.requests.lock().expect("no panic in there");
        requests.push(message);
        requests.len() - 1
    }
}

impl Upstream {
    /// Answers every request with this.
    pub(crate) async fn answering(reply: Reply) -> Self {
        Self::scripted(move |_| reply.clone()).await
    }

    /// Answers each request as `script` says, which sees the head.
    pub(crate) async fn scripted(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"), script).await
    }

    /// The same on an address of the test's choice.
    pub(crate) async fn at(
        address: SocketAddr,
        script: impl Fn(&Message) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free address");
        let address = listener.local_addr().expect("bound");
        let book = Arc::new(Book::default());
        let server = Task::spawn(serve(listener, Arc::clone(&book), Arc::new(script)));
        Self { address, book, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, with all its connections; the address is free again then.
    pub(crate) async fn stop(self) {
        self.server.end().await;
    }

    /// Every request that began, complete or not.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.book.requests.lock().expect("no panic in there").clone()
    }

    /// How many requests began.
    pub(crate) fn begun(&self) -> usize {
        self.book.requests.lock().expect("no panic in there").len()
    }

    /// How many requests came in completely.
    pub(crate) fn completed(&self) -> usize {
        self.book.requests.lock().expect("no panic in there").iter().filter(|r| r.complete).count()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        *self.book.connections.lock().expect("no panic in there")
    }

    /// How many complete requests were abandoned: their connection ended while their answer waited at its gate.
    pub(crate) fn abandoned(&self) -> usize {
        *self.book.abandoned.lock().expect("no panic in there")
    }

    /// Waits until `count` requests came in completely, and returns all requests.
    pub(crate) async fn received(&self, count: usize) -> Vec<Message> {
        let what = format!("{count} requests at {}", self.address);
        until(what, async || (self.completed() >= count).then(|| self.requests())).await
    }

    /// Waits for the only request.
    pub(crate) async fn only(&self) -> Message {
        let mut requests = self.received(1).await;
        assert_eq!(requests.len(), 1, "one request was expected");
        requests.remove(0)
    }
}

async fn serve(listener: TcpListener, book: Arc<Book>, script: Arc<Script>) {
    // Dropped with this task, which ends the connections.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        *book.connections.lock().expect("no panic in there") += 1;
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(stream, Arc::clone(&book), Arc::clone(&script)));
    }
}

async fn connection(stream: TcpStream, book: Arc<Book>, script: Arc<Script>) {
    let peer = stream.peer_addr().ok();
    let (reader, mut writer) = stream.into_split();
    let mut wire = Wire::new(reader);
    let mut count = 0;
    while let Some(mut message) = wire.request_head().await {
        message.earlier = count;
        message.peer = peer;
        count += 1;
        let reply = script(&message);
        let place = book.begin(message);
        if let Some(gate) = &reply.reading {
            gate.wait().await;
        }
        let early = !reply.early || answer(&mut writer, &reply).await;
        let whole = early && read(&mut wire, &book, place).await;
        let answered = reply.early
            || (whole && waited(&mut wire, &reply, &book).await && answer(&mut writer, &reply).await);
        let keep = whole && answered;
        match reply.then {
            Then::KeepAlive if keep => {}
            Then::Reset => return reset(&writer),
            Then::HalfClose => {
                let _ = writer.shutdown().await;
                return wire.ended().await;
            }
            _ => return,
        }
    }
}

/// Reads the body; false if the connection ended first.
async fn read(wire: &mut Wire<OwnedReadHalf>, book: &Book, place: usize) -> bool {
    let mut message = book.requests.lock().expect("no panic in there")[place].clone();
    wire.body(&mut message).await;
    let complete = message.complete;
    book.requests.lock().expect("no panic in there")[place] = message;
    complete
}

/// Waits for the answer's gate; false if the connection ended first, which is noted.
async fn waited(wire: &mut Wire<OwnedReadHalf>, reply: &Reply, book: &Book) -> bool {
    let Some(gate) = &reply.gate else { return true };
    tokio::select! {
        biased;
        () = gate.wait() => true,
        () = wire.ended() => {
            *book.abandoned.lock().expect("no panic in there") += 1;
            false
        }
    }
}

/// Sends the answer; false if the connection is not worth keeping.
async fn answer(writer: &mut OwnedWriteHalf, reply: &Reply) -> bool {
    if let Some(gate) = &reply.gate {
        gate.wait().await;
    }
    let mut sent = writer.write_all(&reply.bytes).await.is_ok();
    if let Some((gate, rest)) = &reply.rest {
        gate.wait().await;
        sent = sent && writer.write_all(rest).await.is_ok();
    }
    sent && matches!(reply.then, Then::KeepAlive)
}

fn reset(writer: &OwnedWriteHalf) {
    let _ = SockRef::from(writer.as_ref()).set_linger(Some(Duration::ZERO));
}

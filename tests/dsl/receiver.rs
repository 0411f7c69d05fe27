//! A cluster that keeps samples, and judges them as a TSDB's head does: a sample older than the newest of its series
//! is out of order, the newest once more is none.
//!
//! Requests are handled concurrently, and what delays one delays it *before* its samples are judged. So whatever
//! overtakes on the way shows as a rejection.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use remote_write::{Label, Sample, WriteRequest};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::http1::{Message, Wire};
use super::latency::Latency;
use super::otlp;
use super::task::Task;
use super::wait::{Gate, until};

/// Samples by tenant and labels, each with its time and the bits of its value.
pub(crate) type Samples = BTreeMap<(String, Vec<Label>), Vec<(i64, u64)>>;

/// What is done with a request.
#[derive(Clone)]
pub(crate) struct Treatment {
    gate: Option<Gate>,
    latency: Latency,
    refusal: Option<u16>,
}

impl Treatment {
    /// Judged and answered at once.
    pub(crate) fn prompt() -> Self {
        Self::after(&Latency::none())
    }

    /// Judged and answered later.
    pub(crate) fn after(latency: &Latency) -> Self {
        Self { gate: None, latency: latency.clone(), refusal: None }
    }

    /// Not before the gate opens.
    pub(crate) fn behind(gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..Self::prompt() }
    }

    /// Answered with this status; nothing is kept.
    pub(crate) fn refused(status: u16) -> Self {
        Self { refusal: Some(status), ..Self::prompt() }
    }
}

/// One request at the receiver.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub request: Message,
    /// When it was complete, on a clock that counts the events of this receiver.
    pub begun: u64,
    /// When it was judged, on the same clock, and its status.
    pub ended: Option<(u64, u16)>,
}

/// `Fn(request, its number)`.
type Script = dyn Fn(&Message, usize) -> Treatment + Send + Sync;

/// A running receiver.
pub(crate) struct Receiver {
    address: SocketAddr,
    book: Arc<Book>,
    script: Arc<Script>,
    server: Option<Task>,
}

#[derive(Default)]
struct Book(Mutex<State>);

#[derive(Default)]
struct State {
    clock: u64,
    visits: Vec<Visit>,
    samples: Samples,
    /// Samples that were out of order, or contradicted the newest.
    rejected: usize,
}

impl Receiver {
    /// Treats every request the same.
    pub(crate) async fn treating(treatment: Treatment) -> Self {
        Self::scripted(move |_, _| treatment.clone()).await
    }

    /// Treats each request as `script` says, which is told how many came before.
    pub(crate) async fn scripted(
        script: impl Fn(&Message, usize) -> Treatment + Send + Sync + 'static,
    ) -> Self {
        let (book, script): (_, Arc<Script>) = (Arc::<Book>::default(), Arc::new(script));
        let (address, server) = listen("127.0.0.1:0".parse().expect("an address"), &book, &script).await;
        Self { address, book, script, server: Some(server) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends its connections and listens no more. What was not judged yet never is.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.end().await;
        }
    }

    /// Listens again, with what it held.
    pub(crate) async fn resume(&mut self) {
        let (_, server) = listen(self.address, &self.book, &self.script).await;
        self.server = Some(server);
    }

    /// Every request, in the order of arrival.
    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.book.lock().visits.clone()
    }

    /// How many requests came.
    pub(crate) fn begun(&self) -> usize {
        self.book.lock().visits.len()
    }

    /// How many requests were judged.
    pub(crate) fn ended(&self) -> usize {
        self.book.lock().visits.iter().filter(|visit| visit.ended.is_some()).count()
    }

    /// Everything it holds.
    pub(crate) fn samples(&self) -> Samples {
        self.book.lock().samples.clone()
    }

    /// Samples that it refused because of those that it held.
    pub(crate) fn rejected(&self) -> usize {
        self.book.lock().rejected
    }

    /// Waits until this many requests came.
    pub(crate) async fn has_begun(&self, count: usize) {
        let what = format!("{count} requests at {}", self.address);
        until(what, async || (self.begun() >= count).then_some(())).await;
    }

    /// Waits until this many requests were judged.
    pub(crate) async fn has_ended(&self, count: usize) {
        let what = format!("{count} answers of {}", self.address);
        until(what, async || (self.ended() >= count).then_some(())).await;
    }
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic in there")
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn begin(&mut self, request: Message) -> usize {
        let begun = self.tick();
        self.visits.push(Visit { request, begun, ended: None });
        self.visits.len() - 1
    }

    fn end(&mut self, place: usize, refusal: Option<u16>) -> (u16, &'static str) {
        let verdict = refusal.map_or_else(|| self.judge(place), |status| (status, "scripted"));
        let now = self.tick();
        self.visits[place].ended = Some((now, verdict.0));
        verdict
    }

    /// Keeps what can be kept. Remote write and OTLP are read.
    fn judge(&mut self, place: usize) -> (u16, &'static str) {
        let request = &self.visits[place].request;
        let write = match request.target() {
            "/api/v1/push" | "/api/v1/write" => remote_write::decode(&request.body, 64 << 20).ok(),
            remote_write::otlp::PATH => otlp::samples(request),
            _ => return (200, ""),
        };
        let tenant = request.header("x-scope-orgid").unwrap_or_default();
        match write {
            Some(write) => self.append(&tenant, write),
            None => (400, "corrupt input"),
        }
    }

    fn append(&mut self, tenant: &str, write: WriteRequest) -> (u16, &'static str) {
        let mut verdict = (200, "");
        for series in write.timeseries {
            let held = self.samples.entry((tenant.to_owned(), series.labels)).or_default();
            for Sample { timestamp, value } in series.samples {
                match held.last() {
                    Some((newest, _)) if timestamp < *newest => verdict = (400, "out of order sample"),
                    Some((newest, bits)) if timestamp == *newest && value.to_bits() != *bits => {
                        verdict = (400, "duplicate sample for timestamp");
                    }
                    Some((newest, _)) if timestamp == *newest => continue,
                    _ => {
                        held.push((timestamp, value.to_bits()));
                        continue;
                    }
                }
                self.rejected += 1;
            }
        }
        verdict
    }
}

async fn listen(address: SocketAddr, book: &Arc<Book>, script: &Arc<Script>) -> (SocketAddr, Task) {
    let listener = TcpListener::bind(address).await.expect("a free address");
    let address = listener.local_addr().expect("bound");
    (address, Task::spawn(serve(listener, Arc::clone(book), Arc::clone(script))))
}

async fn serve(listener: TcpListener, book: Arc<Book>, script: Arc<Script>) {
    // Dropped with this task, which ends the connections.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(stream, Arc::clone(&book), Arc::clone(&script)));
    }
}

async fn connection(stream: TcpStream, book: Arc<Book>, script: Arc<Script>) {
    let (reader, mut writer) = stream.into_split();
    let mut wire = Wire::new(reader);
    while let Some(mut request) = wire.request_head().await {
        wire.body(&mut request).await;
        if !request.complete {
            return;
        }
        let (place, treatment) = {
            let mut state = book.lock();
            let treatment = script(&request, state.visits.len());
            (state.begin(request), treatment)
        };
        if let Some(gate) = &treatment.gate {
            gate.wait().await;
        }
        treatment.latency.pass().await;
        let (status, text) = book.lock().end(place, treatment.refusal);
        let answer = format!("HTTP/1.1 {status} Judged\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

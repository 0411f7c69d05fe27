//! A cluster that keeps samples, and judges them as a TSDB's head does: a sample older than the newest of its series
//! is out of order, the newest once more is none, and one that is an hour older than its tenant's newest is too old.
//!
//! Requests are handled concurrently, and what delays one delays it *before* its samples are judged. So whatever
//! overtakes on the way shows as a rejection.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use remote_write::{Label, Sample, WriteRequest};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::http1::{Message, Wire};
use super::otlp;
use super::ports::Port;
use super::task::Task;
use super::treatment::{Switch, Treatment};
use super::visit::Visit;
use super::wait::until;

/// Samples by tenant and labels, each with its time and the bits of its value.
pub(crate) type Samples = BTreeMap<(String, Vec<Label>), Vec<(i64, u64)>>;

/// How far behind the tenant's newest sample another may be, in milliseconds: half of a block's two hours.
const WINDOW: i64 = 60 * 60 * 1000;

/// `Fn(request, its number)`.
type Script = dyn Fn(&Message, usize) -> Treatment + Send + Sync;

/// A running receiver.
pub(crate) struct Receiver {
    // Its own also while it does not listen.
    port: Port,
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
    /// By tenant.
    newest: BTreeMap<String, i64>,
    /// Samples that were out of order or too old, or contradicted the newest.
    rejected: usize,
    /// What a request was is forgotten once it is judged.
    forgets: bool,
}

impl Receiver {
    /// Treats every request the same.
    pub(crate) async fn treating(treatment: Treatment) -> Self {
        Self::scripted(move |_, _| treatment.clone()).await
    }

    /// Treats every request as the switch says at that time.
    pub(crate) async fn switched(switch: &Switch) -> Self {
        let switch = switch.clone();
        Self::scripted(move |_, _| switch.now()).await
    }

    /// Treats each request as `script` says, which is told how many came before.
    pub(crate) async fn scripted(
        script: impl Fn(&Message, usize) -> Treatment + Send + Sync + 'static,
    ) -> Self {
        let (book, script): (_, Arc<Script>) = (Arc::<Book>::default(), Arc::new(script));
        let port = Port::reserve();
        let server = listen(port.address(), &book, &script).await;
        Self { port, book, script, server: Some(server) }
    }

    /// Keeps samples, but no request that it has judged: for hundreds of thousands of them.
    pub(crate) fn forgetting(self) -> Self {
        self.book.lock().forgets = true;
        self
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Ends its connections and listens no more. What was not judged yet never is.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.end().await;
        }
    }

    /// Listens again, with what it held.
    pub(crate) async fn resume(&mut self) {
        self.server = Some(listen(self.address(), &self.book, &self.script).await);
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

    /// How many samples of another it does not hold. Both hold those of a series in order.
    pub(crate) fn missing_of(&self, other: &Self) -> usize {
        let (held, expected) = (self.book.lock(), other.book.lock());
        let missing = |(series, samples): (_, &Vec<(i64, u64)>)| {
            let there = held.samples.get(series).map_or(&[][..], Vec::as_slice);
            samples.iter().filter(|sample| there.binary_search(sample).is_err()).count()
        };
        expected.samples.iter().map(missing).sum()
    }

    /// Whether both hold the same.
    pub(crate) fn holds_the_same_as(&self, other: &Self) -> bool {
        let (held, expected) = (self.book.lock(), other.book.lock());
        held.samples == expected.samples
    }

    /// Everything it holds.
    pub(crate) fn samples(&self) -> Samples {
        self.book.lock().samples.clone()
    }

    /// How many samples it holds.
    pub(crate) fn held(&self) -> usize {
        self.book.lock().samples.values().map(Vec::len).sum()
    }

    /// Samples that it refused because of those that it held.
    pub(crate) fn rejected(&self) -> usize {
        self.book.lock().rejected
    }

    /// Waits until this many requests came.
    pub(crate) async fn has_begun(&self, count: usize) {
        let what = format!("{count} requests at {}", self.address());
        until(what, async || (self.begun() >= count).then_some(())).await;
    }

    /// Waits until this many requests were judged.
    pub(crate) async fn has_ended(&self, count: usize) {
        let what = format!("{count} answers of {}", self.address());
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
        self.visits.push(Visit { request, begun, at: Instant::now(), ended: None });
        self.visits.len() - 1
    }

    /// Judges it, unless it is refused, and composes the answer.
    fn end(&mut self, place: usize, treatment: &Treatment) -> String {
        let refusal = treatment.refusal.as_ref();
        let (status, text) =
            refusal.map_or_else(|| self.judge(place), |refusal| (refusal.status, refusal.text));
        let now = self.tick();
        self.visits[place].ended = Some((now, status));
        if self.forgets {
            let request = &mut self.visits[place].request;
            (request.headers, request.body) = (Vec::new(), Vec::new());
        }
        let pause = refusal.and_then(|refusal| refusal.retry_after);
        let pause = pause.map_or_else(String::new, |seconds| format!("retry-after: {seconds}\r\n"));
        format!("HTTP/1.1 {status} Judged\r\n{pause}content-length: {}\r\n\r\n{text}", text.len())
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
        let newest_of_all = self.newest.entry(tenant.to_owned()).or_insert(i64::MIN);
        for series in write.timeseries {
            let held = self.samples.entry((tenant.to_owned(), series.labels)).or_default();
            for Sample { timestamp, value } in series.samples {
                let too_old = timestamp < newest_of_all.saturating_sub(WINDOW);
                *newest_of_all = timestamp.max(*newest_of_all);
                match held.last() {
                    _ if too_old => verdict = (400, "sample is out of bounds: too old"),
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

async fn listen(address: SocketAddr, book: &Arc<Book>, script: &Arc<Script>) -> Task {
    let listener = TcpListener::bind(address).await.expect("its own address");
    Task::spawn(serve(listener, Arc::clone(book), Arc::clone(script)))
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
        let answer = book.lock().end(place, &treatment);
        let sent = if treatment.cut { &answer[..answer.len() / 2] } else { &answer };
        if writer.write_all(sent.as_bytes()).await.is_err() {
            return;
        }
        if treatment.cut {
            let _ = SockRef::from(writer.as_ref()).set_linger(Some(Duration::ZERO));
            return;
        }
    }
}

//! A cluster that speaks HTTP/2, with prior knowledge or over TLS, and records what it gets.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::http1::{Framing, Message};
use super::streams::Stream;
use super::task::Task;
use super::tls_server::{Showing, said};
use super::wait::{Gate, until};

/// One request as it came in.
#[derive(Clone)]
pub(crate) struct Seen {
    pub head: Parts,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    /// `false` where it broke off.
    pub complete: bool,
    /// Which connection it came over, from 0.
    pub connection: usize,
    /// What TLS said.
    pub tls: Option<Arc<str>>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The same in the form of HTTP/1.1, with pseudo-headers among the headers, and what TLS said as `x-tls`.
    pub(crate) fn message(&self) -> Message {
        let uri = &self.head.uri;
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        let pseudo = [(":scheme", uri.scheme_str()), (":authority", uri.authority().map(|a| a.as_str()))];
        let pseudo = pseudo.into_iter().chain([("x-tls", self.tls.as_deref())]);
        let pseudo = pseudo.filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        Message {
            start: format!("{} {target} HTTP/2", self.head.method),
            headers: pseudo.chain(plain(&self.head.headers)).collect(),
            framing: Framing::None,
            body: self.body.clone(),
            trailers: self.trailers.iter().flat_map(plain).collect(),
            complete: self.complete,
            interim: Vec::new(),
            earlier: 0,
            peer: None,
        }
    }
}

fn plain(headers: &HeaderMap) -> impl Iterator<Item = (String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
}

/// Resets the stream in place of an answer.
#[derive(Debug, thiserror::Error)]
#[error("as the test asked")]
pub(crate) struct Reset(#[source] h2::Error);

impl Reset {
    pub(crate) fn with(reason: h2::Reason) -> Self {
        Self(reason.into())
    }
}

/// What a script answers.
pub(crate) type Answer = Result<Response<Stream>, Reset>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
type Script = dyn Fn(Request<Incoming>, Arc<Book>) -> Answering + Send + Sync;

/// What came in.
#[derive(Default)]
pub(crate) struct Book {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

impl Book {
    /// How many requests were read.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().expect("no panic in there").len()
    }

    /// Reads a request to its end and notes it.
    pub(crate) async fn read(&self, request: Request<Incoming>) -> Seen {
        let Connection { number: connection, tls } =
            request.extensions().get().cloned().expect("every request has one");
        let (head, mut body) = request.into_parts();
        let mut seen = Seen { head, body: Vec::new(), trailers: None, complete: true, connection, tls };
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::from) {
                Ok(Frame::Data(data)) => seen.body.extend_from_slice(&data),
                Ok(Frame::Trailers(trailers)) => seen.trailers = Some(trailers),
                Err(_) => {
                    seen.complete = false;
                    break;
                }
            }
        }
        self.seen.lock().expect("no panic in there").push(seen.clone());
        seen
    }
}

enum Frame {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl From<hyper::body::Frame<Bytes>> for Frame {
    fn from(frame: hyper::body::Frame<Bytes>) -> Self {
        match frame.into_data() {
            Ok(data) => Self::Data(data),
            Err(frame) => Self::Trailers(frame.into_trailers().unwrap_or_default()),
        }
    }
}

#[derive(Clone)]
struct Connection {
    number: usize,
    tls: Option<Arc<str>>,
}

/// A running cluster of one server.
pub(crate) struct H2Upstream {
    address: SocketAddr,
    book: Arc<Book>,
    server: Task,
}

impl H2Upstream {
    /// Answers as `script` says, which may read the request with [`Book::read`].
    pub(crate) async fn scripted<F>(
        streams: u32,
        script: impl Fn(Request<Incoming>, Arc<Book>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::at(ANY_PORT, streams, script).await
    }

    /// The same on an address of the test's choice.
    pub(crate) async fn at<F>(
        address: SocketAddr,
        streams: u32,
        script: impl Fn(Request<Incoming>, Arc<Book>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::start(address, None, streams, script).await
    }

    /// Echoes as [`H2Upstream::echoing`], behind TLS.
    pub(crate) async fn secured(showing: &Showing) -> Self {
        Self::start(ANY_PORT, Some(showing.acceptor()), 100, echo).await
    }

    async fn start<F>(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        streams: u32,
        script: impl Fn(Request<Incoming>, Arc<Book>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("a free address");
        let address = listener.local_addr().expect("bound");
        let book = Arc::<Book>::default();
        let script: Arc<Script> = Arc::new(move |request, book| Box::pin(script(request, book)));
        let serving = Serving { streams, tls, book: Arc::clone(&book), script };
        let server = Task::spawn(serve(listener, serving));
        Self { address, book, server }
    }

    /// Reads each request and answers it 200 with its own path.
    pub(crate) async fn echoing() -> Self {
        Self::scripted(100, echo).await
    }

    /// Reads each request and answers 200; to paths of which `held` is true once the gate is open.
    pub(crate) async fn gated(streams: u32, gate: &Gate, held: fn(&str) -> bool) -> Self {
        let gate = gate.clone();
        Self::scripted(streams, move |request, book| {
            let gate = gate.clone();
            async move {
                let waits = held(request.uri().path());
                book.read(request).await;
                if waits {
                    gate.wait().await;
                }
                Ok(Response::new(Stream::of([], None)))
            }
        })
        .await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.book.connections.load(Ordering::Relaxed)
    }

    /// Every request that was read, to its end or to where it broke off.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.book.seen.lock().expect("no panic in there").clone()
    }

    /// Waits until `count` requests were read to their end, and returns all.
    pub(crate) async fn received(&self, count: usize) -> Vec<Seen> {
        until(format!("{count} requests"), async || {
            let seen = self.seen();
            (seen.len() >= count).then_some(seen)
        })
        .await
    }

    /// Waits for the only request.
    pub(crate) async fn only(&self) -> Seen {
        let mut seen = self.received(1).await;
        assert_eq!(seen.len(), 1, "one request was expected");
        seen.remove(0)
    }

    /// Ends it, with all its connections; the address is free again then.
    pub(crate) async fn stop(self) {
        self.server.end().await;
    }
}

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn echo(request: Request<Incoming>, book: Arc<Book>) -> Answer {
    let path = book.read(request).await.head.uri.path().to_owned();
    Ok(Response::new(Stream::of([path.into()], None)))
}

/// How every connection is served.
#[derive(Clone)]
struct Serving {
    streams: u32,
    tls: Option<TlsAcceptor>,
    book: Arc<Book>,
    script: Arc<Script>,
}

async fn serve(listener: TcpListener, serving: Serving) {
    // Dropped with this task, which ends the connections.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = serving.book.connections.fetch_add(1, Ordering::Relaxed);
        let serving = serving.clone();
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            let Some(acceptor) = &serving.tls else {
                return serving.connection(stream, Connection { number, tls: None }).await;
            };
            // A client that does not agree is not this server's trouble.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let tls = Some(said(&stream).into());
            serving.connection(stream, Connection { number, tls }).await;
        });
    }
}

impl Serving {
    async fn connection(&self, stream: impl AsyncRead + AsyncWrite + Unpin, connection: Connection) {
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            (self.script)(request, Arc::clone(&self.book))
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(self.streams);
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    }
}

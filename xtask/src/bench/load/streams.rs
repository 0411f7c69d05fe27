//! HTTP/2 in the clear and HTTP/1.1 over TLS, a task for each request in flight.

use std::cell::RefCell;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::time::{sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::certificate::NAME;
use super::client::{HEADERS, parse, request_head};
use super::{Record, SILENCE_MAX, Tally, micros};

/// Streams that share a connection.
const STREAMS: usize = 8;
/// Bytes of an answer read at once.
const ANSWER_BYTES: usize = 16 << 10;

/// Tasks with a connection or a stream each, and what each sends.
pub(super) struct Load {
    runtime: LocalRuntime,
    senders: Vec<Rc<RefCell<Sender>>>,
    bodies: Vec<Bytes>,
    rate: u32,
    tls: Option<TlsConnector>,
}

/// One request at a time.
enum Sender {
    Stream { handle: SendRequest<Bytes>, body: Bytes },
    Connection { stream: Box<TlsStream<TcpStream>>, request: Bytes, body_bytes: u64 },
}

impl Load {
    /// Over TLS where there is a certificate to trust, otherwise HTTP/2.
    pub(super) fn new(bodies: Vec<Bytes>, rate: u32, certificate: Option<&Path>) -> Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?,
            senders: Vec::new(),
            bodies,
            rate,
            tls: certificate.map(connector).transpose()?,
        })
    }

    /// Opens every connection anew.
    pub(super) fn connect(&mut self, port: u16) -> Result<()> {
        self.senders.clear();
        let (bodies, tls) = (&self.bodies, self.tls.as_ref());
        let connecting = async {
            match tls {
                Some(tls) => over_tls(port, bodies, tls).await,
                None => over_http2(port, bodies).await,
            }
        };
        let senders = self.runtime.block_on(async { timeout(SILENCE_MAX, connecting).await })??;
        self.senders = senders.into_iter().map(|sender| Rc::new(RefCell::new(sender))).collect();
        Ok(())
    }

    /// Keeps every sender busy for the time given, then lets the requests in flight end.
    pub(super) fn run(&self, duration: Duration) -> Result<Tally> {
        let record = Rc::new(RefCell::new(Record::new()?));
        let begin = record.borrow().begin;
        let each = Duration::from_secs(1).checked_div(self.rate).unwrap_or_default();
        let interval = each * u32::try_from(self.senders.len())?;
        self.runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for (sender, index) in self.senders.iter().zip(0..) {
                let (sender, record) = (Rc::clone(sender), Rc::clone(&record));
                let first = begin + each * index;
                tasks.spawn_local(keep_busy(sender, record, first, interval, begin + duration));
            }
            while let Some(ended) = tasks.join_next().await {
                ended.context("a task of the load has failed")??;
            }
            Ok::<(), anyhow::Error>(())
        })?;
        Ok(record.borrow().tally())
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "each sender belongs to the one task that borrows it")]
async fn keep_busy(
    sender: Rc<RefCell<Sender>>,
    record: Rc<RefCell<Record>>,
    first: Instant,
    interval: Duration,
    end: Instant,
) -> Result<()> {
    let mut sender = sender.try_borrow_mut().context("a sender is used twice")?;
    let mut at = first;
    while at < end && Instant::now() < end {
        if at > Instant::now() {
            sleep_until(at.into()).await;
        }
        let started = Instant::now();
        let (status, bytes) = timeout(SILENCE_MAX, sender.send()).await.context("no answer")??;
        record.borrow_mut().answered(status, micros(started), bytes);
        // What is late is not made up for: the load must not come in waves.
        at = (at + interval).max(Instant::now().checked_sub(interval).unwrap_or(at));
    }
    Ok(())
}

impl Sender {
    /// Sends one request; the answer's status and the bytes of the body that went out.
    async fn send(&mut self) -> Result<(u16, u64)> {
        match self {
            Self::Stream { handle, body } => {
                let mut ready = handle.clone().ready().await?;
                let mut head = http::Request::post("http://mimir.example:9009/api/v1/push");
                for (name, value) in remote_write::HEADERS.into_iter().chain(HEADERS) {
                    head = head.header(name, value);
                }
                let head = head.header("content-length", body.len()).body(())?;
                let (answer, mut stream) = ready.send_request(head, false)?;
                stream.send_data(body.clone(), true)?;
                let (head, mut rest) = answer.await?.into_parts();
                while let Some(data) = rest.data().await {
                    let length = data?.len();
                    rest.flow_control().release_capacity(length)?;
                }
                Ok((head.status.as_u16(), body.len() as u64))
            }
            Self::Connection { stream, request, body_bytes } => {
                stream.write_all(request).await?;
                stream.flush().await?;
                let mut answer = Vec::with_capacity(ANSWER_BYTES);
                loop {
                    ensure!(stream.read_buf(&mut answer).await? > 0, "the proxy closed a connection");
                    if let Some((status, length)) = parse(&answer)?
                        && answer.len() >= length
                    {
                        return Ok((status, *body_bytes));
                    }
                }
            }
        }
    }
}

async fn connection(port: u16) -> Result<TcpStream> {
    let stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.context("cannot connect to the proxy")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn over_http2(port: u16, bodies: &[Bytes]) -> Result<Vec<Sender>> {
    let mut senders = Vec::new();
    for bodies in bodies.chunks(STREAMS) {
        let (handle, driver) = h2::client::handshake(connection(port).await?).await?;
        // Its end shows in the requests.
        drop(tokio::task::spawn_local(driver));
        senders
            .extend(bodies.iter().map(|body| Sender::Stream { handle: handle.clone(), body: body.clone() }));
    }
    Ok(senders)
}

async fn over_tls(port: u16, bodies: &[Bytes], tls: &TlsConnector) -> Result<Vec<Sender>> {
    let mut senders = Vec::new();
    for body in bodies {
        let stream = tls.connect(ServerName::try_from(NAME)?, connection(port).await?).await?;
        let (stream, body_bytes) = (Box::new(stream), body.len() as u64);
        senders.push(Sender::Connection {
            stream,
            request: [request_head(body.len()).as_bytes(), body].concat().into(),
            body_bytes,
        });
    }
    Ok(senders)
}

fn connector(certificate: &Path) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&fs::read(certificate)?)?)?;
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

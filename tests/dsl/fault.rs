//! Bad servers: every state in which a mirror (or a primary) must be expected.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::hole::Hole;
use super::http1::Wire;
use super::latency::Latency;
use super::ports::Port;
use super::task::Task;
use super::wait::Gate;

/// What is wrong with it.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Reads everything, answers 200 once the gate is open.
    Slow(Gate),
    /// Reads everything, answers 200 after this.
    Late(Latency),
    /// Reads everything, answers with these bytes.
    Answers(&'static str),
    /// The same, and closes the connection then.
    AnswersAndCloses(&'static str),
    /// The same, and resets the connection then.
    AnswersAndResets(&'static str),
    /// Nothing listens.
    Refuse,
    /// Accepts, and resets at once.
    Reset,
    /// SYNs are dropped: the queue of a listener that never accepts is full.
    BlackHole,
    /// Every packet is dropped on the way (see [`Hole`]); where that cannot be arranged, as [`Fault::BlackHole`].
    DropsPackets,
    /// Accepts, and never reads a byte.
    NeverRead,
    /// Reads everything, and never answers.
    NeverAnswer,
    /// Answers with a gigabyte.
    Gigabyte,
    /// Answers a byte a second.
    Trickle,
    /// Reads some of the request, and resets.
    DieMidRequest,
    /// Answers what is no HTTP.
    Garbage,
    /// Answers the first bytes of a TLS handshake in clear.
    NoTls,
}

/// A bad server.
pub(crate) struct Faulty {
    address: SocketAddr,
    tally: Arc<Tally>,
    _held: Held,
}

/// What must live on for the fault to last.
#[allow(dead_code, reason = "held, never read")]
enum Held {
    Server(Task),
    Sockets(Vec<Socket>),
    Port(Port),
    Hole(Hole),
}

#[derive(Default)]
struct Tally {
    accepted: AtomicU64,
    whole: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
}

impl Faulty {
    pub(crate) async fn start(fault: Fault) -> Self {
        match fault {
            Fault::Refuse => {
                let port = Port::reserve();
                Self { address: port.address(), tally: Arc::default(), _held: Held::Port(port) }
            }
            Fault::BlackHole => Self::black_hole().await,
            Fault::DropsPackets => match Hole::dig() {
                Ok(hole) => Self { address: hole.address(), tally: Arc::default(), _held: Held::Hole(hole) },
                Err(why) => {
                    say(&format!("no packets are dropped, a full queue of a listener does it: {why}"));
                    Self::black_hole().await
                }
            },
            other => Self::serving(other).await,
        }
    }

    /// A full accept queue: the kernel answers no further SYN, and the caller waits for its own timeout.
    async fn black_hole() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&any.into()).expect("a free port");
        listener.listen(0).expect("listening");
        let address = listener.local_addr().ok().and_then(|a| a.as_socket()).expect("bound");
        let mut held = vec![listener];
        loop {
            // A connection that is not there after 300 ms is one whose SYN was dropped: the queue is full.
            match timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
                Ok(Ok(stream)) => held.push(Socket::from(stream.into_std().expect("a TCP socket"))),
                Ok(Err(e)) => panic!("cannot fill the queue: {e}"),
                Err(_) => return Self { address, tally: Arc::default(), _held: Held::Sockets(held) },
            }
        }
    }

    async fn serving(fault: Fault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let tally = Arc::new(Tally::default());
        let server = Task::spawn(serve(listener, fault, Arc::clone(&tally)));
        Self { address, tally, _held: Held::Server(server) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections it accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.tally.accepted.load(Ordering::Relaxed)
    }

    /// Requests with a body that it read to their end.
    pub(crate) fn whole(&self) -> u64 {
        self.tally.whole.load(Ordering::Relaxed)
    }

    /// Bytes it read.
    pub(crate) fn read(&self) -> u64 {
        self.tally.read.load(Ordering::Relaxed)
    }

    /// Bytes of answers it wrote.
    pub(crate) fn written(&self) -> u64 {
        self.tally.written.load(Ordering::Relaxed)
    }
}

#[allow(clippy::print_stderr, reason = "the test's own output, shown when it fails")]
fn say(what: &str) {
    eprintln!("{what}");
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

async fn serve(listener: TcpListener, fault: Fault, tally: Arc<Tally>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        tally.accepted.fetch_add(1, Ordering::Relaxed);
        connections.spawn(misbehave(stream, fault.clone(), Arc::clone(&tally)));
    }
}

async fn misbehave(mut stream: TcpStream, fault: Fault, tally: Arc<Tally>) {
    match fault {
        Fault::Reset => reset(stream),
        Fault::NeverRead => std::future::pending().await,
        Fault::DieMidRequest => {
            let mut some = [0; 512];
            let count = stream.read(&mut some).await.unwrap_or(0);
            tally.read.fetch_add(count as u64, Ordering::Relaxed);
            reset(stream);
        }
        Fault::NeverAnswer => while request(&mut stream, &tally).await {},
        Fault::NoTls => {
            let _ = stream.read(&mut [0; 512]).await;
            write(&mut stream, b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", &tally).await;
            std::future::pending().await
        }
        answering => answer_all(stream, answering, &tally).await,
    }
}

/// Reads requests and answers each, as long as the fault has it.
async fn answer_all(mut stream: TcpStream, fault: Fault, tally: &Tally) {
    while request(&mut stream, tally).await {
        let goes_on = match &fault {
            Fault::Slow(gate) => {
                gate.wait().await;
                write(&mut stream, OK.as_bytes(), tally).await
            }
            Fault::Late(latency) => {
                latency.pass().await;
                write(&mut stream, OK.as_bytes(), tally).await
            }
            Fault::Answers(bytes) => write(&mut stream, bytes.as_bytes(), tally).await,
            Fault::AnswersAndCloses(bytes) => {
                write(&mut stream, bytes.as_bytes(), tally).await;
                false
            }
            Fault::AnswersAndResets(bytes) => {
                write(&mut stream, bytes.as_bytes(), tally).await;
                return reset(stream);
            }
            Fault::Gigabyte => {
                gigabyte(&mut stream, tally).await;
                false
            }
            Fault::Trickle => {
                trickle(&mut stream, tally).await;
                false
            }
            Fault::Garbage => {
                write(&mut stream, b"\x16\x03\x01 garbage, no HTTP\r\n\r\n\x00\x01", tally).await;
                false
            }
            _ => unreachable!("those have no answer"),
        };
        if !goes_on {
            return;
        }
    }
}

/// Reads one request to its end. The connection's bytes beyond it are not wanted: one request at a time.
async fn request(stream: &mut TcpStream, tally: &Tally) -> bool {
    let mut wire = Wire::new(stream);
    let Some(mut message) = wire.request_head().await else { return false };
    wire.body(&mut message).await;
    tally.read.fetch_add(message.body.len() as u64, Ordering::Relaxed);
    if message.complete && !message.body.is_empty() {
        tally.whole.fetch_add(1, Ordering::Relaxed);
    }
    message.complete
}

async fn write(stream: &mut TcpStream, bytes: &[u8], tally: &Tally) -> bool {
    let sent = stream.write_all(bytes).await.is_ok();
    if sent {
        tally.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
    sent
}

async fn gigabyte(stream: &mut TcpStream, tally: &Tally) {
    let block = vec![b'x'; 1 << 20];
    let mut going = write(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", tally).await;
    for _ in 0..1024 {
        if !going {
            return;
        }
        going = write(stream, &block, tally).await;
    }
}

async fn trickle(stream: &mut TcpStream, tally: &Tally) {
    let mut clock = interval(Duration::from_secs(1));
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 3600\r\n\r\n".iter().chain([b'x'; 3600].iter()) {
        clock.tick().await;
        if !write(stream, &[*byte], tally).await {
            return;
        }
    }
}

fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

//! The two clusters: two ports that answer 200 at once and count requests and bytes, so that a lost or cut copy
//! shows. One thread and one event loop; a second thread only waits for the question what was counted. The secondary
//! may take its time to answer.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead as _, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// Read at once; large, since the bytes are only counted.
const READ_BYTES: usize = 256 << 10;
/// Connections that may wait to be accepted; the kernel has a bound of its own.
const BACKLOG: i32 = 16 << 10;
/// What Mimir answers to a write that it has taken.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// Headers of a request at most.
const HEADERS_MAX: usize = 64;

/// Where the two clusters listen, on every address of loopback.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) primary: u16,
    pub(super) secondary: u16,
}

/// What one cluster has received.
#[derive(Default)]
struct Received {
    requests: AtomicU64,
    body_bytes: AtomicU64,
}

/// Serves until its input ends. Says its two ports first; each line of input is the time in milliseconds that the
/// secondary takes from now on, and is answered with requests and bytes of the primary, then of the secondary.
pub(crate) fn run() -> Result<()> {
    let received: Arc<[Received; 2]> = Arc::default();
    let mut poll = Poll::new()?;
    let mut listeners = Vec::new();
    for token in 0..2 {
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
        // A thousand clients bring a thousand connections at once.
        rustix::net::listen(&listener, BACKLOG)?;
        poll.registry().register(&mut listener, Token(token), Interest::READABLE)?;
        listeners.push(listener);
    }
    let ports: Vec<String> =
        listeners.iter().map(|l| l.local_addr().map(|a| a.port().to_string())).collect::<io::Result<_>>()?;
    println!("{}", ports.join(" "));

    let (counts, delay) = (Arc::clone(&received), Arc::new(AtomicU64::new(0)));
    let set = Arc::clone(&delay);
    thread::spawn(move || answer_questions(&counts, &set));

    let mut connections: HashMap<Token, Connection> = HashMap::new();
    let mut next = listeners.len();
    let mut buffer = vec![0; READ_BYTES];
    let mut events = Events::with_capacity(256);
    let mut late = Late::default();
    loop {
        match poll.poll(&mut events, late.pause()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        late.answer(&mut connections);
        late.delay = Duration::from_millis(delay.load(Ordering::Relaxed));
        for event in &events {
            if let Some(listener) = listeners.get(event.token().0) {
                for stream in accept_all(listener)? {
                    let token = Token(next);
                    next += 1;
                    let connection = Connection::new(stream, event.token().0, token, &poll)?;
                    connections.insert(token, connection);
                }
            } else if let Some(connection) = connections.get_mut(&event.token())
                && !connection.readable(event, &mut buffer, received.as_slice(), &mut late)
            {
                connections.remove(&event.token());
            }
        }
    }
}

/// Answers that are not due yet.
#[derive(Default)]
struct Late {
    delay: Duration,
    /// In the order of their times: the delay does not change while there are any.
    waiting: VecDeque<(Instant, Token)>,
}

impl Late {
    fn pause(&self) -> Option<Duration> {
        Some(self.waiting.front()?.0.saturating_duration_since(Instant::now()))
    }

    /// Sends what is due; a connection that has gone meanwhile needs no answer.
    fn answer(&mut self, connections: &mut HashMap<Token, Connection>) {
        let now = Instant::now();
        while let Some((_, token)) = self.waiting.pop_front_if(|(at, _)| *at <= now) {
            if let Some(connection) = connections.get_mut(&token)
                && connection.stream.write_all(ANSWER).is_err()
            {
                connections.remove(&token);
            }
        }
    }
}

fn answer_questions(received: &[Received; 2], delay: &AtomicU64) {
    for question in io::stdin().lock().lines() {
        let milliseconds = question.ok().and_then(|line| line.trim().parse().ok()).unwrap_or_default();
        delay.store(milliseconds, Ordering::Relaxed);
        let counts = received.each_ref().map(|one| {
            let (requests, bytes) = (&one.requests, &one.body_bytes);
            format!("{} {}", requests.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed))
        });
        println!("{}", counts.join(" "));
    }
    process::exit(0);
}

fn accept_all(listener: &TcpListener) -> Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => streams.push(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(streams),
            Err(error) => return Err(error).context("cannot accept"),
        }
    }
}

/// One connection of the proxy to one cluster.
struct Connection {
    stream: TcpStream,
    token: Token,
    /// Which cluster: 0 primary, 1 secondary.
    cluster: usize,
    request: Request,
}

impl Connection {
    fn new(mut stream: TcpStream, cluster: usize, token: Token, poll: &Poll) -> Result<Self> {
        stream.set_nodelay(true)?;
        poll.registry().register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, token, cluster, request: Request::default() })
    }

    /// Reads all there is; false once the connection is of no more use.
    fn readable(&mut self, event: &Event, buffer: &mut [u8], received: &[Received], late: &mut Late) -> bool {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return false,
            };
            let data = buffer.get(..count).unwrap_or_default();
            match self.request.feed(data) {
                Ok(Some(body_bytes)) => {
                    if let Some(cluster) = received.get(self.cluster) {
                        cluster.body_bytes.fetch_add(body_bytes, Ordering::Relaxed);
                        cluster.requests.fetch_add(1, Ordering::Relaxed);
                    }
                    if self.cluster == 1 && !late.delay.is_zero() {
                        late.waiting.push_back((Instant::now() + late.delay, self.token));
                    } else if self.stream.write_all(ANSWER).is_err() {
                        return false;
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    eprintln!("bench-upstream: {error:#}");
                    return false;
                }
            }
            // A short read has emptied the socket; what comes later brings its own event.
            if count < buffer.len() && !event.is_read_closed() {
                return true;
            }
        }
    }
}

/// A request in arrival: its head, then a body of known length that is counted and forgotten.
#[derive(Default)]
struct Request {
    /// The beginning of a head that has not arrived whole.
    head: Vec<u8>,
    body: Option<Body>,
}

struct Body {
    length: usize,
    missing: usize,
}

impl Request {
    /// Takes what has arrived. Gives the body's length once the request is complete. Neither proxy pipelines, so
    /// nothing may follow it.
    fn feed(&mut self, mut data: &[u8]) -> Result<Option<u64>> {
        if self.body.is_none() {
            let earlier = self.head.len();
            // Copied only when a head comes in pieces.
            let parsed = if earlier == 0 {
                parse(data)?
            } else {
                self.head.extend_from_slice(data);
                parse(&self.head)?
            };
            let Some((head, length)) = parsed else {
                if earlier == 0 {
                    self.head.extend_from_slice(data);
                }
                return Ok(None);
            };
            data = data.get(head - earlier..).unwrap_or_default();
            self.head.clear();
            self.body = Some(Body { length, missing: length });
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        if data.len() > body.missing {
            bail!("{} bytes after the request's end", data.len() - body.missing);
        }
        body.missing -= data.len();
        if body.missing > 0 {
            return Ok(None);
        }
        let length = body.length as u64;
        self.body = None;
        Ok(Some(length))
    }
}

/// Lengths of the head and of the body, once the head is whole.
fn parse(data: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(data)? else { return Ok(None) };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("a request without content-length")?;
    Ok(Some((head, std::str::from_utf8(length.value)?.parse()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"POST /api/v1/push HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

    #[test]
    fn a_request_is_complete_at_its_last_byte_however_it_is_cut() {
        for cut in 1..REQUEST.len() {
            let mut request = Request::default();
            for _ in 0..2 {
                assert_eq!(request.feed(&REQUEST[..cut]).unwrap(), None, "{cut}");
                assert_eq!(request.feed(&REQUEST[cut..]).unwrap(), Some(5), "{cut}");
            }
        }
        let mut request = Request::default();
        let (last, before) = REQUEST.split_last().unwrap();
        assert!(before.chunks(1).all(|byte| request.feed(byte).unwrap().is_none()));
        assert_eq!(request.feed(&[*last]).unwrap(), Some(5));
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        for bytes in [&[REQUEST, b"x"].concat(), chunked.as_slice(), b"\0"] {
            assert!(Request::default().feed(bytes).is_err());
        }
    }
}

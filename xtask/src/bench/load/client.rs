//! One client connection of the load: sends its request, reads the answer, sends it again.

use std::io::{ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream as StdStream};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// Headers of an answer at most.
const HEADERS_MAX: usize = 32;
/// Longest answer: a head, and no body to speak of.
const ANSWER_MAX: usize = 16 << 10;

/// Headers of a push beside those of remote write.
pub(super) const HEADERS: [(&str, &str); 2] =
    [("user-agent", "Prometheus/2.42.0"), ("x-scope-orgid", "bench")];

/// The head of a push with a body of this length.
pub(super) fn request_head(length: usize) -> String {
    let mut head = String::from("POST /api/v1/push HTTP/1.1\r\nhost: mimir.example:9009\r\n");
    for (name, value) in remote_write::HEADERS.into_iter().chain(HEADERS) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {length}\r\n\r\n"));
    head
}

/// One push of one sender. Its body may be many connections' own.
pub(super) struct Request {
    head: Bytes,
    body: Bytes,
}

impl Request {
    pub(super) fn new(body: Bytes) -> Self {
        Self { head: request_head(body.len()).into(), body }
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body.len() as u64
    }

    fn length(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// What is left after the first bytes.
    fn from(&self, sent: usize) -> [IoSlice<'_>; 2] {
        let body = sent.saturating_sub(self.head.len());
        [self.head.get(sent..), self.body.get(body..)].map(|part| IoSlice::new(part.unwrap_or_default()))
    }
}

/// A keep-alive connection with at most one request in flight.
pub(super) struct Client {
    stream: TcpStream,
    sent: usize,
    started: Instant,
    answer: Vec<u8>,
}

impl Client {
    /// Connects to a port of loopback.
    pub(super) fn connect(port: u16, token: Token, registry: &Registry) -> Result<Self> {
        let stream =
            StdStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect to the proxy")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        // Nothing to send yet, though the socket is writable.
        Ok(Self { stream, sent: usize::MAX, started: Instant::now(), answer: Vec::with_capacity(ANSWER_MAX) })
    }

    /// Begins the next request and sends what the socket takes.
    pub(super) fn start(&mut self, request: &Request) -> Result<()> {
        self.started = Instant::now();
        self.sent = 0;
        self.send(request)
    }

    /// Sends on until the socket is full or the request is out.
    pub(super) fn send(&mut self, request: &Request) -> Result<()> {
        while self.sent < request.length() {
            match self.stream.write_vectored(&request.from(self.sent)) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the proxy closed a connection in mid-request"),
            }
        }
        Ok(())
    }

    /// Reads what has arrived; the status and the time since the start once the answer is complete.
    pub(super) fn receive(&mut self, request: &Request) -> Result<Option<(u16, u64)>> {
        let mut buffer = [0; ANSWER_MAX];
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => bail!("the proxy closed a connection"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("the proxy closed a connection"),
        };
        self.answer.extend_from_slice(buffer.get(..count).unwrap_or_default());
        ensure!(self.answer.len() < ANSWER_MAX, "an answer of {} bytes or more", self.answer.len());
        let Some((status, length)) = parse(&self.answer)? else { return Ok(None) };
        if self.answer.len() < length {
            return Ok(None);
        }
        ensure!(self.answer.len() == length, "bytes after the end of an answer");
        ensure!(self.sent == request.length(), "answered {status} before the request's end");
        self.answer.clear();
        Ok(Some((status, super::micros(self.started))))
    }
}

/// Status and whole length of an answer, once its head is whole.
pub(super) fn parse(data: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(data)? else { return Ok(None) };
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: usize =
        std::str::from_utf8(length.context("an answer without content-length")?.value)?.parse()?;
    Ok(answer.code.map(|status| (status, head + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(parse(answer).unwrap(), Some((503, answer.len())));
        assert_eq!(parse(&answer[..answer.len() - 1]).unwrap(), Some((503, answer.len())));
        assert_eq!(parse(&answer[..20]).unwrap(), None);
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    fn whole(parts: [IoSlice<'_>; 2]) -> Vec<u8> {
        parts.iter().flat_map(|part| part.to_vec()).collect()
    }

    #[test]
    fn a_request_carries_remote_write() {
        let request = Request::new(Bytes::from_static(b"hello"));
        let text = String::from_utf8(whole(request.from(0))).unwrap();
        assert!(text.starts_with("POST /api/v1/push HTTP/1.1\r\n"));
        assert!(text.contains("content-encoding: snappy\r\n"));
        assert!(text.ends_with("content-length: 5\r\n\r\nhello"));
        assert_eq!(whole(request.from(request.length() - 2)), b"lo");
    }
}

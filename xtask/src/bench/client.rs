//! One client connection of the load: sends its request, reads the answer, sends it again.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream as StdStream};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// Headers of an answer at most.
const HEADERS_MAX: usize = 32;
/// Longest answer: a head, and no body to speak of.
const ANSWER_MAX: usize = 16 << 10;

/// The bytes of one push of one sender.
pub(super) fn request(body: &[u8]) -> Vec<u8> {
    let mut head = String::from("POST /api/v1/push HTTP/1.1\r\nhost: mimir.example:9009\r\n");
    for (name, value) in remote_write::HEADERS {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("user-agent: Prometheus/2.42.0\r\nx-scope-orgid: bench\r\n");
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
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
    pub(super) fn start(&mut self, request: &[u8]) -> Result<()> {
        self.started = Instant::now();
        self.sent = 0;
        self.send(request)
    }

    /// Sends on until the socket is full or the request is out.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<()> {
        while let Some(rest) = request.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the proxy closed a connection in mid-request"),
            }
        }
        Ok(())
    }

    /// Reads what has arrived; the status and the time since the start once the answer is complete.
    pub(super) fn receive(&mut self, request: &[u8]) -> Result<Option<(u16, u64)>> {
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
        ensure!(self.sent == request.len(), "answered {status} before the request's end");
        self.answer.clear();
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(Some((status, micros)))
    }
}

/// Status and whole length of an answer, once its head is whole.
fn parse(data: &[u8]) -> Result<Option<(u16, usize)>> {
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

    #[test]
    fn a_request_carries_remote_write() {
        let bytes = request(b"hello");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("POST /api/v1/push HTTP/1.1\r\n"));
        assert!(text.contains("content-encoding: snappy\r\n"));
        assert!(text.ends_with("content-length: 5\r\n\r\nhello"));
    }
}

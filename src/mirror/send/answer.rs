//! Reads a mirror's answer as far as it matters: its status, a little of its body for the reason of a rejection,
//! and where it ends, so that the connection can be used again. Everything else is discarded as it arrives.
//!
//! HTTP/1.1 (RFC 9112), heads and chunk sizes by httparse.

use std::time::{Duration, SystemTime};

use crate::limits::{ANSWER_DISCARDED, ANSWER_HEAD_MAX, ANSWER_KEPT, HEADERS_MAX};
use crate::mirror::written::written;

/// Longest line of a chunk size with its extensions, or of a trailer.
const LINE_MAX: usize = 4 << 10;

/// An answer in the course of arriving.
#[derive(Debug)]
pub(super) struct Answer {
    state: State,
    /// Known once the head is complete.
    status: Option<u16>,
    kept: Vec<u8>,
    body_read: u64,
    /// All bytes fed, so that heads without end (1xx) are given up too.
    total_read: u64,
    has_body: bool,
    close: bool,
    any_byte: bool,
    retry_after: Option<Duration>,
    written: u64,
}

#[derive(Debug)]
enum State {
    /// Bytes of a head that is not complete; empty while heads arrive in one piece.
    Head(Vec<u8>),
    Length(u64),
    ChunkSize(Vec<u8>),
    ChunkData(u64),
    /// The line break behind a chunk's data: bytes still to come.
    ChunkEnd(u8),
    Trailers(Vec<u8>),
    UntilClose,
    Done,
}

/// The bytes are no HTTP/1.1 answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Answer {
    /// `has_body` is false for the answer to HEAD.
    pub(super) fn new(has_body: bool) -> Self {
        Self {
            state: State::Head(Vec::new()),
            status: None,
            kept: Vec::new(),
            body_read: 0,
            total_read: 0,
            has_body,
            close: false,
            any_byte: false,
            retry_after: None,
            written: 0,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.status
    }

    /// Up to [`ANSWER_KEPT`] bytes of the body.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// How long the mirror asks to wait (`Retry-After`, RFC 9110 10.2.3).
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Samples that the mirror says it has written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn any_byte(&self) -> bool {
        self.any_byte
    }

    /// Whether nothing more needs to be read: the answer ended, or its body is not worth the reading.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Done) || self.body_read > ANSWER_DISCARDED
    }

    /// Whether another request may follow on this connection.
    pub(super) fn keeps_alive(&self) -> bool {
        matches!(self.state, State::Done) && !self.close
    }

    /// The mirror closed its side.
    pub(super) fn end(&mut self) {
        self.close = true;
        if matches!(self.state, State::UntilClose) {
            self.state = State::Done;
        }
    }

    /// Takes the next bytes of the connection.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        self.any_byte |= !bytes.is_empty();
        self.total_read += bytes.len() as u64;
        if self.total_read > 2 * ANSWER_DISCARDED {
            return Err(Malformed);
        }
        while !bytes.is_empty() && !self.is_over() {
            bytes = self.step(bytes)?;
        }
        // Bytes behind the answer belong to no request of ours.
        self.close |= !bytes.is_empty();
        Ok(())
    }

    fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        match &mut self.state {
            State::Head(_) => self.take_head(bytes),
            State::Length(left) | State::ChunkData(left) => {
                let n = (*left).min(bytes.len() as u64);
                *left -= n;
                let done = *left == 0;
                let (data, rest) = bytes.split_at(n as usize);
                self.keep(data);
                if done {
                    let chunked = matches!(self.state, State::ChunkData(_));
                    self.state = if chunked { State::ChunkEnd(2) } else { State::Done };
                }
                Ok(rest)
            }
            State::ChunkEnd(left) => {
                let (first, rest) = bytes.split_first().ok_or(Malformed)?;
                let expected = if *left == 2 { b'\r' } else { b'\n' };
                *left -= 1;
                if *first != expected {
                    return Err(Malformed);
                }
                if *left == 0 {
                    self.state = State::ChunkSize(Vec::new());
                }
                Ok(rest)
            }
            State::ChunkSize(_) | State::Trailers(_) => self.read_line(bytes),
            State::UntilClose => {
                self.keep(bytes);
                Ok(&[])
            }
            State::Done => Ok(bytes),
        }
    }

    /// A head, in one piece as nearly always, or in several.
    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let State::Head(held) = &mut self.state else { return Err(Malformed) };
        let mut held = std::mem::take(held);
        let before = held.len();
        let used = if before == 0 {
            self.read_head(bytes)?
        } else {
            held.extend_from_slice(bytes);
            self.read_head(&held)?
        };
        match used {
            Some(used) => Ok(bytes.get(used.saturating_sub(before)..).unwrap_or_default()),
            None if before + bytes.len() > ANSWER_HEAD_MAX => Err(Malformed),
            None => {
                if before == 0 {
                    held = bytes.to_vec();
                }
                self.state = State::Head(held);
                Ok(&[])
            }
        }
    }

    /// Parses a head if it is complete; returns the bytes it took. Skips 1xx.
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let Ok(parsed) = head.parse(bytes) else { return Err(Malformed) };
        let httparse::Status::Complete(used) = parsed else { return Ok(None) };
        let status = head.code.ok_or(Malformed)?;
        if status == 101 {
            return Err(Malformed);
        }
        if (100..200).contains(&status) {
            self.state = State::Head(Vec::new());
            return Ok(Some(used));
        }
        let framing = Framing::of(head.headers)?;
        self.status = Some(status);
        self.retry_after = retry_after(head.headers);
        self.written = written(|name| value(head.headers, name));
        self.close = framing.close || head.version == Some(0);
        self.state = match framing {
            _ if !self.has_body || status == 204 || status == 304 => State::Done,
            Framing { chunked: true, .. } => State::ChunkSize(Vec::new()),
            Framing { length: Some(0), .. } => State::Done,
            Framing { length: Some(length), .. } => State::Length(length),
            _ => State::UntilClose,
        };
        Ok(Some(used))
    }

    /// A line of a chunk size or of the trailers, possibly in pieces.
    fn read_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let (State::ChunkSize(line) | State::Trailers(line)) = &mut self.state else { return Err(Malformed) };
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
        line.extend_from_slice(part);
        if line.len() > LINE_MAX {
            return Err(Malformed);
        }
        if end.is_none() {
            return Ok(rest);
        }
        let line = std::mem::take(line);
        self.state = if matches!(self.state, State::Trailers(_)) {
            if line.trim_ascii().is_empty() { State::Done } else { State::Trailers(Vec::new()) }
        } else {
            match httparse::parse_chunk_size(&line) {
                Ok(httparse::Status::Complete((_, 0))) => State::Trailers(Vec::new()),
                Ok(httparse::Status::Complete((_, size))) => State::ChunkData(size),
                _ => return Err(Malformed),
            }
        };
        Ok(rest)
    }

    fn keep(&mut self, data: &[u8]) {
        self.body_read += data.len() as u64;
        let room = ANSWER_KEPT - self.kept.len();
        self.kept.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
    }
}

fn value<'h>(headers: &[httparse::Header<'h>], name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Seconds or a date.
fn retry_after(headers: &[httparse::Header<'_>]) -> Option<Duration> {
    let value = std::str::from_utf8(value(headers, "retry-after")?).ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).ok(),
    }
}

/// What the headers say about the body.
#[derive(Debug, Default)]
struct Framing {
    chunked: bool,
    length: Option<u64>,
    close: bool,
}

impl Framing {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self, Malformed> {
        let mut framing = Self::default();
        for header in headers {
            let value = || std::str::from_utf8(header.value).map_err(|_| Malformed);
            if header.name.eq_ignore_ascii_case("content-length") {
                let digits = value()?.trim();
                // What parses also takes a sign.
                let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
                let length = digits.parse().ok().filter(|_| is_number).ok_or(Malformed)?;
                if framing.length.is_some_and(|before| before != length) {
                    return Err(Malformed);
                }
                framing.length = Some(length);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                framing.chunked = value()?.trim().eq_ignore_ascii_case("chunked");
                // Some other coding: its end is the end of the connection.
                framing.close |= !framing.chunked;
            } else if header.name.eq_ignore_ascii_case("connection") {
                let mut tokens = value()?.split(',');
                framing.close |= tokens.any(|token| token.trim().eq_ignore_ascii_case("close"));
            }
        }
        Ok(framing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Result<Answer, Malformed> {
        let mut answer = Answer::new(true);
        for part in parts {
            answer.feed(part)?;
        }
        Ok(answer)
    }

    #[test]
    fn an_answer_reads_the_same_however_it_is_cut() {
        let whole: &[u8] =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n\
            5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nx-t: 1\r\n\r\n";
        for cut in 0..whole.len() {
            let (a, b) = whole.split_at(cut);
            let bytewise: Vec<&[u8]> = b.chunks(1).collect();
            for parts in [vec![a, b], [vec![a], bytewise].concat()] {
                let answer = read(&parts).unwrap();
                assert_eq!(answer.status(), Some(400));
                assert_eq!(answer.kept(), b"hello!");
                assert!(answer.is_over() && answer.keeps_alive(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn connections_are_kept_only_where_the_end_is_certain() {
        let alive = |bytes: &[u8]| read(&[bytes]).map(|answer| answer.keeps_alive());
        assert_eq!(alive(b"HTTP/1.1 204 No Content\r\n\r\n"), Ok(true));
        assert_eq!(alive(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), Ok(true));
        assert_eq!(alive(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!"), Ok(false));
        assert_eq!(alive(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: close\r\n\r\nok"), Ok(false));
        assert_eq!(alive(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"), Ok(false));
        assert_eq!(alive(b"HTTP/1.1 200 OK\r\n\r\nok"), Ok(false));
        assert_eq!(
            alive(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 2\r\n\r\n"),
            Err(Malformed)
        );
        assert_eq!(alive(b"SSH-2.0-OpenSSH_9.2\r\n"), Err(Malformed));
    }

    #[test]
    fn the_time_to_wait_is_seconds_or_a_date() {
        let wait = |value: &str| {
            let head = format!("HTTP/1.1 429 Slow\r\nRetry-After: {value}\r\n\r\n");
            read(&[head.as_bytes()]).unwrap().retry_after()
        };
        assert_eq!(wait("12"), Some(Duration::from_secs(12)));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:00 GMT"), None);
        assert!(wait("Fri, 01 Jan 2100 00:00:00 GMT") > Some(Duration::from_secs(1 << 20)));
        assert_eq!((wait("-1"), wait("soon"), wait("")), (None, None, None));
    }

    #[test]
    fn what_was_written_is_samples_and_histograms() {
        let head = b"HTTP/1.1 204 No\r\nX-Prometheus-Remote-Write-Samples-Written: 17\r\n\
            X-Prometheus-Remote-Write-Exemplars-Written: 5\r\n\
            X-Prometheus-Remote-Write-Histograms-Written: 3\r\n\r\n";
        assert_eq!(read(&[head]).unwrap().written(), 20);
        for odd in ["-1", "99999999999999999999", "", "many"] {
            let head = format!("HTTP/1.1 204 No\r\nX-Prometheus-Remote-Write-Samples-Written: {odd}\r\n\r\n");
            assert_eq!(read(&[head.as_bytes()]).unwrap().written(), 0, "{odd}");
        }
    }

    #[test]
    fn a_body_without_end_is_given_up() {
        let mut answer = read(&[b"HTTP/1.1 200 OK\r\n\r\n"]).unwrap();
        for _ in 0..=(ANSWER_DISCARDED / 65_536) {
            answer.feed(&[b'x'; 65_536]).unwrap();
        }
        assert!(answer.is_over() && !answer.keeps_alive());
        assert_eq!(answer.kept().len(), ANSWER_KEPT);
    }

    #[test]
    fn noise_never_panics() {
        let mut random = fastrand::Rng::with_seed(5);
        let seeds: [&[u8]; 2] = [
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            b"HTTP/1.1 400 B\r\ncontent-length: 18446744073709551615\r\n\r\nabc",
        ];
        for _ in 0..5000 {
            let mut bytes = seeds[random.usize(0..2)].to_vec();
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
            let cut = random.usize(0..bytes.len());
            let _ = read(&[&bytes[..cut], &bytes[cut..]]);
        }
    }
}

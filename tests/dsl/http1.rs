//! HTTP/1.1 as bytes: one message read off a connection, nothing normalised, everything kept.
//!
//! Our own reader, because a library would hide what the tests are about: the framing, the order and the spelling.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Header fields as they stood, names and values.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

/// How a message says where its body ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No body announced.
    None,
    /// `content-length`.
    Length(u64),
    /// `transfer-encoding: chunked`.
    Chunked,
    /// The connection's end (answers only).
    UntilClose,
}

/// A request or an answer.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The first line, without its line end.
    pub start: String,
    pub headers: Fields,
    pub framing: Framing,
    /// The body, decoded from its chunks if it came in chunks.
    pub body: Vec<u8>,
    pub trailers: Fields,
    /// False if the connection ended first (or the rest was not read yet).
    pub complete: bool,
    /// Status codes of the interim answers that came before this one.
    pub interim: Vec<u16>,
    /// How many requests came before on the same connection (recorded requests only).
    pub earlier: usize,
    /// Where it came from (recorded requests of [`Upstream`](super::Upstream) only).
    pub peer: Option<std::net::SocketAddr>,
}

impl Message {
    fn parse(head: &[u8]) -> Self {
        let text = head.strip_suffix(b"\r\n\r\n").expect("a whole head");
        let mut lines = split_lines(text);
        let start = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let headers = lines.map(field).collect();
        let framing = Framing::None;
        let (body, trailers, interim) = (Vec::new(), Vec::new(), Vec::new());
        Self { start, headers, framing, body, trailers, complete: false, interim, earlier: 0, peer: None }
    }

    /// The message of these bytes, a request's head.
    pub(crate) fn of_request(head: &[u8]) -> Self {
        let mut message = Self::parse(head);
        message.framing = message.request_framing();
        message
    }

    /// The n-th word of the first line.
    fn word(&self, n: usize) -> &str {
        self.start.split(' ').nth(n).unwrap_or_default()
    }

    pub(crate) fn method(&self) -> &str {
        self.word(0)
    }

    pub(crate) fn target(&self) -> &str {
        self.word(1)
    }

    pub(crate) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_else(|_| panic!("no answer: {:?}", self.start))
    }

    /// All values of a name, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        let same = |n: &str| n.eq_ignore_ascii_case(name);
        self.headers.iter().filter(|(n, _)| same(n)).map(|(_, v)| v.as_slice()).collect()
    }

    /// The one value of a name. Fails the test if there are several.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values = self.values(name);
        assert!(values.len() < 2, "several {name} in {self:?}");
        values.first().map(|v| String::from_utf8_lossy(v).into_owned())
    }

    /// The tenant it names, or nothing.
    pub(crate) fn tenant(&self) -> String {
        self.header("x-scope-orgid").unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn request_framing(&self) -> Framing {
        let chunked = self.values("transfer-encoding").iter().any(|v| v.eq_ignore_ascii_case(b"chunked"));
        match (chunked, self.header("content-length")) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) => Framing::Length(length.parse().expect("a length")),
            (false, None) => Framing::None,
        }
    }

    fn answer_framing(&self, to_head: bool) -> Framing {
        let bodiless = to_head || matches!(self.status(), 100..200 | 204 | 304);
        match self.request_framing() {
            _ if bodiless => Framing::None,
            Framing::None => Framing::UntilClose,
            announced => announced,
        }
    }
}

fn split_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let here = rest?;
        let end = here.windows(2).position(|w| w == b"\r\n");
        rest = end.map(|at| &here[at + 2..]);
        Some(&here[..end.unwrap_or(here.len())])
    })
}

fn field(line: &[u8]) -> (String, Vec<u8>) {
    let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
    let value = line.get(colon + 1..).unwrap_or_default();
    (String::from_utf8_lossy(&line[..colon]).into_owned(), value.trim_ascii().to_vec())
}

/// A connection with the bytes that were read too far.
pub(crate) struct Wire<S> {
    io: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Wire<S> {
    pub(crate) fn new(io: S) -> Self {
        Self { io, buffer: Vec::new() }
    }

    /// Reads more. False at the connection's end, however it ended.
    async fn more(&mut self) -> bool {
        self.buffer.reserve(64 << 10);
        matches!(self.io.read_buf(&mut self.buffer).await, Ok(n) if n > 0)
    }

    async fn upto(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        let mut from = 0;
        loop {
            if let Some(at) = self.buffer[from..].windows(mark.len()).position(|w| w == mark) {
                let rest = self.buffer.split_off(from + at + mark.len());
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            from = self.buffer.len().saturating_sub(mark.len());
            if !self.more().await {
                return None;
            }
        }
    }

    /// The head of a request, or nothing if the connection ends first.
    pub(crate) async fn request_head(&mut self) -> Option<Message> {
        Some(Message::of_request(&self.upto(b"\r\n\r\n").await?))
    }

    /// An answer with its body; interim answers are noted and skipped.
    pub(crate) async fn answer(&mut self, to_head: bool) -> Option<Message> {
        let mut interim = Vec::new();
        let mut message = loop {
            let message = Message::parse(&self.upto(b"\r\n\r\n").await?);
            match message.status() {
                101 | 200.. => break message,
                other => interim.push(other),
            }
        };
        message.interim = interim;
        message.framing = message.answer_framing(to_head);
        self.body(&mut message).await;
        Some(message)
    }

    /// Fills in body and trailers, as far as they come.
    pub(crate) async fn body(&mut self, message: &mut Message) {
        message.complete = match message.framing {
            Framing::None => true,
            Framing::Length(length) => self.take(length, &mut message.body).await,
            Framing::Chunked => self.chunks(message).await.is_some(),
            Framing::UntilClose => {
                while self.more().await {}
                message.body.append(&mut self.buffer);
                true
            }
        };
    }

    async fn take(&mut self, length: u64, into: &mut Vec<u8>) -> bool {
        let mut left = usize::try_from(length).expect("a test's body fits in memory");
        loop {
            let now = left.min(self.buffer.len());
            // Not byte by byte, as a drained iterator is read in builds without optimisation.
            into.extend_from_slice(&self.buffer[..now]);
            self.buffer.drain(..now);
            left -= now;
            if left == 0 || !self.more().await {
                return left == 0;
            }
        }
    }

    async fn chunks(&mut self, message: &mut Message) -> Option<()> {
        loop {
            let line = self.upto(b"\r\n").await?;
            let digits = String::from_utf8_lossy(&line);
            let size = u64::from_str_radix(digits.trim_end().split(';').next()?, 16).ok()?;
            if size == 0 {
                break;
            }
            self.take(size, &mut message.body).await.then_some(())?;
            let end = self.upto(b"\r\n").await?;
            assert_eq!(end, b"\r\n", "a chunk longer than it says");
        }
        loop {
            let line = self.upto(b"\r\n").await?;
            match line.as_slice() {
                b"\r\n" => return Some(()),
                trailer => message.trailers.push(field(&trailer[..trailer.len() - 2])),
            }
        }
    }

    /// The head of an interim answer.
    pub(crate) async fn interim(&mut self) -> Option<Message> {
        Some(Message::parse(&self.upto(b"\r\n\r\n").await?))
    }

    /// The bytes up to and with `mark`.
    pub(crate) async fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        self.upto(mark).await
    }

    /// Returns at the connection's end. What comes before is kept.
    pub(crate) async fn ended(&mut self) {
        while self.more().await {}
    }

    /// Everything until the connection's end, however it ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }
}

//! A server that speaks HTTP/2 frame by frame: it sees what a library keeps to itself, above all windows.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::wait::within;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// SETTINGS_INITIAL_WINDOW_SIZE.
const INITIAL_WINDOW: u16 = 4;
/// Of every window before anything was said (RFC 9113, section 6.9.2).
const FIRST_WINDOW: u64 = 65_535;
/// `:status: 200`, by its place in HPACK's static table.
const OK: [u8; 1] = [0x88];
/// The longest frame that may be sent unasked.
const FRAME_MAX: usize = 16_384;

/// Waits for clients.
pub(crate) struct FrameServer(TcpListener);

/// A connection, as its server sees it.
pub(crate) struct FrameConnection {
    stream: TcpStream,
    /// What the client lets a new stream send.
    pub stream_window: u64,
    /// What the client has let the connection send so far, over all streams.
    pub granted: u64,
    /// What was sent of that.
    pub sent: u64,
    /// Streams whose request's head has come.
    pub requests: Vec<u32>,
}

impl FrameServer {
    pub(crate) async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    /// The next connection, after its preface.
    pub(crate) async fn accept(&self) -> FrameConnection {
        let (mut stream, _) = within("a connection", self.0.accept()).await.expect("a client");
        let mut preface = [0; PREFACE.len()];
        within("the preface", stream.read_exact(&mut preface)).await.expect("a client of HTTP/2");
        assert_eq!(preface, PREFACE);
        let mut connection = FrameConnection {
            stream,
            stream_window: FIRST_WINDOW,
            granted: FIRST_WINDOW,
            sent: 0,
            requests: Vec::new(),
        };
        connection.send(SETTINGS, 0, 0, &[]).await;
        connection
    }
}

impl FrameConnection {
    /// Reads frames until this holds.
    pub(crate) async fn read_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            within(what, self.read()).await;
        }
    }

    /// Answers with 200 and the beginning of a body, all of it within the windows.
    pub(crate) async fn begin_answer(&mut self, stream: u32, body: &[u8]) {
        self.send(HEADERS, END_HEADERS, stream, &OK).await;
        for part in body.chunks(FRAME_MAX) {
            self.send(DATA, 0, stream, part).await;
        }
        self.sent += body.len() as u64;
        assert!(self.sent <= self.granted, "{} bytes sent, {} granted", self.sent, self.granted);
    }

    /// Answers with this head alone, as HPACK writes it.
    pub(crate) async fn answer_with(&mut self, stream: u32, head: &[u8]) {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, head).await;
    }

    pub(crate) async fn end_answer(&mut self, stream: u32) {
        self.send(DATA, END_STREAM, stream, &[]).await;
    }

    async fn read(&mut self) {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.expect("the connection goes on");
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.stream.read_exact(&mut payload).await.expect("the whole frame");
        match kind {
            SETTINGS if flags & ACK == 0 => {
                for setting in payload.chunks_exact(6) {
                    if u16::from_be_bytes([setting[0], setting[1]]) == INITIAL_WINDOW {
                        self.stream_window = number(&setting[2..]);
                    }
                }
                self.send(SETTINGS, ACK, 0, &[]).await;
            }
            PING if flags & ACK == 0 => self.send(PING, ACK, 0, &payload).await,
            WINDOW_UPDATE if stream == 0 => self.granted += number(&payload),
            HEADERS => self.requests.push(stream),
            GOAWAY => panic!("the client gives the connection up: error {}", number(&payload[4..])),
            _ => {}
        }
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.stream.write_all(&[&head, payload].concat()).await.expect("the connection goes on");
    }
}

/// The number in the first four bytes.
fn number(bytes: &[u8]) -> u64 {
    u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")).into()
}

//! A client that speaks HTTP/2 frame by frame, right or wrong: it says what no library would.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::wait::within;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

/// What the proxy makes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer began, with `:status` 200.
    Ok,
    /// An answer began, with another status.
    Refused,
    /// The stream was reset, with this code.
    Reset(u32),
    /// The connection was given up.
    Gone,
}

/// A connection.
pub(crate) struct RawH2 {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
}

impl RawH2 {
    /// With the preface and empty settings.
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        let mut client = Self::bare(to).await;
        client.bytes(PREFACE).await;
        client.frame(SETTINGS, 0, 0, &[]).await;
        client
    }

    /// Nothing is sent.
    pub(crate) async fn bare(to: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(to)).await.expect("the proxy listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let (reader, writer) = stream.into_split();
        Self { reader, writer }
    }

    /// Sends bytes; whether the proxy still takes some.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) -> bool {
        within("sending", self.writer.write_all(bytes)).await.is_ok()
    }

    /// The same without patience: a proxy that reads no further for a moment has had enough.
    pub(crate) async fn offer(&mut self, bytes: &[u8]) -> bool {
        let moment = std::time::Duration::from_secs(1);
        matches!(tokio::time::timeout(moment, self.writer.write_all(bytes)).await, Ok(Ok(())))
    }

    pub(crate) async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.bytes(&frame(kind, flags, stream, payload)).await
    }

    /// What becomes of a stream. Reads until it is known.
    pub(crate) async fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            let Some((kind, at, payload)) = within("a frame", self.read()).await else {
                return Outcome::Gone;
            };
            match kind {
                GOAWAY => return Outcome::Gone,
                RST_STREAM if at == stream => return Outcome::Reset(number(&payload)),
                // By its place in HPACK's static table.
                HEADERS if at == stream && payload.first() == Some(&0x88) => return Outcome::Ok,
                HEADERS if at == stream => return Outcome::Refused,
                _ => {}
            }
        }
    }

    /// Reads until the connection ends.
    pub(crate) async fn ended(&mut self) {
        while within("the connection's end", self.read()).await.is_some() {}
    }

    async fn read(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.reader.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.reader.read_exact(&mut payload).await.ok()?;
        Some((head[3], number(&head[5..]), payload))
    }
}

/// A frame's bytes, whatever it says.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as HPACK's literals, neither indexed nor compressed.
pub(crate) fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name.as_bytes(), *value] {
            length(text.len(), &mut out);
            out.extend_from_slice(text);
        }
    }
    out
}

/// An integer with a prefix of seven bits.
fn length(mut length: usize, out: &mut Vec<u8>) {
    if length < 127 {
        return out.push(length as u8);
    }
    out.push(127);
    length -= 127;
    while length >= 128 {
        out.push((length % 128) as u8 | 128);
        length /= 128;
    }
    out.push(length as u8);
}

/// The number in the first four bytes.
fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"))
}

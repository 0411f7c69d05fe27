//! One connection: what has arrived, and what is still to go out.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::rc::Rc;

use mio::net::TcpStream;

/// Where a message arrives; grows as it needs, and is used again once nobody sends from it any more.
#[derive(Clone, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// What has arrived.
    pub(crate) fn get(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

/// A message on its way out: a head of its own, a body that another may share, from an offset on.
pub(crate) struct Outgoing {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Option<(Rc<Buffer>, usize)>,
}

/// A connection of a client or to a cluster.
pub(crate) struct Peer {
    stream: TcpStream,
    /// The message in arrival.
    pub(crate) received: Rc<Buffer>,
    /// Whether it has been dealt with, so that the next one takes its place.
    done: bool,
    outgoing: Option<Outgoing>,
    sent: usize,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, received: Rc::default(), done: false, outgoing: None, sent: 0 }
    }

    /// Reads all there is; false at the end.
    pub(crate) fn receive(&mut self) -> io::Result<bool> {
        if Rc::get_mut(&mut self.received).is_none() {
            self.received = Rc::default();
        }
        let Some(buffer) = Rc::get_mut(&mut self.received) else { return Ok(false) };
        if std::mem::take(&mut self.done) {
            buffer.filled = 0;
        }
        loop {
            if buffer.filled == buffer.bytes.len() {
                buffer.bytes.resize((buffer.filled * 2).max(8 << 10), 0);
            }
            let room = buffer.bytes.get_mut(buffer.filled..).unwrap_or_default();
            let size = room.len();
            match self.stream.read(room) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    buffer.filled += count;
                    // A short read has emptied the socket; what comes later brings its own event.
                    if count < size {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// The message that has arrived is dealt with.
    pub(crate) fn done(&mut self) {
        self.done = true;
    }

    /// Begins to send a message.
    pub(crate) fn start(&mut self, outgoing: Outgoing) -> io::Result<()> {
        self.outgoing = Some(outgoing);
        self.sent = 0;
        self.send()
    }

    /// Sends on until the socket is full or the message is out.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        while let Some(outgoing) = &self.outgoing {
            let head = outgoing.head.get(self.sent..).unwrap_or_default();
            let body = outgoing.body.as_ref().map_or(&[][..], |(whole, from)| {
                let from = from + self.sent.saturating_sub(outgoing.head.len());
                whole.get().get(from..).unwrap_or_default()
            });
            if head.is_empty() && body.is_empty() {
                self.outgoing = None;
                break;
            }
            match self.stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(count) => self.sent += count,
                // Not connected yet, or full: an event will say when.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

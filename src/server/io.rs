//! The socket of a client's connection: counts bytes and notes when something last moved.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watched::Watched;
use crate::stats::tls::TlsStats;
use crate::tls::Stream;

/// A connection with TLS is open.
pub(super) struct OpenTls<'a>(&'a TlsStats);

impl<'a> OpenTls<'a> {
    pub(super) fn count(watched: &'a Watched) -> Option<Self> {
        let tls = &watched.http()?.tls;
        tls.cx_total.inc();
        tls.cx_active.inc();
        Some(Self(tls))
    }
}

impl Drop for OpenTls<'_> {
    fn drop(&mut self) {
        self.0.cx_active.dec();
    }
}

/// A client's stream under watch.
#[derive(Debug)]
pub(super) struct ClientIo {
    stream: Stream,
    watched: Rc<Watched>,
    /// What has been read and is to be read again.
    unread: Bytes,
    /// Everything that came has been read: the socket tells when there is more. TLS may hold bytes of which it does not.
    is_dry: bool,
}

impl ClientIo {
    pub(super) fn new(stream: Stream, watched: Rc<Watched>) -> Self {
        let is_dry = matches!(stream, Stream::Plain(_));
        Self { stream, watched, unread: Bytes::new(), is_dry }
    }

    /// Gives back what was read but is for who reads next.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// Ready when there is something to read, the end included.
    pub(super) fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.unread.is_empty() {
            return Poll::Ready(());
        }
        // Why it fails is told by reading.
        self.stream.socket().poll_read_ready(cx).map(drop)
    }

    /// Ready when what has come may be read.
    fn poll_turn(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_dry || self.watched.needs_no_turn() {
            return Poll::Ready(());
        }
        // Why it fails is told by reading.
        let _ = ready!(self.stream.socket().poll_read_ready(cx));
        if self.watched.asks_for_turn() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buf.remaining());
            buf.put_slice(self.unread.get(..length).unwrap_or_default());
            self.unread.advance(length);
            if self.unread.is_empty() {
                // An empty slice still holds what it is a slice of.
                self.unread = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_turn(cx));
        let before = buf.filled().len();
        let had_room = buf.remaining() > 0;
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.is_dry = result.is_pending();
        match buf.filled().len() - before {
            0 => self.watched.closed(had_room && result.is_ready()),
            read => self.watched.received(read),
        }
        result
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watched.sent(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watched.sent(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        if result.is_pending() {
            // With TLS, what was written may still wait for the socket.
            self.watched.sent(&Poll::Pending);
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched.closing.set(true);
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

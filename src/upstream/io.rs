//! The socket of an upstream connection.
//!
//! A server may answer before it has read the whole request (413 at the first byte) and close. Writing then fails
//! while the answer waits to be read, and a failed write would end the connection before that. So write errors
//! are swallowed until the reading side has ended; what was to be written is thrown away.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::line::Slot;
use crate::stats::{ClusterStats, WorkerStats};
use crate::tls::Stream;

/// A stream whose write errors wait for its reads.
#[derive(Debug)]
pub(crate) struct UpstreamIo {
    stream: Stream,
    write_failed: bool,
    counters: Rc<Counters>,
    life: Rc<Life>,
    /// Its place among the connections that the cluster may have.
    #[expect(dead_code, reason = "held for its Drop")]
    slot: Option<Slot>,
}

/// What is known of a connection outside of its task.
#[derive(Debug)]
pub(crate) struct Life {
    /// Bytes read so far, to tell whether an answer had begun.
    pub(crate) received: Cell<u64>,
    /// Requests sent over it.
    pub(crate) requests: Cell<u64>,
    /// Requests without the end of an answer.
    pub(crate) active: Cell<u64>,
    /// The server closed first.
    left: Cell<bool>,
    established: Instant,
    /// This end's address.
    pub(super) local: Option<SocketAddr>,
}

impl Life {
    /// Of a connection that was just established.
    fn begin(local: Option<SocketAddr>) -> Rc<Self> {
        Rc::new(Self {
            received: Cell::default(),
            requests: Cell::default(),
            active: Cell::default(),
            left: Cell::default(),
            established: Instant::now(),
            local,
        })
    }

    /// A request goes out.
    pub(crate) fn request(&self) {
        self.requests.set(self.requests.get() + 1);
        self.active.set(self.active.get() + 1);
    }

    /// A request has its whole answer, or will have none.
    pub(crate) fn answered(&self) {
        self.active.set(self.active.get().saturating_sub(1));
    }

    /// How old the connection is.
    pub(crate) fn age(&self) -> Duration {
        self.established.elapsed()
    }

    /// The connection is over: the last that is counted of it.
    fn ended(&self, stats: &ClusterStats) {
        stats.cx_active.dec();
        stats.cx_ends.count(self.left.get(), self.active.get() > 0);
        stats.cx_length.record(self.established.elapsed());
        stats.rq_per_cx.record_number(self.requests.get());
    }
}

/// Where an upstream connection counts.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) stats: Arc<WorkerStats>,
    pub(crate) cluster: usize,
}

impl Counters {
    pub(crate) fn get(&self) -> Option<&ClusterStats> {
        self.stats.clusters.get(self.cluster)
    }
}

impl UpstreamIo {
    /// An established connection, counted as such until it is dropped.
    pub(super) fn new(stream: Stream, counters: Rc<Counters>, slot: Option<Slot>) -> Self {
        counters.get().inspect(|stats| stats.cx_active.inc());
        let life = Life::begin(stream.local());
        Self { stream, write_failed: false, counters, life, slot }
    }

    /// Over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// What is known of the connection, for whoever uses it.
    pub(crate) fn life(&self) -> Rc<Life> {
        Rc::clone(&self.life)
    }

    fn written(&mut self, offered: usize, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(n)) => {
                self.counters.get().inspect(|stats| stats.cx_tx_bytes_total.add(n as u64));
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(_)) => {
                self.write_failed = true;
                Poll::Ready(Ok(offered))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for UpstreamIo {
    fn drop(&mut self) {
        self.counters.get().inspect(|stats| self.life.ended(stats));
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let had_room = buf.remaining() > 0;
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = (buf.filled().len() - before) as u64;
        self.life.received.set(self.life.received.get() + read);
        if read == 0 {
            self.life.left.set(had_room && result.is_ready());
        }
        self.counters.get().inspect(|stats| stats.cx_rx_bytes_total.add(read));
        result
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.write_failed {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(buf.len(), result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        if self.write_failed {
            return Poll::Ready(Ok(offered));
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(offered, result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write_failed {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(cx).map(|flushed| {
            self.write_failed |= flushed.is_err();
            Ok(())
        })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write_failed { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_shutdown(cx) }
    }
}

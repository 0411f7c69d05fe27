//! One connection to a mirror, from dial to close: a task of its own, one copy in flight.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer::Answer;
use super::verdict::Attempt;
use super::write::Cursor;
use super::{Copy, Ends, Load, Sender, Slot, verdict};
use crate::cluster::{Asked, Connected, Host};
use crate::deadline::Deadline;
use crate::limits;

use crate::mirror::ledger::Outcome;
use crate::stats::ClusterStats;
use crate::tls::Stream;
use crate::upstream::dial::{self, DialError, Wanted};

/// Bytes taken from the kernel at a time; answers to writes are small.
const READ_CHUNK: usize = 8 << 10;

/// How an attempt ended before its answer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// Closed or reset by the mirror.
    Closed,
    /// What came back is no HTTP.
    Malformed,
}

/// Dials after `pause`, then serves copies until the connection ends.
pub(super) async fn run<L: Load>(sender: Rc<Sender<L>>, pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    match dial_mirror(&sender).await {
        Ok((stream, host)) => {
            let slot = sender.opened();
            let mut connection = Connection::new(&sender, stream, &host, &slot);
            connection.serve().await;
            connection.close();
        }
        Err(outcome) => sender.dial_failed(outcome),
    }
}

async fn dial_mirror<L>(sender: &Sender<L>) -> Result<(Stream, Rc<Host>), Outcome> {
    let stats = sender.settings.stats.clusters.get(sender.settings.cluster);
    let Some(host) = sender.settings.endpoints.pick() else {
        stats.inspect(|stats| stats.cx_none_healthy.inc());
        return Err(Outcome::FailedNoEndpoint);
    };
    host.stats.cx_total.inc();
    let begun = Instant::now();
    stats.inspect(|stats| stats.rq_pending_active.inc());
    let wanted = Wanted {
        timeout: sender.settings.connect_timeout,
        send_buffer: Some(limits::MIRROR_SEND_BUFFER),
        sockets: &sender.settings.sockets,
        tls: &sender.settings.tls,
        host: None,
        http2: false,
        stats: stats.map(|stats| &stats.tls),
    };
    let dialed = dial::dial(host.address(), wanted).await;
    if dialed.is_err() {
        host.stats.cx_connect_fail.inc();
    }
    if let Some(stats) = stats {
        // A connection is dialled for a copy that waits for one.
        stats.rq_pending_active.dec();
        stats.rq_pending_total.inc();
        stats.cx_total.inc();
        match &dialed {
            Ok(_) => {
                stats.cx_active.inc();
                stats.cx_http1_total.inc();
                stats.cx_connect.record(begun.elapsed());
            }
            Err(DialError::Timeout) => stats.cx_connect_timeout.inc(),
            Err(DialError::Failed | DialError::Tls) => stats.cx_connect_fail.inc(),
        }
        if let Err(error) = &dialed {
            // Envoy's books have it as a connection that began and ended.
            stats.cx_http1_total.inc();
            stats.cx_ends.count(*error == DialError::Failed, false);
        }
    }
    dialed.map(|stream| (stream, host)).map_err(|error| match error {
        DialError::Timeout => Outcome::FailedConnectTimeout,
        DialError::Failed => Outcome::FailedConnect,
        DialError::Tls => Outcome::FailedTls,
    })
}

struct Connection<'a, L> {
    sender: &'a Rc<Sender<L>>,
    stats: Option<&'a ClusterStats>,
    stream: Stream,
    to: Connected,
    ends: Ends,
    slot: &'a Rc<Slot<L>>,
    deadline: Deadline,
    established: Instant,
    /// Copies sent over it.
    copies: u64,
    /// The mirror closed first.
    left: bool,
    /// The last attempt did not come to the end of its answer.
    broken: bool,
}

impl<'a, L: Load> Connection<'a, L> {
    fn new(sender: &'a Rc<Sender<L>>, stream: Stream, host: &Rc<Host>, slot: &'a Rc<Slot<L>>) -> Self {
        let stats = sender.settings.stats.clusters.get(sender.settings.cluster);
        let (deadline, established) = (sender.settings.wheel.deadline(), Instant::now());
        let (to, ends) = (Connected::to(host), Ends { local: stream.local(), remote: host.address() });
        Self {
            sender,
            stats,
            stream,
            to,
            ends,
            slot,
            deadline,
            established,
            copies: 0,
            left: false,
            broken: false,
        }
    }

    async fn serve(&mut self) {
        let mut reused = false;
        loop {
            let copy = match self.sender.next() {
                Some(copy) => {
                    // More may wait than this connection can serve soon.
                    self.sender.grow();
                    copy
                }
                None => match self.wait().await {
                    Some(copy) => copy,
                    None => return,
                },
            };
            if !self.carry(copy, reused).await || !self.is_wanted() || self.is_over() {
                return;
            }
            reused = true;
        }
    }

    /// Whether this connection still leads to an endpoint of the cluster.
    fn is_wanted(&self) -> bool {
        self.sender.settings.endpoints.keeps(self.to.host())
    }

    /// Whether it has reached its age, or served enough.
    fn is_over(&self) -> bool {
        let limits = &self.sender.settings.limits;
        let old = limits.max_duration.is_some_and(|limit| self.established.elapsed() >= limit);
        let spent = limits.max_requests.is_some_and(|limit| self.copies >= u64::from(limit));
        if let Some(stats) = self.stats {
            match (old, spent) {
                (true, _) => stats.cx_max_duration_reached.inc(),
                (false, true) => stats.cx_max_requests.inc(),
                (false, false) => {}
            }
        }
        old || spent
    }

    fn close(self) {
        if let Some(stats) = self.stats {
            stats.cx_active.dec();
            stats.cx_ends.count(self.left, self.broken);
            stats.cx_length.record(self.established.elapsed());
            stats.rq_per_cx.record_number(self.copies);
        }
        drop(self.stream);
        self.sender.closed();
    }

    /// Waits idle for a copy. `None` when the mirror closed the connection or nothing came for long.
    async fn wait(&mut self) -> Option<Copy<L>> {
        self.deadline.set(limits::MIRROR_IDLE);
        self.sender.idle.borrow_mut().push(Rc::clone(self.slot));
        let (slot, stream, left) = (self.slot, &mut self.stream, &mut self.left);
        let handed = pin!(poll_fn(|cx| {
            if let Some(copy) = slot.handed.take() {
                return Poll::Ready(Some(copy));
            }
            // Nothing may arrive now but the end of the connection.
            let mut byte = [0];
            if Pin::new(&mut *stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_ready() {
                *left = true;
                return Poll::Ready(None);
            }
            *slot.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        }));
        if let Ok(Some(copy)) = self.deadline.race(handed).await {
            return Some(copy);
        }
        self.sender.idle.borrow_mut().retain(|slot| !Rc::ptr_eq(slot, self.slot));
        // Handed over in the same moment.
        self.slot.handed.take()
    }

    /// One attempt. Returns whether the connection can be used again.
    async fn carry(&mut self, copy: Copy<L>, reused: bool) -> bool {
        let started = Instant::now();
        self.copies += 1;
        let mut answer = Answer::new(copy.answer_has_body);
        self.stats.inspect(|stats| {
            stats.rq_total.inc();
            stats.rq_active.inc();
        });
        let host = Rc::clone(self.to.host());
        host.stats.rq_total.inc();
        let mut asked = Asked::of(&host);
        let Copy { wire, answer_has_body, kind, tenant, timeout, arrived, stale, load } = copy;
        load.begins(self.ends);
        *self.slot.in_flight.borrow_mut() = Some((load, arrived));
        let deadline = self.sender.settings.wheel.deadline();
        deadline.set(timeout);
        let mut cursor = Cursor::new(&wire.chunks);
        let result =
            deadline.race(pin!(poll_fn(|cx| self.poll_converse(cx, &mut cursor, &mut answer)))).await;
        self.stats.inspect(|stats| stats.rq_active.dec());
        self.broken = result != Ok(Ok(()));
        self.sender.landed();
        // Gone only if the process leaves and has booked it already.
        let Some((load, _)) = self.slot.in_flight.take() else { return false };
        let copy = Copy { wire, answer_has_body, kind, tenant, timeout, arrived, stale, load };

        let closed = result == Ok(Err(Broken::Closed));
        if closed && reused && !answer.any_byte() && stale < limits::STALE_CONNECTIONS_MAX {
            self.stats.inspect(|stats| stats.rq_retry.inc());
            asked.answered(None);
            self.sender.give_back(Copy { stale: stale + 1, ..copy });
            return false;
        }
        let outcome = match (answer.status(), result) {
            (Some(status), _) => verdict::outcome(kind, status, answer.kept()),
            (None, Err(_)) => Outcome::FailedTimeout,
            (None, Ok(Err(Broken::Malformed))) => Outcome::FailedProtocol,
            (None, Ok(_)) => Outcome::FailedReset,
        };
        if outcome != Outcome::FailedTimeout {
            asked.answered(answer.status());
        }
        drop(asked);
        self.count(answer.status(), outcome, started);
        self.sender.settings.ledger.hear(outcome, answer.status(), answer.kept());
        self.sender.settings.ledger.written_secondary.add(answer.written());
        let attempt = Attempt { outcome, status: answer.status(), retry_after: answer.retry_after() };
        self.sender.settings.share.hear(&attempt, tenant, self.sender.in_flight.get());
        L::ended(copy, attempt);
        result == Ok(Ok(())) && answer.keeps_alive()
    }

    fn count(&self, status: Option<u16>, outcome: Outcome, started: Instant) {
        let elapsed = started.elapsed();
        self.sender.settings.ledger.duration.record(elapsed);
        let Some(stats) = self.stats else { return };
        if outcome == Outcome::FailedProtocol {
            stats.cx_protocol_error.inc();
        }
        stats.internal.time.record(elapsed);
        match (status, outcome) {
            (Some(status), _) => stats.internal.count(status),
            (None, Outcome::FailedTimeout) => {
                stats.rq_timeout.inc();
                stats.internal.count(504);
            }
            (None, Outcome::FailedProtocol) => stats.internal.count(502),
            (None, _) => stats.internal.count(503),
        }
    }

    /// Writes the copy and reads its answer, both at once: a mirror may answer before it has read all.
    fn poll_converse(
        &mut self,
        cx: &mut Context<'_>,
        cursor: &mut Cursor<'_>,
        answer: &mut Answer,
    ) -> Poll<Result<(), Broken>> {
        while !cursor.is_done() {
            let mut slices = Cursor::empty_slices();
            let filled = cursor.fill(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            match Pin::new(&mut self.stream).poll_write_vectored(cx, slices) {
                Poll::Ready(Ok(written)) => {
                    self.stats.inspect(|stats| stats.cx_tx_bytes_total.add(written as u64));
                    cursor.advance(written);
                }
                // It may have answered before it closed; reading tells.
                Poll::Ready(Err(_)) => {
                    answer.end();
                    break;
                }
                Poll::Pending => break,
            }
        }
        if cursor.is_done() && !answer.is_over() {
            // With TLS, what was taken may still wait for the socket. What goes wrong, reading tells.
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
        ready!(self.poll_answer(cx, answer))?;
        if !cursor.is_done() {
            // Answered without reading all of it: the connection is of no further use.
            answer.end();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads until nothing more of the answer is needed.
    fn poll_answer(&mut self, cx: &mut Context<'_>, answer: &mut Answer) -> Poll<Result<(), Broken>> {
        let mut chunk = [MaybeUninit::uninit(); READ_CHUNK];
        while !answer.is_over() {
            let mut read = ReadBuf::uninit(&mut chunk);
            let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read));
            if result.is_err() || read.filled().is_empty() {
                self.left = true;
                answer.end();
                let answered = answer.status().is_some();
                return Poll::Ready(if answered { Ok(()) } else { Err(Broken::Closed) });
            }
            self.stats.inspect(|stats| stats.cx_rx_bytes_total.add(read.filled().len() as u64));
            answer.feed(read.filled()).map_err(|_| Broken::Malformed)?;
        }
        Poll::Ready(Ok(()))
    }
}

//! One acceptor for each listener, on the control thread.
//!
//! Remote-write clients hold few connections for long. Were each worker to accept for itself, they would pile up on
//! one core; so the acceptor hands each connection to the worker with the least to do. Closing the one listening
//! socket also resets no connection that waits in another worker's queue.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use config::model::ListenerSocket;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::sync::{mpsc, watch};

use crate::limits;
use crate::sockets;
use crate::stats::Stats;

/// How long accepting pauses when descriptors or connections have run out.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) listener: usize,
}

/// A worker as the acceptor sees it.
#[derive(Debug)]
pub(crate) struct Seat {
    inbox: mpsc::Sender<Accepted>,
    /// Connections handed to it so far: those in its inbox are not in its gauges yet.
    handed: AtomicU64,
}

impl Seat {
    pub(crate) fn new(inbox: mpsc::Sender<Accepted>) -> Self {
        Self { inbox, handed: AtomicU64::new(0) }
    }
}

/// Binds a listening socket. Port 0 lets the system choose.
pub(crate) fn bind(address: SocketAddr, options: &ListenerSocket) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old process' connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if options.freebind {
        if address.is_ipv6() { socket.set_freebind_v6(true) } else { socket.set_freebind_v4(true) }?;
    }
    socket.bind(&address.into())?;
    listen(&socket, options)?;
    Ok(socket.into())
}

/// Takes a socket that another process has bound.
pub(crate) fn adopt(socket: TcpListener, options: &ListenerSocket) -> io::Result<TcpListener> {
    let socket = Socket::from(socket);
    listen(&socket, options)?;
    Ok(socket.into())
}

/// Connections have the options of the socket that they come from.
fn listen(socket: &Socket, options: &ListenerSocket) -> io::Result<()> {
    if let Some(keepalive) = options.keepalive {
        sockets::keep_alive(&SockRef::from(socket), keepalive)?;
    }
    let backlog = options.backlog.and_then(|backlog| i32::try_from(backlog).ok());
    socket.listen(backlog.unwrap_or(limits::LISTEN_BACKLOG))?;
    socket.set_nonblocking(true)
}

/// What all acceptors share.
#[derive(Debug)]
pub(crate) struct Acceptors {
    seats: Vec<Seat>,
    stats: Arc<Stats>,
    /// Of configurations that are not done with their clients.
    before: Vec<Weak<Stats>>,
    /// Client connections at the same time, process-wide.
    connections_max: u64,
    /// The configured bound, if there is one. What is beyond it is closed.
    allowed: Option<u64>,
}

impl Acceptors {
    /// `before`: configurations that are not done with their clients. `connections_max`: what descriptors allow.
    /// `allowed`: what the configuration does.
    pub(crate) fn new(
        seats: Vec<Seat>,
        stats: &Arc<Stats>,
        before: Vec<Weak<Stats>>,
        connections_max: u64,
        allowed: Option<u64>,
    ) -> Self {
        if let Some(wanted) = allowed.filter(|wanted| *wanted > connections_max) {
            tracing::warn!(
                wanted,
                connections_max,
                "open files allow fewer client connections than configured"
            );
        }
        Self { seats, stats: Arc::clone(stats), before, connections_max, allowed }
    }

    /// Accepts on one listener until told to stop, then closes it.
    pub(crate) async fn run(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        index: usize,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            // Stopping never drops a connection on its way to a worker.
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                accepted = self.accept(&listener, index) => accepted,
            };
            match accepted {
                Ok(Some(accepted)) => self.hand_over(accepted).await,
                Ok(None) => {}
                Err(error) => self.pause(index, &error).await,
            }
        }
    }

    /// The next connection; `None` if it was gone before it was there.
    async fn accept(&self, listener: &tokio::net::TcpListener, index: usize) -> io::Result<Option<Accepted>> {
        if self.open_connections() >= self.connections_max {
            return Err(io::Error::other("the limit of client connections is reached"));
        }
        let (stream, peer) = match listener.accept().await {
            // The client gave up while it waited; nothing is wrong with us.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => return Ok(None),
            accepted => accepted?,
        };
        let stats = self.stats.control.listeners.get(index);
        if self.allowed.is_some_and(|most| self.open_connections() >= most) {
            // Closed at once, as Envoy does: the operator wants it refused, not kept waiting.
            stats.inspect(|stats| stats.global_overflow.inc());
            return Ok(None);
        }
        stats.inspect(|stats| stats.accepted.inc());
        // The worker's runtime will watch it, not this one.
        Ok(Some(Accepted { stream: stream.into_std()?, peer, listener: index }))
    }

    fn open_connections(&self) -> u64 {
        let before = self.before.iter().filter_map(Weak::upgrade);
        let before: u64 =
            before.flat_map(|stats| stats.workers.clone()).map(|worker| worker.connections()).sum();
        let in_seats = self.seats.iter().zip(&self.stats.workers).map(|(seat, worker)| {
            let taken: u64 = worker.http.iter().map(|http| http.cx_total.get()).sum();
            worker.connections() + seat.handed.load(Relaxed).saturating_sub(taken)
        });
        before + in_seats.sum::<u64>()
    }

    /// To the worker with least to do, counting what is still in its inbox.
    async fn hand_over(&self, accepted: Accepted) {
        let load = |(seat, worker): &(&Seat, &Arc<crate::stats::WorkerStats>)| {
            let taken: u64 = worker.http.iter().map(|http| http.cx_total.get()).sum();
            worker.load() + seat.handed.load(Relaxed).saturating_sub(taken)
        };
        let Some((seat, _)) = self.seats.iter().zip(&self.stats.workers).min_by_key(load) else { return };
        seat.handed.fetch_add(1, Relaxed);
        // Waits only while a worker has a whole inbox of connections to take; then accepting must slow down anyway.
        // A worker whose inbox is closed is leaving, and so is the process.
        let _ = seat.inbox.send(accepted).await;
    }

    async fn pause(&self, index: usize, error: &io::Error) {
        if let Some(stats) = self.stats.control.listeners.get(index) {
            stats.overflow.inc();
            // Said at the first time and then ever more rarely; the counter has them all.
            if stats.overflow.get().is_power_of_two() {
                tracing::warn!(%error, times = stats.overflow.get(), "accepting pauses");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

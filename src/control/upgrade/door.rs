//! The old side: it waits for a successor, shows what it has, and hears when the successor serves. That is another
//! process, which comes to the named socket, or another configuration of this one, which comes through a [`Doorway`].

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::address::Bound;
use super::channel::{Channel, SOCKETS_MAX};
use super::{VERSION, same_user};
use crate::lifecycle::Generation;
use crate::limits::HANDSHAKE;

/// What there is to give.
#[derive(Debug)]
pub(crate) struct Offer {
    /// By configured address, which may have port 0.
    pub(crate) sockets: Vec<(SocketAddr, TcpListener)>,
    pub(crate) mirrors: Vec<String>,
    pub(crate) generation: Generation,
}

/// The way in for the next configuration of this process.
#[derive(Debug, Clone)]
pub(crate) struct Doorway {
    /// The named socket, which belongs to whichever configuration is in force.
    pub(super) bound: Option<Arc<Bound>>,
    comers: mpsc::Sender<OwnedFd>,
}

impl Doorway {
    /// Comes to the door with this end of a connection.
    ///
    /// # Errors
    /// When the sockets are closed.
    pub(crate) fn enter(&self, there: OwnedFd) -> io::Result<()> {
        self.comers.try_send(there).map_err(|_| io::Error::other("the listeners are closed"))
    }
}

/// The new process or configuration, once it serves.
#[derive(Debug)]
pub(crate) struct Successor {
    channel: Channel,
    pub(crate) pid: u64,
    /// When this side has to be gone at the latest: the successor's `--parent-shutdown-time-s`.
    pub(crate) longest: Duration,
}

impl Successor {
    /// It is another configuration of this process.
    pub(crate) fn is_within(&self) -> bool {
        is_this_process(self.pid)
    }

    /// This process has no copies for the mirror any more, and will have none.
    pub(crate) async fn tell_quiet(&self, mirror: &str) {
        // A successor that is gone needs no news.
        let _ = self.channel.send(&json!({"quiet": mirror}), &[]).await;
    }
}

/// Opens the door, until the sockets are closed for another reason than a successor.
///
/// # Errors
/// When the named socket cannot be used.
pub(crate) fn open(
    bound: Option<Arc<Bound>>,
    offer: Offer,
    mut stop: watch::Receiver<bool>,
) -> io::Result<(Doorway, mpsc::Receiver<Successor>)> {
    let (comers, come) = mpsc::channel(1);
    let (successors, heard) = mpsc::channel(1);
    let named = bound.as_ref().map(|bound| UnixListener::from_std(bound.socket.try_clone()?.into()));
    let named = named.transpose()?;
    let kept = bound.clone();
    tokio::spawn(async move {
        let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
        tokio::select! {
            _ = stopped => {}
            successor = wait(named.as_ref(), come, &offer) => match successor {
                Ok(successor) => drop(successors.send(successor).await),
                Err(error) => tracing::error!(%error, "this process cannot be followed by another"),
            },
        }
        drop(kept);
    });
    Ok((Doorway { bound, comers }, heard))
}

async fn wait(
    named: Option<&UnixListener>,
    mut come: mpsc::Receiver<OwnedFd>,
    offer: &Offer,
) -> io::Result<Successor> {
    loop {
        let (peer, within) = tokio::select! {
            Some(peer) = come.recv() => (peer, true),
            peer = accept(named) => (peer?, false),
        };
        match serve(peer, offer).await {
            Ok(successor) => return Ok(successor),
            // Whoever started it says why it ended.
            Err(error) if within => tracing::debug!(%error, "a new configuration has not taken over"),
            Err(error) => {
                tracing::warn!(%error, "a new process came and has not taken over; this one goes on");
            }
        }
    }
}

/// The next process; none ever comes where there is no named socket.
async fn accept(named: Option<&UnixListener>) -> io::Result<OwnedFd> {
    match named {
        Some(named) => Ok(named.accept().await?.0.into_std()?.into()),
        None => std::future::pending().await,
    }
}

async fn serve(peer: OwnedFd, offer: &Offer) -> io::Result<Successor> {
    same_user(&peer)?;
    let channel = Channel::new(peer)?;
    let silent = |_| io::Error::new(io::ErrorKind::TimedOut, "it says nothing");
    let hello = said(timeout(HANDSHAKE, channel.receive()).await.map_err(silent)??)?;
    if hello.get("version").and_then(Value::as_str) != Some(VERSION) {
        let why = format!("it speaks another language of upgrades than {VERSION}");
        channel.send(&json!({"refused": why}), &[]).await?;
        return Err(io::Error::other(why));
    }
    let pid = hello.get("pid").and_then(Value::as_u64).unwrap_or_default();
    for part in offer.sockets.chunks(SOCKETS_MAX) {
        let addresses: Vec<_> = part.iter().map(|(address, _)| address.to_string()).collect();
        let sockets: Vec<_> = part.iter().map(|(_, socket)| socket.as_fd()).collect();
        channel.send(&json!({"sockets": addresses}), &sockets).await?;
    }
    let Generation { number, first_start_ms, .. } = offer.generation;
    let all = json!({"mirrors": offer.mirrors, "generation": number, "first_start_ms": first_start_ms});
    channel.send(&all, &[]).await?;
    if !is_this_process(pid) {
        tracing::info!(pid, sockets = offer.sockets.len(), "a new process has the sockets and starts");
    }
    let ready = said(channel.receive().await?)?;
    let longest = ready.get("longest_ms").and_then(Value::as_u64);
    let longest = Duration::from_millis(longest.ok_or_else(|| io::Error::other("it makes no sense"))?);
    Ok(Successor { channel, pid, longest })
}

fn is_this_process(pid: u64) -> bool {
    pid == u64::from(std::process::id())
}

fn said(message: Option<(Value, Vec<OwnedFd>)>) -> io::Result<Value> {
    let gone = || io::Error::new(io::ErrorKind::UnexpectedEof, "it ended before it served");
    message.map(|(message, _)| message).ok_or_else(gone)
}

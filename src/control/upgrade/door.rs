//! The old process' side: it waits for a successor, shows what it has, and hears when the successor serves.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
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

/// The new process, once it serves.
#[derive(Debug)]
pub(crate) struct Successor {
    channel: Channel,
    pub(crate) pid: u64,
    /// When this process has to be gone at the latest: the successor's `--parent-shutdown-time-s`.
    pub(crate) longest: Duration,
}

impl Successor {
    /// This process has no copies for the mirror any more, and will have none.
    pub(crate) async fn tell_quiet(&self, mirror: &str) {
        // A successor that is gone needs no news.
        let _ = self.channel.send(&json!({"quiet": mirror}), &[]).await;
    }
}

/// Waits for a successor, until the sockets are closed for another reason.
pub(crate) async fn open(
    bound: Bound,
    offer: Offer,
    mut stop: watch::Receiver<bool>,
    successors: mpsc::Sender<Successor>,
) {
    let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
    tokio::select! {
        _ = stopped => {}
        successor = wait(&bound, &offer) => match successor {
            Ok(successor) => {
                let _ = successors.send(successor).await;
            }
            Err(error) => tracing::error!(%error, "this process cannot be followed by another"),
        },
    }
}

async fn wait(bound: &Bound, offer: &Offer) -> io::Result<Successor> {
    let door = UnixListener::from_std(bound.socket.try_clone()?.into())?;
    loop {
        let (peer, _) = door.accept().await?;
        let peer = OwnedFd::from(peer.into_std()?);
        match serve(peer, offer).await {
            Ok(successor) => return Ok(successor),
            Err(error) => {
                tracing::warn!(%error, "a new process came and has not taken over; this one goes on")
            }
        }
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
    tracing::info!(pid, sockets = offer.sockets.len(), "a new process has the sockets and starts");
    let ready = said(channel.receive().await?)?;
    let longest = ready.get("longest_ms").and_then(Value::as_u64);
    let longest = Duration::from_millis(longest.ok_or_else(|| io::Error::other("it makes no sense"))?);
    Ok(Successor { channel, pid, longest })
}

fn said(message: Option<(Value, Vec<OwnedFd>)>) -> io::Result<Value> {
    let gone = || io::Error::new(io::ErrorKind::UnexpectedEof, "it ended before it served");
    message.map(|(message, _)| message).ok_or_else(gone)
}

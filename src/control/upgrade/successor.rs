//! The new side: it takes the old one's sockets, and learns when the old one has no more copies.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::address::Address;
use super::channel::Channel;
use super::{VERSION, same_user};
use crate::limits::HANDSHAKE;

/// The process or configuration before this one.
#[derive(Debug)]
pub(crate) struct Predecessor {
    channel: Channel,
    /// Its mirrors.
    pub(crate) mirrors: Vec<String>,
    /// The how many-th of its line it is, from 1.
    pub(crate) generation: u32,
    /// When the first of the line started, in milliseconds since 1970.
    pub(crate) first_start_ms: u64,
}

/// Sockets by the address that their configuration had.
pub(crate) type Sockets = Vec<(SocketAddr, TcpListener)>;

/// What the old process has done.
#[derive(Debug)]
pub(crate) enum News {
    /// It has no copies for this mirror any more.
    Quiet(String),
    /// It has ended.
    Gone,
}

/// Takes the sockets of the process before this one. `None` if `alone` allows to start without and there is none.
///
/// # Errors
/// When there is none, it refuses, or it is another user's.
pub(crate) async fn inherit(own: &Address, alone: bool) -> anyhow::Result<Option<(Sockets, Predecessor)>> {
    let Some(address) = own.before() else { return Ok(None) };
    let peer = match address.connect() {
        Ok(peer) => peer,
        Err(error) if alone => {
            tracing::warn!(%address, %error, "there is no process to take over from; starting without");
            return Ok(None);
        }
        Err(error) => bail!(
            "cannot reach the process to take over from at {address}: {error}; start it first, give both the same \
             --base-id and --socket-path, or allow to start without it (--skip-hot-restart-on-no-parent)"
        ),
    };
    let from = async {
        same_user(&peer)?;
        take(Channel::new(peer)?).await
    };
    let silent = || format!("the process to take over from ({address}) says nothing");
    let taken = timeout(HANDSHAKE, from).await.with_context(silent)?;
    taken.map(Some).with_context(|| format!("cannot take over from the process at {address}"))
}

pub(super) async fn take(channel: Channel) -> io::Result<(Sockets, Predecessor)> {
    channel.send(&json!({"version": VERSION, "pid": std::process::id()}), &[]).await?;
    let mut sockets = Vec::new();
    loop {
        let Some((message, passed)) = channel.receive().await? else {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has closed the connection"));
        };
        if let Some(why) = message.get("refused").and_then(Value::as_str) {
            return Err(io::Error::other(format!("it refuses: {why}")));
        }
        if let Some(addresses) = message.get("sockets") {
            sockets.extend(named(addresses, passed)?);
            continue;
        }
        let number = |name: &str| message.get(name).and_then(Value::as_u64).unwrap_or_default();
        let mirrors = message.get("mirrors").and_then(Value::as_array).into_iter().flatten();
        let mirrors = mirrors.filter_map(Value::as_str).map(str::to_owned).collect();
        let generation = u32::try_from(number("generation")).unwrap_or(u32::MAX);
        let first_start_ms = number("first_start_ms");
        return Ok((sockets, Predecessor { channel, mirrors, generation, first_start_ms }));
    }
}

fn named(addresses: &Value, passed: Vec<OwnedFd>) -> io::Result<Sockets> {
    let addresses = addresses.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut sockets = Vec::new();
    for (address, socket) in addresses.zip(passed) {
        let address = address.parse().map_err(io::Error::other)?;
        let socket = TcpListener::from(socket);
        socket.set_nonblocking(true)?;
        sockets.push((address, socket));
    }
    Ok(sockets)
}

impl Predecessor {
    /// This process serves: the old one may go, within this time.
    pub(crate) async fn dismiss(&self, longest: Duration) {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        if let Err(error) = self.channel.send(&json!({"longest_ms": longest}), &[]).await {
            tracing::warn!(%error, "the process before this one has gone already");
        }
    }

    /// Passes on what it says, up to its end.
    pub(crate) async fn follow(self, news: mpsc::Sender<News>) {
        while let Ok(Some((message, _))) = self.channel.receive().await {
            if let Some(mirror) = message.get("quiet").and_then(Value::as_str) {
                let _ = news.send(News::Quiet(mirror.to_owned())).await;
            }
        }
        let _ = news.send(News::Gone).await;
    }
}

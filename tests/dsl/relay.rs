//! A TCP relay before a good server: the way to it can be held up, cut and restored while the test runs.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::latency::Latency;
use super::ports::Port;
use super::task::Task;

/// What happens to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They pass.
    Open,
    /// Connections are accepted, and no byte passes, in either direction, until the way is open again.
    Held,
    /// Every connection is reset, new ones too.
    Cut,
    /// Nobody listens: connections end, and new ones are refused.
    Refused,
}

impl Way {
    fn ends_connections(self) -> bool {
        matches!(self, Self::Cut | Self::Refused)
    }
}

/// A running relay.
pub(crate) struct Relay {
    // Its own also while it does not listen.
    port: Port,
    way: watch::Sender<Way>,
    _server: Task,
}

impl Relay {
    /// A relay to `target`, open.
    pub(crate) async fn before(target: SocketAddr) -> Self {
        Self::distant(target, Latency::none()).await
    }

    /// The same, but whatever a client sends (up to 64 KiB at a time) takes its time, each connection for itself.
    pub(crate) async fn distant(target: SocketAddr, latency: Latency) -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind(port.address()).await.expect("its own address");
        let way = watch::Sender::new(Way::Open);
        let server = Task::spawn(serve(listener, (target, latency), way.subscribe()));
        Self { port, way, _server: server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn serve(listener: TcpListener, target: (SocketAddr, Latency), mut way: watch::Receiver<Way>) {
    let address = listener.local_addr().expect("bound");
    let mut listener = Some(listener);
    loop {
        let _ = way.wait_for(|w| *w != Way::Refused).await;
        let listening = match listener.take() {
            Some(first) => first,
            None => TcpListener::bind(address).await.expect("its own address"),
        };
        let mut refused = way.clone();
        tokio::select! {
            () = accept(listening, &target, &way) => return,
            _ = refused.wait_for(|w| *w == Way::Refused) => {}
        }
    }
}

/// Dropped with all connections.
async fn accept(listener: TcpListener, target: &(SocketAddr, Latency), way: &watch::Receiver<Way>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connection(client, target.clone(), way.clone()));
    }
}

async fn connection(
    mut client: TcpStream,
    (target, latency): (SocketAddr, Latency),
    way: watch::Receiver<Way>,
) {
    let mut cut = way.clone();
    let relayed = async {
        let mut server = TcpStream::connect(target).await?;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let back = Latency::none();
        tokio::try_join!(
            copy(from_client, to_server, &latency, way.clone()),
            copy(from_server, to_client, &back, way.clone())
        )
    };
    tokio::select! {
        _ = relayed => {}
        _ = cut.wait_for(|w| w.ends_connections()) => {}
    }
    if cut.borrow().ends_connections() {
        let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    latency: &Latency,
    mut way: watch::Receiver<Way>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let _ = way.wait_for(|w| *w == Way::Open).await;
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        latency.pass().await;
        let _ = way.wait_for(|w| *w == Way::Open).await;
        to.write_all(&buffer[..count]).await?;
    }
}

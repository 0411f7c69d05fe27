//! Servers behind TLS that note what was asked of them and shown to them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, server};

use super::task::Task;
use super::tls::{Certificate, chain, first_name, key, provider};
use super::upstream::{Reply, Upstream};

/// What a server shows and wants.
#[derive(Clone)]
pub(crate) struct Showing {
    pub certificate: Certificate,
    /// Clients must show a certificate of this authority.
    pub clients: Option<String>,
    pub alpn: Vec<&'static str>,
}

impl Showing {
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(match &self.clients {
                None => WebPkiClientVerifier::no_client_auth(),
                Some(ca) => WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)), provider())
                    .build()
                    .expect("a verifier"),
            })
            .with_single_cert(chain(&self.certificate.pem), key(&self.certificate.key))
            .expect("a certificate");
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What a client asked for and showed, and what was agreed on.
pub(super) fn said(client: &server::TlsStream<TcpStream>) -> String {
    let connection = client.get_ref().1;
    let alpn = connection.alpn_protocol().map(String::from_utf8_lossy).unwrap_or_default();
    let shown = connection.peer_certificates().and_then(|chain| chain.first()).map(first_name);
    format!("sni={:?} alpn={alpn:?} client={shown:?}", connection.server_name().unwrap_or_default())
}

/// A server with TLS before an [`Upstream`]. The first request of each connection gets a header `x-tls` that tells what
/// was asked for and shown.
pub(crate) struct TlsUpstream {
    address: SocketAddr,
    pub inner: Upstream,
    _server: Task,
}

impl TlsUpstream {
    pub(crate) async fn answering(showing: Showing, reply: Reply) -> Self {
        let inner = Upstream::answering(reply).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = Task::spawn(serve(listener, showing.acceptor(), inner.address()));
        Self { address, inner, _server: server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn roots(pem: &str) -> RootCertStore {
    let mut store = RootCertStore::empty();
    chain(pem).into_iter().for_each(|one| store.add(one).expect("a CA"));
    store
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, to: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            // A client that refuses the certificate is not this server's trouble.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let _ = relay(stream, to).await;
        });
    }
}

async fn relay(mut client: server::TlsStream<TcpStream>, to: SocketAddr) -> io::Result<()> {
    let said = said(&client);
    let mut behind = TcpStream::connect(to).await?;
    let mut first = Vec::new();
    let end = loop {
        if let Some(end) = first.windows(2).position(|two| two == b"\r\n") {
            break end + 2;
        }
        if client.read_buf(&mut first).await? == 0 {
            return Ok(());
        }
    };
    behind.write_all(&first[..end]).await?;
    behind.write_all(format!("x-tls: {said}\r\n").as_bytes()).await?;
    behind.write_all(&first[end..]).await?;
    copy_bidirectional(&mut client, &mut behind).await.map(drop)
}

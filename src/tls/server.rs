//! Ends clients' TLS. Runs on the worker that has the connection.
//!
//! A listener may have several certificates: chains, chosen by the name that the client asks for (the most specific
//! first), and certificates in one chain. The client's first message is read before either is chosen.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::model::{ClientCertificates, ListenerTls, NamePattern, ServerTls};
use rustls::crypto::ring::Ticketer;
use rustls::server::{ClientHello, NoClientAuth, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, SignatureAlgorithm};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;

use super::{PeerCertificate, Stream, load, names, provider, verify};
use crate::limits;
use crate::stats::tls::TlsStats;

/// The first byte of TLS: a handshake record.
const HANDSHAKE: u8 = 22;

/// One listener's TLS.
#[derive(Debug)]
pub(crate) struct Server {
    chains: Vec<Chain>,
    plain: bool,
    timeout: Duration,
}

#[derive(Debug)]
struct Chain {
    names: Vec<NamePattern>,
    config: Arc<ServerConfig>,
    /// For clients that offer none of our protocols: as Envoy, no reason to turn them away.
    without_alpn: Arc<ServerConfig>,
    /// URIs of the first certificate: what the proxy is called in `x-forwarded-client-cert`.
    uris: Arc<[String]>,
}

/// A client's connection after its handshake.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    /// What is known of TLS; `None` for a plain connection.
    pub(crate) secured: Option<Rc<Secured>>,
}

/// A connection's TLS.
#[derive(Debug)]
pub(crate) struct Secured {
    /// The client's certificate, if it showed one.
    pub(crate) peer: Option<PeerCertificate>,
    /// URIs of the proxy's own certificate.
    pub(crate) own_uris: Arc<[String]>,
    /// The name that the client asked for.
    pub(crate) server_name: Option<Box<str>>,
    /// As OpenSSL calls it.
    pub(crate) version: Option<&'static str>,
}

impl Server {
    /// Loads what a listener needs.
    pub(super) fn load(tls: &ListenerTls, system: &Option<Arc<RootCertStore>>) -> anyhow::Result<Self> {
        let chains = tls.chains.iter().map(|chain| Chain::load(&chain.context, &chain.server_names, system));
        Ok(Self {
            chains: chains.collect::<anyhow::Result<_>>()?,
            plain: tls.plain,
            timeout: tls.handshake_timeout.unwrap_or(limits::CLIENT_HANDSHAKE),
        })
    }

    /// The chain for this name: exact, then the longest wildcard, then the one for all others.
    fn choose(&self, name: Option<&str>) -> Option<&Chain> {
        let name = name.map(str::to_ascii_lowercase);
        let specificity = |chain: &Chain| {
            let matching = chain.names.iter().filter_map(|pattern| match (pattern, &name) {
                (NamePattern::Exact(exact), Some(name)) if exact == name => Some(usize::MAX),
                (NamePattern::Suffix(rest), Some(name))
                    if name.len() > rest.len() && name.ends_with(rest) =>
                {
                    Some(rest.len())
                }
                _ => None,
            });
            matching.max().or_else(|| chain.names.is_empty().then_some(0))
        };
        let ranked = self.chains.iter().filter_map(|chain| Some((specificity(chain)?, chain)));
        ranked.max_by_key(|(rank, _)| *rank).map(|(_, chain)| chain)
    }

    /// The handshake. `None`: the connection is to be closed; why is counted.
    pub(crate) async fn accept(&self, stream: TcpStream, stats: &TlsStats) -> Option<Accepted> {
        match tokio::time::timeout(self.timeout, self.handshake(stream, stats)).await {
            Ok(accepted) => accepted,
            Err(_) => {
                stats.timeout.inc();
                None
            }
        }
    }

    async fn handshake(&self, stream: TcpStream, stats: &TlsStats) -> Option<Accepted> {
        if self.plain && !is_tls(&stream).await.ok()? {
            return Some(Accepted { stream: Stream::Plain(stream), secured: None });
        }
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await;
        let start = start.inspect_err(|_| stats.connection_error.inc()).ok()?;
        let hello = start.client_hello();
        let Some(chain) = self.choose(hello.server_name()) else {
            stats.no_filter_chain_match.inc();
            return None;
        };
        let ours = &chain.config.alpn_protocols;
        let common =
            hello.alpn().is_none_or(|mut theirs| theirs.any(|name| ours.iter().any(|our| our == name)));
        let config = Arc::clone(if common { &chain.config } else { &chain.without_alpn });
        let stream = match start.into_stream(config).into_fallible().await {
            Ok(stream) => stream,
            Err((error, socket)) => {
                count_failure(stats, &error);
                linger(socket).await;
                return None;
            }
        };
        let peer = PeerCertificate::read(stream.get_ref().1.peer_certificates());
        count_success(stats, stream.get_ref().1);
        let connection = stream.get_ref().1;
        let secured = Secured {
            peer,
            own_uris: Arc::clone(&chain.uris),
            server_name: connection.server_name().map(Into::into),
            version: connection.protocol_version().and_then(version_name),
        };
        Some(Accepted { stream: Stream::Tls(Box::new(stream.into())), secured: Some(Rc::new(secured)) })
    }
}

/// As OpenSSL calls it; others than these two are not spoken.
fn version_name(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// Whether the client begins TLS; waits for its first byte.
async fn is_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first == [HANDSHAKE])
}

/// The client may have sent its first request already: closed over that, the connection would be reset, and the alert
/// that says why be lost.
async fn linger(mut socket: TcpStream) {
    if socket.shutdown().await.is_err() {
        return;
    }
    let mut left = limits::LINGER_BYTES;
    let mut bytes = [0; 4096];
    let reading = async {
        while let Ok(read) = socket.read(&mut bytes).await {
            left = left.saturating_sub(read as u64);
            if read == 0 || left == 0 {
                return;
            }
        }
    };
    // Whoever goes on sending is cut off.
    let _ = tokio::time::timeout(limits::LINGER_TIME, reading).await;
}

impl Chain {
    fn load(
        tls: &ServerTls,
        names: &[NamePattern],
        system: &Option<Arc<RootCertStore>>,
    ) -> anyhow::Result<Self> {
        let provider = provider::provider(&tls.parameters);
        let certificates: Vec<Shown> = tls
            .certificates
            .iter()
            .map(|certificate| Ok(Shown::new(load::identity(certificate, &provider)?)))
            .collect::<anyhow::Result<_>>()?;
        let uris = certificates.first().map(|shown| shown.uris.clone()).unwrap_or_default();
        let clients = match &tls.clients {
            ClientCertificates::Ignored => None,
            ClientCertificates::Optional(verification) => Some((verification, false)),
            ClientCertificates::Required(verification) => Some((verification, true)),
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&provider::versions(&tls.parameters))?;
        let builder = match clients {
            Some((verification, required)) => {
                let verifier = verify::OfClient::new(verification, required, &provider, system)?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_client_cert_verifier(Arc::new(NoClientAuth)),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Certificates(certificates)));
        config.ignore_client_order = !tls.prefer_client_ciphers;
        if tls.resumption.tickets {
            config.ticketer = Ticketer::new()?;
        }
        if !tls.resumption.cache {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            if !tls.resumption.tickets {
                config.send_tls13_tickets = 0;
            }
        }
        let without_alpn = Arc::new(config.clone());
        config.alpn_protocols = tls.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self { names: names.to_vec(), config: Arc::new(config), without_alpn, uris: uris.into() })
    }
}

/// A certificate that clients are shown, with the names it is for.
#[derive(Debug)]
struct Shown {
    key: Arc<CertifiedKey>,
    /// In lower case.
    dns: Vec<String>,
    uris: Vec<String>,
}

impl Shown {
    fn new(key: CertifiedKey) -> Self {
        let read = PeerCertificate::read(Some(&key.cert));
        let (dns, uris) = read.map(|read| (read.dns, read.uris)).unwrap_or_default();
        let dns = dns.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { key: Arc::new(key), dns, uris }
    }
}

/// The certificates of one chain.
#[derive(Debug)]
struct Certificates(Vec<Shown>);

impl ResolvesServerCert for Certificates {
    /// The one for the name asked for that the client can verify, ECDSA before RSA; else the first that it can.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable = |shown: &&Shown| shown.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        let named = |shown: &&Shown, exactly: bool| {
            let covers = |name: &String| {
                asked
                    .as_ref()
                    .is_some_and(|asked| if exactly { name == asked } else { names::covers(name, asked) })
            };
            shown.dns.iter().any(covers)
        };
        let best = |exactly: bool| {
            let found = self.0.iter().filter(|shown| named(shown, exactly)).filter(usable);
            found.min_by_key(|shown| shown.key.key.algorithm() != SignatureAlgorithm::ECDSA)
        };
        let chosen = best(true).or_else(|| best(false)).or_else(|| self.0.iter().find(usable));
        chosen.or_else(|| self.0.first()).map(|shown| Arc::clone(&shown.key))
    }
}

fn count_success(stats: &TlsStats, connection: &ServerConnection) {
    stats.succeeded(connection);
    if connection.peer_certificates().is_none() {
        stats.no_certificate.inc();
    }
}

fn count_failure(stats: &TlsStats, error: &io::Error) {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    super::count_failure(stats, inner);
}

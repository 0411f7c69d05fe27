//! TLS on both sides of the proxy: authorities, certificates, a server that notes what was asked of it, a client that
//! notes what it was shown.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData as _, SanType,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector, server};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::http1::{Message, Wire};
use super::request::Request;
use super::task::Task;
use super::upstream::{Reply, Upstream};
use super::wait::within;

/// Who signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both PEM.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub pem: String,
    pub key: String,
    /// SHA-256 of the certificate in hexadecimal digits, and of its public key in base64, as Envoy wants them.
    pub hash: String,
    pub spki: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"),
        )
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// For these names: DNS, addresses, or URIs (with a `://`).
    pub(crate) fn issue(&self, names: &[&str]) -> Certificate {
        let (uris, others): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.contains("://"));
        let others: Vec<String> = others.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(others).expect("names");
        let uris = uris.into_iter().map(|uri| SanType::URI(uri.try_into().expect("an URI")));
        params.subject_alt_names.extend(uris);
        params.distinguished_name.push(DnType::CommonName, names[0]);
        params.distinguished_name.push(DnType::OrganizationName, "Tests, Inc.");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        let spki = sha256(&key.subject_public_key_info());
        Certificate {
            pem: certificate.pem(),
            key: key.serialize_pem(),
            hash: sha256(certificate.der()).iter().map(|byte| format!("{byte:02x}")).collect(),
            spki: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, spki),
        }
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    ::ring::digest::digest(&::ring::digest::SHA256, bytes).as_ref().to_vec()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(|one| one.expect("PEM")).collect()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key")
}

/// The first DNS name of a certificate.
fn first_name(certificate: &CertificateDer<'_>) -> String {
    let (_, certificate) = X509Certificate::from_der(certificate).expect("a certificate");
    let names = certificate.subject_alternative_name().expect("readable");
    let name = names.and_then(|names| names.value.general_names.first().map(ToString::to_string));
    name.unwrap_or_default()
}

/// A server with TLS before an [`Upstream`]. The first request of each connection gets a header `x-tls` that tells what
/// was asked for and shown.
pub(crate) struct TlsUpstream {
    address: SocketAddr,
    pub inner: Upstream,
    _server: Task,
}

/// What a server shows and wants.
#[derive(Clone)]
pub(crate) struct Showing {
    pub certificate: Certificate,
    /// Clients must show a certificate of this authority.
    pub clients: Option<String>,
    pub alpn: Vec<&'static str>,
}

impl TlsUpstream {
    pub(crate) async fn answering(showing: Showing, reply: Reply) -> Self {
        let inner = Upstream::answering(reply).await;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(match &showing.clients {
                None => WebPkiClientVerifier::no_client_auth(),
                Some(ca) => WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)), provider())
                    .build()
                    .expect("a verifier"),
            })
            .with_single_cert(chain(&showing.certificate.pem), key(&showing.certificate.key))
            .expect("a certificate");
        config.alpn_protocols = showing.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = Task::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), inner.address()));
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
    let said = {
        let connection = client.get_ref().1;
        let alpn = connection.alpn_protocol().map(String::from_utf8_lossy).unwrap_or_default();
        let shown = connection.peer_certificates().and_then(|chain| chain.first()).map(first_name);
        format!("sni={:?} alpn={alpn:?} client={shown:?}", connection.server_name().unwrap_or_default())
    };
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

/// A client that believes every certificate and remembers which it was shown.
#[derive(Clone, Default)]
pub(crate) struct TlsClient {
    /// Asked for; empty for none.
    name: String,
    certificate: Option<Certificate>,
    alpn: Vec<&'static str>,
    old: bool,
    new: bool,
    /// Kept, so that sessions can be resumed.
    config: Option<Arc<ClientConfig>>,
}

impl TlsClient {
    pub(crate) fn asking_for(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(crate) fn showing(self, certificate: &Certificate) -> Self {
        Self { certificate: Some(certificate.clone()), ..self }
    }

    pub(crate) fn offering(self, alpn: &[&'static str]) -> Self {
        Self { alpn: alpn.to_vec(), ..self }
    }

    /// TLS 1.2 only.
    pub(crate) fn old(self) -> Self {
        Self { old: true, ..self }
    }

    /// TLS 1.3 only.
    pub(crate) fn newest(self) -> Self {
        Self { new: true, ..self }
    }

    /// With one memory of sessions from here on.
    pub(crate) fn remembering(self) -> Self {
        Self { config: Some(self.config()), ..self }
    }

    fn config(&self) -> Arc<ClientConfig> {
        if let Some(config) = &self.config {
            return Arc::clone(config);
        }
        let versions: &[_] = match (self.old, self.new) {
            (true, _) => &[&version::TLS12],
            (_, true) => &[&version::TLS13],
            _ => &[&version::TLS12, &version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone));
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(own) => {
                builder.with_client_auth_cert(chain(&own.pem), key(&own.key)).expect("a certificate")
            }
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// One request on a new connection. The text tells which certificate was shown, and what was agreed on.
    pub(crate) async fn ask(&self, to: SocketAddr, request: &Request) -> io::Result<(String, Message)> {
        within("an exchange over TLS", self.exchange(to, request)).await
    }

    async fn exchange(&self, to: SocketAddr, request: &Request) -> io::Result<(String, Message)> {
        let name = match self.name.as_str() {
            "" => ServerName::from(to.ip()),
            name => ServerName::try_from(name.to_owned()).expect("a name"),
        };
        let stream = TcpStream::connect(to).await?;
        let mut stream = TlsConnector::from(self.config()).connect(name, stream).await?;
        let connection = stream.get_ref().1;
        let mut said = String::new();
        let shown = connection.peer_certificates().and_then(|chain| chain.first()).map(first_name);
        let _ = write!(said, "{}", shown.unwrap_or_default());
        if let Some(alpn) = connection.alpn_protocol() {
            let _ = write!(said, " {}", String::from_utf8_lossy(alpn));
        }
        let _ = write!(said, " {:?}", connection.protocol_version().expect("connected"));
        stream.write_all(&request.bytes()).await?;
        let answer = Wire::new(&mut stream).answer(false).await;
        answer.map(|answer| (said, answer)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Believes.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

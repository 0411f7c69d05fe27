//! TLS around the proxy: authorities, certificates, a client that notes what it was shown. Servers are in
//! [`tls_server`](super::tls_server).

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
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, version};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::http1::{Message, Wire};
use super::request::Request;
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

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(super) fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(|one| one.expect("PEM")).collect()
}

pub(super) fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key")
}

/// The first DNS name of a certificate.
pub(super) fn first_name(certificate: &CertificateDer<'_>) -> String {
    let (_, certificate) = X509Certificate::from_der(certificate).expect("a certificate");
    let names = certificate.subject_alternative_name().expect("readable");
    let name = names.and_then(|names| names.value.general_names.first().map(ToString::to_string));
    name.unwrap_or_default()
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

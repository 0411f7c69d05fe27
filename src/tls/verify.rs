//! Which certificates of the other side are believed: who signed them, for whom they are, which they are.

use std::collections::HashSet;
use std::sync::Arc;

use config::model::{Names, SubjectName, Trust, Verification};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::{load, names};

/// Who must have signed a certificate.
#[derive(Debug)]
struct Anchors {
    roots: Arc<RootCertStore>,
    /// The certificates themselves: one that is named as a CA is believed also when it is shown.
    named: HashSet<Vec<u8>>,
}

/// What both sides ask of a certificate.
#[derive(Debug)]
struct Policy {
    /// `None`: anyone.
    anchors: Option<Anchors>,
    /// `None`: for anyone.
    names: Option<Wanted>,
    certificate_hashes: Vec<[u8; 32]>,
    spki_hashes: Vec<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Wanted {
    /// The name asked for, or these where none was.
    Asked(Vec<ServerName<'static>>),
    Matching(Vec<SubjectName>),
}

impl Policy {
    fn new(
        verification: &Verification,
        hosts: Vec<ServerName<'static>>,
        provider: &Arc<CryptoProvider>,
        system: &Option<Arc<RootCertStore>>,
    ) -> anyhow::Result<Self> {
        let anchors = match &verification.trust {
            Trust::Anyone => None,
            Trust::System => {
                let roots = system.clone().unwrap_or_else(|| Arc::new(RootCertStore::empty()));
                Some(Anchors { roots, named: HashSet::new() })
            }
            Trust::Ca(source) => {
                let certificates = load::certificates(source)?;
                let roots = load::roots(&certificates, &load::name_of(source))?;
                let named = certificates.iter().map(|certificate| certificate.to_vec()).collect();
                Some(Anchors { roots, named })
            }
        };
        let names = match &verification.names {
            Names::Any => None,
            Names::Asked => Some(Wanted::Asked(hosts)),
            Names::Matching(names) => Some(Wanted::Matching(names.clone())),
        };
        Ok(Self {
            anchors,
            names,
            certificate_hashes: verification.certificate_hashes.clone(),
            spki_hashes: verification.spki_hashes.clone(),
            provider: Arc::clone(provider),
        })
    }

    /// One of the pinned certificates or keys, if any is.
    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.certificate_hashes.is_empty() && self.spki_hashes.is_empty() {
            return Ok(());
        }
        if self.certificate_hashes.contains(&super::peer::sha256(certificate)) {
            return Ok(());
        }
        let parsed = parse(certificate)?;
        if self.spki_hashes.contains(&super::peer::sha256(parsed.public_key().raw)) {
            return Ok(());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    /// Whether the names are among those listed; a name that was asked for is checked elsewhere.
    fn matches(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let Some(Wanted::Matching(wanted)) = &self.names else { return Ok(()) };
        if names::any_matches(wanted, &names::subject_names(&parse(certificate)?)) {
            return Ok(());
        }
        Err(CertificateError::NotValidForName.into())
    }

    /// A certificate that is itself named as a CA needs no signature of another, but it must not have expired.
    fn is_named(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        let named = self.anchors.as_ref().is_some_and(|anchors| anchors.named.contains(certificate.as_ref()));
        if named {
            let validity = parse(certificate)?.validity().clone();
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            if now > validity.not_after.timestamp() {
                return Err(CertificateError::Expired.into());
            }
            if now < validity.not_before.timestamp() {
                return Err(CertificateError::NotValidYet.into());
            }
        }
        Ok(named)
    }

    fn tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| Error::from(CertificateError::BadEncoding))?;
    Ok(parsed)
}

/// Judges a cluster's certificate.
#[derive(Debug)]
pub(super) struct OfCluster(Policy);

impl OfCluster {
    /// `hosts` are the cluster's own, for where no name is asked for. `system` are its CAs, if anything needs them.
    pub(super) fn new(
        verification: &Verification,
        hosts: Vec<ServerName<'static>>,
        provider: &Arc<CryptoProvider>,
        system: &Option<Arc<RootCertStore>>,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self(Policy::new(verification, hosts, provider, system)?)))
    }

    fn name(&self, certificate: &ParsedCertificate<'_>, asked: &ServerName<'_>) -> Result<(), Error> {
        let Some(Wanted::Asked(hosts)) = &self.0.names else { return Ok(()) };
        let verdict = verify_server_name(certificate, asked);
        // Without a name to ask for, the address stands in its place.
        let by_address = matches!(asked, ServerName::IpAddress(_));
        if verdict.is_err()
            && by_address
            && hosts.iter().any(|host| verify_server_name(certificate, host).is_ok())
        {
            return Ok(());
        }
        verdict
    }
}

impl ServerCertVerifier for OfCluster {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let policy = &self.0;
        if let Some(anchors) = &policy.anchors {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            if !policy.is_named(end_entity, now)? {
                let algorithms = policy.provider.signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(
                    &parsed,
                    &anchors.roots,
                    intermediates,
                    now,
                    algorithms,
                )?;
            }
            self.name(&parsed, server_name)?;
        }
        policy.matches(end_entity)?;
        policy.is_pinned(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.schemes()
    }
}

/// Judges a client's certificate.
#[derive(Debug)]
pub(super) struct OfClient {
    policy: Policy,
    /// Judges signatures; `None`: anyone's will do.
    chain: Option<Arc<dyn ClientCertVerifier>>,
    required: bool,
}

impl OfClient {
    pub(super) fn new(
        verification: &Verification,
        required: bool,
        provider: &Arc<CryptoProvider>,
        system: &Option<Arc<RootCertStore>>,
    ) -> anyhow::Result<Arc<Self>> {
        let policy = Policy::new(verification, Vec::new(), provider, system)?;
        let chain = match &policy.anchors {
            None => None,
            Some(anchors) => {
                let roots = Arc::clone(&anchors.roots);
                let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
                Some(builder.allow_unauthenticated().build()?)
            }
        };
        Ok(Arc::new(Self { policy, chain, required }))
    }
}

impl ClientCertVerifier for OfClient {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.as_ref().map_or(&[], |chain| chain.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain
            && !self.policy.is_named(end_entity, now)?
        {
            chain.verify_client_cert(end_entity, intermediates, now)?;
        }
        self.policy.matches(end_entity)?;
        self.policy.is_pinned(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.policy.tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.policy.tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.policy.schemes()
    }
}

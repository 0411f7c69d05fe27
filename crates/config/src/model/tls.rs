//! TLS of listeners and clusters: which certificates are shown, which are believed.
//!
//! Files are named here, not read: the program reads them at its start and whenever they change.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where certificates or keys come from, always as PEM.
#[derive(Clone, PartialEq, Eq)]
pub enum DataSource {
    /// A file, watched for changes. Relative to the directory the proxy is started in.
    File(PathBuf),
    /// Written in the configuration.
    Inline(Arc<[u8]>),
    /// An environment variable, read once.
    Environment(String),
}

/// Leaves out what is inline: it may be a private key.
impl fmt::Debug for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(bytes) => f.debug_tuple("Inline").field(&bytes.len()).finish(),
            Self::Environment(name) => f.debug_tuple("Environment").field(name).finish(),
        }
    }
}

/// A certificate with its chain, leaf first, and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// PEM certificates.
    pub chain: DataSource,
    /// One PEM private key.
    pub key: DataSource,
}

/// TLS of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// Chosen by the name that the client asks for (SNI), the most specific first. At least one.
    pub chains: Vec<TlsChain>,
    /// Clients that speak plain HTTP are served too.
    pub plain: bool,
    /// Longest time for a handshake; `None` takes the program's own bound.
    pub handshake_timeout: Option<Duration>,
}

impl ListenerTls {
    /// Whether nobody is served without a certificate.
    #[must_use]
    pub fn requires_certificate(&self) -> bool {
        let required = |chain: &TlsChain| matches!(chain.context.clients, ClientCertificates::Required(_));
        !self.plain && self.chains.iter().all(required)
    }
}

/// Envoy's filter chain, as far as chains of one listener may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsChain {
    /// For which names. Empty: for every other.
    pub server_names: Vec<NamePattern>,
    /// What clients are shown and asked for.
    pub context: ServerTls,
}

/// One entry of `filter_chain_match.server_names`, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NamePattern {
    /// `mimir.example`
    Exact(String),
    /// `*.example`: what follows the star (`.example`); the star stands for one label or more.
    Suffix(String),
}

/// The proxy's side of its clients' TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The first whose names hold the one asked for, else the first of all. At least one.
    pub certificates: Vec<Certificate>,
    /// Whether clients show certificates.
    pub clients: ClientCertificates,
    /// Protocols in the order of preference; empty offers none.
    pub alpn: Vec<String>,
    /// Versions and algorithms.
    pub parameters: TlsParameters,
    /// Sessions may be resumed.
    pub resumption: Resumption,
    /// Of the cipher suites that both have, the client's preference counts.
    pub prefer_client_ciphers: bool,
}

/// How clients may resume a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumption {
    /// With a ticket that they keep.
    pub tickets: bool,
    /// From the proxy's memory.
    pub cache: bool,
}

/// Whether clients show certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for any.
    Ignored,
    /// One that is shown must pass.
    Optional(Verification),
    /// None passes without.
    Required(Verification),
}

/// The proxy's side of its connections to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTls {
    /// The name that is asked for (SNI).
    pub server_name: ServerName,
    /// What the cluster's certificate must be.
    pub verification: Verification,
    /// Shown if the cluster asks.
    pub certificate: Option<Certificate>,
    /// Protocols offered; empty offers none.
    pub alpn: Vec<String>,
    /// Versions and algorithms.
    pub parameters: TlsParameters,
}

/// The name that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerName {
    /// None.
    None,
    /// This one.
    Literal(String),
    /// The `Host` that the request carries to the cluster (`auto_sni`).
    Host,
}

/// What a peer's certificate must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Who must have signed it.
    pub trust: Trust,
    /// For whom it must be.
    pub names: Names,
    /// SHA-256 of the certificate, of which one must be it. With `spki`: one of both lists. Empty: any.
    pub certificate_hashes: Vec<[u8; 32]>,
    /// SHA-256 of its public key (SubjectPublicKeyInfo).
    pub spki_hashes: Vec<[u8; 32]>,
}

impl Verification {
    /// Whether more is asked for than a signature.
    #[must_use]
    pub fn is_specific(&self) -> bool {
        let pinned = !(self.certificate_hashes.is_empty() && self.spki_hashes.is_empty());
        pinned || matches!(self.names, Names::Matching(_))
    }
}

/// Who must have signed a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Whom the system trusts.
    System,
    /// These.
    Ca(DataSource),
    /// Anyone.
    Anyone,
}

/// For whom a certificate must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// For anyone.
    Any,
    /// For the name that was asked for; where none was, for a host of the cluster.
    Asked,
    /// For one of these.
    Matching(Vec<SubjectName>),
}

/// One of `match_typed_subject_alt_names`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectName {
    /// `None`: of any kind.
    pub kind: Option<SubjectNameKind>,
    /// How the name must be.
    pub matcher: NameMatch,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
}

/// Kinds of subject alternative names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the standard")]
pub enum SubjectNameKind {
    Dns,
    Uri,
    Email,
    IpAddress,
}

/// How a name must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameMatch {
    /// Exactly so; a wildcard name of the certificate covers it.
    Exact(String),
    /// It begins so.
    Prefix(String),
    /// It ends so.
    Suffix(String),
    /// It holds this.
    Contains(String),
}

/// Versions and algorithms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsParameters {
    /// The least version; `None` is 1.2.
    pub min: Option<TlsVersion>,
    /// The highest version; `None` is 1.3.
    pub max: Option<TlsVersion>,
    /// Of TLS 1.2, by their OpenSSL names, out of [`CIPHER_SUITES`]. Empty: all.
    pub cipher_suites: Vec<&'static str>,
    /// Key exchange, out of [`CURVES`]. Empty: all.
    pub curves: Vec<&'static str>,
}

/// HCM `forward_client_cert_details`: what becomes of `x-forwarded-client-cert`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ForwardClientCert {
    /// It is removed (the default).
    #[default]
    Sanitize,
    /// It is passed on where the client showed a certificate.
    Forward,
    /// So it is, and what the proxy saw is added.
    Append(ClientCertDetails),
    /// It says what the proxy saw.
    Set(ClientCertDetails),
    /// It is passed on.
    AlwaysForward,
}

/// HCM `set_current_client_cert_details`: what is said beside the certificate's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "Envoy's five switches")]
pub struct ClientCertDetails {
    /// Its subject.
    pub subject: bool,
    /// The certificate itself.
    pub cert: bool,
    /// With its chain.
    pub chain: bool,
    /// Its DNS names.
    pub dns: bool,
    /// Its URIs.
    pub uri: bool,
}

/// What `TlsParameters::cipher_suites` may hold.
pub const CIPHER_SUITES: [&str; 6] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
];

/// What `TlsParameters::curves` may hold.
pub const CURVES: [&str; 3] = ["X25519", "P-256", "P-384"];

/// Versions that this program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2
    V1_2,
    /// TLS 1.3
    V1_3,
}

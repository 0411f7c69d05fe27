//! What the certificates in use say of themselves, for `/certs` and the day the first of them expires.

use config::model::{
    ClientCertificates, ClusterTls, DataSource, ListenerTls, SubjectNameKind, Trust, Verification,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::{load, names};

/// The certificates of one context.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    /// CAs; Envoy lists the first of a file.
    pub(crate) ca: Vec<Described>,
    /// What is shown to the other side, leaves only.
    pub(crate) shown: Vec<Described>,
}

/// One certificate.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    /// The file, or where else it stands.
    pub(crate) path: String,
    /// In hexadecimal digits.
    pub(crate) serial: String,
    /// In the order of the certificate.
    pub(crate) names: Vec<(SubjectNameKind, String)>,
    /// In seconds since 1970.
    pub(crate) valid_from: i64,
    /// In seconds since 1970.
    pub(crate) expires: i64,
}

impl Described {
    /// Whole days from `now` (seconds since 1970); 0 once it has expired.
    pub(crate) fn days_left(&self, now: i64) -> u64 {
        u64::try_from(self.expires - now).unwrap_or(0) / (24 * 60 * 60)
    }
}

/// Of a listener, by chain.
pub(super) fn listener(tls: &ListenerTls) -> Vec<Context> {
    let context = |chain: &config::model::TlsChain| {
        let verification = match &chain.context.clients {
            ClientCertificates::Ignored => None,
            ClientCertificates::Optional(verification) | ClientCertificates::Required(verification) => {
                Some(verification)
            }
        };
        let shown = chain.context.certificates.iter().filter_map(|certificate| first(&certificate.chain));
        Context { ca: ca(verification), shown: shown.collect() }
    };
    tls.chains.iter().map(context).collect()
}

/// Of a cluster.
pub(super) fn cluster(tls: &ClusterTls) -> Context {
    let shown = tls.certificate.iter().filter_map(|certificate| first(&certificate.chain));
    Context { ca: ca(Some(&tls.verification)), shown: shown.collect() }
}

fn ca(verification: Option<&Verification>) -> Vec<Described> {
    match verification.map(|verification| &verification.trust) {
        Some(Trust::Ca(source)) => first(source).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn first(source: &DataSource) -> Option<Described> {
    let certificates = load::certificates(source).ok()?;
    let (_, certificate) = X509Certificate::from_der(certificates.first()?).ok()?;
    let serial = super::peer::hex(certificate.raw_serial());
    let serial = serial.trim_start_matches('0');
    let validity = certificate.validity();
    Some(Described {
        path: load::name_of(source),
        serial: if serial.is_empty() { "0".to_owned() } else { serial.to_owned() },
        names: names::subject_names(&certificate),
        valid_from: validity.not_before.timestamp(),
        expires: validity.not_after.timestamp(),
    })
}

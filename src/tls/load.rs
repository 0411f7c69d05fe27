//! Reading certificates and keys, and noticing that they have changed.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use config::model::{Certificate, DataSource};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A file of certificates may not be larger: the system's bundle of all CAs has 200 KiB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The files that data sources name.
pub(super) fn files<'a>(sources: impl Iterator<Item = &'a DataSource>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = sources
        .filter_map(|source| match source {
            DataSource::File(path) => Some(path.clone()),
            DataSource::Inline(_) | DataSource::Environment(_) => None,
        })
        .collect();
    files.dedup();
    files
}

/// What `/certs` and messages call a source.
pub(super) fn name_of(source: &DataSource) -> String {
    match source {
        DataSource::File(path) => path.display().to_string(),
        DataSource::Inline(_) => "<inline>".to_owned(),
        DataSource::Environment(name) => format!("<environment variable {name}>"),
    }
}

fn read(source: &DataSource) -> anyhow::Result<Vec<u8>> {
    match source {
        DataSource::File(path) => {
            let size =
                std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
            if size > FILE_BYTES_MAX {
                bail!("{} is larger than 4 MiB", path.display());
            }
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
        }
        DataSource::Inline(bytes) => Ok(bytes.to_vec()),
        DataSource::Environment(name) => {
            let value = std::env::var(name).with_context(|| format!("the environment variable {name}"))?;
            Ok(value.into_bytes())
        }
    }
}

/// All certificates of a source, in its order. At least one.
pub(super) fn certificates(source: &DataSource) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let name = name_of(source);
    let pem = read(source)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.with_context(|| format!("{name} is not PEM"))?;
    if found.is_empty() {
        bail!("{name} holds no certificate: it must begin with `-----BEGIN CERTIFICATE-----`");
    }
    Ok(found)
}

/// A certificate with the key that belongs to it.
pub(super) fn identity(certificate: &Certificate, provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
    let chain = certificates(&certificate.chain)?;
    let name = name_of(&certificate.key);
    let pem = read(&certificate.key)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let encrypted = pem.windows(9).any(|window| window == b"ENCRYPTED");
        let why =
            if encrypted { "is encrypted: decrypt it (`openssl pkey`)" } else { "holds no private key" };
        anyhow::anyhow!("{name} {why}")
    })?;
    let key =
        provider.key_provider.load_private_key(key).with_context(|| format!("{name} cannot be used"))?;
    let identity = CertifiedKey::new(chain, key);
    match identity.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(identity),
        Err(_) => bail!("the key {name} does not belong to the certificate {}", name_of(&certificate.chain)),
    }
}

/// The CAs of these certificates.
pub(super) fn roots(
    certificates: &[CertificateDer<'static>],
    name: &str,
) -> anyhow::Result<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        let added = store.add(certificate.clone());
        added.with_context(|| format!("certificate {} of {name} cannot be used as a CA", index + 1))?;
    }
    Ok(Arc::new(store))
}

/// The CAs that the system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` say otherwise where they are set.
pub(super) fn system_roots() -> anyhow::Result<Arc<RootCertStore>> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        bail!(
            "the system has no trusted CAs{why}; install its package (ca-certificates), set SSL_CERT_FILE, or name \
             the CA in the configuration (`trusted_ca`, native `tls: {{ca: ...}}`)"
        );
    }
    Ok(Arc::new(store))
}

//! A certificate for the listener, made for each run, and the client's trust in it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::proc;

/// The name that clients ask for.
pub(super) const NAME: &str = "mimir.example";

/// Files in PEM.
pub(super) struct Certificate {
    pub(super) chain: PathBuf,
    key: PathBuf,
}

impl Certificate {
    /// Makes one, ECDSA P-256 as most issuers give out, under target/.
    pub(super) fn make() -> Result<Self> {
        let folder = proc::target_folder()?.join("bench");
        fs::create_dir_all(&folder)?;
        let made =
            rcgen::generate_simple_self_signed([NAME.to_owned()]).context("cannot make a certificate")?;
        let certificate = Self { chain: folder.join("certificate.pem"), key: folder.join("key.pem") };
        fs::write(&certificate.chain, made.cert.pem())?;
        fs::write(&certificate.key, made.signing_key.serialize_pem())?;
        Ok(certificate)
    }

    /// The filter chain's field, up to its next one.
    pub(super) fn transport_socket(&self) -> String {
        let (chain, key) = (self.chain.display(), self.key.display());
        let certificate = format!(
            "{{ certificate_chain: {{ filename: '{chain}' }}, private_key: {{ filename: '{key}' }} }}"
        );
        let kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
        format!(
            "transport_socket: {{ name: envoy.transport_sockets.tls, typed_config: {{ '@type': {kind}, \
             common_tls_context: {{ tls_certificates: [{certificate}] }} }} }}\n          "
        )
    }
}

//! Which algorithms are used: ring's, or those of them that the configuration names.

use std::sync::Arc;

use config::model::{TlsParameters, TlsVersion};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::{CipherSuite, NamedGroup, SupportedCipherSuite, SupportedProtocolVersion, version};

/// Cipher suites with the names of OpenSSL, as Envoy counts them.
pub(crate) const SUITES: [(CipherSuite, &str); 9] = [
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"),
];

/// Curves with the names that Envoy counts them by.
pub(crate) const GROUPS: [(NamedGroup, &str); 3] =
    [(NamedGroup::X25519, "X25519"), (NamedGroup::secp256r1, "P-256"), (NamedGroup::secp384r1, "P-384")];

/// ring with the suites and curves of a context, in its order.
pub(super) fn provider(parameters: &TlsParameters) -> Arc<CryptoProvider> {
    let all = ring::default_provider();
    let suites = chosen_suites(&all.cipher_suites, &parameters.cipher_suites);
    let groups = chosen_groups(&all.kx_groups, &parameters.curves);
    Arc::new(CryptoProvider { cipher_suites: suites, kx_groups: groups, ..all })
}

/// TLS 1.3's suites cannot be chosen, as in Envoy.
fn chosen_suites(all: &[SupportedCipherSuite], names: &[&str]) -> Vec<SupportedCipherSuite> {
    if names.is_empty() {
        return all.to_vec();
    }
    let new = all.iter().filter(|suite| suite.tls13().is_some());
    let id = |name: &&str| SUITES.iter().find(|(_, known)| known == name).map(|(id, _)| *id);
    let ids = names.iter().filter_map(id);
    let old = ids.filter_map(|id| all.iter().find(|suite| suite.suite() == id));
    new.chain(old).copied().collect()
}

fn chosen_groups(
    all: &[&'static dyn SupportedKxGroup],
    names: &[&str],
) -> Vec<&'static dyn SupportedKxGroup> {
    if names.is_empty() {
        return all.to_vec();
    }
    let id = |name: &&str| GROUPS.iter().find(|(_, known)| known == name).map(|(id, _)| *id);
    let ids = names.iter().filter_map(id);
    ids.filter_map(|id| all.iter().find(|group| group.name() == id)).copied().collect()
}

/// The versions of a context.
pub(super) fn versions(parameters: &TlsParameters) -> Vec<&'static SupportedProtocolVersion> {
    let min = parameters.min.unwrap_or(TlsVersion::V1_2);
    let max = parameters.max.unwrap_or(TlsVersion::V1_3);
    [(TlsVersion::V1_2, &version::TLS12), (TlsVersion::V1_3, &version::TLS13)]
        .into_iter()
        .filter(|(version, _)| (min..=max).contains(version))
        .map(|(_, version)| version)
        .collect()
}

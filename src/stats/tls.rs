//! Envoy's `ssl.*` of a listener or a cluster.

use super::counter::{Counter, Gauge};

/// Handshakes and how they ended.
#[derive(Debug, Default)]
pub(crate) struct TlsStats {
    /// Connections with TLS, open now and ever; of listeners.
    pub(crate) cx_active: Gauge,
    pub(crate) cx_total: Counter,
    pub(crate) handshake: Counter,
    pub(crate) session_reused: Counter,
    /// Failed for another reason than a certificate.
    pub(crate) connection_error: Counter,
    /// The other side showed none, and need not.
    pub(crate) no_certificate: Counter,
    pub(crate) fail_verify_no_cert: Counter,
    pub(crate) fail_verify_error: Counter,
    pub(crate) fail_verify_san: Counter,
    pub(crate) fail_verify_cert_hash: Counter,
    /// No certificate for the name that was asked for; of listeners.
    pub(crate) no_filter_chain_match: Counter,
    /// Handshakes that took too long; of listeners.
    pub(crate) timeout: Counter,
    /// 1.2 and 1.3.
    pub(crate) versions: [Counter; 2],
    /// In the order of `tls::SUITES`.
    pub(crate) ciphers: [Counter; 9],
    /// In the order of `tls::GROUPS`.
    pub(crate) curves: [Counter; 3],
}

//! Messages of TLS.

use super::{NO_XDS, REMOVE, group};
use crate::read::Unsupported;

pub(super) const IN_PLACE: &str = "write `tls_certificates` and `validation_context` in place: files are watched, new \
     certificates are used as soon as they are there";

pub(in crate::envoy) const UPSTREAM_TLS: &[Unsupported] =
    &[group("auto_host_sni", "", "write the name as `sni`")];

pub(in crate::envoy) const UPSTREAM_HTTP: &[Unsupported] =
    &[group("override_auto_sni_header", "the name is that of `Host`", REMOVE)];

pub(in crate::envoy) const DOWNSTREAM_TLS: &[Unsupported] = &[
    group(
        "session_ticket_keys session_ticket_keys_sds_secret_config",
        "each process makes keys of its own",
        "remove it; clients that meet another process make a full handshake",
    ),
    group("ocsp_staple_policy", "OCSP staples are not sent", REMOVE),
];

pub(in crate::envoy) const COMMON_TLS: &[Unsupported] = &[
    group(
        "tls_certificate_sds_secret_configs validation_context_sds_secret_config combined_validation_context \
         tls_certificate_certificate_provider tls_certificate_certificate_provider_instance \
         tls_certificate_provider_instance validation_context_certificate_provider \
         validation_context_certificate_provider_instance combined_validation_context_certificate_provider",
        NO_XDS,
        IN_PLACE,
    ),
    group("custom_tls_certificate_selector custom_handshaker", "", REMOVE),
    group("key_log", "keys of sessions are never written", REMOVE),
];

pub(in crate::envoy) const TLS_CERTIFICATE: &[Unsupported] = &[
    group("pkcs12", "", "write `certificate_chain` and `private_key` as PEM (`openssl pkcs12 -nodes`)"),
    group("password", "", "decrypt the key (`openssl pkey`) and restrict who may read the file"),
    group("private_key_provider", "", "write `private_key`"),
    group("ocsp_staple signed_certificate_timestamp", "", REMOVE),
    group("tls_params", "", "write `tls_params` in `common_tls_context`"),
];

pub(in crate::envoy) const VALIDATION_CONTEXT: &[Unsupported] = &[
    group("ca_certificate_provider_instance", NO_XDS, "write `trusted_ca`"),
    group(
        "crl only_verify_leaf_cert_crl",
        "revocation lists are not read",
        "remove it; use certificates that live for a short time",
    ),
    group("allow_expired_certificate", "expired certificates are never accepted", "renew the certificate"),
    group(
        "require_signed_certificate_timestamp custom_validator_config max_verify_depth suppress_client_ca_list",
        "",
        REMOVE,
    ),
];

pub(in crate::envoy) const TLS_PARAMETERS: &[Unsupported] =
    &[group("signature_algorithms compliance_policies", "", REMOVE)];

pub(in crate::envoy) const SAN_MATCHER: &[Unsupported] =
    &[group("oid", "`OTHER_NAME` is not supported", REMOVE)];

pub(in crate::envoy) const SAN_TEXT: &[Unsupported] =
    &[group("safe_regex custom regex", "", "write `exact`, `prefix`, `suffix` or `contains`")];

pub(in crate::envoy) const FILTER_CHAIN_MATCH: &[Unsupported] = &[
    group(
        "destination_port prefix_ranges address_suffix suffix_len direct_source_prefix_ranges source_type \
         source_prefix_ranges source_ports",
        "chains are told apart by the server's name alone",
        "write a listener of its own for it",
    ),
    group("application_protocols", "HTTP/1.1 and HTTP/2 are served by one chain", REMOVE),
];

pub(in crate::envoy) const LISTENER_FILTER: &[Unsupported] =
    &[group("config_discovery", NO_XDS, "write `typed_config`"), group("filter_disabled", "", REMOVE)];

pub(in crate::envoy) const TLS_INSPECTOR: &[Unsupported] = &[group(
    "enable_ja3_fingerprinting enable_ja4_fingerprinting close_connection_on_client_hello_parsing_errors",
    "",
    REMOVE,
)];

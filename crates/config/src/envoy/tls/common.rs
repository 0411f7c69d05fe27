//! `common_tls_context`: what both sides of TLS have.

use crate::model::{Certificate, TlsParameters, Verification};
use crate::read::{Field, Object};

use super::{certificate, parameters, validation};
use crate::envoy::unsupported;

/// A decoded `common_tls_context`.
pub(super) struct Common {
    pub(super) certificates: Vec<Certificate>,
    /// `None` without a `validation_context`, or with an empty one.
    pub(super) verification: Option<Verification>,
    pub(super) alpn: Vec<String>,
    pub(super) parameters: TlsParameters,
}

/// Whose certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// A cluster's.
    Client,
    /// Clients'.
    Server,
}

/// Reads it from a context; absent is empty, as for any proto3 message.
pub(super) fn read(object: &mut Object<'_>, side: Side) -> Option<Common> {
    let Some(field) = object.take("common_tls_context") else {
        return Some(Common {
            certificates: Vec::new(),
            verification: None,
            alpn: Vec::new(),
            parameters: TlsParameters::default(),
        });
    };
    let mut object = field.object()?;
    let certificates = object.take("tls_certificates").map(|field| field.list()).unwrap_or_default();
    let certificates: Vec<_> = certificates.iter().map(certificate::decode).collect();
    let verification = match object.take("validation_context") {
        Some(field) => validation::decode(&field, side)?,
        None => None,
    };
    let parameters = match object.take("tls_params") {
        Some(field) => parameters::decode(&field)?,
        None => TlsParameters::default(),
    };
    let alpn = object.take("alpn_protocols").map_or(Some(Vec::new()), |field| alpn(&field));
    object.finish(unsupported::COMMON_TLS);
    Some(Common {
        certificates: certificates.into_iter().collect::<Option<_>>()?,
        verification,
        alpn: alpn?,
        parameters,
    })
}

/// What is spoken here: `h2` and `http/1.1`.
fn alpn(field: &Field<'_>) -> Option<Vec<String>> {
    let mut protocols = Vec::new();
    for field in field.list() {
        match field.text()? {
            // Envoy allows several in one string.
            text if text.split(',').all(|name| matches!(name, "h2" | "http/1.1")) => {
                protocols.extend(text.split(',').map(str::to_owned));
            }
            text => {
                return field.refuse(
                    format!("`{}` is not spoken here", text.escape_debug()),
                    "write `h2`, `http/1.1` or both",
                );
            }
        }
    }
    Some(protocols)
}

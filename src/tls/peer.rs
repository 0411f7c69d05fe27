//! What a client's certificate says, for `x-forwarded-client-cert`.

use std::fmt::Write as _;

use config::model::SubjectNameKind;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use super::names::subject_names;

/// Short names of attributes, as OpenSSL prints them.
const ATTRIBUTES: [(&str, &str); 10] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A client's certificate, read once for its connection.
#[derive(Debug)]
pub(crate) struct PeerCertificate {
    /// The chain as the client sent it, leaf first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// SHA-256 of the leaf, in hexadecimal digits.
    pub(crate) hash: String,
    /// The leaf's subject as RFC 2253 writes it.
    pub(crate) subject: String,
    /// Its URIs.
    pub(crate) uris: Vec<String>,
    /// Its DNS names.
    pub(crate) dns: Vec<String>,
}

impl PeerCertificate {
    /// `None` without a certificate, or with one that cannot be read.
    pub(super) fn read(chain: Option<&[CertificateDer<'static>]>) -> Option<Self> {
        let chain = chain?;
        let leaf = chain.first()?;
        let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
        let names = subject_names(&certificate);
        let of = |wanted| {
            let named = names.iter().filter(move |(kind, _)| *kind == wanted);
            named.map(|(_, name)| name.clone()).collect()
        };
        Some(Self {
            hash: hex(&sha256(leaf)),
            subject: rfc2253(certificate.subject()),
            uris: of(SubjectNameKind::Uri),
            dns: of(SubjectNameKind::Dns),
            chain: chain.to_vec(),
        })
    }
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The last attribute first, values escaped.
fn rfc2253(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|rdn| {
            let attributes = rdn.iter().map(|attribute| {
                let oid = attribute.attr_type().to_id_string();
                let short =
                    ATTRIBUTES.iter().find(|(id, _)| *id == oid).map_or(oid.as_str(), |(_, name)| name);
                format!("{short}={}", escaped(attribute.as_str().unwrap_or_default()))
            });
            attributes.collect::<Vec<_>>().join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn escaped(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let mut text = String::new();
    for (at, byte) in value.bytes().enumerate() {
        let edge = (byte == b' ' && (at == 0 || at == last)) || (byte == b'#' && at == 0);
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            _ if edge => {
                text.push('\\');
                text.push(char::from(byte));
            }
            0..0x20 | 0x7f.. => {
                let _ = write!(text, "\\{byte:02X}");
            }
            _ => text.push(char::from(byte)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_rfc_2253_says() {
        assert_eq!(escaped("a, \"b\""), "a\\, \\\"b\\\"");
        assert_eq!(escaped(" # "), "\\ #\\ ");
        assert_eq!(escaped("#é\n"), "\\#\\C3\\A9\\0A");
    }

    #[test]
    fn hashes_are_those_of_sha_256() {
        assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

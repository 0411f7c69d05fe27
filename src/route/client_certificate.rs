//! `x-forwarded-client-cert`: what the primary learns of the client's certificate. Only from an Envoy file.

use config::model::{ClientCertDetails, ForwardClientCert};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::tls::{PeerCertificate, Secured};

const NAME: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// PEM in a header: what a URL may hold stays.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Removes, keeps or sets the header, as the connection manager says.
pub(super) fn forward(headers: &mut HeaderMap, how: &ForwardClientCert, secured: Option<&Secured>) {
    let certificate = secured.and_then(|secured| Some((secured, secured.peer.as_ref()?)));
    let (details, appends) = match (how, &certificate) {
        (ForwardClientCert::AlwaysForward, _) | (ForwardClientCert::Forward, Some(_)) => return,
        (ForwardClientCert::Set(details), Some(_)) => (details, false),
        (ForwardClientCert::Append(details), Some(_)) => (details, true),
        (_, _) => {
            if headers.contains_key(NAME) {
                // Not `remove`, which would reorder the others.
                without(headers);
            }
            return;
        }
    };
    let Some((secured, peer)) = certificate else { return };
    let mut text = element(details, secured, peer);
    if appends {
        let before = headers.get_all(NAME).iter().filter_map(|value| value.to_str().ok());
        let before = before.collect::<Vec<_>>().join(",");
        if !before.is_empty() {
            text = format!("{before},{text}");
        }
    }
    // A name in a certificate may hold what a header cannot: then nothing is better than half.
    match HeaderValue::from_str(&text) {
        Ok(value) => drop(headers.insert(NAME, value)),
        Err(_) => without(headers),
    }
}

/// Removes it and keeps the others in their order.
fn without(headers: &mut HeaderMap) {
    super::headers::rebuild(headers, |other, _| *other == NAME);
}

fn element(details: &ClientCertDetails, secured: &Secured, peer: &PeerCertificate) -> String {
    let mut parts: Vec<String> = secured.own_uris.iter().map(|uri| format!("By={uri}")).collect();
    parts.push(format!("Hash={}", peer.hash));
    let pem = |count: usize| {
        let pem: String = peer.chain.iter().take(count).map(|certificate| pem(certificate)).collect();
        utf8_percent_encode(&pem, ENCODED).to_string()
    };
    if details.cert {
        parts.push(format!("Cert=\"{}\"", pem(1)));
    }
    if details.chain {
        parts.push(format!("Chain=\"{}\"", pem(usize::MAX)));
    }
    if details.subject {
        parts.push(format!("Subject=\"{}\"", peer.subject));
    }
    if details.uri {
        if peer.uris.is_empty() {
            parts.push("URI=".to_owned());
        }
        parts.extend(peer.uris.iter().map(|uri| format!("URI={uri}")));
    }
    if details.dns {
        parts.extend(peer.dns.iter().map(|name| format!("DNS={name}")));
    }
    parts.join(";")
}

fn pem(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

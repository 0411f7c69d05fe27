//! `forward_client_cert_details`: what becomes of `x-forwarded-client-cert`.

use crate::model::{ClientCertDetails, ForwardClientCert};
use crate::read::{Field, Object};

#[derive(Debug, Clone, Copy)]
enum How {
    Sanitize,
    Forward,
    Append,
    Set,
    Always,
}

const HOW: [(&str, u32, How); 5] = [
    ("SANITIZE", 0, How::Sanitize),
    ("FORWARD_ONLY", 1, How::Forward),
    ("APPEND_FORWARD", 2, How::Append),
    ("SANITIZE_SET", 3, How::Set),
    ("ALWAYS_FORWARD_ONLY", 4, How::Always),
];

/// Reads both fields of the connection manager.
pub(super) fn decode(object: &mut Object<'_>) -> ForwardClientCert {
    let how = object.take("forward_client_cert_details").and_then(|field| field.choice(&HOW));
    let details = object.take("set_current_client_cert_details").map(|field| details(&field));
    let details = details.flatten().unwrap_or_default();
    match how.unwrap_or(How::Sanitize) {
        How::Sanitize => ForwardClientCert::Sanitize,
        How::Forward => ForwardClientCert::Forward,
        How::Append => ForwardClientCert::Append(details),
        How::Set => ForwardClientCert::Set(details),
        How::Always => ForwardClientCert::AlwaysForward,
    }
}

fn details(field: &Field<'_>) -> Option<ClientCertDetails> {
    let mut object = field.object()?;
    let mut flag = |name| object.take(name).and_then(|field| field.boolean()).unwrap_or(false);
    let details = ClientCertDetails {
        subject: flag("subject"),
        cert: flag("cert"),
        chain: flag("chain"),
        dns: flag("dns"),
        uri: flag("uri"),
    };
    object.finish(&[]);
    Some(details)
}

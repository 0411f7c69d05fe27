//! `tls` of the native form: beside a URL with `https`, and in `listen`.

use crate::address::Url;
use crate::envoy::{dns_name, file};
use crate::model::{
    Certificate, ClientCertificates, ClusterTls, DataSource, Host, ListenerTls, Names, Resumption,
    ServerName, ServerTls, TlsChain, TlsParameters, TlsVersion, Trust, Verification,
};
use crate::read::{Field, Object};
use crate::tree::Value;

const VERSIONS: [(&str, u32, TlsVersion); 2] = [("1.2", 12, TlsVersion::V1_2), ("1.3", 13, TlsVersion::V1_3)];

/// How a URL is reached: `tls` beside it, or every default for `https`.
#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is plain"
)]
pub(super) fn of_url(object: &mut Object<'_>, url: Option<&Url>) -> Option<Option<ClusterTls>> {
    let field = object.take("tls");
    let url = url?;
    match (field, url.https) {
        (None, false) => Some(None),
        (None, true) => Some(Some(default(url))),
        (Some(field), false) => {
            field.refuse_key("has no effect: the URL is not https", "", "write `https://` or remove `tls`")
        }
        (Some(field), true) => client(&field, url).map(Some),
    }
}

/// The system's CAs, the name of the URL.
pub(super) fn default(url: &Url) -> ClusterTls {
    let server_name = match &url.endpoint.host {
        Host::Name(name) => ServerName::Literal(name.clone()),
        Host::Ip(_) => ServerName::None,
    };
    ClusterTls {
        server_name,
        verification: believing(Trust::System),
        certificate: None,
        alpn: Vec::new(),
        parameters: TlsParameters::default(),
    }
}

fn believing(trust: Trust) -> Verification {
    let names = if trust == Trust::Anyone { Names::Any } else { Names::Asked };
    Verification { trust, names, certificate_hashes: Vec::new(), spki_hashes: Vec::new() }
}

fn client(field: &Field<'_>, url: &Url) -> Option<ClusterTls> {
    let mut object = field.object()?;
    let ca = object.take("ca").map(|field| file(&field));
    let certificate = certificate(&mut object);
    let name = object.take("server_name").map(|field| {
        dns_name(field.text()?).or_else(|| field.refuse("is not the name of a server", "write a DNS name"))
    });
    let verify = object.take("verify");
    let verified = verify.as_ref().map_or(Some(Verify::All), how);
    let parameters = parameters(&mut object);
    object.finish(&[]);
    let verified = verified?;
    let trust = match (ca, verified) {
        (Some(_), Verify::Nothing) => {
            return field.refuse_key("`ca` and `verify: false` exclude each other", "", "keep `ca`");
        }
        (Some(ca), _) => Trust::Ca(ca?),
        (None, Verify::All | Verify::Chain) => Trust::System,
        (None, Verify::Nothing) => {
            verify?.warn(
                "certificates of this cluster are not verified: whoever answers at its address is believed",
                "name its CA: `ca: /etc/tls/ca.crt`",
            );
            Trust::Anyone
        }
    };
    let default = default(url);
    let server_name = match name {
        Some(name) => ServerName::Literal(name?),
        None => default.server_name,
    };
    let (certificate, parameters) = (certificate?, parameters?);
    let mut verification = believing(trust);
    if verified == Verify::Chain {
        verification.names = Names::Any;
    }
    Some(ClusterTls { server_name, verification, certificate, parameters, ..default })
}

/// What of a cluster's certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verify {
    All,
    /// Who signed it, but not for whom it is.
    Chain,
    Nothing,
}

/// `true`, `false` or `chain`.
fn how(field: &Field<'_>) -> Option<Verify> {
    match &field.node.value {
        Value::Text(text) if &**text == "chain" => Some(Verify::Chain),
        Value::Text(text) if !matches!(&**text, "true" | "false") => {
            field.refuse("is not a way to verify", "write `true`, `chain` or `false`")
        }
        _ => field.boolean().map(|all| if all { Verify::All } else { Verify::Nothing }),
    }
}

/// `listen: {address, tls}`.
pub(super) fn server(field: &Field<'_>) -> Option<ListenerTls> {
    let mut object = field.object()?;
    let certificate = certificate(&mut object);
    let ca = object.take("client_ca").map(|field| file(&field));
    let required = object.take("require_client_certificate");
    let parameters = parameters(&mut object);
    object.finish(&[]);
    let Some(certificate) = certificate? else {
        return field.refuse_key("has no certificate", "", "write `cert: tls.crt` and `key: tls.key`");
    };
    let clients = match (ca, &required) {
        (Some(ca), None) => ClientCertificates::Required(of_clients(ca?)),
        (Some(ca), Some(required)) if required.boolean()? => ClientCertificates::Required(of_clients(ca?)),
        (Some(ca), Some(_)) => ClientCertificates::Optional(of_clients(ca?)),
        (None, None) => ClientCertificates::Ignored,
        (None, Some(required)) if required.boolean()? => {
            return required.refuse_key(
                "names no CA",
                "",
                "write `client_ca: /etc/tls/clients.crt` beside it",
            );
        }
        (None, Some(_)) => ClientCertificates::Ignored,
    };
    let context = ServerTls {
        certificates: vec![certificate],
        clients,
        alpn: vec!["h2".to_owned(), "http/1.1".to_owned()],
        parameters: parameters?,
        resumption: Resumption { tickets: true, cache: true },
        prefer_client_ciphers: false,
    };
    let chains = vec![TlsChain { server_names: Vec::new(), context }];
    Some(ListenerTls { chains, plain: false, handshake_timeout: None })
}

fn of_clients(ca: DataSource) -> Verification {
    Verification { names: Names::Any, ..believing(Trust::Ca(ca)) }
}

#[allow(clippy::option_option, reason = "the outer None is an error already reported, the inner one is none")]
fn certificate(object: &mut Object<'_>) -> Option<Option<Certificate>> {
    match (object.take("cert"), object.take("key")) {
        (None, None) => Some(None),
        (Some(chain), Some(key)) => {
            let (chain, key) = (file(&chain), file(&key));
            Some(Some(Certificate { chain: chain?, key: key? }))
        }
        (Some(one), None) | (None, Some(one)) => {
            one.refuse_key("`cert` and `key` stand together", "", "write both")
        }
    }
}

fn parameters(object: &mut Object<'_>) -> Option<TlsParameters> {
    let min = match object.take("min_version") {
        Some(field) => Some(version(&field)?),
        None => None,
    };
    Some(TlsParameters { min, ..TlsParameters::default() })
}

/// YAML reads `1.3` as a number; that is what most people write.
fn version(field: &Field<'_>) -> Option<TlsVersion> {
    let text = match &field.node.value {
        Value::Number(number) => number.raw.to_string(),
        _ => field.text()?.to_owned(),
    };
    let found = VERSIONS.iter().find(|(name, ..)| *name == text).map(|(.., version)| *version);
    found.or_else(|| field.refuse("is not a version that is spoken here", "write `1.2` or `1.3`"))
}

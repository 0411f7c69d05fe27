//! TLS in the native form.

use serde_json::{Map, Value, json};

use super::Notes;
use crate::model::{
    Certificate, ClientCertificates, Cluster, ClusterTls, DataSource, Host, Listener, ListenerTls, Names,
    Resumption, ServerName, ServerTls, TlsParameters, TlsVersion, Trust, Verification,
};

/// `listen`: an address, with `tls` if it has certificates.
pub(super) fn listen(listener: &Listener, notes: &mut Notes) -> Option<Value> {
    let address = listener.address.to_string();
    let Some(tls) = &listener.tls else { return Some(json!(address)) };
    Some(json!({ "address": address, "tls": server(tls, notes)? }))
}

pub(super) fn server(tls: &ListenerTls, notes: &mut Notes) -> Option<Value> {
    let [chain] = tls.chains.as_slice() else {
        return notes
            .refuse(format!("the native form has one certificate for a listener, not {}", tls.chains.len()));
    };
    let ServerTls { certificates, clients, alpn, parameters, resumption, prefer_client_ciphers } =
        &chain.context;
    let [certificate] = certificates.as_slice() else {
        return notes.refuse("the native form has one certificate for a listener");
    };
    if tls.plain || !chain.server_names.is_empty() {
        return notes.refuse("the native form serves every name with TLS, and nobody without");
    }
    let defaults = *alpn == ["h2", "http/1.1"]
        && *resumption == Resumption { tickets: true, cache: true }
        && !prefer_client_ciphers
        && tls.handshake_timeout.is_none();
    if !defaults {
        notes.differs(
            "the listener offers HTTP/2 and HTTP/1.1 (ALPN), resumes sessions and has the default timeout",
        );
    }
    let mut map = Map::new();
    self::certificate(certificate, &mut map, notes)?;
    let (required, verification) = match clients {
        ClientCertificates::Ignored => (true, None),
        ClientCertificates::Optional(verification) => (false, Some(verification)),
        ClientCertificates::Required(verification) => (true, Some(verification)),
    };
    if let Some(verification) = verification {
        let (Trust::Ca(ca), Names::Any, false) =
            (&verification.trust, &verification.names, is_pinned(verification))
        else {
            return notes.refuse("the native form believes client certificates of a CA, whatever they say");
        };
        map.insert("client_ca".to_owned(), path(ca, notes)?);
        if !required {
            map.insert("require_client_certificate".to_owned(), json!(false));
        }
    }
    self::parameters(parameters, &mut map, notes)?;
    Some(Value::Object(map))
}

/// The primary's URL, with `tls` if the URL does not say all.
pub(super) fn primary(primary: &Cluster, url: Option<String>, notes: &mut Notes) -> Option<Value> {
    let (tls, url) = (cluster(primary, notes), url?);
    Some(match tls? {
        Some(tls) => json!({ "url": url, "tls": tls }),
        None => json!(url),
    })
}

/// Of a cluster's URL.
pub(super) fn scheme(cluster: &Cluster) -> &'static str {
    if cluster.tls.is_some() { "https" } else { "http" }
}

/// `tls` beside a URL; `Some(None)` where the URL says all.
#[allow(clippy::option_option, reason = "the outer None is a refusal, the inner one is nothing to say")]
pub(super) fn cluster(cluster: &Cluster, notes: &mut Notes) -> Option<Option<Value>> {
    let Some(tls) = &cluster.tls else { return Some(None) };
    let mut map = Map::new();
    let host = cluster.endpoints.first().and_then(|endpoint| match &endpoint.host {
        Host::Name(name) => Some(name.as_str()),
        Host::Ip(_) => None,
    });
    match (&tls.server_name, host) {
        (ServerName::Literal(name), host) if Some(name.as_str()) == host => {}
        (ServerName::Literal(name), _) => drop(map.insert("server_name".to_owned(), json!(name))),
        (ServerName::None, None) => {}
        (ServerName::None, Some(host)) => {
            notes.differs(format!("{} is asked for by the name {host} (SNI)", cluster.name));
        }
        (ServerName::Host, _) => {
            return notes.refuse(format!(
                "cluster {}: the native form asks for one name and not for each request's (auto_sni)",
                cluster.name
            ));
        }
    }
    verification(cluster, tls, &mut map, notes)?;
    if let Some(certificate) = &tls.certificate {
        self::certificate(certificate, &mut map, notes)?;
    }
    parameters(&tls.parameters, &mut map, notes)?;
    if !tls.alpn.is_empty() {
        notes.differs(format!("no protocol is offered to {} (ALPN)", cluster.name));
    }
    Some((!map.is_empty()).then_some(Value::Object(map)))
}

fn verification(
    cluster: &Cluster,
    tls: &ClusterTls,
    map: &mut Map<String, Value>,
    notes: &mut Notes,
) -> Option<()> {
    let verification = &tls.verification;
    if is_pinned(verification) {
        return notes.refuse(format!("cluster {}: the native form pins no certificates", cluster.name));
    }
    if let Trust::Ca(ca) = &verification.trust {
        map.insert("ca".to_owned(), path(ca, notes)?);
    }
    match (&verification.trust, &verification.names) {
        (Trust::Anyone, Names::Any) => drop(map.insert("verify".to_owned(), json!(false))),
        (_, Names::Asked) => {}
        (_, Names::Any) => drop(map.insert("verify".to_owned(), json!("chain"))),
        (_, Names::Matching(_)) => {
            return notes.refuse(format!(
                "cluster {}: the native form verifies the name that it asks for and no others",
                cluster.name
            ));
        }
    }
    Some(())
}

fn is_pinned(verification: &Verification) -> bool {
    !(verification.certificate_hashes.is_empty() && verification.spki_hashes.is_empty())
}

fn certificate(certificate: &Certificate, map: &mut Map<String, Value>, notes: &mut Notes) -> Option<()> {
    map.insert("cert".to_owned(), path(&certificate.chain, notes)?);
    map.insert("key".to_owned(), path(&certificate.key, notes)?);
    Some(())
}

fn path(source: &DataSource, notes: &mut Notes) -> Option<Value> {
    match source {
        DataSource::File(path) => Some(json!(path.to_string_lossy())),
        DataSource::Inline(_) | DataSource::Environment(_) => {
            notes.refuse("the native form reads certificates and keys from files")
        }
    }
}

fn parameters(parameters: &TlsParameters, map: &mut Map<String, Value>, notes: &mut Notes) -> Option<()> {
    if parameters.max.is_some() || !parameters.cipher_suites.is_empty() || !parameters.curves.is_empty() {
        return notes.refuse("the native form has a least version of TLS, no highest one, ciphers or curves");
    }
    if let Some(min) = parameters.min {
        let version = if min == TlsVersion::V1_3 { "1.3" } else { "1.2" };
        map.insert("min_version".to_owned(), json!(version));
    }
    Some(())
}

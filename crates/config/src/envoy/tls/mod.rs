//! `transport_socket` and v2's `tls_context`: TLS towards clients and towards clusters.

mod certificate;
mod chains;
mod common;
mod parameters;
mod validation;

pub(crate) use certificate::file;
pub(in crate::envoy) use chains::{Chain, chain, inspectors, join};

use crate::model::{
    ClientCertificates, ClusterTls, Names, Resumption, ServerName, ServerTls, Trust, Verification,
};
use crate::read::{Field, Object};
use crate::tree::{Node, Value};

use super::any::{Configured, Extension};
use super::unsupported;
use common::Common;

const CLIENT: Extension = Extension {
    what: "TLS",
    types: &[
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "envoy.api.v2.auth.UpstreamTlsContext",
    ],
    names: &["envoy.transport_sockets.tls", "tls"],
    bare: false,
};

const SERVER: Extension = Extension {
    what: "TLS",
    types: &[
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "envoy.api.v2.auth.DownstreamTlsContext",
    ],
    names: &["envoy.transport_sockets.tls", "tls"],
    bare: false,
};

const RAW: Extension = Extension {
    what: "plain TCP",
    types: &[
        "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
        "envoy.config.transport_socket.raw_buffer.v2.RawBuffer",
    ],
    names: &["envoy.transport_sockets.raw_buffer", "raw_buffer"],
    bare: true,
};

/// What a cluster or a filter chain says of its connections.
#[derive(Debug)]
pub(in crate::envoy) enum Socket<T> {
    Plain,
    Tls(T),
}

/// Reads a cluster's; `None` if it was refused.
/// `options` are its `upstream_http_protocol_options`.
#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is plain"
)]
pub(in crate::envoy) fn of_cluster(
    object: &mut Object<'_>,
    options: Option<&Field<'_>>,
) -> Option<Option<ClusterTls>> {
    let socket = socket(object, &CLIENT, client);
    let options = match options {
        Some(field) => host_options(field)?,
        None => HostOptions::default(),
    };
    let Socket::Tls(mut tls) = socket? else { return Some(None) };
    if options.sni {
        tls.server_name = ServerName::Host;
    }
    if options.verified {
        tls.verification.names = Names::Asked;
    }
    Some(Some(tls))
}

/// What a request's `Host` says to TLS.
#[derive(Debug, Clone, Copy, Default)]
struct HostOptions {
    sni: bool,
    verified: bool,
}

fn host_options(field: &Field<'_>) -> Option<HostOptions> {
    let mut object = field.object()?;
    let sni = flag(&mut object, "auto_sni");
    let verified = flag(&mut object, "auto_san_validation");
    object.finish(unsupported::UPSTREAM_HTTP);
    if verified && !sni {
        return field.refuse_key(
            "auto_san_validation needs auto_sni",
            "",
            "write both: `{ auto_sni: true, auto_san_validation: true }`",
        );
    }
    Some(HostOptions { sni, verified })
}

/// The `transport_socket`, or v2's `tls_context` in its place.
fn socket<'a, T>(
    object: &mut Object<'a>,
    extension: &Extension,
    read: impl FnOnce(Object<'a>, &Field<'a>) -> Option<T>,
) -> Option<Socket<T>> {
    let (socket, context) = (object.take("transport_socket"), object.take("tls_context"));
    match (socket, context) {
        (None, None) => Some(Socket::Plain),
        (Some(_), Some(old)) => old.refuse_key(
            "`transport_socket` and `tls_context` exclude each other",
            "the v2 spelling",
            "keep `transport_socket`",
        ),
        (None, Some(context)) => read(context.object()?, &context).map(Socket::Tls),
        (Some(field), None) => {
            let mut object = field.object()?;
            let extension = if is_raw(&field) { &RAW } else { extension };
            let configured = extension.read(&mut object);
            object.finish(&[]);
            match configured? {
                Configured::Message(message) if std::ptr::eq(extension, &RAW) => {
                    message.finish(&[]);
                    Some(Socket::Plain)
                }
                Configured::Message(message) => read(message, &field).map(Socket::Tls),
                Configured::Bare => Some(Socket::Plain),
            }
        }
    }
}

/// Whether a transport socket is the plain one: by its type, or without one by its name.
fn is_raw(field: &Field<'_>) -> bool {
    let child = |node: &Node, names: [&str; 2]| match &node.value {
        Value::Map(entries) => {
            let entry = entries.iter().find(|entry| names.contains(&&*entry.key));
            entry.map(|entry| entry.node.clone())
        }
        _ => None,
    };
    let text = |node: Option<Node>| match node.map(|node| node.value) {
        Some(Value::Text(text)) => text.to_string(),
        _ => String::new(),
    };
    match child(field.node, ["typed_config", "typedConfig"]) {
        Some(typed) => text(child(&typed, ["@type", "@type"])).ends_with(".RawBuffer"),
        None => RAW.names.contains(&text(child(field.node, ["name", "name"])).as_str()),
    }
}

fn client(mut object: Object<'_>, field: &Field<'_>) -> Option<ClusterTls> {
    let sni = match object.take("sni") {
        Some(field) => server_name(&field)?,
        None => ServerName::None,
    };
    let san_of_sni = flag(&mut object, "auto_sni_san_validation");
    if flag(&mut object, "allow_renegotiation") {
        object.field.warn("`allow_renegotiation` has no effect: TLS is never renegotiated", "remove it");
    }
    for name in ["max_session_keys", "enforce_rsa_key_usage"] {
        // Sessions are always resumed where the cluster lets us; key usage is always enforced.
        object.take(name);
    }
    let common = common::read(&mut object, common::Side::Client);
    object.finish(unsupported::UPSTREAM_TLS);
    let Common { mut certificates, verification, alpn, parameters } = common?;
    let mut verification = verification.unwrap_or_else(|| unverified_by_envoy(field));
    if san_of_sni {
        verification.names = Names::Asked;
    }
    if certificates.len() > 1 {
        return field.refuse_key(
            "more than one `tls_certificates` towards a cluster",
            "",
            "keep the one that this cluster asks for",
        );
    }
    Some(ClusterTls { server_name: sni, verification, certificate: certificates.pop(), alpn, parameters })
}

/// Envoy verifies nothing unless the file names a CA. Here the system's are asked, and the name counts.
fn unverified_by_envoy(field: &Field<'_>) -> Verification {
    field.warn(
        "names no CA: certificates are verified against the system's trusted CAs, where Envoy verifies nothing",
        "write `validation_context: { trusted_ca: ... }`, or `system_root_certs: {}` to say that it is meant so; \
         `trust_chain_verification: ACCEPT_UNTRUSTED` switches verification off",
    );
    Verification {
        trust: Trust::System,
        names: Names::Asked,
        certificate_hashes: Vec::new(),
        spki_hashes: Vec::new(),
    }
}

/// The empty name is none, as for any proto3 string.
fn server_name(field: &Field<'_>) -> Option<ServerName> {
    let text = field.text()?;
    if text.is_empty() {
        return Some(ServerName::None);
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        field.warn("is an address, which TLS cannot ask for: no name is asked for", "remove it");
        return Some(ServerName::None);
    }
    dns_name(text)
        .map(ServerName::Literal)
        .or_else(|| field.refuse("is not the name of a server", "write a DNS name"))
}

/// A DNS name in lower case.
pub(crate) fn dns_name(text: &str) -> Option<String> {
    match crate::address::host(text)? {
        crate::model::Host::Name(name) => Some(name),
        crate::model::Host::Ip(_) => None,
    }
}

fn server(mut object: Object<'_>, field: &Field<'_>) -> Option<ServerTls> {
    let require = object.take("require_client_certificate").and_then(|field| field.boolean());
    if flag(&mut object, "require_sni") {
        object.field.warn(
            "`require_sni` has no effect, nor has it in Envoy: clients that name no server are served",
            "write `server_names` in `filter_chain_match` to turn them away",
        );
    }
    let resumption = Resumption {
        tickets: !flag(&mut object, "disable_stateless_session_resumption"),
        cache: !flag(&mut object, "disable_stateful_session_resumption"),
    };
    let prefer_client_ciphers = flag(&mut object, "prefer_client_ciphers");
    if flag(&mut object, "full_scan_certs_on_sni_mismatch") {
        object.field.warn(
            "`full_scan_certs_on_sni_mismatch` has no effect: a name that no certificate holds gets the first one",
            "remove it",
        );
    }
    if let Some(timeout) = object.take("session_timeout") {
        timeout.duration();
        timeout.warn("has no effect: sessions are kept for at most 12 h", "remove it");
    }
    let common = common::read(&mut object, common::Side::Server);
    object.finish(unsupported::DOWNSTREAM_TLS);
    let Common { certificates, verification, alpn, parameters } = common?;
    if certificates.is_empty() && field.sink.failed() {
        return None;
    }
    if certificates.is_empty() {
        return field.refuse_key(
            "has no certificate",
            "",
            "write `common_tls_context: { tls_certificates: [{ certificate_chain: ..., private_key: ... }] }`",
        );
    }
    let clients = clients(field, require.unwrap_or(false), verification)?;
    Some(ServerTls { certificates, clients, alpn, parameters, resumption, prefer_client_ciphers })
}

/// Whether clients show certificates.
fn clients(
    field: &Field<'_>,
    required: bool,
    verification: Option<Verification>,
) -> Option<ClientCertificates> {
    Some(match (required, verification) {
        (false, None) => ClientCertificates::Ignored,
        // As Envoy: who has to be somebody has to be there.
        (false, Some(verification)) if verification.is_specific() => {
            ClientCertificates::Required(verification)
        }
        (false, Some(verification)) => ClientCertificates::Optional(verification),
        (true, Some(verification)) => ClientCertificates::Required(verification),
        (true, None) => {
            return field.refuse_key(
                "requires client certificates, but names no CA: any certificate would do",
                "",
                "write `validation_context: { trusted_ca: ... }` in `common_tls_context`; \
                 `trust_chain_verification: ACCEPT_UNTRUSTED` there says that any may do",
            );
        }
    })
}

fn flag(object: &mut Object<'_>, name: &'static str) -> bool {
    object.take(name).and_then(|field| field.boolean()).unwrap_or(false)
}

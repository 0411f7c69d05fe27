//! TLS in Envoy's v3 form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Notes;
use crate::model::{
    Certificate, ClientCertDetails, ClientCertificates, ClusterTls, DataSource, ForwardClientCert, Listener,
    NameMatch, NamePattern, Names, ServerName, ServerTls, SubjectName, SubjectNameKind, TlsParameters,
    TlsVersion, Trust, Verification,
};
use crate::secrets::REDACTED;
use crate::units::proto_text;

const PREFIX: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const INSPECTOR: &str = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";

/// The filter chains of a listener, each with the one filter.
pub(super) fn listener(listener: &Listener, filter: &Value, map: &mut Map<String, Value>, notes: &mut Notes) {
    let Some(tls) = &listener.tls else {
        map.insert("filter_chains".to_owned(), json!([{ "filters": [filter] }]));
        return;
    };
    if tls.plain || tls.chains.len() > 1 || tls.chains.iter().any(|chain| !chain.server_names.is_empty()) {
        let filter = json!({ "@type": INSPECTOR });
        let filters = json!([{ "name": "envoy.filters.listener.tls_inspector", "typed_config": filter }]);
        map.insert("listener_filters".to_owned(), filters);
    }
    let mut chains = Vec::new();
    for chain in &tls.chains {
        let mut one = Map::new();
        if tls.plain || !chain.server_names.is_empty() {
            let mut matches = Map::new();
            if !chain.server_names.is_empty() {
                let names: Vec<String> = chain.server_names.iter().map(pattern).collect();
                matches.insert("server_names".to_owned(), json!(names));
            }
            if tls.plain {
                matches.insert("transport_protocol".to_owned(), json!("tls"));
            }
            one.insert("filter_chain_match".to_owned(), Value::Object(matches));
        }
        one.insert("filters".to_owned(), json!([filter]));
        one.insert("transport_socket".to_owned(), socket(server(&listener.name, &chain.context, notes)));
        if let Some(timeout) = tls.handshake_timeout {
            one.insert("transport_socket_connect_timeout".to_owned(), json!(proto_text(timeout)));
        }
        chains.push(Value::Object(one));
    }
    if tls.plain {
        let matches = json!({ "transport_protocol": "raw_buffer" });
        chains.push(json!({ "filter_chain_match": matches, "filters": [filter] }));
    }
    map.insert("filter_chains".to_owned(), Value::Array(chains));
}

fn pattern(pattern: &NamePattern) -> String {
    match pattern {
        NamePattern::Exact(name) => name.clone(),
        NamePattern::Suffix(rest) => format!("*{rest}"),
    }
}

fn socket(context: Value) -> Value {
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
}

fn server(listener: &str, tls: &ServerTls, notes: &mut Notes) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs {
            map.insert(name.to_owned(), value);
        }
    };
    put("@type", true, json!(format!("{PREFIX}.DownstreamTlsContext")));
    let (required, verification) = match &tls.clients {
        ClientCertificates::Ignored => (None, None),
        ClientCertificates::Optional(verification) => (Some(false), Some(verification)),
        ClientCertificates::Required(verification) => (Some(true), Some(verification)),
    };
    // Said also where it is false: Envoy warns that its default will change.
    put("require_client_certificate", required.is_some(), json!(required));
    put("disable_stateless_session_resumption", !tls.resumption.tickets, json!(true));
    put("disable_stateful_session_resumption", !tls.resumption.cache, json!(true));
    put("prefer_client_ciphers", tls.prefer_client_ciphers, json!(true));
    let owner = format!("listener {listener}");
    let common = common(&owner, &tls.certificates, verification, (&tls.alpn, &tls.parameters), notes);
    put("common_tls_context", true, common);
    Value::Object(map)
}

/// A cluster's transport socket.
pub(super) fn cluster(name: &str, tls: &ClusterTls, map: &mut Map<String, Value>, notes: &mut Notes) {
    let mut context = Map::new();
    context.insert("@type".to_owned(), json!(format!("{PREFIX}.UpstreamTlsContext")));
    // The system's CAs imply it here, and Envoy takes it only beside a CA of the file's.
    let names_are_checked =
        tls.verification.names == Names::Asked && matches!(tls.verification.trust, Trust::Ca(_));
    if let ServerName::Literal(sni) = &tls.server_name {
        context.insert("sni".to_owned(), json!(sni));
        if names_are_checked {
            context.insert("auto_sni_san_validation".to_owned(), json!(true));
        }
    }
    let owner = format!("cluster {name}");
    let certificates: Vec<Certificate> = tls.certificate.iter().cloned().collect();
    let parts = (tls.alpn.as_slice(), &tls.parameters);
    let common = common(&owner, &certificates, Some(&tls.verification), parts, notes);
    context.insert("common_tls_context".to_owned(), common);
    map.insert("transport_socket".to_owned(), socket(Value::Object(context)));
    if tls.server_name == ServerName::Host {
        let mut options = Map::new();
        options.insert("auto_sni".to_owned(), json!(true));
        if names_are_checked {
            options.insert("auto_san_validation".to_owned(), json!(true));
        }
        protocol_option(map, "upstream_http_protocol_options", Value::Object(options));
    }
}

/// Puts an option into the `HttpProtocolOptions` of a cluster, which may have others.
fn protocol_option(map: &mut Map<String, Value>, name: &str, value: Value) {
    let all = map.entry("typed_extension_protocol_options").or_insert_with(|| json!({}));
    let Some(all) = all.as_object_mut() else { return };
    let options = all.entry(HTTP_OPTIONS).or_insert_with(|| {
        let kind = format!("type.googleapis.com/{HTTP_OPTIONS}");
        json!({ "@type": kind, "explicit_http_config": { "http_protocol_options": {} } })
    });
    if let Some(options) = options.as_object_mut() {
        options.insert(name.to_owned(), value);
    }
}

fn common(
    owner: &str,
    certificates: &[Certificate],
    verification: Option<&Verification>,
    (alpn, parameters): (&[String], &TlsParameters),
    notes: &mut Notes,
) -> Value {
    let mut map = Map::new();
    let params = self::parameters(parameters);
    if !params.is_empty() {
        map.insert("tls_params".to_owned(), Value::Object(params));
    }
    let mut pairs = Vec::new();
    for certificate in certificates {
        let key = match &certificate.key {
            DataSource::Inline(_) if notes.shown => Some(json!({ "inline_string": REDACTED })),
            DataSource::Inline(_) => notes.refuse(format!(
                "{owner}: its private key stands in the file and is not printed; keep it in a file of its own"
            )),
            key => Some(source(key)),
        };
        pairs.push(json!({ "certificate_chain": source(&certificate.chain), "private_key": key }));
    }
    if !pairs.is_empty() {
        map.insert("tls_certificates".to_owned(), Value::Array(pairs));
    }
    if let Some(verification) = verification {
        map.insert("validation_context".to_owned(), validation(verification));
    }
    if !alpn.is_empty() {
        map.insert("alpn_protocols".to_owned(), json!(alpn));
    }
    Value::Object(map)
}

fn validation(verification: &Verification) -> Value {
    let mut map = Map::new();
    match &verification.trust {
        Trust::Ca(ca) => drop(map.insert("trusted_ca".to_owned(), source(ca))),
        Trust::System => drop(map.insert("system_root_certs".to_owned(), json!({}))),
        Trust::Anyone => {
            map.insert("trust_chain_verification".to_owned(), json!("ACCEPT_UNTRUSTED"));
        }
    }
    if let Names::Matching(names) = &verification.names {
        let (typed, untyped): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.kind.is_some());
        for (field, names) in [("match_typed_subject_alt_names", typed), ("match_subject_alt_names", untyped)]
        {
            let names: Vec<Value> = names.into_iter().map(subject_name).collect();
            if !names.is_empty() {
                map.insert(field.to_owned(), Value::Array(names));
            }
        }
    }
    let hex = |hash: &[u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hashes: Vec<String> = verification.certificate_hashes.iter().map(hex).collect();
    if !hashes.is_empty() {
        map.insert("verify_certificate_hash".to_owned(), json!(hashes));
    }
    let hashes: Vec<String> = verification.spki_hashes.iter().map(|hash| STANDARD.encode(hash)).collect();
    if !hashes.is_empty() {
        map.insert("verify_certificate_spki".to_owned(), json!(hashes));
    }
    Value::Object(map)
}

fn subject_name(name: &SubjectName) -> Value {
    let (how, text) = match &name.matcher {
        NameMatch::Exact(text) => ("exact", text),
        NameMatch::Prefix(text) => ("prefix", text),
        NameMatch::Suffix(text) => ("suffix", text),
        NameMatch::Contains(text) => ("contains", text),
    };
    let mut matcher = Map::new();
    matcher.insert(how.to_owned(), json!(text));
    if name.ignore_case {
        matcher.insert("ignore_case".to_owned(), json!(true));
    }
    let kind = match name.kind {
        None => return Value::Object(matcher),
        Some(SubjectNameKind::Dns) => "DNS",
        Some(SubjectNameKind::Uri) => "URI",
        Some(SubjectNameKind::Email) => "EMAIL",
        Some(SubjectNameKind::IpAddress) => "IP_ADDRESS",
    };
    json!({ "san_type": kind, "matcher": matcher })
}

fn parameters(parameters: &TlsParameters) -> Map<String, Value> {
    let mut map = Map::new();
    let name = |version| if version == TlsVersion::V1_3 { "TLSv1_3" } else { "TLSv1_2" };
    for (field, version) in
        [("tls_minimum_protocol_version", parameters.min), ("tls_maximum_protocol_version", parameters.max)]
    {
        if let Some(version) = version {
            map.insert(field.to_owned(), json!(name(version)));
        }
    }
    for (field, names) in [("cipher_suites", &parameters.cipher_suites), ("ecdh_curves", &parameters.curves)]
    {
        if !names.is_empty() {
            map.insert(field.to_owned(), json!(names));
        }
    }
    map
}

/// A data source; certificates may stand in the text, keys are the caller's to hold back.
fn source(source: &DataSource) -> Value {
    match source {
        DataSource::File(path) => json!({ "filename": path.to_string_lossy() }),
        DataSource::Environment(name) => json!({ "environment_variable": name }),
        DataSource::Inline(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!({ "inline_string": text }),
            Err(_) => json!({ "inline_bytes": STANDARD.encode(bytes) }),
        },
    }
}

/// What a connection manager says of `x-forwarded-client-cert`.
pub(super) fn client_cert(how: &ForwardClientCert) -> Vec<(&'static str, Value)> {
    let (name, details) = match how {
        ForwardClientCert::Sanitize => return Vec::new(),
        ForwardClientCert::Forward => ("FORWARD_ONLY", None),
        ForwardClientCert::AlwaysForward => ("ALWAYS_FORWARD_ONLY", None),
        ForwardClientCert::Append(details) => ("APPEND_FORWARD", Some(details)),
        ForwardClientCert::Set(details) => ("SANITIZE_SET", Some(details)),
    };
    let mut said = vec![("forward_client_cert_details", json!(name))];
    if let Some(ClientCertDetails { subject, cert, chain, dns, uri }) = details {
        let mut map = Map::new();
        for (name, value) in
            [("subject", subject), ("cert", cert), ("chain", chain), ("dns", dns), ("uri", uri)]
        {
            if *value {
                map.insert(name.to_owned(), json!(true));
            }
        }
        if !map.is_empty() {
            said.push(("set_current_client_cert_details", Value::Object(map)));
        }
    }
    said
}

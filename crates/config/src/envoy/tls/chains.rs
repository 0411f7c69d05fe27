//! `filter_chain_match` and `listener_filters`: chains of one listener that differ in their certificates.

use std::collections::HashSet;
use std::time::Duration;

use crate::model::{ListenerTls, NamePattern, ServerTls, TlsChain};
use crate::read::{Field, Object};

use super::{SERVER, Socket, dns_name, server, socket};
use crate::envoy::any::{Configured, Extension};
use crate::envoy::unsupported;

const TLS_INSPECTOR: Extension = Extension {
    what: "the TLS inspector",
    types: &[
        "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        "envoy.config.filter.listener.tls_inspector.v2.TlsInspector",
    ],
    names: &["envoy.filters.listener.tls_inspector", "envoy.listener.tls_inspector"],
    bare: true,
};

const TRANSPORTS: [(&str, bool); 2] = [("tls", true), ("raw_buffer", false)];

/// One filter chain without its filters.
pub(in crate::envoy) struct Chain<'a> {
    field: Field<'a>,
    server_names: Vec<NamePattern>,
    /// `transport_protocol`: TLS or not.
    transport: Option<bool>,
    socket: Socket<ServerTls>,
    handshake_timeout: Option<Duration>,
}

/// Reads what a filter chain says beside its filters.
pub(in crate::envoy) fn chain<'a>(object: &mut Object<'a>) -> Option<Chain<'a>> {
    let matches = object.take("filter_chain_match").map(|field| filter_chain_match(&field));
    let timeout = object.take("transport_socket_connect_timeout").map(|field| field.duration_or_off());
    let socket = socket(object, &SERVER, server);
    let (server_names, transport) = matches.unwrap_or_else(|| Some((Vec::new(), None)))?;
    let handshake_timeout = timeout.unwrap_or(Some(None))?;
    Some(Chain { field: object.field.clone(), server_names, transport, socket: socket?, handshake_timeout })
}

fn filter_chain_match(field: &Field<'_>) -> Option<(Vec<NamePattern>, Option<bool>)> {
    let mut object = field.object()?;
    let names = object.take("server_names").map(|field| field.list()).unwrap_or_default();
    let names: Option<Vec<_>> = names.iter().map(pattern).collect();
    let transport = match object.take("transport_protocol") {
        None => Some(None),
        Some(field) => match (field.text()?, TRANSPORTS.iter().find(|(name, _)| Some(*name) == field.text()))
        {
            ("", _) => Some(None),
            (_, Some((_, tls))) => Some(Some(*tls)),
            (_, None) => field.refuse("is not a transport protocol", "write `tls` or `raw_buffer`"),
        },
    };
    object.finish(unsupported::FILTER_CHAIN_MATCH);
    Some((names?, transport?))
}

fn pattern(field: &Field<'_>) -> Option<NamePattern> {
    let text = field.name()?;
    let found = match text.strip_prefix("*.") {
        Some(rest) => dns_name(rest).map(|name| NamePattern::Suffix(format!(".{name}"))),
        None => dns_name(text).map(NamePattern::Exact),
    };
    found.or_else(|| field.refuse("is not the name of a server", "write `mimir.example` or `*.example`"))
}

/// The TLS of a listener with these chains; `Some(None)` is a plain one.
#[allow(
    clippy::option_option,
    reason = "the outer None is an error already reported, the inner one is plain"
)]
pub(in crate::envoy) fn join(
    chains: Vec<Chain<'_>>,
    inspection: Option<Duration>,
) -> Option<Option<ListenerTls>> {
    let mut tls = Vec::new();
    let mut plain = false;
    let mut seen = HashSet::new();
    let mut handshake_timeout = None;
    for chain in chains {
        let Chain { field, server_names, transport, socket, handshake_timeout: timeout } = chain;
        let context = match socket {
            Socket::Tls(_) if transport == Some(false) => {
                return field.refuse_key(
                    "matches plain connections and speaks TLS",
                    "",
                    "write `transport_protocol: tls`",
                );
            }
            Socket::Plain if transport == Some(true) || !server_names.is_empty() => {
                return field.refuse_key(
                    "matches TLS connections and has no `transport_socket`",
                    "",
                    "give it certificates: TLS is ended here and not passed through",
                );
            }
            Socket::Plain if plain => return twice(&field),
            Socket::Plain => {
                plain = true;
                continue;
            }
            Socket::Tls(context) => context,
        };
        let mut keys: Vec<Option<NamePattern>> = server_names.iter().cloned().map(Some).collect();
        if keys.is_empty() {
            keys.push(None);
        }
        if !keys.into_iter().all(|key| seen.insert(key)) {
            return twice(&field);
        }
        handshake_timeout = handshake_timeout.or(timeout);
        tls.push(TlsChain { server_names, context });
    }
    let handshake_timeout = handshake_timeout.or(inspection);
    Some((!tls.is_empty()).then_some(ListenerTls { chains: tls, plain, handshake_timeout }))
}

fn twice<T>(field: &Field<'_>) -> Option<T> {
    field.refuse_key(
        "error adding listener: multiple filter chains with the same matching rules are defined",
        "",
        "give each chain `server_names` of its own",
    )
}

/// `listener_filters` and their timeout: names are always read from TLS here, so the inspector is no more than
/// accepted. Returns the time that clients have to say what they want.
pub(in crate::envoy) fn inspectors(object: &mut Object<'_>) -> Option<Duration> {
    for field in object.take("listener_filters").map(|field| field.list()).unwrap_or_default() {
        let Some(mut object) = field.object() else { continue };
        let configured = TLS_INSPECTOR.read(&mut object);
        object.finish(unsupported::LISTENER_FILTER);
        if let Some(Configured::Message(mut message)) = configured {
            for name in ["initial_read_buffer_size", "max_client_hello_size"] {
                message.take(name).and_then(|field| field.whole(1, u32::MAX));
            }
            message.finish(unsupported::TLS_INSPECTOR);
        }
    }
    object.take("listener_filters_timeout").and_then(|field| field.duration_or_off()).flatten()
}

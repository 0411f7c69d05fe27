//! Listeners with their filter chains.

use std::net::SocketAddr;
use std::time::Duration;

use crate::model::{Conventions, HttpManager, Listener, ListenerTls};
use crate::read::Field;

use super::any::{Configured, Extension};
use super::upstreams::Upstreams;
use super::{address, hcm, listener_socket, metadata, tls, unsupported};

const HCM: Extension = Extension {
    what: "the HTTP connection manager",
    types: &[
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager",
    ],
    names: &["envoy.filters.network.http_connection_manager", "envoy.http_connection_manager"],
    bare: false,
};

/// All listeners; `None` if any was refused.
pub(super) fn decode_all(fields: &[Field<'_>], upstreams: &mut Upstreams<'_>) -> Option<Vec<Listener>> {
    let decoded: Vec<Option<Listener>> = fields.iter().map(|field| decode(field, upstreams)).collect();
    let listeners: Vec<Listener> = decoded.into_iter().collect::<Option<_>>()?;
    let mut unique = true;
    for (index, listener) in listeners.iter().enumerate() {
        let earlier = listeners.iter().take(index);
        let Some(field) = fields.get(index) else { continue };
        for other in earlier {
            if other.name == listener.name {
                unique = false;
                let message = format!("duplicate listener name '{}'", listener.name);
                field.refuse_key::<()>(message, "", "give every listener a name of its own");
            }
            let taken =
                |address: &&SocketAddr| address.port() != 0 && other.addresses().any(|own| own == **address);
            if let Some(address) = listener.addresses().collect::<Vec<_>>().iter().find(taken) {
                unique = false;
                let message = format!(
                    "error adding listener: '{}' has duplicate address '{address}' as existing listener",
                    listener.name
                );
                field.refuse_key::<()>(message, "", "give every listener an address of its own");
            }
        }
    }
    unique.then_some(listeners)
}

fn decode(field: &Field<'_>, upstreams: &mut Upstreams<'_>) -> Option<Listener> {
    let mut object = field.object()?;
    let name = object.take("name").and_then(|field| field.text()).unwrap_or_default();
    let address = object
        .require("address", "write where clients connect: `address: { socket_address: ... }`")
        .and_then(|field| address::bind(&field));
    let socket = listener_socket::decode(&mut object);
    let settings = object.take("metadata").and_then(|field| metadata::settings(&field));
    if let Some(limit) = object.take("per_connection_buffer_limit_bytes") {
        limit.whole(0, u32::MAX);
        limit.warn("has no effect: bodies are streamed, nothing depends on a buffer limit", "remove it");
    }
    let inspection = tls::inspectors(&mut object);
    let chains = object.require("filter_chains", "write one filter chain with the HTTP connection manager");
    let default = object.take("default_filter_chain");
    let chains = chains.and_then(|field| filter_chains(&field, default, upstreams, inspection));
    object.finish(unsupported::LISTENER);
    let conventions = settings.and_then(|field| own_conventions(&field));
    let (address, socket, (mut http, tls)) = (address?, socket?, chains?);
    if let Some(conventions) = conventions {
        http.conventions = conventions;
    }
    let name = if name.is_empty() { address.to_string() } else { name.to_owned() };
    Some(Listener { name, address, socket, http, tls })
}

/// `conventions: none` of a listener's own metadata: what the native form means, which Envoy cannot say.
fn own_conventions(field: &Field<'_>) -> Option<Conventions> {
    let mut object = field.object()?;
    let conventions = object.take("conventions").and_then(|field| {
        field
            .choice(&[("none", 0, true), ("envoy", 1, false)])
            .filter(|none| *none)
            .map(|_| Conventions::None)
    });
    object.finish(&[]);
    conventions
}

/// The chains of a listener: they may differ in their certificates, by the name that clients ask for.
fn filter_chains(
    field: &Field<'_>,
    default: Option<Field<'_>>,
    upstreams: &mut Upstreams<'_>,
    inspection: Option<Duration>,
) -> Option<(HttpManager, Option<ListenerTls>)> {
    let fields: Vec<Field<'_>> = field.list().into_iter().chain(default).collect();
    let decoded: Vec<_> = fields.iter().map(|field| filter_chain(field, upstreams)).collect();
    let decoded: Vec<_> = decoded.into_iter().collect::<Option<_>>()?;
    let (chains, managers): (Vec<_>, Vec<_>) = decoded.into_iter().unzip();
    let mut managers = managers.into_iter();
    let Some(http) = managers.next() else {
        return field.refuse_key("has no filter chain", "", "write one filter chain");
    };
    for (other, field) in managers.zip(fields.iter().skip(1)) {
        if other.stat_prefix != http.stat_prefix {
            field.warn(
                format!(
                    "its statistics are counted under `{}`, as those of the first chain",
                    http.stat_prefix
                ),
                "give both chains the same `stat_prefix`",
            );
        }
        let other = HttpManager { stat_prefix: http.stat_prefix.clone(), ..other };
        if format!("{other:?}") != format!("{http:?}") {
            return field.refuse_key(
                "differs from the first chain in its HTTP connection manager",
                "chains of one listener may differ in their certificates",
                "write a listener of its own for it, or tell requests apart by the `domains` of virtual hosts",
            );
        }
    }
    Some((http, tls::join(chains, inspection)?))
}

fn filter_chain<'a>(
    field: &Field<'a>,
    upstreams: &mut Upstreams<'_>,
) -> Option<(tls::Chain<'a>, HttpManager)> {
    let mut object = field.object()?;
    object.take("name").and_then(|field| field.text());
    let chain = tls::chain(&mut object);
    let filters = object.require("filters", "write the HTTP connection manager");
    object.finish(unsupported::FILTER_CHAIN);
    let field = filters?;
    let filters = field.list();
    let [filter] = filters.as_slice() else {
        return field.refuse_key(
            format!("{} network filters are not supported by this version", filters.len()),
            "",
            "write exactly one filter, the HTTP connection manager",
        );
    };
    let mut object = filter.object()?;
    let configured = HCM.read(&mut object);
    object.finish(unsupported::FILTER);
    match configured? {
        Configured::Message(message) => {
            let http = hcm::decode(message, upstreams);
            Some((chain?, http?))
        }
        Configured::Bare => None,
    }
}

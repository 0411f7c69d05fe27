//! Listeners with their one filter chain.

use std::net::SocketAddr;

use crate::model::{Conventions, HttpManager, Listener};
use crate::read::Field;

use super::any::{Configured, Extension};
use super::upstreams::Upstreams;
use super::{address, hcm, listener_socket, metadata, unsupported};

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
    let http = object
        .require("filter_chains", "write one filter chain with the HTTP connection manager")
        .and_then(|field| filter_chain(&field, upstreams));
    object.finish(unsupported::LISTENER);
    let conventions = settings.and_then(|field| own_conventions(&field));
    let (address, socket, mut http) = (address?, socket?, http?);
    if let Some(conventions) = conventions {
        http.conventions = conventions;
    }
    let name = if name.is_empty() { address.to_string() } else { name.to_owned() };
    Some(Listener { name, address, socket, http })
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

fn filter_chain(field: &Field<'_>, upstreams: &mut Upstreams<'_>) -> Option<HttpManager> {
    let chains = field.list();
    let [chain] = chains.as_slice() else {
        return field.refuse_key(
            format!("{} filter chains are not supported by this version", chains.len()),
            "",
            "write exactly one filter chain for each listener",
        );
    };
    let mut object = chain.object()?;
    object.take("name").and_then(|field| field.text());
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
        Configured::Message(message) => hcm::decode(message, upstreams),
        Configured::Bare => None,
    }
}

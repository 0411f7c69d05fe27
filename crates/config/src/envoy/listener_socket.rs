//! The fields of a listener that concern its sockets.

use std::net::SocketAddr;
use std::time::Duration;

use super::{address, unsupported};
use crate::model::{ListenerSocket, TcpKeepalive};
use crate::read::{Field, Object};

/// Takes them from the listener; `None` if any was refused.
pub(super) fn decode(object: &mut Object<'_>) -> Option<ListenerSocket> {
    let additional = object.take("additional_addresses").map(|field| {
        field.list().iter().map(additional).collect::<Vec<Option<SocketAddr>>>().into_iter().collect()
    });
    let backlog = object.take("tcp_backlog_size").map(|field| field.whole(0, i32::MAX as u32));
    let keepalive = object.take("tcp_keepalive").map(|field| keepalive(&field));
    let freebind = object.take("freebind").map(|field| field.boolean());
    let (bound, taken) = (bind_to_port(object), without_effect(object));
    bound.and(taken)?;
    Some(ListenerSocket {
        additional: additional.unwrap_or_else(|| Some(Vec::new()))?,
        backlog: backlog.map_or(Some(None), |backlog| backlog.map(Some))?,
        keepalive: keepalive.map_or(Some(None), |keepalive| keepalive.map(Some))?,
        freebind: freebind.unwrap_or(Some(false))?,
    })
}

fn additional(field: &Field<'_>) -> Option<SocketAddr> {
    let mut object = field.object()?;
    let address = object
        .require("address", "write `address: { socket_address: ... }`")
        .and_then(|field| address::bind(&field));
    object.finish(unsupported::ADDITIONAL_ADDRESS);
    address
}

/// Envoy's `TcpKeepalive`, of listeners and of connections to clusters: seconds, and a number of probes.
pub(super) fn keepalive(field: &Field<'_>) -> Option<TcpKeepalive> {
    let mut object = field.object()?;
    let mut number = |name| match object.take(name) {
        Some(field) => field.whole(0, 32_767).map(Some),
        None => Some(None),
    };
    let probes = number("keepalive_probes");
    let [time, interval] = ["keepalive_time", "keepalive_interval"]
        .map(|name| number(name).map(|value| value.map(|seconds| Duration::from_secs(seconds.into()))));
    object.finish(&[]);
    Some(TcpKeepalive { probes: probes?, time: time?, interval: interval? })
}

/// Sockets are always bound; what says so is taken.
fn bind_to_port(object: &mut Object<'_>) -> Option<()> {
    let help = "remove it: there is no other listener that could hand connections to this one";
    let refuse = |field: &Field<'_>| match field.boolean()? {
        true => Some(()),
        false => field.refuse("a listener that does not bind cannot be connected to", help),
    };
    let old = object.take("deprecated_v1").map(|field| {
        let mut object = field.object()?;
        let bound = object.take("bind_to_port").map(|field| refuse(&field));
        object.finish(&[]);
        bound.unwrap_or(Some(()))
    });
    let bound = object.take("bind_to_port").map(|field| refuse(&field));
    old.unwrap_or(Some(()))?;
    bound.unwrap_or(Some(()))
}

/// What needs nothing to be done here.
fn without_effect(object: &mut Object<'_>) -> Option<()> {
    let mut taken = Vec::new();
    for name in ["enable_reuse_port", "reuse_port"] {
        // One socket for each address is shared out fairly among the workers, either way.
        taken.extend(object.take(name).map(|field| field.boolean().map(drop)));
    }
    let directions = [("UNSPECIFIED", 0, ()), ("INBOUND", 1, ()), ("OUTBOUND", 2, ())];
    taken.extend(object.take("traffic_direction").map(|field| field.choice(&directions)));
    let at_once = object.take("max_connections_to_accept_per_socket_event");
    taken.extend(at_once.map(|field| field.whole(1, u32::MAX).map(drop)));
    taken.extend(object.take("drain_type").map(|field| drains(&field)));
    taken.extend(object.take("connection_balance_config").map(|field| balance(&field)));
    taken.into_iter().collect()
}

fn drains(field: &Field<'_>) -> Option<()> {
    if field.choice(&[("DEFAULT", 0, true), ("MODIFY_ONLY", 1, false)])? {
        return Some(());
    }
    let help = "remove it: every listener drains with the process";
    field.refuse("MODIFY_ONLY is not supported by this version", help)
}

/// Connections are always balanced exactly: each new one goes to the worker with least to do.
fn balance(field: &Field<'_>) -> Option<()> {
    let mut object = field.object()?;
    let exact =
        object.require("exact_balance", "write `exact_balance: {}`, or nothing: it is what happens anyway");
    object.finish(unsupported::CONNECTION_BALANCE);
    exact?.object()?.finish(&[]);
    Some(())
}

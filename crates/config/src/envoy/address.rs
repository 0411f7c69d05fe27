//! Envoy's `Address` message.

use std::net::{IpAddr, SocketAddr};

use crate::address as plain;
use crate::model::{Endpoint, Host};
use crate::read::{Field, Object};

use super::unsupported;

/// A `socket_address`, taken apart.
struct Socket<'a> {
    address: Field<'a>,
    text: &'a str,
    port: Field<'a>,
    number: u16,
}

fn socket<'a>(field: &Field<'a>) -> Option<Socket<'a>> {
    let mut object = field.object()?;
    let socket =
        object.require("socket_address", "write `socket_address: { address: 0.0.0.0, port_value: 9900 }`");
    object.finish(unsupported::ADDRESS);
    let mut object = socket?.object()?;
    tcp(&mut object);
    let address = object.require("address", "write the IP address or, in a STRICT_DNS cluster, the name");
    let port = object.require("port_value", "write the port number");
    object.finish(unsupported::SOCKET_ADDRESS);
    let (address, port) = (address?, port?);
    let text = address.name();
    let number = port.whole(0, 65_535).and_then(|number| u16::try_from(number).ok());
    Some(Socket { text: text?, address, number: number?, port })
}

/// Refuses another `protocol` of a `SocketAddress`.
pub(super) fn tcp(object: &mut Object<'_>) {
    if let Some(protocol) = object.take("protocol")
        && protocol.choice(&[("TCP", 0, true), ("UDP", 1, false)]) == Some(false)
    {
        protocol.refuse::<()>("UDP is not supported by this version", "write `protocol: TCP`");
    }
}

/// Where a listener binds: an IP address and a port, which may be 0 (any).
pub(super) fn bind(field: &Field<'_>) -> Option<SocketAddr> {
    ip(field, "a listener binds to an IP address, not a name")
}

/// An IP address and a port. `help` says why a name is none.
pub(super) fn ip(field: &Field<'_>, help: &str) -> Option<SocketAddr> {
    let socket = socket(field)?;
    literal(&socket.address, help).map(|ip| SocketAddr::new(ip, socket.number))
}

/// An IP address. `help` says why a name is none.
pub(super) fn literal(field: &Field<'_>, help: &str) -> Option<IpAddr> {
    let text = field.name()?;
    text.parse().ok().or_else(|| field.refuse(format!("malformed IP address: {text}"), help))
}

/// An endpoint, and the field of its address for later messages.
pub(super) fn endpoint<'a>(field: &Field<'a>) -> Option<(Endpoint, Field<'a>)> {
    let socket = socket(field)?;
    if socket.number == 0 {
        return socket.port.refuse("port 0 cannot be connected to", "write the port of the upstream");
    }
    let Some(host) = plain::host(socket.text) else {
        return socket.address.refuse(
            "is neither an IP address nor a host name",
            "write `127.0.0.1`, `::1` or `mimir-primary`; the port has a field of its own",
        );
    };
    Some((Endpoint::new(host, socket.number), socket.address))
}

/// Whether an endpoint is an IP address, or an error in Envoy's words.
pub(super) fn must_be_ip(endpoint: &Endpoint, address: &Field<'_>) -> Option<()> {
    match &endpoint.host {
        Host::Ip(_) => Some(()),
        Host::Name(name) => address.refuse(
            format!(
                "malformed IP address: {name}. Consider setting resolver_name or setting cluster type to \
                 'STRICT_DNS' or 'LOGICAL_DNS'"
            ),
            "write `type: STRICT_DNS` in this cluster",
        ),
    }
}

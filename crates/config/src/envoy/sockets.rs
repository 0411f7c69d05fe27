//! Options of the sockets that lead to clusters.

use std::net::SocketAddr;

use crate::model::Sockets;
use crate::read::{Field, Object};

use super::{address, listener_socket, unsupported};

/// Of a cluster; `None` if any was refused. `source`: where connections come from if the cluster does not say.
pub(super) fn decode(object: &mut Object<'_>, source: Option<SocketAddr>) -> Option<Sockets> {
    let keepalive = match object.take("upstream_connection_options") {
        None => Some(None),
        Some(field) => keepalive(&field),
    };
    // A cluster's own stands in place of the common one, whatever is in it.
    let source = match object.take("upstream_bind_config") {
        None => Some(source),
        Some(field) => bind_config(&field),
    };
    Some(Sockets { keepalive: keepalive?, source: source? })
}

#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
fn keepalive(field: &Field<'_>) -> Option<Option<crate::model::TcpKeepalive>> {
    let mut object = field.object()?;
    let keepalive = object.take("tcp_keepalive");
    object.finish(unsupported::CONNECTION_OPTIONS);
    keepalive.map_or(Some(None), |field| listener_socket::keepalive(&field).map(Some))
}

/// Of all clusters that say nothing themselves. What is wrong has been reported.
pub(super) fn of_cluster_manager(field: &Field<'_>) -> Option<SocketAddr> {
    let mut object = field.object()?;
    let source = object.take("upstream_bind_config");
    object.finish(unsupported::CLUSTER_MANAGER);
    bind_config(&source?)?
}

#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
fn bind_config(field: &Field<'_>) -> Option<Option<SocketAddr>> {
    let mut object = field.object()?;
    let address = object.take("source_address");
    object.finish(unsupported::BIND_CONFIG);
    let Some(address) = address else { return Some(None) };
    // A bare SocketAddress, not an Address.
    let mut object = address.object()?;
    address::tcp(&mut object);
    let ip = object.require("address", "write the local IP address");
    let port = object.take("port_value").map_or(Some(0), |field| field.whole(0, 65_535));
    object.finish(unsupported::SOCKET_ADDRESS);
    let ip = address::literal(&ip?, "connections come from an IP address of this machine")?;
    Some(Some(SocketAddr::new(ip, u16::try_from(port?).ok()?)))
}

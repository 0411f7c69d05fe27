//! Options of a cluster's sockets.

use std::time::Duration;

use crate::model::{Sockets, TcpKeepalive};
use crate::read::{Field, Object};

use super::{address, unsupported};

/// `None` if any was refused.
pub(super) fn decode(object: &mut Object<'_>) -> Option<Sockets> {
    let options = object.take("upstream_connection_options").map(|field| keepalive(&field));
    let source = object.take("upstream_bind_config").map(|field| source(&field));
    Some(Sockets { keepalive: options.unwrap_or(Some(None))?, source: source.unwrap_or(Some(None))? })
}

#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
fn keepalive(field: &Field<'_>) -> Option<Option<TcpKeepalive>> {
    let mut object = field.object()?;
    let keepalive = object.take("tcp_keepalive");
    object.finish(unsupported::CONNECTION_OPTIONS);
    let Some(keepalive) = keepalive else { return Some(None) };
    let mut object = keepalive.object()?;
    let mut number = |name| match object.take(name) {
        None => Some(None),
        Some(field) => field.whole(1, 32_767).map(Some),
    };
    let (probes, time, interval) =
        (number("keepalive_probes"), number("keepalive_time"), number("keepalive_interval"));
    object.finish(&[]);
    let seconds = |seconds: Option<u32>| seconds.map(|seconds| Duration::from_secs(seconds.into()));
    Some(Some(TcpKeepalive { probes: probes?, time: seconds(time?), interval: seconds(interval?) }))
}

#[allow(clippy::option_option, reason = "the outer None is an error already reported")]
fn source(field: &Field<'_>) -> Option<Option<std::net::SocketAddr>> {
    let mut object = field.object()?;
    let address = object.take("source_address");
    object.finish(unsupported::BIND_CONFIG);
    let Some(address) = address else { return Some(None) };
    // A bare SocketAddress, not an Address.
    let mut object = address.object()?;
    let ip = object.require("address", "write the local IP address");
    let port = object.take("port_value").map_or(Some(0), |field| field.whole(0, 65_535));
    object.finish(unsupported::SOCKET_ADDRESS);
    let ip = address::literal(&ip?, "connections come from an IP address of this machine")?;
    Some(Some(std::net::SocketAddr::new(ip, u16::try_from(port?).ok()?)))
}

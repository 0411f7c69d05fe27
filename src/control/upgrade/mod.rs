//! An upgrade without a refused or reset connection: a new process takes the listening sockets of the old one.
//!
//! The old process keeps a door open, a Unix socket that is named after its base id and epoch ([`address`]). The new one,
//! started with the next epoch, comes to it ([`successor`]) and gets descriptors of the very sockets ([`channel`]): what
//! waits in their queues belongs to both. When it serves, it says so; the old one then stops accepting, finishes what it
//! has, and tells the new one mirror by mirror when it has no more copies ([`door`], `control::leave`). Until then the
//! new one holds that mirror's copies, so that none overtakes an earlier one. A new process that ends before it serves
//! changes nothing. Everything here runs on the control thread.

mod address;
mod channel;
pub(super) mod door;
pub(super) mod line;
pub(super) mod successor;

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::sockopt;
use rustix::process::geteuid;

/// The language that both sides must speak. Counted up when a message changes its meaning.
pub(crate) use crate::lifecycle::HOT_RESTART_VERSION as VERSION;

/// Only processes of the same user may give and take sockets.
fn same_user(peer: &OwnedFd) -> io::Result<()> {
    let (own, other) = (geteuid(), sockopt::socket_peercred(peer)?.uid);
    if own == other {
        return Ok(());
    }
    let why = format!("it runs as user {}, this process as {}", other.as_raw(), own.as_raw());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

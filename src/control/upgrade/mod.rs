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
use rustix::process::{Uid, geteuid};

/// The language that both sides must speak. Counted up when a message changes its meaning.
pub(crate) use crate::lifecycle::HOT_RESTART_VERSION as VERSION;

/// Only processes of the same user may give and take sockets.
fn same_user(peer: &OwnedFd) -> io::Result<()> {
    is_own(geteuid(), sockopt::socket_peercred(peer)?.uid)
}

fn is_own(own: Uid, other: Uid) -> io::Result<()> {
    if own == other {
        return Ok(());
    }
    let why = format!("it runs as user {}, this process as {}", other.as_raw(), own.as_raw());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_user_may_take_over() {
        let [root, user] = [Uid::ROOT, Uid::from_raw(1000)];
        assert!(is_own(root, root).is_ok() && is_own(user, user).is_ok());
        // Not even root may give to somebody else, or take what another prepared.
        for (own, other) in [(root, user), (user, root)] {
            let error = is_own(own, other).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            let words = format!("it runs as user {}, this process as {}", other.as_raw(), own.as_raw());
            assert_eq!(error.to_string(), words);
        }
    }
}

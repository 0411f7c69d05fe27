//! A copy: a complete request on its way to a mirror, and who hears how it went.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::verdict::Attempt;
use crate::mirror::order::Wire;
use crate::paths::Kind;

/// A complete request, ready to be written to a mirror.
#[derive(Debug)]
pub(crate) struct Copy<L> {
    /// The bytes of the request.
    pub(in crate::mirror) wire: Arc<Wire>,
    /// Whether an answer may carry a body (not to HEAD).
    pub(in crate::mirror) answer_has_body: bool,
    /// What the request was, for the verdict on its answer.
    pub(in crate::mirror) kind: Kind,
    /// Hash of the tenant that the mirror sees: a mirror may slow down one of them.
    pub(in crate::mirror) tenant: u64,
    /// One attempt's time.
    pub(in crate::mirror) timeout: Duration,
    /// When the request was complete.
    pub(in crate::mirror) arrived: Instant,
    /// How often it was given back by a reused connection that turned out to be closed.
    pub(in crate::mirror) stale: u32,
    /// Who hears how it went.
    pub(in crate::mirror) load: L,
}

/// Both ends of a connection to a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: SocketAddr,
}

/// Who stands behind a copy. `ended` and `expired` give the copy back.
pub(crate) trait Load: Sized + 'static {
    /// An attempt begins, over this connection.
    fn begins(&self, _over: Ends) {}

    /// An attempt has ended.
    fn ended(copy: Copy<Self>, attempt: Attempt);

    /// It waited here for longer than the sender's `max_age`.
    fn expired(copy: Copy<Self>);

    /// The process leaves. `begun`: it was on its way.
    fn left(self, begun: bool);
}

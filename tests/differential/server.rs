//! Whatever can stand behind the proxy: it has an address, and remembers what came.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::dsl::fault::Faulty;
use crate::dsl::h2_upstream::Seen;
use crate::dsl::http1::Message;
use crate::dsl::tls_server::TlsUpstream;
use crate::dsl::{H2Upstream, Upstream};

/// A server of a scenario. Others than HTTP/1.1 in clear put what they got into the form of [`Message`].
pub(super) trait Server {
    fn address(&self) -> SocketAddr;

    /// Every request that began, in the order of arrival, complete or not.
    fn messages(&self) -> Vec<Message>;
}

impl Server for Upstream {
    fn address(&self) -> SocketAddr {
        Upstream::address(self)
    }

    fn messages(&self) -> Vec<Message> {
        self.requests()
    }
}

impl Server for H2Upstream {
    fn address(&self) -> SocketAddr {
        H2Upstream::address(self)
    }

    fn messages(&self) -> Vec<Message> {
        self.seen().iter().map(Seen::message).collect()
    }
}

/// What TLS said stands in the header `x-tls` of the first request of a connection.
impl Server for TlsUpstream {
    fn address(&self) -> SocketAddr {
        TlsUpstream::address(self)
    }

    fn messages(&self) -> Vec<Message> {
        self.inner.requests()
    }
}

/// One that the script goes on with.
impl<S: Server> Server for Rc<S> {
    fn address(&self) -> SocketAddr {
        S::address(self)
    }

    fn messages(&self) -> Vec<Message> {
        S::messages(self)
    }
}

/// Remembers nothing: what it does is all there is to see.
impl Server for Faulty {
    fn address(&self) -> SocketAddr {
        Faulty::address(self)
    }

    fn messages(&self) -> Vec<Message> {
        Vec::new()
    }
}

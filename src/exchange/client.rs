//! What an exchange knows of its client.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use super::Departure;
use crate::tls::Secured;

/// Where a request came from.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) listener: usize,
    pub(crate) peer: SocketAddr,
    /// Where it connected.
    pub(crate) local: SocketAddr,
    /// Its connection's number, from 0 in the order of acceptance.
    pub(crate) connection: u64,
    /// Its TLS; `None` is a plain connection.
    pub(crate) secured: Option<Rc<Secured>>,
    /// Requests in progress on its connection.
    pub(crate) active: Rc<Cell<u32>>,
    /// Requests of its connection whose body has not been read to its end.
    pub(crate) unread: Rc<Cell<u32>>,
    /// Hears of it when the client leaves.
    pub(crate) departure: Rc<Departure>,
    /// Whether its connection ends with this request.
    pub(crate) retiring: Rc<Cell<bool>>,
}

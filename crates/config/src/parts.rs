//! What the decoders of both forms hand to the common checks.

use crate::durable::Place;
use crate::model::{Admin, Cluster, Listener, Mirror, Node as Identity};

/// What a decoder makes of a document.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) node: Identity,
    pub(crate) admin: Option<Admin>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) mirrors: Vec<Destination<'a>>,
}

/// A mirror, and where its settings stand if it is durable.
#[derive(Debug, Clone)]
pub(crate) struct Destination<'a> {
    pub(crate) mirror: Mirror,
    pub(crate) durable: Option<Place<'a>>,
}

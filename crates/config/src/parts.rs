//! What the decoders of both forms hand to the common checks.

use crate::model::{Admin, Cluster, Listener, Mirror, Node as Identity, Process};
use crate::read::Field;

/// What a decoder makes of a document.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) node: Identity,
    pub(crate) admin: Option<Admin>,
    pub(crate) process: Process,
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

/// Where the settings of a durable mirror stand.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    pub(crate) delivery: Field<'a>,
    /// Only where it is written.
    pub(crate) path: Option<Field<'a>>,
}

impl<'a> Place<'a> {
    /// What decides the backlog's directory.
    pub(crate) fn directory(&self) -> &Field<'a> {
        self.path.as_ref().unwrap_or(&self.delivery)
    }
}

//! What the decoders of both forms hand to the common checks.

use crate::model::{Admin, Cluster, Listener, Mirror, Node as Identity};

/// What a decoder makes of a document.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) node: Identity,
    pub(crate) admin: Option<Admin>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) mirrors: Vec<Mirror>,
}

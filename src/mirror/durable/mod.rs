//! Durable delivery (contract C9): copies of writes that survive the mirror's outage and the end of this process.

pub(crate) mod message;
pub(crate) mod record;

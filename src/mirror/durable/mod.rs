//! Durable delivery (contract C9): copies of writes that survive the mirror's outage and the end of this process.
#![allow(dead_code, reason = "nothing hands copies to it yet")]

pub(crate) mod backlog_thread;
pub(crate) mod in_flight;
pub(crate) mod message;
pub(crate) mod record;

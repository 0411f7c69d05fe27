//! A durable queue of request copies.
#![deny(clippy::indexing_slicing)]
#![forbid(unsafe_code)]

mod append;
mod bugs;
mod bytes;
mod checkpoint;
mod durable;
mod error;
mod finish;
mod format;
pub mod fs;
mod index;
pub mod inspect;
mod names;
mod open;
mod ranges;
mod read;
mod recovery;
mod scan;
mod seal;
mod store;
mod survey;
#[cfg(test)]
mod tests;
mod types;

pub use error::{AppendError, OpenError, ReadError, StoreError};
pub use format::{KIND_MAX, PAYLOAD_MAX, VERSION, name_hash};
pub use recovery::{CheckpointState, Damage, ForeignReason, Recovery};
pub use store::Backlog;
pub use types::{Expired, Freed, NewRecord, Options, Position, ReadBatch, Record, Stats, Sync};

//! What the operator wrote, decoded into one model.
//!
//! Three spellings enter (an Envoy bootstrap in its v2 or v3 form, the native form, command line flags), one
//! [`model::Config`] leaves. The rest of the program cannot tell which spelling was used. This crate reads
//! text and returns values: no sockets, no runtime, no DNS.
//!
//! Two steps: text becomes a tree that knows where everything stands (`tree`), a decoder turns the tree into
//! the model (`native`, `envoy`) and reports everything that is wrong in one go (`diag`). Nothing is ignored
//! silently: a field is decoded, refused by name, or unknown.

#![deny(clippy::indexing_slicing)]
#![forbid(unsafe_code)]

mod address;
mod auth;
pub mod convert;
mod diag;
mod durable;
mod envoy;
mod flags;
mod format;
mod headers;
mod load;
mod merge;
pub mod model;
mod native;
mod parts;
mod plain;
mod read;
mod secrets;
mod settings;
mod source;
mod tree;
mod units;
mod variables;

pub use diag::ConfigError;
pub use flags::Flags;
pub use format::parse as format;
pub use load::{Input, load, load_str};
pub use units::duration;

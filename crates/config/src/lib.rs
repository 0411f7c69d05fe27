//! What the operator wrote, decoded into one model.
//!
//! Three spellings enter (an Envoy bootstrap in its v2 or v3 form, the native form, command line flags), one
//! [`model::Config`] leaves. The rest of the program cannot tell which spelling was used. This crate reads
//! text and returns values: no sockets, no runtime, no DNS.

#![deny(clippy::indexing_slicing)]
#![forbid(unsafe_code)]

pub mod model;

//! `deb`, `static` and `manifests`: what packaging/ describes, built. The recipes are files; here is only how they are
//! put together.

mod binary;
mod deb;
mod manifests;
mod musl;

pub(crate) use deb::{Options as DebOptions, run as deb};
pub(crate) use manifests::run as manifests;
pub(crate) use musl::{Options as StaticOptions, run as musl};

//! What packaging/ holds, as far as a machine without an engine can tell: the Debian package is built, installed into a
//! folder and started; the chart is rendered and held against Kubernetes' schemas; every configuration inside is given
//! to the program itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose surroundings fail cannot go on"
)]

mod chart;
mod compose;
mod deb;
mod place;
mod schema;

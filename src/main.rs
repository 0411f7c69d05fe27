//! Request mirroring for Grafana Mimir.

mod admin;
mod lifecycle;
mod limits;
mod mirror;
mod stats;

fn main() {}

//! Request mirroring for Grafana Mimir.

fn main() {}

//! The same requests through Envoy and through ours, from one file: the client, the primary and the mirror must see
//! the same, but for what stands in [`DIFFERENCES`].

use std::collections::BTreeMap;

use crate::dsl::http1::{Framing, Message};
use crate::dsl::proxy::Program;
use crate::dsl::{Config, Proxy, Reply, Request, Upstream, bytes_of};

/// What ours does otherwise on purpose: the case, who sees it, Envoy's way, our way, and why.
const DIFFERENCES: &[Difference] = &[];

struct Difference {
    case: &'static str,
    seen_by: &'static str,
    what: &'static str,
    envoy: &'static str,
    ours: &'static str,
    why: &'static str,
}

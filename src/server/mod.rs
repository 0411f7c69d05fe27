//! Where clients connect.
//!
//! Enters: TCP connections. Leaves: requests, to the exchange. `accept` runs on the control thread and hands each
//! connection to the worker with fewest open connections and requests; `connection` runs there, drives HTTP/1.1 and
//! HTTP/2 through hyper, and closes what idles, stalls or is drained; `io` is the socket with its counters, `preface`
//! tells the two protocols apart, `resets` counts streams that were opened for nothing.

pub(crate) mod accept;
pub(crate) mod connection;
mod io;
mod preface;
mod resets;

//! Where clients connect.
//!
//! Enters: TCP connections. Leaves: requests, to the exchange. `accept` runs on the control thread and hands each
//! connection to the worker with fewest open connections and requests. There `connections` looks after all of them,
//! `connection` drives one through hyper, in the protocol that `protocols` finds the client to speak; `watched` is what
//! is known of it meanwhile, `io` its socket with counters, `resets` counts streams that were opened for nothing. Where
//! connections are many, `turns` bounds how many requests begin at the same time, and `buffers` how many read buffers
//! are kept between them.

pub(crate) mod accept;
mod buffers;
mod connection;
pub(crate) mod connections;
mod io;
mod protocols;
mod resets;
mod turns;
mod watched;

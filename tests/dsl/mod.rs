//! What the tests are written in: it starts, faults and stops everything around the proxy, and the proxy itself.
//!
//! - [`config`] writes configuration files, [`proxy`] runs the binary on one, [`metrics`] reads its counters;
//! - [`client`] and [`h2c`] send exact requests, [`upstream`] and [`h2_upstream`] record exact requests and answer as
//!   scripted, [`streams`] are bodies of HTTP/2; [`recorders`] are two such upstreams with the proxy between them;
//! - [`receiver`] judges samples as a TSDB does, treats requests as a [`treatment`] says and remembers each as a
//!   [`visit`]; [`clusters`] puts the proxy between two of them, [`writer`] and [`crowd`] send to it;
//! - [`tls`] makes certificates and asks with them, [`tls_server`] shows them; [`frames`] is a server that sees HTTP/2
//!   frame by frame, [`h2_raw`] a client that breaks its rules;
//! - [`otlp`] pushes;
//! - [`backlog`] is what durable delivery keeps on disk, [`tmpfs`] a disk that can be full;
//! - [`clock`] is a wall clock that steps;
//! - [`fault`] is every bad server, [`hole`] a network that drops, [`relay`] spoils the way to a good one, [`latency`] is
//!   distance;
//! - [`browser`] is a real browser, [`prometheus`] is the real sender and the real receiver.
//!
//! Everything has its own ports and its own folder, and is stopped when its value is dropped, also by a panic.

pub(crate) mod backlog;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod clusters;
pub(crate) mod config;
pub(crate) mod crowd;
pub(crate) mod dir;
pub(crate) mod dns;
pub(crate) mod fault;
pub(crate) mod frames;
pub(crate) mod h2_raw;
pub(crate) mod h2_upstream;
pub(crate) mod h2c;
pub(crate) mod hole;
pub(crate) mod http1;
pub(crate) mod latency;
pub(crate) mod metrics;
pub(crate) mod otlp;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod recorders;
pub(crate) mod relay;
pub(crate) mod request;
pub(crate) mod streams;
pub(crate) mod task;
pub(crate) mod tls;
pub(crate) mod tls_server;
pub(crate) mod tmpfs;
pub(crate) mod treatment;
pub(crate) mod upstream;
pub(crate) mod visit;
pub(crate) mod wait;
pub(crate) mod writer;

pub(crate) use backlog::Backlog;
pub(crate) use client::Client;
pub(crate) use clusters::Clusters;
pub(crate) use config::Config;
pub(crate) use crowd::Crowd;
pub(crate) use h2_upstream::H2Upstream;
pub(crate) use latency::Latency;
pub(crate) use metrics::Ledger;
pub(crate) use proxy::Proxy;
pub(crate) use receiver::Receiver;
pub(crate) use recorders::Recorders;
pub(crate) use request::{Request, bytes_of};
pub(crate) use tmpfs::Tmpfs;
pub(crate) use treatment::{Switch, Treatment};
pub(crate) use upstream::{Reply, Upstream};
pub(crate) use wait::{Gate, alone, until};
pub(crate) use writer::Writer;

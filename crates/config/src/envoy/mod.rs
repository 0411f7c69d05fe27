//! An Envoy bootstrap, in its v2 or v3 spelling.
//!
//! Both spellings are read by the same decoders: where v2 and v3 name a thing differently, both names are
//! accepted, and giving both at once is an error. What Envoy itself would reject is rejected with its words.

mod access_log;
mod action;
mod added;
mod address;
mod any;
mod balancing;
mod bootstrap;
mod breakers;
mod client_cert;
mod client_protocols;
mod cluster;
mod conventions;
mod data;
mod dns;
mod endpoint;
mod fraction;
mod hcm;
mod health;
mod http_options;
mod listener;
mod listener_socket;
mod log_filter;
mod matching;
mod metadata;
mod mirror;
mod mutation;
mod pattern;
mod process;
mod protocol_options;
mod reply;
mod retry;
mod route;
mod shares;
mod sockets;
mod targets;
mod tls;
mod unsupported;
mod upstreams;
mod virtual_host;

pub(crate) use access_log::{DEFAULT_FORMAT, json_line};
pub(crate) use bootstrap::decode;
pub(crate) use metadata::KEY as METADATA_KEY;
pub(crate) use tls::{dns_name, file};

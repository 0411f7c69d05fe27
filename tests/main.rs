//! The contract, tested from outside: the real binary between real clients and real servers, over TCP.
//!
//! One file a promise. Tests named `cN_...` hold clause N of the contract; the others hold the configuration, the
//! admin interface and the life of the process. All of it is one test binary, so that it links once. Tests count
//! and compare; they never measure time, and wait only for conditions, each with a deadline.
//!
//! `PROXY_UNDER_TEST=envoy` runs the same tests against Envoy where they use its configuration. It tells whether
//! a test asks for what Envoy does, and which promises Envoy does not keep.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose surroundings fail cannot go on"
)]

mod dsl;

mod access_log;
mod access_log_copies;
mod access_log_durable;
mod activation;
mod admin;
mod admin_access;
mod admin_beside_envoy;
mod backlog_command;
mod backlog_drain;
mod both_answers;
mod breakers;
mod c10_polite;
mod c1_answers;
mod c1_connections;
mod c1_untouched;
mod c2_isolated;
mod c3_bounded;
mod c4_errors;
mod c5_whole;
mod c6_same_request;
mod c6_shares;
mod c6_which;
mod c7_accounted;
mod c8_apart;
mod c8_ordered;
mod c8_otlp;
mod c8_trouble;
mod c9_bounds;
mod c9_clock;
mod c9_crash;
mod c9_damage;
mod c9_disk;
mod c9_kept;
mod c9_operator;
mod c9_read_back;
mod chaos;
mod corpus;
mod cost;
mod dashboards;
mod demo;
mod desync;
mod differential;
mod dns;
mod dns_leaving;
mod dns_servers;
mod documented_config;
mod documented_pages;
mod drain;
mod envoy_statistics;
mod fields;
mod flags;
mod grpc;
mod h2load;
mod hostile_clients;
mod http2_abuse;
mod http2_floods;
mod http2_pool;
mod http2_tls;
mod http2_upstream;
mod http2_windows;
mod packaged_monitoring;
mod primary_faults;
mod process;
mod quiet;
mod refusals;
mod reload;
mod routing;
mod secrets;
mod soak;
mod soak_random;
mod starved;
mod status;
mod status_page;
mod tls;
mod upgrade;
mod when_answered;

/// A test file that no `mod` line names would never run, and nobody would notice.
#[test]
fn every_test_file_is_compiled() {
    let main = include_str!("main.rs");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // `order-loom` is a package of its own.
        let module = name.strip_suffix(".rs").unwrap_or(&name);
        let named = matches!(module, "main" | "order-loom") || main.contains(&format!("mod {module};"));
        assert!(named, "tests/{name} is not named in tests/main.rs");
    }
}

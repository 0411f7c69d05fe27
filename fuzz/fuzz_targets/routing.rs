//! Finding a route and making of a request what the primary gets; what must hold stands in `fuzz/src`.
//!
//! `cargo +nightly fuzz run routing -- -timeout=10 -rss_limit_mb=2048`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mimir_mirror_fuzz::routing(data));

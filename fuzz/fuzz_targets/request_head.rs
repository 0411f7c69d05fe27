//! Request heads on the wire, through the HTTP library and what is ours; what must hold stands in `fuzz/src`.
//!
//! `cargo +nightly fuzz run request_head -- -timeout=10 -rss_limit_mb=2048`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mimir_mirror_fuzz::request_head(data));

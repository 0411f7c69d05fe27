//! Admin requests; what must hold stands in `fuzz/src`.
//!
//! `cargo +nightly fuzz run admin -- -timeout=10 -rss_limit_mb=2048`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mimir_mirror_fuzz::admin(data));

//! Reading a configuration: whatever the text, a value or a message, and what loads converts or says why not.
//!
//! `cargo +nightly fuzz run configuration tests/corpus examples -- -timeout=10 -rss_limit_mb=2048`
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match config::load_str("fuzz.yaml", text) {
        Ok(config) => {
            let _ = config::convert::to_native(&config);
            let _ = config::convert::to_envoy_v3(&config);
        }
        Err(error) => assert!(!error.first_line().is_empty()),
    }
});

//! Reading which series a body carries: whatever the bytes, a set in order or "everything", and the same set again.
//!
//! `cargo +nightly fuzz run remote_write -- -timeout=10 -rss_limit_mb=2048`
#![no_main]

use libfuzzer_sys::fuzz_target;
use remote_write::fingerprint::{Scratch, Seed, Series, otlp_series, series};

const UNCOMPRESSED_MAX: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((&way, body)) = data.split_first() else { return };
    let v2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let mut scratch = Scratch::new(Seed::fixed(1), UNCOMPRESSED_MAX);
    let mut read = || {
        let mut set = Vec::new();
        let found = match way % 4 {
            0 => series(body, "application/x-protobuf", Some("snappy"), &mut scratch, &mut set),
            1 => series(body, v2, Some("snappy"), &mut scratch, &mut set),
            2 => otlp_series(body, "application/x-protobuf", None, &mut scratch, &mut set),
            _ => otlp_series(body, "application/x-protobuf", Some("gzip"), &mut scratch, &mut set),
        };
        match found {
            Series::Known(count) => assert_eq!(count, set.len()),
            _ => assert!(set.is_empty()),
        }
        assert!(set.is_sorted_by(|a, b| a < b));
        set
    };
    assert_eq!(read(), read());
    let _ = remote_write::decode(body, UNCOMPRESSED_MAX);
});

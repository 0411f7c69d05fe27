//! Bodies as they come: compressed or not, of a collector, of another kind.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use remote_write::fingerprint::{Reason, Scratch, Seed, Series, otlp_series};
use remote_write::otlp::{HEADERS, encode, from_v1};
use remote_write::synthetic::Generator;

use super::{apart, otlp};
use crate::{checked, scratch, v1};

const NOW: i64 = 1_760_000_000_000;

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("room for it")
}

fn ask(body: &[u8], content_type: &str, encoding: Option<&str>) -> Series {
    otlp_series(body, content_type, encoding, &mut scratch(), &mut Vec::new())
}

#[test]
fn compression_does_not_matter() {
    let request = from_v1(&Generator::new(1, 0, 3_000).batch(3_000, NOW));
    let message = request.encode_to_vec();
    let plain = otlp(&message);
    assert!(plain.as_ref().is_ok_and(|set| set.len() > 10), "several pods");
    for body in [encode(&request), gzip(&message, 0), gzip(&message, 1), gzip(&message, 9)] {
        let mut out = Vec::new();
        let series = otlp_series(&body, HEADERS[1].1, Some("gzip"), &mut scratch(), &mut out);
        assert_eq!(checked(series, out), plain);
    }
}

#[test]
fn the_next_round_of_a_collector_meets_the_last_one() {
    let mut generator = Generator::new(1, 0, 1_000);
    let first = otlp(&from_v1(&generator.batch(1_000, NOW)).encode_to_vec());
    assert_eq!(first.as_ref().map(Vec::len), Ok(6), "as many as there are pods");
    assert_eq!(otlp(&from_v1(&generator.batch(1_000, NOW + 15_000)).encode_to_vec()), first);
}

#[test]
fn a_push_never_meets_remote_write() {
    let request = Generator::new(1, 0, 3_000).batch(3_000, NOW);
    assert!(apart(&otlp(&from_v1(&request).encode_to_vec()), &v1(&request.encode_to_vec())));
}

#[test]
fn headers_are_believed() {
    let request = from_v1(&Generator::new(1, 0, 10).batch(10, NOW));
    let (message, body) = (request.encode_to_vec(), encode(&request));
    let protobuf = "application/x-protobuf";
    assert_eq!(ask(&body, protobuf, Some("gzip")), Series::Known(1));
    assert_eq!(ask(&message, protobuf, Some("identity")), Series::Known(1));
    for encoding in ["lz4", "zstd", "snappy", "gzip, gzip"] {
        assert_eq!(ask(&body, protobuf, Some(encoding)), Series::Everything(Reason::Encoding), "{encoding}");
    }
    for content_type in ["", "application/json", "text/plain"] {
        assert_eq!(ask(&message, content_type, None), Series::Everything(Reason::Protocol), "{content_type}");
    }
    assert!(matches!(ask(&message, protobuf, Some("gzip")), Series::Everything(_)), "it is not compressed");
    assert_eq!(ask(&body, protobuf, None), Series::Everything(Reason::Unreadable), "it is");
}

#[test]
fn the_bound_is_on_uncompressed_bytes() {
    let request = from_v1(&Generator::new(1, 0, 100).batch(100, NOW));
    let (message, body) = (request.encode_to_vec(), encode(&request));
    for (limit, expected) in
        [(message.len(), Series::Known(1)), (message.len() - 1, Series::Everything(Reason::TooLarge))]
    {
        let mut scratch = Scratch::new(Seed::fixed(1), limit);
        let mut ask =
            |body: &[u8], encoding| otlp_series(body, HEADERS[1].1, encoding, &mut scratch, &mut Vec::new());
        assert_eq!(ask(&body, Some("gzip")), expected);
        assert_eq!(ask(&message, None), expected);
    }
}

/// A gigabyte in one megabyte: what the end of the body says decides, or else what has come out.
#[test]
fn a_bomb_is_too_large() {
    let mut bomb = gzip(&vec![0; 1 << 30], 1);
    assert!(bomb.len() < 8 << 20, "{}", bomb.len());
    assert_eq!(ask(&bomb, HEADERS[1].1, Some("gzip")), Series::Everything(Reason::TooLarge));
    let end = bomb.len() - 4;
    bomb[end..].copy_from_slice(&[0; 4]);
    assert_eq!(ask(&bomb, HEADERS[1].1, Some("gzip")), Series::Everything(Reason::TooLarge));
}

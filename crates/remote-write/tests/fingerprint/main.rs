//! Fingerprints of the series in a body, held against the objects that prost reads from the same bytes.

#![allow(clippy::expect_used, reason = "test code outside of #[test] functions")]

mod hostile;
mod limits;
mod model;
mod otlp;
mod real;
mod same;
mod spelling;

use proptest::test_runner::{Config, RngSeed};
use remote_write::fingerprint::{DEFAULT_MAX_UNCOMPRESSED, Reason, Scratch, Seed, Series, series};
use remote_write::{HEADERS, HEADERS_V2};

/// The set of a body, or why there is none.
type Set = Result<Vec<u64>, Reason>;

fn scratch() -> Scratch {
    Scratch::new(Seed::fixed(11), DEFAULT_MAX_UNCOMPRESSED)
}

/// Reads a body and checks what holds of every answer.
fn read(body: &[u8], content_type: &str) -> Set {
    let mut out = vec![1, 2, 3];
    let series = series(body, content_type, Some("snappy"), &mut scratch(), &mut out);
    checked(series, out)
}

fn checked(series: Series, out: Vec<u64>) -> Set {
    match series {
        Series::Known(count) => {
            assert_eq!(count, out.len());
            assert!(out.is_sorted_by(|a, b| a < b), "ascending, each once");
            Ok(out)
        }
        Series::Everything(reason) => {
            assert!(out.is_empty(), "no set that could be taken for the whole");
            Err(reason)
        }
    }
}

fn snappy(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).expect("less than 4 GiB")
}

/// Reads an uncompressed 1.0 message.
fn v1(message: &[u8]) -> Set {
    read(&snappy(message), HEADERS[1].1)
}

/// Reads an uncompressed 2.0 message.
fn v2(message: &[u8]) -> Set {
    read(&snappy(message), HEADERS_V2[1].1)
}

/// The same cases in every run.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(0x7365_7269_6573),
        failure_persistence: None,
        ..Config::default()
    }
}

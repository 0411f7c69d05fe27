//! The bounds: how many series, how many symbols, how many bytes.

use prost::Message as _;
use remote_write::fingerprint::{MAX_SERIES, MAX_SYMBOLS, Reason, Scratch, Seed, Series, series};
use remote_write::message2::Request;
use remote_write::synthetic::Generator;
use remote_write::{HEADERS, HEADERS_V2, Label, Sample, TimeSeries, WriteRequest, declared_len};

use crate::{read, snappy, v1, v2};

const NOW: i64 = 1_760_000_000_000;

/// A request with so many different series.
fn distinct(count: usize) -> WriteRequest {
    let series = |number: usize| TimeSeries {
        labels: vec![Label { name: "n".into(), value: number.to_string() }],
        samples: vec![Sample { value: 1.0, timestamp: NOW }],
        exemplars: Vec::new(),
    };
    WriteRequest { timeseries: (0..count).map(series).collect(), metadata: Vec::new() }
}

#[test]
fn as_many_series_as_the_bound_are_told_apart_and_no_more() {
    for (count, expected) in [(MAX_SERIES, Ok(MAX_SERIES)), (MAX_SERIES + 1, Err(Reason::TooMany))] {
        let request = distinct(count);
        assert_eq!(v1(&request.encode_to_vec()).map(|set| set.len()), expected);
        assert_eq!(v2(&Request::from_v1(&request).encode_to_vec()).map(|set| set.len()), expected);
    }
}

#[test]
fn what_repeats_does_not_count() {
    let mut request = distinct(MAX_SERIES);
    request.timeseries.extend_from_within(..);
    request.timeseries.extend_from_within(..10_000);
    assert_eq!(v1(&request.encode_to_vec()).map(|set| set.len()), Ok(MAX_SERIES));
}

#[test]
fn as_many_symbols_as_the_bound_are_read_and_no_more() {
    let mut request = Request::from_v1(&distinct(1));
    request.symbols.resize(MAX_SYMBOLS, String::new());
    assert_eq!(v2(&request.encode_to_vec()).map(|set| set.len()), Ok(1));
    request.symbols.push(String::new());
    assert_eq!(v2(&request.encode_to_vec()), Err(Reason::TooMany));
}

#[test]
fn the_declared_size_decides_what_is_too_large() {
    let body = Generator::new(1, 0, 100).body(100, NOW);
    let declared = declared_len(&body).expect("a size");
    let mut out = Vec::new();
    for (limit, expected) in
        [(declared, Series::Known(100)), (declared - 1, Series::Everything(Reason::TooLarge))]
    {
        let mut scratch = Scratch::new(Seed::fixed(1), limit);
        assert_eq!(series(&body, HEADERS[1].1, None, &mut scratch, &mut out), expected);
    }
}

/// A hundred megabytes in five: read up to the limit's size, refused above it without a look inside.
#[test]
fn a_dense_block_is_too_large() {
    let body = snappy(&vec![0; 100 << 20]);
    assert!(body.len() < 6 << 20);
    assert_eq!(read(&body, HEADERS[1].1), Err(Reason::TooLarge));
}

/// Millions of series that bring nothing take time by their bytes and no room.
#[test]
fn empty_series_take_no_room() {
    let message = [0x0a, 0].repeat(10 << 20);
    assert_eq!(v1(&message), Ok(vec![]));
    let message = [0x2a, 0].repeat(10 << 20);
    assert_eq!(v2(&message), Ok(vec![]));
}

#[test]
fn a_scratch_serves_bodies_of_any_kind_in_any_order() {
    let mut scratch = Scratch::new(Seed::fixed(11), 32 << 20);
    let mut out = Vec::new();
    let first = |shard, samples| (Generator::new(1, shard, 50_000).body(samples, NOW), HEADERS);
    let second = |shard, samples| {
        let request = Generator::new(1, shard, 50_000).batch(samples, NOW);
        (snappy(&Request::from_v1(&request).encode_to_vec()), HEADERS_V2)
    };
    let bodies = [
        first(0, 50_000),
        second(1, 300),
        (Vec::new(), HEADERS),
        first(2, 10),
        second(3, 20),
        (vec![1], HEADERS_V2),
    ];
    for (body, headers) in bodies.iter().chain(&bodies) {
        let fresh = read(body, headers[1].1);
        let known = series(body, headers[1].1, None, &mut scratch, &mut out);
        assert_eq!(
            known,
            fresh.as_ref().map_or_else(|reason| Series::Everything(*reason), |set| Series::Known(set.len()))
        );
        assert_eq!(out, fresh.unwrap_or_default(), "nothing is left of the bodies before");
    }
}

//! Reading and writing bodies: what is written is read again, and nothing that comes in can do harm.

use proptest::collection::vec;
use proptest::prelude::*;
use remote_write::synthetic::Generator;
use remote_write::{
    DecodeError, Exemplar, Label, MetricMetadata, Sample, TimeSeries, WriteRequest, declared_len, decode,
    encode,
};

const LIMIT: usize = 1 << 20;

fn labels() -> impl Strategy<Value = Vec<Label>> {
    vec((".{0,12}", ".{0,24}").prop_map(|(name, value)| Label { name, value }), 0..6)
}

fn series() -> impl Strategy<Value = TimeSeries> {
    let sample = (any::<f64>(), any::<i64>()).prop_map(|(value, timestamp)| Sample { value, timestamp });
    let exemplar = (labels(), any::<f64>(), any::<i64>()).prop_map(|(labels, value, timestamp)| Exemplar {
        labels,
        value,
        timestamp,
    });
    (labels(), vec(sample, 0..5), vec(exemplar, 0..2)).prop_map(|(labels, samples, exemplars)| TimeSeries {
        labels,
        samples,
        exemplars,
    })
}

fn request() -> impl Strategy<Value = WriteRequest> {
    let metadata =
        (0..8, ".{0,9}", ".{0,9}", ".{0,9}").prop_map(|(r#type, metric_family_name, help, unit)| {
            MetricMetadata { r#type, metric_family_name, help, unit }
        });
    (vec(series(), 0..20), vec(metadata, 0..4))
        .prop_map(|(timeseries, metadata)| WriteRequest { timeseries, metadata })
}

proptest! {
    #[test]
    fn what_is_written_is_read(request in request()) {
        prop_assert_eq!(decode(&encode(&request), LIMIT).expect("its own body"), request);
    }

    #[test]
    fn garbage_is_refused_or_read_but_never_panics(body in vec(any::<u8>(), 0..2_000)) {
        let _ = decode(&body, LIMIT);
    }

    /// Valid snappy around bytes that are no protobuf, so that the second stage sees garbage as well.
    #[test]
    fn compressed_garbage_never_panics(raw in vec(any::<u8>(), 0..2_000)) {
        let body = snap::raw::Encoder::new().compress_vec(&raw).expect("compresses");
        let _ = decode(&body, LIMIT);
    }

    #[test]
    fn one_flipped_byte_never_panics(place in 0_usize..3_000, value in any::<u8>()) {
        let mut body = Generator::new(1, 0, 200).body(200, 1_760_000_000_000);
        let place = place % body.len();
        body[place] ^= value;
        let _ = decode(&body, LIMIT);
    }
}

#[test]
fn a_body_cut_anywhere_is_refused() {
    let body = Generator::new(1, 0, 100).body(100, 1_760_000_000_000);
    for length in 0..body.len() {
        assert!(decode(&body[..length], LIMIT).is_err(), "cut to {length} of {} bytes", body.len());
    }
    assert_eq!(decode(&body, LIMIT).expect("whole").timeseries.len(), 100);
}

#[test]
fn a_body_above_the_limit_is_refused_by_what_it_declares() {
    let body = Generator::new(1, 0, 100).body(100, 1_760_000_000_000);
    let declared = declared_len(&body).expect("a size");
    assert!(decode(&body, declared).is_ok());
    let refused = decode(&body, declared - 1);
    assert!(
        matches!(refused, Err(DecodeError::TooLarge { declared: d, limit }) if d == declared && limit == d - 1)
    );
}

/// Five bytes that declare 4 GiB - 1, with a limit that would allow it: memory must not be taken for it.
#[test]
fn a_size_that_the_body_cannot_hold_is_refused() {
    let refused = decode(&[0xff, 0xff, 0xff, 0xff, 0x0f], usize::MAX);
    assert!(
        matches!(refused, Err(DecodeError::Impossible { declared: 0xffff_ffff, length: 5 })),
        "{refused:?}"
    );
}

/// The check above must let through what compresses best.
#[test]
fn the_densest_real_block_is_read() {
    let help = "a".repeat(900_000);
    let metadata = vec![MetricMetadata { help, ..MetricMetadata::default() }];
    let request = WriteRequest { timeseries: Vec::new(), metadata };
    let body = encode(&request);
    assert!(declared_len(&body).expect("a size") > 20 * body.len());
    assert_eq!(decode(&body, LIMIT).expect("dense but valid"), request);
}

#[test]
fn an_empty_body_is_refused_and_an_empty_request_is_read() {
    assert!(matches!(decode(&[], LIMIT), Err(DecodeError::Snappy(snap::Error::Empty))));
    let empty = encode(&WriteRequest::default());
    assert_eq!(decode(&empty, LIMIT).expect("an empty request"), WriteRequest::default());
}

/// A native histogram is a field that these messages do not know; the series around it must stay readable.
#[test]
fn unknown_fields_are_skipped() {
    // timeseries { labels { name "a" value "b" } histograms(4) { 1 } samples { value 0 timestamp 7 } }
    let raw =
        [&[0x0a, 0x10, 0x0a, 0x06, 0x0a, 1, b'a', 0x12, 1, b'b'][..], &[0x22, 2, 8, 1], &[0x12, 2, 0x10, 7]];
    let body = snap::raw::Encoder::new().compress_vec(&raw.concat()).expect("compresses");
    let request = decode(&body, LIMIT).expect("readable");
    assert_eq!(request.timeseries[0].labels, [Label { name: "a".into(), value: "b".into() }]);
    assert_eq!(request.timeseries[0].samples, [Sample { value: 0.0, timestamp: 7 }]);
}

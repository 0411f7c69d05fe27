//! Bytes from anyone: nothing panics, nothing loops, and what is not understood is taken for everything.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use remote_write::fingerprint::{Reason, Series, series};
use remote_write::message2::{self, Request};
use remote_write::synthetic::Generator;
use remote_write::{HEADERS, HEADERS_V2, Sample, WriteRequest, encode};

use crate::model::request;
use crate::{Set, cases, read, scratch, snappy, v1, v2};

/// What is done to a message: a few bytes changed, put in or taken out, and the end cut off.
pub(crate) type Damage = (Vec<(prop::sample::Index, u8, u8)>, Option<prop::sample::Index>);

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    (vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6), any::<Option<prop::sample::Index>>())
}

pub(crate) fn damaged(mut bytes: Vec<u8>, (changes, cut): Damage) -> Vec<u8> {
    for (place, byte, how) in changes {
        let place = place.index(bytes.len().max(1));
        match how {
            0 if place < bytes.len() => bytes[place] ^= byte,
            1 if place < bytes.len() => drop(bytes.remove(place)),
            _ => bytes.insert(place, byte),
        }
    }
    bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len() + 1)));
    bytes
}

/// The one thing that must never happen: a receiver finds a series that the set lacks.
pub(crate) fn nothing_is_missing(set: &Set, seen: &Set) -> Result<(), TestCaseError> {
    if let (Ok(set), Ok(seen)) = (set, seen) {
        for fingerprint in seen {
            prop_assert!(set.binary_search(fingerprint).is_ok(), "a series that prost reads is missing");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn a_damaged_first_message_hides_nothing(request in request(), damage in damage()) {
        let message = damaged(request.encode_to_vec(), damage);
        let set = v1(&message);
        prop_assert!(matches!(set, Ok(_) | Err(Reason::Unreadable)), "{:?}", set);
        if let Ok(seen) = WriteRequest::decode(&message[..]) {
            nothing_is_missing(&set, &v1(&seen.encode_to_vec()))?;
        }
    }

    #[test]
    fn a_damaged_second_message_hides_nothing(request in request(), damage in damage()) {
        let message = damaged(Request::from_v1(&request).encode_to_vec(), damage);
        let set = v2(&message);
        prop_assert!(matches!(set, Ok(_) | Err(Reason::Unreadable)), "{:?}", set);
        if let Ok(seen) = Request::decode(&message[..]) {
            nothing_is_missing(&set, &v2(&seen.encode_to_vec()))?;
        }
    }

    #[test]
    fn damaged_snappy_is_read_or_refused(request in request(), damage in damage()) {
        let body = damaged(encode(&request), damage);
        let _ = read(&body, HEADERS[1].1);
        let _ = read(&body, HEADERS_V2[1].1);
    }

    #[test]
    fn garbage_is_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        for content_type in [HEADERS[1].1, HEADERS_V2[1].1] {
            let _ = read(&bytes, content_type);
            let _ = read(&snappy(&bytes), content_type);
        }
    }
}

/// A set that is only a part must come of a message that is whole as far as it goes.
#[test]
fn a_message_cut_anywhere_is_refused_or_ends_between_fields() {
    let request = Generator::new(1, 0, 100).batch(100, 1_760_000_000_000);
    for (message, read) in [
        (request.encode_to_vec(), v1 as fn(&[u8]) -> Set),
        (Request::from_v1(&request).encode_to_vec(), v2 as fn(&[u8]) -> Set),
    ] {
        let whole = read(&message).expect("readable");
        assert_eq!(whole.len(), 100);
        let parts: Vec<usize> =
            (0..message.len()).filter_map(|end| read(&message[..end]).ok().map(|s| s.len())).collect();
        assert!(parts.is_sorted(), "series come one by one: {parts:?}");
        assert!(parts.len() < message.len() / 4, "{} of {} cuts are messages", parts.len(), message.len());
    }
}

#[test]
fn a_body_cut_anywhere_is_refused() {
    let body = Generator::new(1, 0, 100).body(100, 1_760_000_000_000);
    for end in 0..body.len() {
        assert_eq!(read(&body[..end], HEADERS[1].1), Err(Reason::Unreadable), "cut to {end} bytes");
    }
}

#[test]
fn wrong_wire_types_and_groups_are_refused() {
    for (message, what) in [
        (&[0x08, 1][..], "a number for a series"),
        (&[0x0a, 2, 0x08, 1], "a number for a label"),
        (&[0x0a, 2, 0x10, 1], "a number for a sample"),
        (&[0x0a, 4, 0x0a, 2, 0x08, 1], "a number for a name"),
        (&[0x0a, 4, 0x0a, 2, 0x10, 1], "a number for a value"),
        (&[0x7b, 0x7c], "a group"),
    ] {
        assert_eq!(v1(message), Err(Reason::Unreadable), "{what}");
    }
    for (message, what) in [
        (&[0x20, 1][..], "a number for a symbol"),
        (&[0x28, 1], "a number for a series"),
        (&[0x2a, 5, 0x0d, 0, 0, 0, 0], "references of fixed width"),
        (&[0x2a, 2, 0x10, 1], "a number for a sample"),
        (&[0x2a, 3, 0x0a, 1, 0x80], "half a reference"),
        (&[0x7b, 0x7c], "a group"),
    ] {
        assert_eq!(v2(message), Err(Reason::Unreadable), "{what}");
    }
}

#[test]
fn references_must_be_pairs_that_exist() {
    let request = |labels_refs: &[u32]| {
        let labels_refs = labels_refs.to_vec();
        let samples = vec![Sample::default()];
        let series = message2::TimeSeries { labels_refs, samples, ..Default::default() };
        let symbols = ["", "a", "b"].map(String::from).to_vec();
        Request { symbols, timeseries: vec![series] }.encode_to_vec()
    };
    assert_eq!(v2(&request(&[1, 2])).map(|set| set.len()), Ok(1));
    // Protobuf takes the lower 32 bits of a varint for a `uint32`: 2^32 + 2 is 2.
    let long = [
        &[0x22, 0, 0x22, 1, b'a', 0x22, 1, b'b'][..],
        &[0x2a, 10],
        &[0x0a, 6, 1, 0x82, 0x80, 0x80, 0x80, 0x10],
    ];
    let long = [&long.concat()[..], &[0x12, 0]].concat();
    assert_eq!(Request::decode(&long[..]).map(|read| read.encode_to_vec()), Ok(request(&[1, 2])));
    assert_eq!(v2(&long), v2(&request(&[1, 2])));
    for references in [&[1][..], &[1, 2, 1], &[1, 3], &[3, 1], &[1, u32::MAX]] {
        assert_eq!(v2(&request(references)), Err(Reason::Unreadable), "{references:?}");
    }
}

#[test]
fn headers_are_believed() {
    let body = Generator::new(1, 0, 10).body(10, 1_760_000_000_000);
    let mut out = Vec::new();
    let mut ask = |content_type, encoding| series(&body, content_type, encoding, &mut scratch(), &mut out);
    assert_eq!(ask("", None), Series::Known(10));
    assert_eq!(ask("application/x-protobuf", Some("gzip")), Series::Everything(Reason::Encoding));
    assert_eq!(ask("application/json", Some("snappy")), Series::Everything(Reason::Protocol));
    let third = "application/x-protobuf;proto=io.prometheus.write.v3.Request";
    assert_eq!(ask(third, Some("snappy")), Series::Everything(Reason::Protocol));
}

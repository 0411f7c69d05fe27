//! Bytes from anyone: nothing panics, nothing recurses, and what is not understood is taken for everything.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use remote_write::fingerprint::{MAX_SERIES, Reason};
use remote_write::otlp::{ExportRequest, from_v1};
use remote_write::synthetic::Generator;

use super::model::request;
use super::{gauge, of_resource, otlp, push, texts};
use crate::cases;
use crate::hostile::{damage, damaged, nothing_is_missing};

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn a_damaged_message_hides_nothing(request in request(), damage in damage()) {
        let message = damaged(request.encode_to_vec(), damage);
        let set = otlp(&message);
        prop_assert!(matches!(set, Ok(_) | Err(Reason::Unreadable | Reason::Ambiguous)), "{:?}", set);
        if let Ok(seen) = ExportRequest::decode(&message[..]) {
            nothing_is_missing(&set, &otlp(&seen.encode_to_vec()))?;
        }
    }

    #[test]
    fn garbage_is_read_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        let _ = otlp(&bytes);
    }
}

#[test]
fn a_message_cut_anywhere_is_refused_or_ends_between_fields() {
    let message = from_v1(&Generator::new(1, 0, 500).batch(500, 1_760_000_000_000)).encode_to_vec();
    let whole = otlp(&message).expect("readable");
    let parts: Vec<usize> =
        (0..message.len()).step_by(7).filter_map(|end| otlp(&message[..end]).ok().map(|s| s.len())).collect();
    assert!(parts.is_sorted() && parts.iter().all(|part| *part < whole.len()), "resources come one by one");
    assert!(parts.len() < 10, "{} cuts are messages", parts.len());
}

/// Fields of a message around it, the innermost first.
fn nested(numbers: impl Iterator<Item = u8>) -> Vec<u8> {
    // From the back to the front, since a length stands before what it counts.
    let mut reversed = Vec::new();
    for number in numbers {
        let mut head = vec![number << 3 | 2];
        prost::encoding::encode_varint(reversed.len() as u64, &mut head);
        reversed.extend(head.into_iter().rev());
    }
    reversed.reverse();
    reversed
}

/// Deeper than any stack: a value in a list in a list ... of a resource's attribute.
#[test]
fn nesting_costs_no_stack() {
    const DEPTH: usize = 2_000_000;
    let value = nested((0..DEPTH).map(|depth| if depth % 2 == 0 { 5 } else { 1 }));
    let with = |key: &str| {
        let attribute = [&[0x0a, key.len() as u8], key.as_bytes(), &field(2, &value)].concat();
        // resource_metrics { resource { attributes { .. } } }
        field(1, &field(1, &field(1, &attribute)))
    };
    assert!(value.len() > 4 * DEPTH);
    assert_eq!(otlp(&with("host")).map(|set| set.len()), Ok(1));
    assert_eq!(otlp(&with("service.name")), Err(Reason::Ambiguous));
    // And the same all the way down: every field a first one.
    let _ = otlp(&nested((0..DEPTH).map(|_| 1)));
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

#[test]
fn wrong_wire_types_and_groups_are_refused() {
    for (message, what) in [
        (&[0x08, 1][..], "a number for resource metrics"),
        (&[0x0a, 2, 0x08, 1], "a number for a resource"),
        (&[0x0a, 2, 0x10, 1], "a number for a scope"),
        (&[0x0a, 4, 0x0a, 2, 0x08, 1], "a number for an attribute"),
        (&[0x0a, 6, 0x0a, 4, 0x0a, 2, 0x08, 1], "a number for a key"),
        (&[0x0a, 6, 0x12, 4, 0x12, 2, 0x28, 1], "a number for a gauge"),
        (&[0x7b, 0x7c], "a group"),
    ] {
        assert_eq!(otlp(message), Err(Reason::Unreadable), "{what}");
    }
}

#[test]
fn what_is_written_twice_is_ambiguous() {
    let name = field(1, &texts(&[("service.name", "a")])[0].encode_to_vec());
    let instance = field(1, &texts(&[("service.instance.id", "a")])[0].encode_to_vec());
    let two_resources = [field(1, &name), field(1, &instance)].concat();
    assert_eq!(otlp(&field(1, &two_resources)), Err(Reason::Ambiguous), "some merge them, some do not");
    assert_eq!(otlp(&field(1, &field(1, &[name, instance].concat()))).map(|set| set.len()), Ok(1));
    let text = field(2, &field(1, b"a"));
    let key = field(1, b"service.name");
    for parts in [&[&key, &key, &text][..], &[&key, &text, &text]] {
        let attribute = parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>();
        assert_eq!(otlp(&field(1, &field(1, &field(1, &attribute)))), Err(Reason::Ambiguous));
    }
    for value in [&[0x0a, 1, b'a', 0x0a, 1, b'b'][..], &[0x0a, 1, b'a', 0x18, 5], &[0x0a, 1, 0xff]] {
        let attribute = [&key[..], &field(2, value)].concat();
        assert_eq!(otlp(&field(1, &field(1, &field(1, &attribute)))), Err(Reason::Ambiguous), "{value:?}");
    }
}

#[test]
fn as_many_targets_as_the_bound_are_told_apart_and_no_more() {
    for (count, expected) in [(MAX_SERIES, Ok(MAX_SERIES)), (MAX_SERIES + 1, Err(Reason::TooMany))] {
        let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let resources = numbers.iter().map(|number| {
            of_resource(texts(&[("service.name", "a"), ("service.instance.id", number)]), vec![])
        });
        let message = push(resources.collect()).encode_to_vec();
        assert_eq!(otlp(&message).map(|set| set.len()), expected, "by resources");
        // One of the targets is that of the resource.
        let points = numbers.iter().skip(1).map(|number| gauge(texts(&[("instance", number)])));
        let message =
            push(vec![of_resource(texts(&[("service.name", "a")]), points.collect())]).encode_to_vec();
        assert_eq!(otlp(&message).map(|set| set.len()), expected, "by points");
    }
}

/// Millions of empty messages take time by their bytes and no room.
#[test]
fn empty_messages_take_no_room() {
    assert_eq!(otlp(&[0x0a, 0].repeat(10 << 20)).map(|set| set.len()), Ok(1));
    let scopes = field(1, &[0x12, 0].repeat(10 << 20));
    assert_eq!(otlp(&scopes).map(|set| set.len()), Ok(1));
}

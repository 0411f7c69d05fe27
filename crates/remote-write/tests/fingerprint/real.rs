//! Bodies as a Prometheus sends them.

use std::collections::HashSet;

use prost::Message as _;
use remote_write::message2::Request;
use remote_write::synthetic::Generator;

use crate::{v1, v2};

const NOW: i64 = 1_760_000_000_000;

#[test]
fn both_versions_of_a_batch_have_the_same_set() {
    let request = Generator::new(1, 0, 15_000).batch(2_000, NOW);
    let set = v1(&request.encode_to_vec()).expect("readable");
    assert_eq!(set.len(), 2_000);
    assert_eq!(v2(&Request::from_v1(&request).encode_to_vec()), Ok(set));
}

#[test]
fn the_next_round_of_a_sender_meets_the_last_one() {
    let mut generator = Generator::new(1, 0, 1_000);
    let first = v1(&generator.batch(1_000, NOW).encode_to_vec());
    assert_eq!(v1(&generator.batch(1_000, NOW + 15_000).encode_to_vec()), first);
    let several = generator.batch(3_500, NOW + 30_000).encode_to_vec();
    assert_eq!(v1(&several), first, "several samples of a series in one body");
}

#[test]
fn senders_do_not_meet() {
    let mut seen = HashSet::new();
    for shard in 0..20 {
        let set = v1(&Generator::new(9, shard, 3_000).batch(3_000, NOW).encode_to_vec()).expect("readable");
        assert_eq!(set.len(), 3_000);
        seen.extend(set);
    }
    assert_eq!(seen.len(), 60_000);
}

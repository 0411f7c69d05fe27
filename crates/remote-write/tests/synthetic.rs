//! The generator's traffic: as large as a real Prometheus', repeatable, valid, and distinct for each shard.

use std::collections::HashSet;

use prost::Message as _;
use remote_write::synthetic::Generator;
use remote_write::{Label, WriteRequest, decode, encode};

const NOW: i64 = 1_760_000_000_000;
const LIMIT: usize = 100 << 20;

fn label_sets(request: &WriteRequest) -> HashSet<Vec<Label>> {
    request.timeseries.iter().map(|series| series.labels.clone()).collect()
}

#[test]
fn a_batch_of_2000_is_as_large_as_prometheus_makes_it() {
    for shard in [0, 1, 7] {
        let mut generator = Generator::new(1, shard, 15_000);
        generator.batch(30_000, NOW); // two rounds, so that the counters stand anywhere
        let request = generator.batch(2_000, NOW + 2_000);
        let (body, raw) = (encode(&request).len(), request.encoded_len());
        println!("shard {shard}: {body} bytes, {raw} raw");
        assert!((62_000..70_000).contains(&body), "shard {shard}: {body} bytes");
        assert!((495_000..515_000).contains(&raw), "shard {shard}: {raw} raw bytes");
    }
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let body = |seed, shard| Generator::new(seed, shard, 1_000).body(500, NOW);
    assert_eq!(body(3, 4), body(3, 4));
    assert_ne!(body(3, 4), body(3, 5));
    assert_ne!(body(3, 4), body(4, 4));
}

#[test]
fn shards_share_no_series() {
    let mut seen = HashSet::new();
    for shard in 0..20 {
        let sets = label_sets(&Generator::new(9, shard, 3_000).batch(3_000, NOW));
        assert_eq!(sets.len(), 3_000, "a shard's own series are distinct");
        seen.extend(sets);
    }
    assert_eq!(seen.len(), 60_000);
}

#[test]
fn label_sets_are_what_the_specification_asks() {
    for series in Generator::new(2, 0, 4_000).batch(4_000, NOW).timeseries {
        let names: Vec<&str> = series.labels.iter().map(|label| label.name.as_str()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(names.contains(&"__name__"));
        assert!(series.labels.iter().all(|label| !label.value.is_empty()));
        assert_eq!(series.samples.len(), 1);
    }
}

#[test]
fn batches_go_on_where_the_last_one_ended() {
    let mut generator = Generator::new(5, 0, 30).with_step_ms(250);
    let first = generator.batch(20, NOW);
    let second = generator.batch(50, NOW);
    assert_eq!(generator.position(), 70);
    assert_eq!(first.timeseries[0].labels, second.timeseries[10].labels);
    let times: Vec<i64> = second.timeseries.iter().map(|series| series.samples[0].timestamp - NOW).collect();
    let expected = [(10, 0), (30, 250), (10, 500)].map(|(count, time)| vec![time; count]).concat();
    assert_eq!(times, expected);
}

#[test]
fn bodies_come_in_the_size_asked_for() {
    for (bytes, tolerance) in [(1 << 10, 100), (67_000, 670), (1 << 20, 10_500)] {
        let body = Generator::new(1, 3, 50_000).body_of(bytes, NOW);
        assert!(body.len().abs_diff(bytes) <= tolerance, "{} bytes instead of {bytes}", body.len());
        let request = decode(&body, LIMIT).expect("a valid body");
        assert_eq!(label_sets(&request).len(), request.timeseries.len(), "one sample a series");
    }
    assert_eq!(decode(&Generator::new(1, 3, 10).body_of(0, NOW), LIMIT).expect("valid").timeseries.len(), 1);
}

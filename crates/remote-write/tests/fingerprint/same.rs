//! The same series have the same fingerprint however they are written, and different ones have different ones.

use std::collections::BTreeSet;

use proptest::prelude::*;
use prost::Message as _;
use remote_write::message2::{Histogram, Metadata, Request};
use remote_write::{Label, MetricMetadata, Sample, TimeSeries, WriteRequest};

use crate::model::{names, request};
use crate::spelling::Spelling;
use crate::{cases, v1, v2};

proptest! {
    #![proptest_config(cases(600))]

    /// Two requests meet in exactly as many fingerprints as they have series in common, whatever their versions.
    #[test]
    fn sets_meet_where_requests_do(left in request(), right in request()) {
        let left_set = v1(&left.encode_to_vec()).expect("readable");
        let right_set = v2(&Request::from_v1(&right).encode_to_vec()).expect("readable");
        let (left, right) = (names(&left), names(&right));
        prop_assert_eq!(left_set.len(), left.len());
        prop_assert_eq!(right_set.len(), right.len());
        let right_set: BTreeSet<u64> = right_set.into_iter().collect();
        let met = left_set.iter().filter(|fingerprint| right_set.contains(fingerprint)).count();
        prop_assert_eq!(met, left.intersection(&right).count());
    }

    /// No choice of the writer shows, nor does the version.
    #[test]
    fn spelling_does_not_matter(request in request(), seed in any::<u64>()) {
        let plain = v1(&request.encode_to_vec());
        prop_assert_eq!(plain.as_ref().map(Vec::len), Ok(names(&request).len()));
        let mut spelling = Spelling::new(seed);
        let message = spelling.v1(&request);
        let read = WriteRequest::decode(&message[..]).expect("the spelling is valid");
        prop_assert_eq!(names(&read), names(&request), "the spelling is the same request");
        prop_assert_eq!(&v1(&message), &plain);
        let message = spelling.v2(&request);
        Request::decode(&message[..]).expect("the spelling is valid");
        prop_assert_eq!(&v2(&message), &plain);
    }
}

fn label(name: &str, value: &str) -> Label {
    Label { name: name.into(), value: value.into() }
}

fn with_sample(labels: Vec<Label>) -> WriteRequest {
    let samples = vec![Sample { value: 1.0, timestamp: 2 }];
    WriteRequest { timeseries: vec![TimeSeries { labels, samples, exemplars: vec![] }], metadata: vec![] }
}

#[test]
fn a_request_of_metadata_alone_has_an_empty_set() {
    let metadata = MetricMetadata { metric_family_name: "up".into(), ..MetricMetadata::default() };
    let request = WriteRequest { timeseries: vec![], metadata: vec![metadata; 3] };
    assert_eq!(v1(&request.encode_to_vec()), Ok(vec![]));

    let mut request = Request::from_v1(&with_sample(vec![label("__name__", "up")]));
    request.timeseries[0].metadata = Some(Metadata { r#type: 1, help_ref: 2, unit_ref: 0 });
    assert_eq!(v2(&request.encode_to_vec()).map(|set| set.len()), Ok(1));
    request.timeseries[0].samples.clear();
    assert_eq!(v2(&request.encode_to_vec()), Ok(vec![]));
}

#[test]
fn histograms_count_as_samples_do() {
    let request = with_sample(vec![label("__name__", "h")]);
    let expected = v1(&request.encode_to_vec());
    assert_eq!(expected.as_ref().map(Vec::len), Ok(1));

    let mut second = Request::from_v1(&request);
    second.timeseries[0].samples.clear();
    assert_eq!(v2(&second.encode_to_vec()), Ok(vec![]));
    second.timeseries[0].histograms.push(Histogram { count_int: 3, ..Histogram::default() });
    assert_eq!(v2(&second.encode_to_vec()), expected);

    // timeseries { labels { name "__name__" value "h" } histograms(4) { count_int 3 } }
    let name = [&[0x0a, 13, 0x0a, 8][..], b"__name__", &[0x12, 1], b"h"].concat();
    let first = [&[0x0a, 19][..], &name, &[0x22, 2, 8, 3]].concat();
    assert_eq!(v1(&first), expected);
}

#[test]
fn an_empty_value_is_no_label() {
    let with = with_sample(vec![label("__name__", "up"), label("job", "")]).encode_to_vec();
    let without = with_sample(vec![label("__name__", "up")]).encode_to_vec();
    assert_eq!(v1(&with), v1(&without));
    let with = Request {
        symbols: vec!["".into(), "__name__".into(), "up".into(), "job".into()],
        ..Request::default()
    };
    let series = |labels_refs| remote_write::message2::TimeSeries {
        labels_refs,
        samples: vec![Sample::default()],
        ..Default::default()
    };
    let request = |refs| Request { timeseries: vec![series(refs)], ..with.clone() }.encode_to_vec();
    assert_eq!(v2(&request(vec![1, 2, 3, 0])), v1(&without));
    assert_eq!(v2(&request(vec![1, 2])), v1(&without));
}

/// A sample of zeros has no bytes at all, and is a sample.
#[test]
fn a_sample_without_bytes_counts() {
    let mut request = with_sample(vec![label("a", "b")]);
    request.timeseries[0].samples[0] = Sample::default();
    assert_eq!(v1(&request.encode_to_vec()).map(|set| set.len()), Ok(1));
}

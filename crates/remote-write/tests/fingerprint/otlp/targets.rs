//! Which targets count as one, and which do not.

use proptest::prelude::*;
use prost::Message as _;
use remote_write::fingerprint::Reason;
use remote_write::otlp::{ExportRequest, Value};

use super::model::{Receiver, request};
use super::{apart, attribute, gauge, of_resource, otlp, push, texts};
use crate::spelling::Spelling;
use crate::{Set, cases};

proptest! {
    #![proptest_config(cases(20_000))]

    /// The promise: whatever the receiver's tastes, bodies that share a target are not apart.
    #[test]
    fn bodies_that_may_share_a_series_are_not_apart(left in request(), right in request()) {
        let sets = [&left, &right].map(|request| otlp(&request.encode_to_vec()));
        if apart(&sets[0], &sets[1]) {
            for receiver in Receiver::all() {
                let [left, right] = [&left, &right].map(|request| receiver.targets(request));
                let shared: Vec<_> = left.intersection(&right).collect();
                prop_assert!(shared.is_empty(), "{:?} puts both into {:?}", receiver, shared);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// No choice of the writer shows.
    #[test]
    fn spelling_does_not_matter(request in request(), seed in any::<u64>()) {
        let message = Spelling::new(seed).otlp(&request);
        let read = ExportRequest::decode(&message[..]).expect("the spelling is valid");
        prop_assert_eq!(otlp(&read.encode_to_vec()), otlp(&message), "to prost it is the same");
        let plain = otlp(&request.encode_to_vec());
        prop_assert_eq!(otlp(&message), plain);
    }

    /// And what is plain is told apart as finely as it can be: no set is larger or smaller than its targets are many.
    #[test]
    fn plain_targets_are_told_apart(
        targets in prop::collection::vec(("[ab]{1,2}", "[ab]{1,2}", "[ab]{1,2}"), 0..8),
    ) {
        let all: Vec<_> = targets.iter().map(|(namespace, name, instance)| {
            let attributes = texts(&[
                ("service.namespace", namespace), ("service.name", name), ("service.instance.id", instance),
            ]);
            of_resource(attributes, vec![gauge(vec![])])
        }).collect();
        let set = otlp(&push(all).encode_to_vec());
        let distinct: std::collections::BTreeSet<_> = targets.iter().collect();
        prop_assert_eq!(set.map(|set| set.len()), Ok(distinct.len()));
    }
}

/// The set of one resource with one point.
fn one(resource: &[(&str, &str)], point: &[(&str, &str)]) -> Set {
    otlp(&push(vec![of_resource(texts(resource), vec![gauge(texts(point))])]).encode_to_vec())
}

#[test]
fn a_resource_is_one_target_whatever_its_points() {
    let target = [("service.name", "ledger"), ("service.instance.id", "a")];
    let expected = one(&target, &[]);
    assert_eq!(expected.as_ref().map(Vec::len), Ok(1));
    assert_eq!(one(&target, &[("job", "x"), ("instance", "y"), ("le", "5")]), expected);
    assert_eq!(one(&[target[1], ("host", "h"), target[0], ("job", "x")], &[]), expected);
    assert!(apart(&expected, &one(&[target[0], ("service.instance.id", "b")], &[])));
    assert!(apart(&expected, &one(&[target[1], ("service.name", "worker")], &[])));
    assert!(apart(&expected, &one(&target[..1], &[])));
}

#[test]
fn resources_without_identity_are_one_target() {
    let expected = one(&[], &[]);
    assert_eq!(expected.as_ref().map(Vec::len), Ok(1));
    assert_eq!(one(&[("host", "h"), ("service.namespace", "n")], &[("le", "5")]), expected);
    assert_eq!(one(&[("service.name", ""), ("service.instance.id", "")], &[]), expected);
    assert_eq!(otlp(&push(vec![Default::default()]).encode_to_vec()), expected, "no resource at all");
    assert_eq!(otlp(&[]), Ok(vec![]), "no metrics at all");
}

#[test]
fn what_a_resource_leaves_open_its_points_decide() {
    let whole = one(&[("service.name", "ledger"), ("service.instance.id", "a")], &[]);
    let by_point = one(&[("service.name", "ledger")], &[("instance", "a")]);
    assert_eq!(by_point.as_ref().map(Vec::len), Ok(2), "its own, and that of target_info");
    assert!(!apart(&whole, &by_point));
    assert!(!apart(&whole, &one(&[], &[("instance", "a"), ("job", "ledger")])));
    assert!(apart(&whole, &one(&[], &[("instance", "a"), ("job", "worker")])));
    assert!(apart(
        &by_point,
        &one(&[("service.name", "ledger")], &[("instance", "b")]).map(|set| {
            let info = one(&[("service.name", "ledger")], &[]).expect("readable");
            set.into_iter().filter(|one| !info.contains(one)).collect()
        })
    ));
}

#[test]
fn a_namespace_is_a_part_of_the_job_and_no_more() {
    let job = |namespace, name| {
        one(&[("service.namespace", namespace), ("service.name", name), ("service.instance.id", "i")], &[])
    };
    let plain = |name| one(&[("service.name", name), ("service.instance.id", "i")], &[]);
    assert_eq!(job("a", "b/c"), job("a/b", "c"));
    assert_eq!(job("a", "b"), plain("a/b"));
    assert_eq!(job("", "b"), plain("b"));
    assert_eq!(job("", "b"), plain("/b"));
    assert!(apart(&job("a", "b"), &plain("b")));
    assert!(apart(&job("a", "b"), &job("b", "a")));
}

#[test]
fn what_receivers_may_read_differently_is_ambiguous() {
    let whole = [("service.name", "a"), ("service.instance.id", "a")];
    let with = |more: &[(&str, &str)]| one(&[&whole[..], more].concat(), &[]);
    assert_eq!(with(&[("service.name", "a")]), Err(Reason::Ambiguous), "twice the same");
    assert_eq!(with(&[("service.instance.id", "b")]), Err(Reason::Ambiguous));
    assert_eq!(one(&[("service.name", ""), ("service.namespace", "n")], &[]), Err(Reason::Ambiguous));
    assert_eq!(one(&[("job", "j")], &[]), Err(Reason::Ambiguous), "promoted or not");
    assert_eq!(
        one(&[("service.name", ""), ("service.instance.id", "i")], &[("job", "j")]),
        Err(Reason::Ambiguous)
    );
    assert_eq!(one(&whole[..1], &[("instance", "a"), ("instance", "a")]), Err(Reason::Ambiguous));
    for value in [Value::Int(5), Value::Bool(true), Value::Double(5.0), Value::Bytes(b"a".into())] {
        let attributes = vec![attribute("service.name", Some(value))];
        let message = push(vec![of_resource(attributes, vec![])]).encode_to_vec();
        assert_eq!(otlp(&message), Err(Reason::Ambiguous));
    }
}

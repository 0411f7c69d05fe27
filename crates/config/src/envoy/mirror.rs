//! Mirror policies. Four levels may carry them (route configuration, virtual host, route, the primary's cluster); the
//! most specific list that is not empty counts, alone.

use crate::model::{CopyHost, Fraction, HeaderMutation, MirrorPolicy};
use crate::read::{Field, Object};

use super::shares::Shares;
use super::upstreams::Upstreams;
use super::{action, fraction, mutation};

/// A policy whose cluster is known; the cluster becomes a mirror only if a route uses the policy.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    cluster: usize,
    fraction: Fraction,
    host: CopyHost,
    headers: Vec<HeaderMutation>,
}

/// `request_mirror_policies` of any level. What is wrong in it is reported; the rest is returned.
pub(super) fn policies(object: &mut Object<'_>, upstreams: &Upstreams<'_>) -> Vec<Policy> {
    let fields = object.take("request_mirror_policies").map(|field| field.list()).unwrap_or_default();
    fields.iter().filter_map(|field| decode(field, upstreams)).collect()
}

/// A route's own policies, also in v2's singular. `None` if both spellings are there.
pub(super) fn route_policies(object: &mut Object<'_>, upstreams: &Upstreams<'_>) -> Option<Vec<Policy>> {
    let mut policies = policies(object, upstreams);
    if let Some(single) = object.take("request_mirror_policy") {
        if object.has("request_mirror_policies") || object.has("requestMirrorPolicies") {
            return single.refuse_key(
                "`request_mirror_policy` and `request_mirror_policies` exclude each other",
                "the v2 spelling",
                "move its cluster into `request_mirror_policies`",
            );
        }
        policies.extend(decode(&single, upstreams));
    }
    Some(policies)
}

/// Policies with their clusters made mirrors.
pub(super) fn resolve(policies: &[Policy], upstreams: &mut Upstreams<'_>) -> Option<Vec<MirrorPolicy>> {
    let resolve = |policy: &Policy| {
        let mirror = upstreams.mirror(policy.cluster)?;
        let (host, headers) = (policy.host.clone(), policy.headers.clone());
        Some(MirrorPolicy { mirror, fraction: policy.fraction, host, headers })
    };
    policies.iter().map(resolve).collect()
}

/// One policy of any level.
pub(super) fn decode(field: &Field<'_>, upstreams: &Upstreams<'_>) -> Option<Policy> {
    let mut object = field.object()?;
    let cluster = object.take("cluster");
    let header = object.take("cluster_header");
    let fraction = share(&mut object, upstreams.shares());
    object.take("trace_sampled").and_then(|field| field.boolean());
    let same = object.take("disable_shadow_host_suffix_append").and_then(|field| field.boolean());
    let literal = object.take("host_rewrite_literal").filter(|field| field.text() != Some(""));
    let headers = object.take("request_headers_mutations").map_or(Some(Vec::new()), |f| mutation::decode(&f));
    object.finish(&[]);
    let cluster = target(field, cluster.as_ref(), header.as_ref(), upstreams);
    let host = match literal {
        Some(field) => action::host(&field).map(CopyHost::Literal),
        None if same == Some(true) => Some(CopyHost::Same),
        None => Some(CopyHost::ShadowSuffix),
    };
    Some(Policy { cluster: cluster?, fraction: fraction?, host: host?, headers: headers? })
}

/// `runtime_fraction`, or v2's bare `runtime_key`, of which Envoy's default is nothing.
fn share(object: &mut Object<'_>, shares: &Shares<'_>) -> Option<Fraction> {
    let fraction = object.take("runtime_fraction");
    if let Some(key) = object.take("runtime_key") {
        return match shares.find(key.text()?, 10_000) {
            _ if fraction.is_some() => {
                key.refuse_key("excludes `runtime_fraction`", "the v2 spelling", "remove it")
            }
            Some(share) => Some(share),
            None => key.refuse_key(
                "names no value of `layered_runtime`, so that Envoy would mirror nothing",
                "the v2 spelling",
                "remove it, or write `runtime_fraction: { default_value: { numerator: 100 } }`",
            ),
        };
    }
    fraction.map_or(Some(Fraction::ALL), |field| fraction::decode(&field, shares))
}

/// Exactly one of `cluster` and `cluster_header`, of which only the first is supported.
fn target(
    field: &Field<'_>,
    cluster: Option<&Field<'_>>,
    header: Option<&Field<'_>>,
    upstreams: &Upstreams<'_>,
) -> Option<usize> {
    match (cluster, header) {
        (Some(cluster), None) => upstreams.find(cluster, cluster.name()?, "route: unknown shadow cluster"),
        (None, Some(header)) => header.refuse_key(
            "is not supported by this version",
            "a mirror is named in the file, not by a request",
            "write `cluster: mimir_secondary`; where a header shall decide, write a route for each of its values, with \
             `match.headers`",
        ),
        (Some(cluster), Some(header)) => header.refuse_key(
            format!(
                "Only one of cluster '{}' or cluster_header '{}' in request mirror policy can be specified",
                cluster.text()?,
                header.text()?
            ),
            "",
            "keep `cluster`",
        ),
        (None, None) => field.refuse_key(
            "Exactly one of cluster or cluster_header in request mirror policy need to be specified",
            "",
            "name the mirror: `cluster: mimir_secondary`",
        ),
    }
}

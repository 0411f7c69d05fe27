//! The walk through an OTLP push: one fingerprint for each pair of `job` and `instance` that its series get.
//!
//! What series a data point ends in depends on the receiver's settings: units and `_total` in the metric's name,
//! characters that become `_`, resource and scope attributes that become labels. Two labels do not depend on them. In
//! Prometheus and in Mimir, which shares its translation, every series of a resource, its `target_info` included, has
//!
//! - `job`: `service.namespace/service.name`, or `service.name` without a namespace;
//! - `instance`: `service.instance.id`;
//!
//! whatever else claims these names. So series of different targets differ, and bodies that may share a series share
//! a target. All series of one target count as one: its copies go one by one.
//!
//! A resource that lacks one of the two leaves that label to its points: an attribute `job` or `instance` of a point
//! becomes the label (no other key does, since sanitising puts `_` or `key_` in and takes nothing out). Then, and
//! only then, the points are walked as well. Without either the label is absent, and absent and empty are the same.
//!
//! Where receivers may differ, the fingerprint is coarser than any of them or there is none:
//!
//! - slashes before `job` are cut off, since an empty namespace is one with a slash (Prometheus) or none (OTLP's
//!   compatibility rules); namespace and name are hashed as one string, since `a` and `b/c` make what `a/b` and `c` do;
//! - any series ([`Reason::Ambiguous`]) for a value that is no text (the number 5 and the text 5 make one label) or
//!   no UTF-8, for anything of these that is written twice (some take the first, some the last), for an empty name
//!   with a namespace, for a point's claim on a label that its resource has empty, and for a resource's attribute
//!   `job` or `instance` where the label is open, which may or may not become one.
//!
//! Field numbers are those of `metrics.proto`, `resource.proto` and `common.proto` in opentelemetry-proto;
//! the translation is `createAttributes` and `addResourceTargetInfo` in
//! `storage/remote/otlptranslator/prometheusremotewrite/helper.go` of Prometheus, copied into Mimir's
//! `pkg/distributor/otlp`. The depth of the walk is that of the messages named here; values are not entered.
//!
//! A JSON body holds every series: receivers take it, but collectors and SDKs send protobuf unless told otherwise.
//! So does any compression but gzip, the collector's default.

mod part;
mod target;

use super::distinct::Distinct;
use super::hash::LabelHasher;
use super::{Reason, Scratch};
use crate::gzip::{self, GzipError};
use crate::protocol::{OtlpCompression, is_otlp_protobuf};
use part::{messages, once};
use target::Resource;

/// `ExportMetricsServiceRequest.resource_metrics`.
const RESOURCE_METRICS: u32 = 1;
/// `ResourceMetrics.resource` and `.scope_metrics`, the latter also by its number in older senders.
const RESOURCE: u32 = 1;
const SCOPE_METRICS: [u32; 2] = [2, 1000];
/// `ScopeMetrics.metrics`.
const METRICS: u32 = 2;
/// `Metric.gauge`, `.sum`, `.histogram`, `.exponential_histogram` and `.summary`, each with the number that
/// `attributes` has in its points.
const DATA: [(u32, u32); 5] = [(5, 7), (7, 7), (9, 9), (10, 1), (11, 7)];
/// `data_points` of all of these.
const DATA_POINTS: u32 = 1;

/// Reads the targets of a body into `out`, ascending, each once; answers how many there are.
pub(super) fn read(
    body: &[u8],
    content_type: &str,
    content_encoding: Option<&str>,
    scratch: &mut Scratch,
    out: &mut Vec<u64>,
) -> Result<usize, Reason> {
    if !is_otlp_protobuf(content_type) {
        return Err(Reason::Protocol);
    }
    let Scratch { hasher, max_uncompressed, message, joined, .. } = scratch;
    let message = match OtlpCompression::of(content_encoding).ok_or(Reason::Encoding)? {
        OtlpCompression::Gzip => {
            gzip::decompress(body, *max_uncompressed, message)?;
            message.as_slice()
        }
        OtlpCompression::None if body.len() > *max_uncompressed => return Err(Reason::TooLarge),
        OtlpCompression::None => body,
    };
    let mut found = Distinct::new(out);
    messages(message, &[RESOURCE_METRICS], |message| resource_metrics(message, hasher, joined, &mut found))?;
    found.finish()
}

impl From<GzipError> for Reason {
    fn from(error: GzipError) -> Self {
        match error {
            GzipError::TooLarge => Self::TooLarge,
            GzipError::Malformed => Self::Unreadable,
        }
    }
}

/// Finds the targets of one resource.
fn resource_metrics(
    message: &[u8],
    hasher: &LabelHasher,
    joined: &mut Vec<u8>,
    found: &mut Distinct<'_>,
) -> Result<(), Reason> {
    let mut resource = None;
    messages(message, &[RESOURCE], |message| once(&mut resource, message))?;
    let labels = Resource::read(resource.unwrap_or_default())?.labels(hasher, joined)?;
    // Even if all points make other labels of it: `target_info` has these.
    found.insert(labels.fingerprint(hasher))?;
    if labels.are_known() {
        return Ok(());
    }
    messages(message, &SCOPE_METRICS, |scope| {
        messages(scope, &[METRICS], |metric| {
            for (data, attributes) in DATA {
                messages(metric, &[data], |data| {
                    messages(data, &[DATA_POINTS], |point| {
                        found.insert(labels.of_point(point, attributes, hasher)?.fingerprint(hasher))
                    })
                })?;
            }
            Ok(())
        })
    })
}

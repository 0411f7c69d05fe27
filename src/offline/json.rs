//! An inspection as JSON. Its keys are stable: they are only ever added to.
//!
//! Hashes are hexadecimal strings, since a reader of JSON may keep only 53 bits of a number. Times are in milliseconds
//! since 1970.

use backlog::inspect::{SegmentInfo, TenantInfo};
use backlog::{CheckpointState, ForeignReason};
use serde_json::{Value, json};

use super::Page;
use super::summary::Summary;

pub(super) fn print(page: &Page<'_>) -> String {
    let found = page.found;
    let sum = Summary::of(found);
    let mirrors: Vec<String> = found.mirrors.iter().map(|hash| hex(*hash)).collect();
    let foreign: Vec<Value> =
        found.foreign.iter().map(|(file, why)| json!({ "file": file, "reason": reason(*why) })).collect();
    let document = json!({
        "directory": page.target.directory.to_string_lossy(),
        "mirror": page.target.mirror,
        "mirror_hashes": mirrors,
        "in_use": found.in_use,
        "verified": page.verified,
        "checkpoint": checkpoint(found.checkpoint),
        "copies": sum.copies,
        "payload_bytes": sum.payload_bytes,
        "disk_bytes": sum.disk_bytes,
        "oldest_arrival_ms": sum.arrivals_ms.map(|arrivals| arrivals.0),
        "newest_arrival_ms": sum.arrivals_ms.map(|arrivals| arrivals.1),
        "damaged_bytes": sum.damaged_bytes,
        "tenants": found.tenants.iter().map(tenant).collect::<Vec<_>>(),
        "segments": found.segments.iter().map(segment).collect::<Vec<_>>(),
        "unreadable_segments": found.unreadable,
        "other_files": foreign,
    });
    format!("{document:#}\n")
}

fn tenant(tenant: &TenantInfo) -> Value {
    json!({
        "tenant_hash": hex(tenant.tenant),
        "copies": tenant.records,
        "payload_bytes": tenant.payload_bytes,
        "oldest_arrival_ms": tenant.oldest_ms,
    })
}

fn segment(segment: &SegmentInfo) -> Value {
    json!({
        "number": segment.number,
        "file": segment.file,
        "disk_bytes": segment.bytes,
        "records": segment.records,
        "copies": segment.live,
        "payload_bytes": segment.live_bytes,
        "sealed": segment.sealed,
        "header_damaged": segment.header_damaged,
        "damaged_bytes": segment.damaged_bytes,
    })
}

/// A hash as the files' documentation writes it.
pub(super) fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

fn checkpoint(state: CheckpointState) -> &'static str {
    match state {
        CheckpointState::Fresh => "fresh",
        CheckpointState::Loaded => "loaded",
        CheckpointState::Damaged => "damaged",
        CheckpointState::Lost => "lost",
    }
}

fn reason(reason: ForeignReason) -> &'static str {
    match reason {
        ForeignReason::Name => "name",
        ForeignReason::Content => "content",
        ForeignReason::Renamed => "renamed",
        ForeignReason::Twice => "twice",
        ForeignReason::OtherMirror => "other_mirror",
    }
}

//! An inspection for people: one line for each thing, then the tenants that have most.

use std::fmt::Write;

use backlog::inspect::Inspection;
use backlog::{CheckpointState, ForeignReason};

use super::Page;
use super::json::hex;
use super::summary::Summary;
use super::words;

/// More tenants and files than this are counted, not shown; `--json` has all.
const SHOWN_MAX: usize = 10;

pub(super) fn print(page: &Page<'_>, now_ms: u64) -> String {
    let sum = Summary::of(page.found);
    let mut lines = vec![
        ("directory", words::shown(&page.target.directory.display().to_string())),
        ("mirror", mirror(page)),
        ("in use", if page.found.in_use { "by a running process" } else { "no" }.to_owned()),
        (
            "copies",
            if sum.copies == 0 { "none".to_owned() } else { format!("{} {}", sum.copies, sum.whose_text()) },
        ),
    ];
    if let Some((oldest, newest)) = sum.arrivals_ms {
        let text = |ms| format!("{} ago, {}", words::age(now_ms, ms), words::date(ms));
        lines.extend([("oldest", text(oldest)), ("newest", text(newest))]);
    }
    let segments = words::counted(page.found.segments.len() as u64, "segment", "segments");
    lines.push(("on disk", format!("{} in {segments}", words::size(sum.disk_bytes))));
    lines.push(("checkpoint", checkpoint(page.found.checkpoint).to_owned()));
    lines.push(("damage", damage(page, &sum)));
    if !page.found.unreadable.is_empty() {
        lines.push(("unreadable", words::segments(&page.found.unreadable)));
    }
    lines.extend(other_files(page.found));
    let mut text = String::new();
    for (name, value) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<11} {value}");
    }
    tenants(page.found, now_ms, &mut text);
    text
}

fn mirror(page: &Page<'_>) -> String {
    let hashes: Vec<String> = page.found.mirrors.iter().map(|hash| hex(*hash)).collect();
    match (&page.target.mirror, hashes.as_slice()) {
        (Some(name), [hash]) if *hash == hex(backlog::name_hash(name)) => {
            format!("{} ({hash})", words::shown(name))
        }
        (Some(name), []) => words::shown(name),
        (Some(name), _) => {
            format!("not only {}: there are files of {}", words::shown(name), hashes.join(", "))
        }
        (None, []) => "unknown".to_owned(),
        (None, [hash]) => hash.clone(),
        (None, _) => format!("more than one: {}", hashes.join(", ")),
    }
}

fn checkpoint(state: CheckpointState) -> &'static str {
    match state {
        CheckpointState::Fresh => "none yet",
        CheckpointState::Loaded => "sound",
        CheckpointState::Damaged => "damaged: what it knew as delivered is sent again",
        CheckpointState::Lost => "lost: what it knew as delivered is sent again",
    }
}

fn damage(page: &Page<'_>, sum: &Summary) -> String {
    if sum.damaged_segments.is_empty() {
        return if page.verified { "none" } else { "none in headers (--verify reads everything)" }.to_owned();
    }
    let found = format!("{} in {}", words::size(sum.damaged_bytes), words::segments(&sum.damaged_segments));
    // What is being written is not whole yet.
    let newest = page.found.segments.last().map(|segment| segment.number);
    let perhaps = page.found.in_use && newest.is_some_and(|newest| sum.damaged_segments == [newest]);
    if perhaps { found + " (perhaps a write in progress)" } else { found }
}

fn other_files(found: &Inspection) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&str, String)> = found
        .foreign
        .iter()
        .take(SHOWN_MAX)
        .map(|(file, why)| ("other file", format!("{} ({})", words::shown(file), reason(*why))))
        .collect();
    let rest = found.foreign.len().saturating_sub(SHOWN_MAX);
    if rest > 0 {
        lines.push(("", format!("and {rest} more")));
    }
    lines
}

fn reason(reason: ForeignReason) -> &'static str {
    match reason {
        ForeignReason::Name => "not named as a backlog's files are",
        ForeignReason::Content => "no segment, for all its name",
        ForeignReason::Renamed => "a segment under another one's name",
        ForeignReason::Twice => "a second segment of that number",
        ForeignReason::OtherMirror => "another mirror's",
    }
}

fn tenants(found: &Inspection, now_ms: u64, text: &mut String) {
    if found.tenants.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{:<16} {:>9} {:>12}  oldest", "tenant", "copies", "bytes");
    for tenant in found.tenants.iter().take(SHOWN_MAX) {
        let (hash, size) = (hex(tenant.tenant), words::size(tenant.payload_bytes));
        let age = words::age(now_ms, tenant.oldest_ms);
        let _ = writeln!(text, "{hash} {:>9} {size:>12}  {age}", tenant.records);
    }
    let rest = found.tenants.len().saturating_sub(SHOWN_MAX);
    if rest > 0 {
        let _ = writeln!(text, "and {} more", words::counted(rest as u64, "tenant", "tenants"));
    }
}

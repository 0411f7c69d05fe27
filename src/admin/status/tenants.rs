//! The tenants of a mirror that matter most: first whom the mirror makes wait, then whose copies wait, then whose were
//! refused or lost.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::limits::STATUS_TENANTS;
use crate::mirror::send::pace::Pace;
use crate::stats::sums::MirrorSums;

/// How many there are, and those that matter most.
pub(super) fn tenants(sums: MirrorSums<'_>, pace: Option<&Pace>) -> Value {
    let limits: HashMap<u64, Duration> =
        pace.map(|pace| pace.tenants(Instant::now()).into_iter().collect()).unwrap_or_default();
    let mut all: Vec<_> = sums
        .tenants()
        .into_iter()
        .map(|tenant| {
            let limited = tenant.hashes.iter().filter_map(|hash| limits.get(hash)).max();
            (limited.map(Duration::as_millis), tenant)
        })
        .collect();
    let seen = all.len();
    all.sort_by(|(a_limited, a), (b_limited, b)| {
        let key = |limited: &Option<u128>, t: &crate::stats::tenants::TenantSum| {
            Reverse((limited.is_some(), t.waiting, t.rejected + t.lost, t.copies))
        };
        key(a_limited, a).cmp(&key(b_limited, b)).then_with(|| a.name.cmp(&b.name))
    });
    let most: Vec<Value> = all
        .into_iter()
        .take(STATUS_TENANTS)
        .map(|(limited, tenant)| {
            json!({
                "name": tenant.name,
                "limited_ms": limited.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
                "copies": tenant.copies,
                "waiting_copies": tenant.waiting,
                "rejected_copies": tenant.rejected,
                "lost_copies": tenant.lost,
            })
        })
        .collect();
    json!({"seen": seen, "most": most})
}

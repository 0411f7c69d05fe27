//! What becomes of each tenant's copies of one mirror: enough to see whose copies wait, and whose are refused.
//!
//! Clients choose the names of tenants, so a thread knows a fixed number of them; copies of those beyond are counted with
//! all others, but not by tenant. A copy costs one look into the table of its thread, which no other thread reads.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

use super::counter::{Counter, Gauge};
use super::mirror::Outcome;
use crate::limits::{TENANT_NAME_MAX, TENANTS_COUNTED};

/// One tenant, as one thread has met it.
#[derive(Debug)]
pub(crate) struct TenantStats {
    /// As copies know it.
    hash: u64,
    /// As the mirror sees it; empty if requests name none. `None` to a thread that knows the hash alone.
    name: Option<Box<str>>,
    /// Complete requests that were to be copied.
    pub(crate) copies: Counter,
    /// Those without an outcome.
    pub(crate) waiting: Gauge,
    /// Judged by the mirror and not taken, in whole or in part.
    rejected: Counter,
    /// Failed, dropped or expired.
    lost: Counter,
}

impl TenantStats {
    /// A copy has its outcome.
    pub(crate) fn count(&self, outcome: Outcome) {
        match outcome {
            Outcome::Delivered | Outcome::Deduplicated | Outcome::Repeated => {}
            outcome if outcome.is_answer() => self.rejected.inc(),
            _ => self.lost.inc(),
        }
    }
}

/// The tenants that threads have met: each appends its own, the admin reads.
#[derive(Debug, Default)]
pub(crate) struct Met(Mutex<Vec<Arc<TenantStats>>>);

/// One thread's table.
#[derive(Debug, Default)]
pub(crate) struct Tenants(RefCell<HashMap<u64, Arc<TenantStats>>>);

impl Tenants {
    /// The tenant of this hash; `None` if there are too many. Never waits: while the admin reads, a new one is met the
    /// next time.
    pub(crate) fn of<'n>(
        &self,
        met: &Met,
        hash: u64,
        name: impl FnOnce() -> Option<&'n [u8]>,
    ) -> Option<Arc<TenantStats>> {
        let mut known = self.0.borrow_mut();
        if let Some(tenant) = known.get(&hash) {
            return Some(Arc::clone(tenant));
        }
        if known.len() >= TENANTS_COUNTED {
            return None;
        }
        let mut all = met.0.try_lock().ok()?;
        let tenant = Arc::new(TenantStats {
            hash,
            name: name().map(shortened),
            copies: Counter::default(),
            waiting: Gauge::default(),
            rejected: Counter::default(),
            lost: Counter::default(),
        });
        all.push(Arc::clone(&tenant));
        known.insert(hash, Arc::clone(&tenant));
        Some(tenant)
    }

    /// Each with its hash.
    pub(crate) fn for_each(&self, mut each: impl FnMut(u64, &TenantStats)) {
        self.0.borrow().iter().for_each(|(hash, tenant)| each(*hash, tenant));
    }
}

fn shortened(name: &[u8]) -> Box<str> {
    String::from_utf8_lossy(name).chars().take(TENANT_NAME_MAX).collect::<String>().into()
}

/// One tenant over all threads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TenantSum {
    /// `None` if no request has told it yet: its copies are from an earlier process.
    pub(crate) name: Option<String>,
    /// Copies know it by one of these.
    pub(crate) hashes: Vec<u64>,
    pub(crate) copies: u64,
    pub(crate) waiting: u64,
    pub(crate) rejected: u64,
    pub(crate) lost: u64,
}

impl TenantSum {
    fn add(&mut self, other: Self) {
        self.name = self.name.take().or(other.name);
        self.hashes.extend(other.hashes);
        self.copies += other.copies;
        self.waiting += other.waiting;
        self.rejected += other.rejected;
        self.lost += other.lost;
    }
}

/// All tenants that some threads have met.
pub(crate) fn sums<'a>(threads: impl Iterator<Item = &'a Met>) -> Vec<TenantSum> {
    let mut by_hash: HashMap<u64, TenantSum> = HashMap::new();
    for met in threads {
        for tenant in met.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let sum = TenantSum {
                name: tenant.name.as_deref().map(str::to_owned),
                hashes: Vec::new(),
                copies: tenant.copies.get(),
                waiting: tenant.waiting.get(),
                rejected: tenant.rejected.get(),
                lost: tenant.lost.get(),
            };
            by_hash.entry(tenant.hash).or_default().add(sum);
        }
    }
    // One name has several hashes where some of its requests are kept on disk and others are not, and without a name
    // by credentials.
    let mut by_name: HashMap<Option<String>, TenantSum> = HashMap::new();
    for (hash, mut sum) in by_hash {
        sum.hashes.push(hash);
        by_name.entry(sum.name.clone()).or_default().add(sum);
    }
    by_name.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_hashes_of_one_name_are_one_tenant() {
        let (worker, delivery) = (Met::default(), Met::default());
        let (at_worker, at_delivery) = (Tenants::default(), Tenants::default());
        for hash in [1, 2, 1] {
            let tenant = at_worker.of(&worker, hash, || Some(b"a")).unwrap();
            tenant.copies.inc();
            tenant.count(Outcome::FailedRateLimited);
        }
        at_worker.of(&worker, 3, || Some(b"")).unwrap().count(Outcome::Delivered);
        let unnamed = at_delivery.of(&delivery, 1, || None).unwrap();
        unnamed.waiting.set(4);
        unnamed.count(Outcome::RejectedTooOld);
        let mut sums = sums([&worker, &delivery].into_iter());
        sums.sort_by_key(|sum| std::cmp::Reverse(sum.copies));
        sums[0].hashes.sort_unstable();
        let a = TenantSum {
            name: Some("a".to_owned()),
            hashes: vec![1, 2],
            copies: 3,
            waiting: 4,
            rejected: 1,
            lost: 3,
        };
        let none = TenantSum { name: Some(String::new()), hashes: vec![3], ..TenantSum::default() };
        assert_eq!(sums, [a, none]);
    }

    #[test]
    fn there_are_never_more_than_the_bound() {
        let (met, tenants) = (Met::default(), Tenants::default());
        let long = "ü".repeat(TENANT_NAME_MAX + 1);
        let known = |hash| tenants.of(&met, hash, || Some(long.as_bytes())).is_some();
        assert!((0..TENANTS_COUNTED as u64).all(known));
        assert!(!known(u64::MAX) && known(0));
        let sums = sums([&met].into_iter());
        assert_eq!(sums[0].name.as_ref().map(|name| name.chars().count()), Some(TENANT_NAME_MAX));
    }
}

//! Circuit breakers of a cluster: how much of it all workers together may use for the requests of clients.
//!
//! Only clusters for which the file writes thresholds have them, and only their requests touch these counters, which
//! the workers share: one addition when something begins and one when it ends. No locks, and nothing waits here. Copies
//! have bounds of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use config::model::Breakers as Written;

/// One cluster's.
#[derive(Debug)]
pub(crate) struct Breakers {
    pub(crate) connections: Threshold,
    pub(crate) pending: Threshold,
    pub(crate) requests: Threshold,
    pub(crate) retries: Threshold,
    /// Whether what is left of each is shown.
    pub(crate) track_remaining: bool,
}

/// So many of something at the same time.
#[derive(Debug)]
pub(crate) struct Threshold {
    /// `None` is as many as come.
    most: Option<u32>,
    used: AtomicU32,
}

/// Which threshold.
type Which = fn(&Breakers) -> &Threshold;

/// One of what a threshold counts. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    breakers: Arc<Breakers>,
    which: Which,
}

impl Breakers {
    /// `None` where nothing is limited.
    pub(crate) fn of(written: Option<Written>) -> Option<Arc<Self>> {
        let written = written?;
        let threshold = |most: Option<u32>| Threshold {
            most: most.filter(|most| *most != Written::UNLIMITED),
            used: AtomicU32::new(0),
        };
        let breakers = Self {
            connections: threshold(written.max_connections),
            pending: threshold(written.max_pending_requests),
            requests: threshold(written.max_requests),
            retries: threshold(written.max_retries),
            track_remaining: written.track_remaining,
        };
        let Self { connections, pending, requests, retries, .. } = &breakers;
        let limited = [connections, pending, requests, retries].iter().any(|it| it.most.is_some());
        limited.then(|| Arc::new(breakers))
    }

    /// One more of what `which` counts, if there is room.
    pub(crate) fn permit(self: &Arc<Self>, which: Which) -> Option<Permit> {
        which(self).take().then(|| Permit { breakers: Arc::clone(self), which })
    }

    /// One more in any case.
    pub(crate) fn permit_anyway(self: &Arc<Self>, which: Which) -> Permit {
        which(self).used.fetch_add(1, Relaxed);
        Permit { breakers: Arc::clone(self), which }
    }
}

impl Threshold {
    fn take(&self) -> bool {
        let room = |used: u32| self.most.is_none_or(|most| used < most).then_some(used + 1);
        self.used.fetch_update(Relaxed, Relaxed, room).is_ok()
    }

    /// Whether it is shown as reached. As in Envoy one of 0 is not, as long as nothing is counted in spite of it: it would
    /// be an alert from the start.
    pub(crate) fn is_open(&self) -> bool {
        self.is_full() && self.used.load(Relaxed) > 0
    }

    /// Whether there is no room.
    pub(crate) fn is_full(&self) -> bool {
        self.left() == Some(0)
    }

    /// How many more there may be; `None` is any number.
    pub(crate) fn left(&self) -> Option<u32> {
        self.most.map(|most| most.saturating_sub(self.used.load(Relaxed)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        (self.which)(&self.breakers).used.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_threshold_says_and_again_once_one_ends() {
        let written = Written { max_requests: Some(2), ..Written::default() };
        let breakers = Breakers::of(Some(written)).unwrap();
        let requests: Which = |breakers| &breakers.requests;
        let first = breakers.permit(requests).unwrap();
        let _second = breakers.permit(requests).unwrap();
        assert!(breakers.requests.is_full() && breakers.permit(requests).is_none());
        drop(first);
        assert_eq!(breakers.requests.left(), Some(1));
        assert!(breakers.permit(requests).is_some());
    }

    #[test]
    fn what_is_not_written_is_no_limit() {
        let nothing = Written { track_remaining: true, ..Written::default() };
        assert!(Breakers::of(None).is_none() && Breakers::of(Some(nothing)).is_none());
        let unlimited = Written { max_requests: Some(Written::UNLIMITED), ..nothing };
        assert!(Breakers::of(Some(unlimited)).is_none());
        let one = Breakers::of(Some(Written { max_retries: Some(0), ..nothing })).unwrap();
        assert!(one.permit(|breakers| &breakers.connections).is_some());
        assert!(one.permit(|breakers| &breakers.retries).is_none());
        assert!(one.retries.is_full() && !one.retries.is_open());
    }

    #[test]
    fn workers_together_get_no_more_than_the_threshold() {
        let written = Written { max_requests: Some(7), ..Written::default() };
        let breakers = Breakers::of(Some(written)).unwrap();
        let granted: usize = std::thread::scope(|scope| {
            let worker = || {
                let permits: Vec<_> = (0..5).filter_map(|_| breakers.permit(|it| &it.requests)).collect();
                let count = permits.len();
                // Kept until all have asked.
                std::mem::forget(permits);
                count
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(granted, 7);
    }
}

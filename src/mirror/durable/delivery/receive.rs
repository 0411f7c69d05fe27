//! What arrives: copies, and news of the backlog.

use std::rc::Rc;
use std::time::Instant;

use super::Delivery;
use crate::limits;
use crate::mirror::durable::kept::Kept;
use crate::mirror::durable::message::{Arrived, Found, Recovered, ToDelivery, Why};
use crate::mirror::durable::window::{Back, Brought, Want, Whereto};
use crate::mirror::ledger::Outcome;

impl Delivery {
    pub(super) fn receive(self: &Rc<Self>, message: ToDelivery) {
        match message {
            ToDelivery::Recovered(recovered) => self.recovered(recovered),
            ToDelivery::Copy(arrived, saved) => self.arrived(*arrived, saved),
            ToDelivery::OnDisk { tenant, place } => self.window.borrow_mut().arrive_on_disk(tenant, place),
            ToDelivery::Saved(places) => self.window.borrow_mut().saved(&places),
            ToDelivery::Trail(place) => self.window.borrow_mut().trail(place),
            ToDelivery::Read(found) => self.found(found),
            ToDelivery::Expired(places, why) => self.expired(&places, why),
            ToDelivery::Forgotten(places) => {
                let mut settled = self.settled.borrow_mut();
                for place in &places {
                    settled.remove(place);
                }
            }
            ToDelivery::Leave => self.leaving.set(true),
        }
    }

    fn recovered(&self, recovered: Recovered) {
        self.ledger.recovered.add(recovered.copies);
        self.ledger.recovery_known.set(1);
        self.rebuild.recovered_end.set(recovered.end);
        self.window.borrow_mut().recovered(recovered);
    }

    fn arrived(&self, arrived: Arrived, saved: bool) {
        let (place, tenant) = (arrived.place, arrived.tenant);
        // What it held of the bounds for newcomers goes with this: the window has its own.
        let kept = Kept::new(arrived, saved);
        let whereto = self.window.borrow_mut().arrive(tenant, kept);
        if let Whereto::Refused(kept) = whereto {
            if let Some(tenant) = self.ledger.tenant(tenant, || None) {
                tenant.count(Outcome::DroppedBufferFull);
            }
            self.settle(place, Outcome::DroppedBufferFull, Some(&kept), None);
        }
    }

    /// Records were read back: reads which series they carry, while at it.
    fn found(&self, found: Found) {
        let Some(want) = self.asked.borrow_mut().pop_front() else { return };
        let Found { records, mut damaged, unreadable, gone, next, .. } = found;
        let mut back: Vec<Back> = Vec::with_capacity(records.len());
        for record in records {
            let place = record.position.place;
            match self.rebuild.copy(record, &mut self.reader.borrow_mut()) {
                Ok(copy) => back.push(copy),
                Err(error) => {
                    tracing::error!(mirror = self.rebuild.mirror(), place, %error, "a copy in the backlog cannot be read");
                    damaged.push(place);
                }
            }
        }
        let brought = Brought { back, damaged, unreadable, gone, next };
        let now = Instant::now();
        let given_up = match want {
            Want::Places(tenant, ..) => self.window.borrow_mut().brought(tenant, brought, now),
            Want::From(..) => self.window.borrow_mut().brought_recovery(brought, now),
        };
        if !given_up.is_empty() {
            let (mirror, path) = (self.rebuild.mirror(), self.path.display());
            tracing::warn!(mirror, %path, copies = given_up.len(), "copies in the backlog are damaged and given up");
        }
        for place in given_up {
            self.settle(place, Outcome::FailedDamaged, None, None);
        }
    }

    /// The backlog let go of copies.
    fn expired(&self, places: &[u64], why: Why) {
        let outcome = match why {
            Why::Age => Outcome::Expired,
            Why::Size => Outcome::ExpiredSize,
            Why::Skipped => Outcome::ExpiredSkipped,
        };
        for &place in places {
            let expired = self.window.borrow_mut().expire(place);
            match expired {
                // On its way: its attempt decides.
                None => {}
                Some(Some(key)) => self.finish(key, outcome, None),
                Some(None) => self.settle(place, outcome, None, None),
            }
        }
        if why == Why::Skipped {
            self.end_unsaved(outcome, |_| true);
        }
    }

    /// Ends copies that are in no backlog and not on their way.
    pub(super) fn end_unsaved(&self, outcome: Outcome, is_over: impl Fn(&Kept) -> bool) {
        let (keys, aside) = self.window.borrow_mut().unsaved(is_over);
        keys.into_iter().for_each(|key| self.finish(key, outcome, None));
        for kept in aside {
            self.settle(kept.place, outcome, Some(&kept), None);
        }
    }

    /// About once a second.
    pub(super) fn sweep(&self) {
        self.end_unsaved(Outcome::Expired, |kept| kept.arrived.elapsed() >= self.max_age);
        let window = self.window.borrow();
        self.ledger.pending_bytes.set(window.bytes());
        let lag = window.oldest().map_or(0, |arrived| arrived.elapsed().as_millis() as u64);
        self.ledger.lag_ms.set(lag);
        for tenant in window.tenants() {
            self.ledger.tenant(tenant, || None);
        }
        self.ledger.tenants_wait(|tenant| window.copies_of(tenant));
    }

    /// Reads the series of one copy, if some have waited long enough. Returns whether there may be more.
    pub(super) fn read_one(&self) -> bool {
        let next = self.window.borrow_mut().unread();
        let Some((key, wire, protocol)) = next else { return false };
        let set = self.reader.borrow_mut().read(&wire, protocol);
        self.window.borrow_mut().learn(key, set);
        true
    }

    /// Marks what has waited for long.
    pub(super) fn look(&self, now: Instant) {
        if let Some(moment) = now.checked_sub(limits::ORDER_WAIT) {
            self.window.borrow_mut().look(moment);
        }
    }
}

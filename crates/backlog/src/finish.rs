//! Letting records go: acknowledged, or expired.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::fs::Fs;
use crate::index::Located;
use crate::store::Backlog;
use crate::types::Expired;

impl<S: Fs> Backlog<S> {
    /// Lets go of the records with these places, in any order; places without a live record are passed over. Returns
    /// how many records that were. The next [`checkpoint`](Self::checkpoint) makes it durable: after a crash before
    /// that, they come back.
    pub fn acknowledge(&mut self, places: &[RangeInclusive<u64>]) -> u64 {
        let mut finished = 0_u64;
        for range in places {
            for (number, segment) in &mut self.segments {
                let overlaps = segment
                    .index
                    .places()
                    .is_some_and(|own| own.start() <= range.end() && range.start() <= own.end());
                if !overlaps || segment.index.live_records() == 0 {
                    continue;
                }
                let found: Vec<Located> = segment.index.live_in(range).collect();
                for located in found {
                    if segment.index.finish(&located) {
                        self.unsaved.finish(*number, located.offset, located.end());
                        finished = finished.saturating_add(1);
                    }
                }
            }
        }
        finished
    }

    /// Lets go of records that are older than `max_age`, and of the oldest until `room` more bytes fit into
    /// `max_bytes`; never of one that `in_flight` says is being sent. The next [`checkpoint`](Self::checkpoint) frees
    /// their bytes, a whole segment at a time.
    ///
    /// `now_ms` is in milliseconds since 1970.
    pub fn expire(&mut self, now_ms: u64, room: u64, in_flight: &mut dyn FnMut(u64) -> bool) -> Expired {
        let by_age = self.expire_by_age(now_ms, in_flight);
        let by_size = self.expire_by_size(room, in_flight);
        Expired { by_age, by_size }
    }

    fn expire_by_age(&mut self, now_ms: u64, in_flight: &mut dyn FnMut(u64) -> bool) -> Vec<u64> {
        let max_age = milliseconds(self.options.max_age);
        let Some(oldest_allowed) = now_ms.checked_sub(max_age) else { return Vec::new() };
        let mut expired = Vec::new();
        let aged = self.segments.values().filter(|segment| segment.index.has_older(oldest_allowed));
        let numbers: Vec<u64> = aged.map(|segment| segment.number).collect();
        for number in numbers {
            let Some(segment) = self.segments.get(&number) else { continue };
            let old = segment.index.live().filter(|located| located.arrival_ms < oldest_allowed);
            let old: Vec<Located> = old.filter(|located| !in_flight(located.place)).collect();
            self.let_go(number, &old, &mut expired);
        }
        expired
    }

    fn expire_by_size(&mut self, room: u64, in_flight: &mut dyn FnMut(u64) -> bool) -> Vec<u64> {
        let mut expired = Vec::new();
        let mut charge = self.charge().saturating_add(room);
        for number in self.oldest_first() {
            if charge <= self.options.max_bytes {
                break;
            }
            if self.is_active(number) {
                self.retire(true);
            }
            let Some(segment) = self.segments.get(&number) else { continue };
            let waiting: Vec<Located> =
                segment.index.live().filter(|located| !in_flight(located.place)).collect();
            if waiting.len() as u64 == segment.index.live_records() {
                charge = charge.saturating_sub(segment.charge());
            }
            self.let_go(number, &waiting, &mut expired);
        }
        expired
    }

    fn let_go(&mut self, number: u64, located: &[Located], expired: &mut Vec<u64>) {
        for located in located {
            expired.push(located.place);
            self.finish(number, located);
            if self.has_copies {
                self.acknowledge(&[located.place..=located.place]);
            }
        }
    }

    /// Segment numbers by their first live place; those without any first, the active one last.
    fn oldest_first(&self) -> Vec<u64> {
        let mut order: Vec<(bool, Option<u64>, u64)> = self
            .segments
            .values()
            .map(|segment| {
                let first = segment.index.live().next().map(|located| located.place);
                (self.is_active(segment.number), first, segment.number)
            })
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, number)| number).collect()
    }

    pub(crate) fn finish(&mut self, number: u64, located: &Located) {
        let Some(segment) = self.segments.get_mut(&number) else { return };
        if segment.index.finish(located) {
            self.unsaved.finish(number, located.offset, located.end());
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

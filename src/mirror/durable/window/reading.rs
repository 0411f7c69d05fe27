//! Which bodies are read for their series: of lanes in which copies have waited for long.

use std::sync::Arc;
use std::time::Instant;

use super::{Key, Window};
use crate::mirror::order::board::Set;
use crate::mirror::order::{Protocol, Wire};

impl Window {
    /// Marks the lanes in which a copy has waited since `moment`: their bodies are read.
    pub(in crate::mirror::durable) fn look(&mut self, moment: Instant) {
        for (&tenant, lane) in &mut self.lanes {
            if !lane.reads && lane.board.unread().next().is_some() && lane.waits_since(moment) {
                lane.reads = true;
                self.reading.push_back(tenant);
            }
        }
    }

    /// The next body to read, of one lane after the other.
    pub(in crate::mirror::durable) fn unread(&mut self) -> Option<(Key, Arc<Wire>, Protocol)> {
        while let Some(tenant) = self.reading.pop_front() {
            let Some(lane) = self.lanes.get_mut(&tenant) else { continue };
            if let Some((at, wire, protocol)) = lane.unread() {
                self.reading.push_back(tenant);
                return Some(((tenant, at), wire, protocol));
            }
            lane.reads = false;
        }
        None
    }

    pub(in crate::mirror::durable) fn learn(&mut self, (tenant, at): Key, set: Set) {
        if let Some(lane) = self.lanes.get_mut(&tenant) {
            lane.learn(at, set);
            if let Some(kept) = lane.copies.get_mut(&at) {
                kept.read = true;
            }
            self.take_turns(tenant);
        }
    }
}

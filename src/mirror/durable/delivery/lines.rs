//! The lines of the mirror's access log, one for each copy at its final outcome.
//!
//! What an earlier process did with a copy is in no record, and what is only on disk is not read for its line: both are
//! not known here, and the log says so.

use super::Delivery;
use crate::mirror::durable::kept::Kept;
use crate::mirror::ledger::Outcome;
use crate::mirror::logged::Said;

impl Delivery {
    /// Writes a copy's line. `kept`: what is known of it, if it was in memory.
    pub(super) fn log(&self, kept: Option<&Kept>, outcome: Outcome, status: Option<u16>) {
        if let Some(logs) = &self.logs {
            logs.write(&kept.map(|kept| self.said(kept)).unwrap_or_default(), outcome, status);
        }
    }

    fn said<'k>(&self, kept: &'k Kept) -> Said<'k> {
        let (chunks, bodies) = (&kept.wire.chunks, kept.wire.body_chunks);
        let size =
            |chunks: &mut dyn Iterator<Item = &bytes::Bytes>| chunks.map(|chunk| chunk.len() as u64).sum();
        // An earlier process may have tried it, nobody knows when and how often.
        let ours = kept.place >= self.rebuild.recovered_end.get();
        let waited = || match kept.sent {
            Some((first, _)) => first.saturating_duration_since(kept.arrived),
            None => kept.arrived.elapsed(),
        };
        Said {
            head: chunks.first().map(|head| &**head),
            body: Some(size(&mut chunks.iter().skip(1).take(bodies))),
            bytes: Some(size(&mut chunks.iter())),
            arrived: Some(kept.arrived),
            waited: ours.then(waited),
            ends: kept.sent.map(|(_, ends)| ends),
            attempts: ours.then_some(kept.attempts),
        }
    }
}

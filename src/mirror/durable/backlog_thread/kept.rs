//! What the thread remembers of copies, to append them and to append them again.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use backlog::NewRecord;
use bytes::Bytes;

use super::super::message::Arrived;
use super::super::record;
use crate::mirror::order::Wire;

/// Bytes appended again with one call.
const BYTES: usize = 4 << 20;

/// A copy to append.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) place: u64,
    tenant: u64,
    arrival_ms: u64,
    stored: Bytes,
    wire: Arc<Wire>,
}

impl Piece {
    pub(super) fn of(copy: &Arrived) -> Self {
        Self {
            place: copy.place,
            tenant: copy.tenant,
            arrival_ms: copy.arrived_ms,
            stored: copy.stored.clone(),
            wire: Arc::clone(&copy.wire),
        }
    }

    /// The payload as it lies in memory.
    pub(super) fn payload(&self) -> Vec<&[u8]> {
        let body = self.wire.chunks.iter().skip(1).take(self.wire.body_chunks);
        std::iter::once(&self.stored).chain(body).map(|part| &part[..]).collect()
    }

    pub(super) fn record<'a>(&self, payload: &'a [&'a [u8]]) -> NewRecord<'a> {
        NewRecord {
            place: self.place,
            arrival_ms: self.arrival_ms,
            tenant: self.tenant,
            kind: record::KIND,
            payload,
        }
    }

    fn len(&self) -> usize {
        self.payload().iter().map(|part| part.len()).sum()
    }
}

/// A copy that can be appended again as long as it is unfinished: its bytes are counted, and held, where it is.
#[derive(Debug)]
struct Kept {
    tenant: u64,
    arrival_ms: u64,
    stored: Bytes,
    wire: Weak<Wire>,
}

/// Copies by place.
#[derive(Debug, Default)]
pub(super) struct Copies(BTreeMap<u64, Kept>);

impl Copies {
    pub(super) fn insert(&mut self, piece: &Piece) {
        let Piece { place, tenant, arrival_ms, ref stored, ref wire } = *piece;
        let kept = Kept { tenant, arrival_ms, stored: stored.clone(), wire: Arc::downgrade(wire) };
        self.0.insert(place, kept);
    }

    pub(super) fn remove(&mut self, place: u64) {
        self.0.remove(&place);
    }

    pub(super) fn contains(&self, place: u64) -> bool {
        self.0.contains_key(&place)
    }

    /// Moves one over to `other`.
    pub(super) fn pass(&mut self, place: u64, other: &mut Self) {
        if let Some(kept) = self.0.remove(&place) {
            other.0.insert(place, kept);
        }
    }

    /// Lets go of all for whose places `is_over`; returns these places.
    pub(super) fn let_go(&mut self, mut is_over: impl FnMut(u64) -> bool) -> Vec<u64> {
        self.0.extract_if(.., |place, _| is_over(*place)).map(|(place, _)| place).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets the finished ones.
    pub(super) fn prune(&mut self) {
        self.0.retain(|_, kept| kept.wire.strong_count() > 0);
    }

    /// Some unfinished ones, in order of place.
    pub(super) fn some(&mut self) -> Vec<Piece> {
        self.prune();
        let mut bytes = 0_usize;
        let pieces = self.0.iter().filter_map(|(place, kept)| {
            let Kept { tenant, arrival_ms, ref stored, ref wire } = *kept;
            let wire = wire.upgrade()?;
            Some(Piece { place: *place, tenant, arrival_ms, stored: stored.clone(), wire })
        });
        let fits = |piece: &Piece| {
            let before = bytes;
            bytes = bytes.saturating_add(piece.len());
            before < BYTES
        };
        pieces.take_while(fits).collect()
    }
}

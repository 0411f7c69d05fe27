//! Where the records of one segment are: 16 bytes a record in memory, and the same 16 bytes in a seal.
#![deny(clippy::arithmetic_side_effects)]

use std::ops::RangeInclusive;

use crate::format::{ALIGN, span};
use crate::ranges::RangeSet;

/// Most records of one segment, which bounds what a seal takes.
pub(crate) const RECORDS_MAX: usize = 1 << 16;

/// How far above a segment's first place its others may be (and below it), and arrivals in milliseconds, 25 days.
pub(crate) const SPREAD: u64 = (1 << 31) - 1;

/// A record's coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) place: u64,
    pub(crate) arrival_ms: u64,
    /// Of the record's header in its file.
    pub(crate) offset: u64,
    /// Of the payload.
    pub(crate) length: u32,
}

impl Located {
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(span(self.length))
    }
}

/// [`Located`] in 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Above [`Bases::place`].
    pub(crate) place: u32,
    /// In units of [`ALIGN`].
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// Milliseconds above [`Bases::arrival_ms`].
    pub(crate) arrival: u32,
}

/// What an entry's small numbers count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bases {
    pub(crate) place: u64,
    pub(crate) arrival_ms: u64,
}

impl Bases {
    /// Half the range lies below the first record, since later ones may be a little older.
    fn around(place: u64, arrival_ms: u64) -> Self {
        Self { place: place.saturating_sub(1 << 31), arrival_ms: arrival_ms.saturating_sub(1 << 31) }
    }

    pub(crate) fn pack(&self, located: &Located) -> Option<Entry> {
        Some(Entry {
            place: u32::try_from(located.place.checked_sub(self.place)?).ok()?,
            offset: u32::try_from(located.offset.checked_div(ALIGN)?).ok()?,
            length: located.length,
            // Only in what damage left; a record whose clock jumped by weeks begins a segment of its own.
            arrival: u32::try_from(located.arrival_ms.saturating_sub(self.arrival_ms)).unwrap_or(u32::MAX),
        })
    }

    pub(crate) fn unpack(&self, entry: &Entry) -> Located {
        Located {
            place: self.place.saturating_add(entry.place.into()),
            arrival_ms: self.arrival_ms.saturating_add(entry.arrival.into()),
            offset: u64::from(entry.offset).saturating_mul(ALIGN),
            length: entry.length,
        }
    }
}

/// The records of one segment in order of place, and which of its bytes are done with.
#[derive(Debug, Default)]
pub(crate) struct Index {
    bases: Bases,
    entries: Vec<Entry>,
    done: RangeSet,
    live: u64,
    live_bytes: u64,
    /// Of all records, done or not.
    oldest_ms: Option<u64>,
}

impl Index {
    /// An index as a seal describes it, all live.
    pub(crate) fn from_parts(bases: Bases, mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.place);
        let oldest = entries.iter().map(|entry| bases.unpack(entry).arrival_ms).min();
        let mut index = Self { bases, entries, oldest_ms: oldest, ..Self::default() };
        index.count();
        index
    }

    /// Whether a record with this place and arrival can be told in 16 bytes.
    pub(crate) fn fits(&self, place: u64, arrival_ms: u64) -> bool {
        let within = |base: u64, number: u64| (base..=base.saturating_add(u32::MAX.into())).contains(&number);
        let near = within(self.bases.place, place) && within(self.bases.arrival_ms, arrival_ms);
        self.entries.is_empty() || (self.entries.len() < RECORDS_MAX && near)
    }

    /// Adds a live record. False, and nothing is added, when it does not fit or its place is taken.
    pub(crate) fn push(&mut self, located: &Located) -> bool {
        if self.entries.is_empty() {
            self.bases = Bases::around(located.place, located.arrival_ms);
        }
        let Some(entry) = self.bases.pack(located) else { return false };
        // Almost always the end: places come nearly in order.
        let at = self.entries.partition_point(|other| other.place < entry.place);
        if self.entries.get(at).is_some_and(|other| other.place == entry.place) {
            return false;
        }
        self.entries.insert(at, entry);
        let arrival_ms = self.bases.unpack(&entry).arrival_ms;
        self.oldest_ms = Some(self.oldest_ms.map_or(arrival_ms, |oldest| oldest.min(arrival_ms)));
        self.live = self.live.saturating_add(1);
        self.live_bytes = self.live_bytes.saturating_add(entry.length.into());
        true
    }

    /// Gives back memory that growing took ahead.
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Lets go of `located`. True if it was live.
    pub(crate) fn finish(&mut self, located: &Located) -> bool {
        if self.done.contains(located.offset) {
            return false;
        }
        self.done.insert(located.offset, located.end());
        self.live = self.live.saturating_sub(1);
        self.live_bytes = self.live_bytes.saturating_sub(located.length.into());
        true
    }

    /// Lets go of every record that begins in `start..end`, and of the bytes in between.
    pub(crate) fn finish_bytes(&mut self, start: u64, end: u64) {
        self.done.insert(start, end);
        self.count();
    }

    /// The same for many ranges at once.
    pub(crate) fn finish_ranges(&mut self, ranges: &RangeSet) {
        self.done.extend(ranges);
        self.count();
    }

    fn count(&mut self) {
        let live = self.entries.iter().map(|entry| self.bases.unpack(entry));
        let live = live.filter(|located| !self.done.contains(located.offset));
        (self.live, self.live_bytes) = live.fold((0, 0), |(records, bytes): (u64, u64), located| {
            (records.saturating_add(1), bytes.saturating_add(located.length.into()))
        });
    }

    /// The live records with a place in `places`, in order of place.
    pub(crate) fn live_in(&self, places: &RangeInclusive<u64>) -> impl Iterator<Item = Located> + '_ {
        let from = self.entries.partition_point(|entry| self.bases.unpack(entry).place < *places.start());
        let last = *places.end();
        let located =
            self.entries.get(from..).unwrap_or_default().iter().map(|entry| self.bases.unpack(entry));
        located
            .take_while(move |located| located.place <= last)
            .filter(|located| !self.done.contains(located.offset))
    }

    /// All live records, in order of place.
    pub(crate) fn live(&self) -> impl Iterator<Item = Located> + '_ {
        self.live_in(&(0..=u64::MAX))
    }

    /// The record with this place, live or not.
    pub(crate) fn find(&self, place: u64) -> Option<Located> {
        // Most segments lie far from any one place.
        self.places().filter(|places| places.contains(&place))?;
        let at = self.entries.partition_point(|entry| self.bases.unpack(entry).place < place);
        self.entries.get(at).map(|entry| self.bases.unpack(entry)).filter(|located| located.place == place)
    }

    pub(crate) fn is_live(&self, located: &Located) -> bool {
        !self.done.contains(located.offset)
    }

    /// Smallest and largest place, done or not.
    pub(crate) fn places(&self) -> Option<RangeInclusive<u64>> {
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        Some(self.bases.unpack(first).place..=self.bases.unpack(last).place)
    }

    /// Whether a record arrived before `arrival_ms`.
    pub(crate) fn has_older(&self, arrival_ms: u64) -> bool {
        self.live > 0 && self.oldest_ms.is_some_and(|oldest| oldest < arrival_ms)
    }

    pub(crate) fn bases(&self) -> Bases {
        self.bases
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn done(&self) -> &RangeSet {
        &self.done
    }

    pub(crate) fn live_records(&self) -> u64 {
        self.live
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: u64, offset: u64) -> Located {
        Located { place, arrival_ms: 1_700_000_000_000_u64.saturating_add(place), offset, length: 16 }
    }

    #[test]
    fn records_are_found_by_place_whatever_order_they_came_in() {
        let mut index = Index::default();
        for (place, offset) in [(1000, 64), (1003, 128), (1001, 192), (999, 256)] {
            assert!(index.push(&at(place, offset)));
        }
        assert!(!index.push(&at(1001, 320)), "the place is taken");
        let places: Vec<u64> = index.live().map(|located| located.place).collect();
        assert_eq!(places, [999, 1000, 1001, 1003]);
        assert!(index.finish(&at(1001, 192)));
        assert!(!index.finish(&at(1001, 192)));
        assert_eq!(index.find(1001), Some(at(1001, 192)));
        assert_eq!(index.live_in(&(1000..=1002)).collect::<Vec<_>>(), [at(1000, 64)]);
        assert_eq!((index.live_records(), index.live_bytes()), (3, 48));
        index.finish_bytes(64, 192);
        assert_eq!(index.live().collect::<Vec<_>>(), [at(999, 256)]);
        assert_eq!(index.places(), Some(999..=1003));
    }

    #[test]
    fn a_place_far_away_does_not_fit() {
        let mut index = Index::default();
        assert!(index.fits(u64::MAX, 0));
        assert!(index.push(&at(1 << 40, 64)));
        let now = at(1 << 40, 64).arrival_ms;
        assert!(index.fits((1 << 40) + 1000, now) && index.fits((1 << 40) - 1000, now));
        assert!(!index.fits(1, now) && !index.fits(1 << 41, now));
        assert!(index.fits(1 << 40, now - 1000) && !index.fits(1 << 40, 0) && !index.fits(1 << 40, 2 * now));
        assert!(!index.push(&at(1, 128)));
    }
}

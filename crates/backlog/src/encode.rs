//! A chunk of records as the bytes of one vectored write.

use std::io::IoSlice;

use crate::format::{PAYLOAD_MAX, RecordHeader, padding, span};
use crate::index::Located;
use crate::types::NewRecord;

/// Payloads up to this size are copied next to their headers: for small pieces the kernel's work for each slice costs
/// more than the copy. Larger ones are written from where they lie.
const GATHERED_MAX: u32 = 8 << 10;

/// Headers, small payloads and padding of a chunk, and where its records will be.
pub(crate) struct Encoded {
    gathered: Vec<u8>,
    /// Lengths of `gathered` at which the payload of a record (by its index in the chunk) comes in between.
    large: Vec<(usize, usize)>,
    pub(crate) located: Vec<Located>,
}

impl Encoded {
    /// Encodes `chunk` as it will stand at `offset` of a file with `salt`. `buffer` is memory to use.
    pub(crate) fn new(chunk: &[NewRecord<'_>], salt: u64, mut offset: u64, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        let mut encoded =
            Self { gathered: buffer, large: Vec::new(), located: Vec::with_capacity(chunk.len()) };
        for (nth, record) in chunk.iter().enumerate() {
            let length = payload_length(record);
            let NewRecord { place, arrival_ms, tenant, kind, payload } = *record;
            let payload_crc = payload.iter().fold(0, |crc, piece| crc32c::crc32c_append(crc, piece));
            let header = RecordHeader { length, place, arrival_ms, tenant, kind, payload_crc };
            header.encode(salt, offset, &mut encoded.gathered);
            if length <= GATHERED_MAX {
                payload.iter().for_each(|piece| encoded.gathered.extend_from_slice(piece));
            } else {
                encoded.large.push((encoded.gathered.len(), nth));
            }
            encoded.gathered.extend_from_slice(padding(length));
            encoded.located.push(Located { place, arrival_ms, offset, length });
            offset = offset.saturating_add(header.span());
        }
        encoded
    }

    /// All bytes, in order.
    pub(crate) fn slices<'a>(&'a self, chunk: &'a [NewRecord<'a>]) -> Vec<IoSlice<'a>> {
        let mut slices = Vec::new();
        let mut from = 0;
        for (until, nth) in &self.large {
            slices.push(IoSlice::new(self.gathered.get(from..*until).unwrap_or_default()));
            let payload = chunk.get(*nth).map(|record| record.payload).unwrap_or_default();
            slices.extend(payload.iter().map(|piece| IoSlice::new(piece)));
            from = *until;
        }
        slices.push(IoSlice::new(self.gathered.get(from..).unwrap_or_default()));
        slices
    }

    /// The memory, for the next chunk.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.gathered
    }
}

/// Bytes of a record's payload; more than [`PAYLOAD_MAX`] if it is too large.
pub(crate) fn payload_length(record: &NewRecord<'_>) -> u32 {
    let length = record.payload.iter().map(|piece| piece.len()).fold(0, usize::saturating_add);
    u32::try_from(length).unwrap_or(PAYLOAD_MAX.saturating_add(1))
}

/// Bytes that a record takes in its file.
pub(crate) fn span_of(record: &NewRecord<'_>) -> u64 {
    span(payload_length(record))
}

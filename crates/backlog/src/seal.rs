//! The last record of a full segment: the index of the others, so that opening a backlog reads a small part of it.
//!
//! Its last 16 bytes say where it begins, which is how it is found from the end of the file. A segment without a
//! sound seal is read from end to end instead; nothing but time depends on seals.
#![deny(clippy::arithmetic_side_effects)]

use std::io;

use crate::bytes::Fields;
use crate::format::{FILE_HEADER, KIND_SEAL, RECORD_HEADER, RecordHeader};
use crate::fs::{File, read_full};
use crate::index::{Bases, Entry, Index, RECORDS_MAX};

const TRAILER: u64 = 16;
const TRAILER_MAGIC: u64 = u64::from_le_bytes(*b"mmBKSEAL");
/// Bases, count, trailer.
const FIXED: usize = 40;
const ENTRY: usize = 16;

/// Bytes that a seal with so many entries takes, header included.
pub(crate) fn span(entries: usize) -> u64 {
    let payload = entries.saturating_mul(ENTRY).saturating_add(FIXED);
    RECORD_HEADER.saturating_add(payload as u64)
}

/// The whole record, as it stands at `offset` of a file with `salt`.
pub(crate) fn encode(index: &Index, salt: u64, offset: u64) -> Vec<u8> {
    let mut payload = Vec::with_capacity(index.entries().len().saturating_mul(ENTRY).saturating_add(FIXED));
    payload.extend(index.bases().place.to_le_bytes());
    payload.extend(index.bases().arrival_ms.to_le_bytes());
    payload.extend((index.entries().len() as u64).to_le_bytes());
    for entry in index.entries() {
        for number in [entry.place, entry.offset, entry.length, entry.arrival] {
            payload.extend(number.to_le_bytes());
        }
    }
    payload.extend(offset.to_le_bytes());
    payload.extend(TRAILER_MAGIC.to_le_bytes());
    let header = RecordHeader {
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        place: 0,
        arrival_ms: 0,
        tenant: 0,
        kind: KIND_SEAL,
        payload_crc: crc32c::crc32c(&payload),
    };
    let mut record = Vec::with_capacity(payload.len().saturating_add(64));
    header.encode(salt, offset, &mut record);
    record.extend(payload);
    record
}

/// The index in the seal at the end of a file of `len` bytes, if it has a sound one.
pub(crate) fn read(file: &impl File, len: u64, salt: u64) -> io::Result<Option<Index>> {
    let mut trailer = [0; TRAILER as usize];
    let Some(trailer_at) = len.checked_sub(TRAILER) else { return Ok(None) };
    if read_full(file, &mut trailer, trailer_at)? < trailer.len() {
        return Ok(None);
    }
    let mut fields = Fields(&trailer);
    let (Some(offset), Some(TRAILER_MAGIC)) = (fields.long(), fields.long()) else { return Ok(None) };
    let largest = span(RECORDS_MAX);
    let Some(size) = len.checked_sub(offset).filter(|size| *size <= largest && offset >= FILE_HEADER) else {
        return Ok(None);
    };
    let mut record = vec![0; usize::try_from(size).unwrap_or(0)];
    if read_full(file, &mut record, offset)? < record.len() {
        return Ok(None);
    }
    Ok(decode(&record, salt, offset))
}

fn decode(record: &[u8], salt: u64, offset: u64) -> Option<Index> {
    let header = RecordHeader::decode(record, salt, offset)?;
    let payload = record.get(usize::try_from(RECORD_HEADER).ok()?..)?;
    let whole = header.kind == KIND_SEAL && payload.len() as u64 == u64::from(header.length);
    if !whole || !header.payload_matches(crc32c::crc32c(payload)) {
        return None;
    }
    let mut fields = Fields(payload);
    let bases = Bases { place: fields.long()?, arrival_ms: fields.long()? };
    let count = usize::try_from(fields.long()?).ok().filter(|count| *count <= RECORDS_MAX)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let entry = Entry {
            place: fields.word()?,
            offset: fields.word()?,
            length: fields.word()?,
            arrival: fields.word()?,
        };
        entries.push(entry);
    }
    let inside = entries.iter().all(|entry| bases.unpack(entry).end() <= offset);
    inside.then(|| Index::from_parts(bases, entries))
}

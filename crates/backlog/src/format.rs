//! Bytes of file and record headers, written and read. The layout itself is described at the top of the crate.
#![deny(clippy::arithmetic_side_effects)]

use crate::bugs::{Bug, seeded};
use crate::bytes::Fields;

/// The version of the format that this code writes, and the newest that it reads.
pub const VERSION: u32 = 1;
/// Longest payload of one record, in bytes.
pub const PAYLOAD_MAX: u32 = 1 << 30;
/// Largest `kind` that a caller may use; the others are the store's own.
pub const KIND_MAX: u8 = 0xEF;

pub(crate) const KIND_CHECKPOINT: u8 = 0xFE;
pub(crate) const KIND_SEAL: u8 = 0xFF;
pub(crate) const FILE_HEADER: u64 = 64;
pub(crate) const RECORD_HEADER: u64 = 48;
/// Records begin at multiples of this, which bounds the places where a search for one has to look.
pub(crate) const ALIGN: u64 = 8;

const SEGMENT_MAGIC: [u8; 8] = *b"mmBKLOG\n";
const CHECKPOINT_MAGIC: [u8; 8] = *b"mmBKCHK\n";

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Segment,
    Checkpoint,
}

/// The first 64 bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) kind: FileKind,
    /// [`name_hash`] of the mirror that the file belongs to.
    pub(crate) mirror: u64,
    /// The segment's number; 0 in a checkpoint.
    pub(crate) number: u64,
    pub(crate) salt: u64,
}

/// Why 64 bytes are not a header of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Fewer bytes, another magic or a wrong checksum.
    Damaged,
    /// A sound header of a newer version.
    Future(u32),
}

impl FileHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = match self.kind {
            FileKind::Segment => SEGMENT_MAGIC,
            FileKind::Checkpoint => CHECKPOINT_MAGIC,
        }
        .to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        for number in [self.mirror, self.number, self.salt] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend([0; 20]);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        Self::fields(bytes).ok_or(HeaderFault::Damaged)?
    }

    fn fields(bytes: &[u8]) -> Option<Result<Self, HeaderFault>> {
        let (summed, crc) = bytes.get(..usize::try_from(FILE_HEADER).ok()?)?.split_last_chunk()?;
        if crc32c::crc32c(summed) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut fields = Fields(summed);
        let kind = match fields.skip(8)? {
            magic if magic == SEGMENT_MAGIC => FileKind::Segment,
            magic if magic == CHECKPOINT_MAGIC => FileKind::Checkpoint,
            _ => return None,
        };
        let version = fields.word()?;
        if version != VERSION {
            return Some(Err(HeaderFault::Future(version)));
        }
        fields.word()?;
        Some(Ok(Self { kind, mirror: fields.long()?, number: fields.long()?, salt: fields.long()? }))
    }
}

/// The 48 bytes before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    /// Bytes of payload, without the zeros that pad it.
    pub(crate) length: u32,
    pub(crate) place: u64,
    pub(crate) arrival_ms: u64,
    pub(crate) tenant: u64,
    pub(crate) kind: u8,
    pub(crate) payload_crc: u32,
}

impl RecordHeader {
    /// Appends the header as it stands at `offset` of a file with `salt`.
    pub(crate) fn encode(&self, salt: u64, offset: u64, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend(marker(salt).to_le_bytes());
        out.extend(self.length.to_le_bytes());
        for number in [self.place, self.arrival_ms, self.tenant] {
            out.extend(number.to_le_bytes());
        }
        out.extend([self.kind, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(self.payload_crc.to_le_bytes());
        let crc = header_crc(salt, offset, out.get(from..).unwrap_or_default());
        out.extend(crc.to_le_bytes());
    }

    /// The header at `offset` of a file with `salt`, if `bytes` begins with a sound one.
    pub(crate) fn decode(bytes: &[u8], salt: u64, offset: u64) -> Option<Self> {
        let (summed, crc) = bytes.get(..usize::try_from(RECORD_HEADER).ok()?)?.split_last_chunk()?;
        let mut fields = Fields(summed);
        if fields.word()? != marker(salt) {
            return None;
        }
        if header_crc(salt, offset, summed) != u32::from_le_bytes(*crc) && !seeded(Bug::NoChecksum) {
            return None;
        }
        let length = fields.word()?;
        let (place, arrival_ms, tenant) = (fields.long()?, fields.long()?, fields.long()?);
        let kind = fields.byte()?;
        fields.skip(7)?;
        let payload_crc = fields.word()?;
        (length <= PAYLOAD_MAX).then_some(Self { length, place, arrival_ms, tenant, kind, payload_crc })
    }

    pub(crate) fn payload_matches(&self, crc: u32) -> bool {
        self.payload_crc == crc || seeded(Bug::NoChecksum)
    }

    /// Bytes that the whole record takes in its file.
    pub(crate) fn span(&self) -> u64 {
        span(self.length)
    }
}

/// Bytes that a record with so much payload takes: header, payload, padding.
pub(crate) fn span(length: u32) -> u64 {
    RECORD_HEADER.saturating_add(u64::from(length).next_multiple_of(ALIGN))
}

/// Zeros behind a payload of this length.
pub(crate) fn padding(length: u32) -> &'static [u8] {
    const ZEROS: [u8; 8] = [0; 8];
    let missing = u64::from(length).next_multiple_of(ALIGN).saturating_sub(u64::from(length));
    usize::try_from(missing).ok().and_then(|missing| ZEROS.get(..missing)).unwrap_or_default()
}

/// First bytes of every record of a file. Never zero, so that a hole never looks like a record.
pub(crate) fn marker(salt: u64) -> u32 {
    let [a, b, c, d, ..] = salt.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]) | 1
}

/// The file's salt and the record's offset are part of the sum: a payload cannot contain a record, since its author
/// does not know the salt, and a block that lands in another file or place does not count.
fn header_crc(salt: u64, offset: u64, bytes: &[u8]) -> u32 {
    let [.., a, b, c, d] = salt.to_le_bytes();
    let seed = u32::from_le_bytes([a, b, c, d]);
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &offset.to_le_bytes()), bytes)
}

/// A name as the 64 bits that stand for it on disk (FNV-1a: stable over versions, machines and builds).
#[must_use]
pub fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u64 = 0x1234_5678_9abc_def0;

    fn record() -> RecordHeader {
        RecordHeader {
            length: 13,
            place: 7,
            arrival_ms: 1_700_000_000_000,
            tenant: 9,
            kind: 3,
            payload_crc: 77,
        }
    }

    #[test]
    fn headers_come_back_and_every_flipped_bit_is_seen() {
        let file = FileHeader { kind: FileKind::Segment, mirror: 1, number: 2, salt: SALT };
        let bytes = file.encode();
        assert_eq!(bytes.len() as u64, FILE_HEADER);
        assert_eq!(FileHeader::decode(&bytes), Ok(file));
        let mut written = Vec::new();
        record().encode(SALT, 64, &mut written);
        assert_eq!(written.len() as u64, RECORD_HEADER);
        assert_eq!(RecordHeader::decode(&written, SALT, 64), Some(record()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHeader::decode(&flipped), Err(HeaderFault::Damaged), "bit {bit}");
        }
        for bit in 0..written.len() * 8 {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&flipped, SALT, 64), None, "bit {bit}");
        }
    }

    #[test]
    fn a_record_counts_only_in_its_file_and_place() {
        let mut written = Vec::new();
        record().encode(SALT, 64, &mut written);
        assert_eq!(RecordHeader::decode(&written, SALT, 72), None);
        assert_eq!(RecordHeader::decode(&written, SALT ^ (1 << 40), 64), None);
        assert_eq!(RecordHeader::decode(&written, SALT ^ 2, 64), None);
    }

    #[test]
    fn another_version_is_named_and_not_taken_for_damage() {
        let mut bytes = FileHeader { kind: FileKind::Checkpoint, mirror: 1, number: 0, salt: 0 }.encode();
        bytes.truncate(60);
        bytes[8] = 9;
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        assert_eq!(FileHeader::decode(&bytes), Err(HeaderFault::Future(9)));
    }

    #[test]
    fn records_are_padded_to_eight_bytes() {
        for length in 0..100 {
            assert_eq!(span(length), RECORD_HEADER + u64::from(length) + padding(length).len() as u64);
            assert_eq!(span(length) % ALIGN, 0);
        }
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(name_hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(name_hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(name_hash("foobar"), 0x8594_4171_f739_67e8);
    }
}

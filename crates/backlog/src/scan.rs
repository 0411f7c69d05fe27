//! Walks a file from record to record, and over what is damaged to the next sound one.
#![deny(clippy::arithmetic_side_effects)]

use std::io;

use crate::format::{ALIGN, FILE_HEADER, RECORD_HEADER, RecordHeader, marker};
use crate::fs::File;

/// Bytes read at once where everything is looked at ...
const WINDOW: usize = 256 << 10;
/// ... and where only headers are.
const WINDOW_HEADERS: usize = 4 << 10;
/// Where the search goes on behind bytes that cannot be read: disks fail in blocks.
const BLOCK: u64 = 4 << 10;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Headers; a payload is believed.
    Headers,
    /// Payloads too.
    Full,
}

/// What a walk met besides records. Byte ranges, half-open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Bytes that are no sound record, with sound ones behind them.
    pub(crate) damaged: Vec<(u64, u64)>,
    /// Bytes behind the last sound record.
    pub(crate) tail: Option<(u64, u64)>,
    /// Whether the disk refused some of the bytes: what is missing now may be readable another time.
    pub(crate) refused: bool,
}

/// Calls `found` with every sound record of a file of `len` bytes, and its offset, in the order of the file.
pub(crate) fn scan(
    file: &impl File,
    len: u64,
    salt: u64,
    depth: Depth,
    mut found: impl FnMut(u64, &RecordHeader),
) -> Scanned {
    let mut window = Window::new(file, len, depth);
    let mut scanned = Scanned::default();
    let mut offset = FILE_HEADER;
    let mut bad_from = None;
    while offset < len {
        match window.record(salt, offset) {
            Found::Record(header) => {
                if let Some(from) = bad_from.take() {
                    scanned.damaged.push((from, offset));
                }
                found(offset, &header);
                offset = offset.saturating_add(header.span());
            }
            // The header is sound, so the length is: the damage ends where the record does.
            Found::BadPayload(header) => {
                bad_from = bad_from.or(Some(offset));
                offset = offset.saturating_add(header.span());
            }
            Found::Nothing => {
                bad_from = bad_from.or(Some(offset));
                offset = window.next_candidate(salt, offset.saturating_add(ALIGN));
            }
        }
    }
    scanned.refused = window.refused;
    scanned.tail = bad_from.filter(|from| *from < len).map(|from| (from, len));
    scanned
}

enum Found {
    Record(RecordHeader),
    BadPayload(RecordHeader),
    Nothing,
}

/// A piece of the file in memory.
struct Window<'a, F> {
    file: &'a F,
    len: u64,
    depth: Depth,
    start: u64,
    bytes: Vec<u8>,
    refused: bool,
}

impl<'a, F: File> Window<'a, F> {
    fn new(file: &'a F, len: u64, depth: Depth) -> Self {
        Self { file, len, depth, start: 0, bytes: Vec::new(), refused: false }
    }

    fn record(&mut self, salt: u64, offset: u64) -> Found {
        let header =
            self.at(offset, RECORD_HEADER).ok().and_then(|bytes| RecordHeader::decode(bytes, salt, offset));
        let Some(header) = header else { return Found::Nothing };
        if offset.saturating_add(header.span()) > self.len {
            return Found::Nothing;
        }
        if self.depth == Depth::Headers {
            return Found::Record(header);
        }
        match self.crc(offset.saturating_add(RECORD_HEADER), header.length.into()) {
            Ok(crc) if header.payload_matches(crc) => Found::Record(header),
            _ => Found::BadPayload(header),
        }
    }

    /// Checksum of `length` bytes from `offset` on.
    fn crc(&mut self, offset: u64, length: u64) -> io::Result<u32> {
        let (mut at, end) = (offset, offset.saturating_add(length));
        let mut crc = 0;
        while at < end {
            let bytes = self.at(at, 1)?;
            let wanted = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
            let bytes = bytes.get(..wanted).unwrap_or(bytes);
            crc = crc32c::crc32c_append(crc, bytes);
            at = at.saturating_add(bytes.len() as u64);
        }
        Ok(crc)
    }

    /// The next place from `offset` on where a record may begin; the file's end if there is none.
    fn next_candidate(&mut self, salt: u64, mut offset: u64) -> u64 {
        let marker = marker(salt).to_le_bytes();
        while offset < self.len {
            let Ok(bytes) = self.at(offset, ALIGN) else {
                offset = offset.saturating_add(1).next_multiple_of(BLOCK);
                continue;
            };
            let steps = bytes.chunks_exact(usize::try_from(ALIGN).unwrap_or(8));
            let looked_at = (steps.len() as u64).saturating_mul(ALIGN);
            for (step, chunk) in steps.enumerate() {
                if chunk.starts_with(&marker) {
                    return offset.saturating_add((step as u64).saturating_mul(ALIGN));
                }
            }
            offset = offset.saturating_add(looked_at);
        }
        self.len
    }

    /// The bytes from `offset` on: at least `least`, or an error.
    fn at(&mut self, offset: u64, least: u64) -> io::Result<&[u8]> {
        let end = self.start.saturating_add(self.bytes.len() as u64);
        if offset < self.start || offset.saturating_add(least) > end {
            self.fill(offset)?;
        }
        let skip = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(skip..).unwrap_or_default();
        if (bytes.len() as u64) < least {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    fn fill(&mut self, offset: u64) -> io::Result<()> {
        let size = match self.depth {
            Depth::Headers => WINDOW_HEADERS,
            Depth::Full => WINDOW,
        };
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.start = offset;
        self.bytes.resize(size.min(left), 0);
        let mut filled = 0_usize;
        while let Some(rest) = self.bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled = filled.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What comes before unreadable bytes still counts; the next call begins at them.
                Err(_) if filled > 0 => break,
                Err(error) => {
                    self.bytes.clear();
                    self.refused = true;
                    return Err(error);
                }
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}

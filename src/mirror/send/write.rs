//! Where a copy's writing stands: which bytes of which chunk come next.

use std::io::IoSlice;

use bytes::Bytes;

/// Chunks given to one system call.
const SLICES: usize = 16;

/// A position in a list of chunks.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    chunks: &'a [Bytes],
    /// Bytes of the first chunk already written.
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(chunks: &'a [Bytes]) -> Self {
        let mut cursor = Self { chunks, offset: 0 };
        cursor.advance(0);
        cursor
    }

    pub(super) fn is_done(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The next bytes, for one vectored write. Returns how many of the slices are set.
    pub(super) fn fill<'s>(&self, slices: &mut [IoSlice<'s>; SLICES]) -> usize
    where
        'a: 's,
    {
        let mut offset = self.offset;
        let mut filled = 0;
        for (slice, chunk) in slices.iter_mut().zip(self.chunks) {
            *slice = IoSlice::new(chunk.get(offset..).unwrap_or_default());
            offset = 0;
            filled += 1;
        }
        filled
    }

    pub(super) fn empty_slices<'s>() -> [IoSlice<'s>; SLICES] {
        [IoSlice::new(&[]); SLICES]
    }

    /// `written` more bytes are out.
    pub(super) fn advance(&mut self, written: usize) {
        let mut at = self.offset + written;
        while let Some((first, rest)) = self.chunks.split_first() {
            if at < first.len() {
                break;
            }
            at -= first.len();
            self.chunks = rest;
        }
        self.offset = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_sequence_of_short_writes_yields_all_bytes_in_order() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..300 {
            let chunks: Vec<Bytes> = (0..random.usize(0..40))
                .map(|_| (0..random.usize(0..50)).map(|_| random.u8(..)).collect())
                .collect();
            let mut written = Vec::new();
            let mut cursor = Cursor::new(&chunks);
            while !cursor.is_done() {
                let mut slices = Cursor::empty_slices();
                let filled = cursor.fill(&mut slices);
                let offered = slices[..filled].iter().flat_map(|slice| slice.iter().copied());
                let offered: Vec<u8> = offered.collect();
                assert!(!offered.is_empty());
                let n = random.usize(1..=offered.len());
                written.extend_from_slice(&offered[..n]);
                cursor.advance(n);
            }
            assert_eq!(written, chunks.concat());
        }
    }
}

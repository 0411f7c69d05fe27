//! Bodies in gzip, as OTLP senders compress them: one member, within a bound.
//!
//! The format allows several members one after the other. Senders write one, and thousands of empty ones would cost
//! far more than their bytes, so a second one is refused. The bound holds while bytes come out, and before it where
//! the size at the end of the member tells already: a bomb costs no more than a body that is just within the bound.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// The densest that deflate can be: one code of two bits that stands for 258 bytes.
const DENSEST: usize = 1032;

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GzipError {
    /// More bytes than the limit, compressed or not.
    TooLarge,
    /// Not one whole member with the right checksum.
    Malformed,
}

/// The uncompressed bytes, in place of what stood in `out`. After an error nothing that stands there has a meaning.
pub(crate) fn decompress(body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), GzipError> {
    out.clear();
    let declared = declared_len(body).ok_or(GzipError::Malformed)?;
    if declared > limit || body.len() > limit {
        return Err(GzipError::TooLarge);
    }
    // What the end says decides nothing but how often the room grows.
    out.reserve(declared.min(body.len().saturating_mul(DENSEST)));
    let mut decoder = GzDecoder::new(body);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(most).read_to_end(out).map_err(|_| GzipError::Malformed)?;
    if out.len() > limit {
        return Err(GzipError::TooLarge);
    }
    if decoder.into_inner().is_empty() { Ok(()) } else { Err(GzipError::Malformed) }
}

/// The last four bytes of a member: its uncompressed size, modulo 2^32.
fn declared_len(body: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*body.last_chunk()?)).ok()
}

/// One member with the bytes in it.
#[expect(clippy::expect_used, reason = "writing into a vector does not fail")]
pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("room for it")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn read(body: &[u8]) -> Result<Vec<u8>, GzipError> {
        let mut out = vec![1, 2, 3];
        decompress(body, LIMIT, &mut out).map(|()| out)
    }

    #[test]
    fn what_goes_in_comes_out() {
        for bytes in [&b""[..], b"a", &[7; 100_000], &[0; LIMIT]] {
            assert_eq!(read(&compress(bytes)).as_deref(), Ok(bytes));
        }
    }

    #[test]
    fn the_limit_holds_whatever_the_end_says() {
        let mut bomb = compress(&vec![0; 64 * LIMIT]);
        assert_eq!(read(&bomb), Err(GzipError::TooLarge), "told by the end");
        let end = bomb.len() - 4;
        bomb[end..].copy_from_slice(&[1, 0, 0, 0]);
        let mut out = Vec::new();
        assert_eq!(decompress(&bomb, LIMIT, &mut out), Err(GzipError::TooLarge), "told by what came out");
        assert!(out.capacity() <= 2 * LIMIT + 64, "{}", out.capacity());
        assert_eq!(read(&compress(&vec![0; LIMIT + 1])), Err(GzipError::TooLarge));
        assert_eq!(read(&vec![0; LIMIT + 1]), Err(GzipError::TooLarge), "compressed");
    }

    #[test]
    fn an_end_that_promises_much_takes_no_room() {
        let mut body = compress(b"little");
        let end = body.len() - 4;
        body[end..].copy_from_slice(&(LIMIT as u32).to_le_bytes());
        let mut out = Vec::new();
        assert_eq!(decompress(&body, LIMIT, &mut out), Err(GzipError::Malformed));
        assert!(out.capacity() <= DENSEST * body.len(), "{}", out.capacity());
    }

    #[test]
    fn anything_but_one_whole_member_is_refused() {
        let body = compress(&b"some".repeat(50));
        for end in 0..body.len() {
            assert!(read(&body[..end]).is_err(), "cut to {end} bytes");
        }
        for behind in [&[0][..], b"more", &compress(b""), &compress(b"more")] {
            assert!(read(&[&body, behind].concat()).is_err(), "{} bytes behind", behind.len());
        }
        let mut wrong = body.clone();
        wrong[body.len() - 8] ^= 1;
        assert_eq!(read(&wrong), Err(GzipError::Malformed), "the checksum");
    }
}

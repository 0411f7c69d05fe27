//! A body into a [`WriteRequest`], without trusting what the body says of itself.

use prost::Message as _;

use crate::message::WriteRequest;

/// Why a body is not a readable remote write request.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body declares more bytes than the caller takes.
    #[error("the body declares {declared} bytes uncompressed, above the limit of {limit}")]
    TooLarge {
        /// The uncompressed size in the snappy header, bytes.
        declared: usize,
        /// The caller's limit, bytes.
        limit: usize,
    },
    /// The body declares more bytes than a snappy block of its length can hold: cut short, or a bomb.
    #[error("the body declares {declared} bytes uncompressed, which its {length} bytes cannot hold")]
    Impossible {
        /// The uncompressed size in the snappy header, bytes.
        declared: usize,
        /// The length of the body, bytes.
        length: usize,
    },
    /// The body is no snappy block.
    #[error("the body is not a snappy block: {0}")]
    Snappy(#[from] snap::Error),
    /// The uncompressed bytes are no `WriteRequest`.
    #[error("the body is not a remote write request: {0}")]
    Protobuf(#[from] prost::DecodeError),
}

/// The densest element of the block format: 3 bytes (a tag and a 2-byte offset) that copy 64 bytes.
const DENSEST: (u64, u64) = (3, 64);

/// Reads the uncompressed size that a body declares in its first bytes, without reading the rest.
///
/// # Errors
/// [`DecodeError::Snappy`] if the body is empty or does not start with a size of at most 32 bits.
pub fn declared_len(body: &[u8]) -> Result<usize, DecodeError> {
    if body.is_empty() {
        return Err(snap::Error::Empty.into());
    }
    Ok(snap::raw::decompress_len(body)?)
}

/// Reads a whole body. `limit` bounds the uncompressed bytes and is held against the declared size before
/// anything is allocated; the objects that are built can take some tens of times as much memory when a body
/// consists of empty messages.
///
/// # Errors
/// See [`DecodeError`]. No input panics.
pub fn decode(body: &[u8], limit: usize) -> Result<WriteRequest, DecodeError> {
    checked_len(body, limit)?;
    let raw = snap::raw::Decoder::new().decompress_vec(body)?;
    Ok(WriteRequest::decode(raw.as_slice())?)
}

/// The uncompressed size of a body, if it is within the limit and the body is long enough to hold it.
pub(crate) fn checked_len(body: &[u8], limit: usize) -> Result<usize, DecodeError> {
    let declared = declared_len(body)?;
    if declared > limit {
        return Err(DecodeError::TooLarge { declared, limit });
    }
    let (bytes, copied) = DENSEST;
    if (declared as u64).saturating_mul(bytes) > (body.len() as u64).saturating_mul(copied) {
        return Err(DecodeError::Impossible { declared, length: body.len() });
    }
    Ok(declared)
}

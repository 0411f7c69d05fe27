//! Which series a body carries, as a set of 64-bit fingerprints, without building a single object.
//!
//! For whoever must know whether two bodies touch the same series: they do only if their sets meet. A body enters
//! as it came, with the two headers that say how to read it; a sorted set leaves, or the answer that the body may
//! carry any series. The direction of every doubt is the same: a series that is in the body is in the set, or
//! there is no set. So nothing here has to judge whether a receiver would take the body.
//!
//! - `hash`: what a fingerprint is.
//! - `v1`, `v2`: the walk through the message of each version.
//! - `otlp`: the walk through an OTLP push, whose series are told apart by their target alone.
//! - `distinct`: the set.
//!
//! A series without samples, histograms and exemplars is not in the set: it changes nothing that order could harm
//! (2.0 may send metadata so). Neither is metadata of 1.0, so a request of metadata alone has an empty set.
//!
//! Two senders' names for one series count as two: what a receiver does to labels afterwards (relabelling, the
//! replica label of a high-availability pair) is not known here.
//!
//! A body of OTLP and one of remote write never meet: the same series as a rule has other labels by the other way, and
//! nobody sends one series by both in turn.
//!
//! Bounds: the uncompressed size, held against what the compressed body declares before memory is taken for it, and
//! against what gzip yields while it does; [`MAX_SERIES`]; [`MAX_SYMBOLS`]. Work is linear in the uncompressed bytes. No input panics.

mod distinct;
mod hash;
mod otlp;
mod v1;
mod v2;

use crate::decode::{DecodeError, checked_len};
use crate::protocol::{Version, is_snappy};
use crate::wire::Malformed;
use distinct::Distinct;
use hash::LabelHasher;

pub use hash::Seed;

/// The most different series of one body that are told apart. Prometheus sends 2000 samples a body by default,
/// vmagent 10 000.
pub const MAX_SERIES: usize = 1 << 16;

/// The most symbols of one 2.0 body: four for each series, where real ones share nearly all of theirs.
pub const MAX_SYMBOLS: usize = 1 << 18;

/// A bound for the uncompressed size that suits [`MAX_SERIES`], bytes: as many series of twice the usual size.
pub const DEFAULT_MAX_UNCOMPRESSED: usize = 32 << 20;

/// The most memory, bytes, that a [`Scratch`] holds on to between two bodies: the largest block vmagent makes.
const KEPT: usize = 8 << 20;

/// What is known about the series of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// This many, all different; their fingerprints are in the vector.
    Known(usize),
    /// It may carry any series.
    Everything(Reason),
}

/// Why a body may carry any series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The `Content-Type` names no message that all receivers agree on.
    Protocol,
    /// The `Content-Encoding` is none that is read here.
    Encoding,
    /// More uncompressed bytes than the limit.
    TooLarge,
    /// More than [`MAX_SERIES`] different series, or more than [`MAX_SYMBOLS`] symbols.
    TooMany,
    /// Not compressed as it says, or the message in it is no message, or refers to symbols that are not there.
    Unreadable,
    /// What tells its series apart is written so that receivers may read it differently.
    Ambiguous,
}

impl Reason {
    /// The reason as one lower-case word, for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Encoding => "encoding",
            Self::TooLarge => "too_large",
            Self::TooMany => "too_many",
            Self::Unreadable => "unreadable",
            Self::Ambiguous => "ambiguous",
        }
    }
}

impl From<Malformed> for Reason {
    fn from(Malformed: Malformed) -> Self {
        Self::Unreadable
    }
}

/// Room that is used again for every body, and the seed: one for each thread that reads bodies.
pub struct Scratch {
    hasher: LabelHasher,
    max_uncompressed: usize,
    message: Vec<u8>,
    symbols: Vec<u64>,
    joined: Vec<u8>,
}

impl Scratch {
    /// Sets are comparable among all `Scratch`es of one seed. `max_uncompressed` bounds a body's message, bytes.
    #[must_use]
    pub fn new(seed: Seed, max_uncompressed: usize) -> Self {
        let hasher = LabelHasher::new(seed);
        Self { hasher, max_uncompressed, message: Vec::new(), symbols: Vec::new(), joined: Vec::new() }
    }

    /// Gives back what a large body has taken.
    fn trim(&mut self) {
        for room in [&mut self.message, &mut self.joined] {
            if room.capacity() > KEPT {
                *room = Vec::new();
            }
        }
    }
}

/// Reads the set of series that a body of remote write carries into `out`, whose former content is gone: ascending, each once.
///
/// `content_type` is the header's value, empty if there was none. With [`Series::Everything`] `out` is empty.
pub fn series(
    body: &[u8],
    content_type: &str,
    content_encoding: Option<&str>,
    scratch: &mut Scratch,
    out: &mut Vec<u64>,
) -> Series {
    let found = read(body, content_type, content_encoding, scratch, out);
    answer(found, scratch, out)
}

/// The same for the body of an OTLP push: one fingerprint for each target, that is, `job` and `instance`.
pub fn otlp_series(
    body: &[u8],
    content_type: &str,
    content_encoding: Option<&str>,
    scratch: &mut Scratch,
    out: &mut Vec<u64>,
) -> Series {
    let found = otlp::read(body, content_type, content_encoding, scratch, out);
    answer(found, scratch, out)
}

fn answer(found: Result<usize, Reason>, scratch: &mut Scratch, out: &mut Vec<u64>) -> Series {
    scratch.trim();
    match found {
        Ok(count) => Series::Known(count),
        Err(reason) => {
            out.clear();
            Series::Everything(reason)
        }
    }
}

fn read(
    body: &[u8],
    content_type: &str,
    content_encoding: Option<&str>,
    scratch: &mut Scratch,
    out: &mut Vec<u64>,
) -> Result<usize, Reason> {
    let version = Version::of(content_type).ok_or(Reason::Protocol)?;
    if !is_snappy(content_encoding) {
        return Err(Reason::Encoding);
    }
    let Scratch { hasher, max_uncompressed, message, symbols, .. } = scratch;
    let message = uncompress(body, *max_uncompressed, message)?;
    let mut found = Distinct::new(out);
    match version {
        Version::V1 => v1::walk(message, hasher, &mut found)?,
        Version::V2 => v2::walk(message, hasher, symbols, &mut found)?,
    }
    found.finish()
}

/// The message in a snappy block, in the front of `room`, which grows when it must.
fn uncompress<'a>(body: &[u8], limit: usize, room: &'a mut Vec<u8>) -> Result<&'a [u8], Reason> {
    let declared = checked_len(body, limit).map_err(|error| match error {
        DecodeError::TooLarge { .. } => Reason::TooLarge,
        _ => Reason::Unreadable,
    })?;
    if room.len() < declared {
        room.clear(); // or the old content would be carried along
        room.resize(declared, 0);
    }
    let message = room.get_mut(..declared).ok_or(Reason::Unreadable)?;
    let written = snap::raw::Decoder::new().decompress(body, message).map_err(|_| Reason::Unreadable)?;
    message.get(..written).ok_or(Reason::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HEADERS;

    fn ask(body: &[u8], scratch: &mut Scratch) -> Series {
        series(body, HEADERS[1].1, None, scratch, &mut Vec::new())
    }

    /// Whatever a body declares, memory is taken only for what it can hold and only within the limit.
    #[test]
    fn a_bomb_takes_no_memory() {
        for limit in [DEFAULT_MAX_UNCOMPRESSED, usize::MAX] {
            let mut scratch = Scratch::new(Seed::fixed(1), limit);
            // 4 GiB - 1, 31 MiB and 1 MiB, each with a few bytes behind.
            for size in [0xffff_ffff, 31 << 20, 1 << 20] {
                let mut body = Vec::new();
                prost::encoding::encode_varint(size, &mut body);
                body.extend([0xfe, 1, 0].repeat(100));
                assert!(matches!(ask(&body, &mut scratch), Series::Everything(_)), "{size}");
                assert_eq!(scratch.message.capacity(), 0, "{size}");
            }
        }
    }

    #[test]
    fn large_bodies_leave_no_memory_taken() {
        let mut scratch = Scratch::new(Seed::fixed(1), 4 * KEPT);
        let empty = |bytes: usize| {
            let message = [0x0a, 0].repeat(bytes / 2);
            snap::raw::Encoder::new().compress_vec(&message).expect("compresses")
        };
        assert_eq!(ask(&empty(KEPT), &mut scratch), Series::Known(0));
        assert_eq!(scratch.message.capacity(), KEPT, "a usual one is kept for the next");
        assert_eq!(ask(&empty(2 * KEPT), &mut scratch), Series::Known(0));
        assert_eq!(scratch.message.capacity(), 0);
    }
}

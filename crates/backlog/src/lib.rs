//! A durable queue of request copies: segment files with checksums, read back in order of place.
//!
//! It does not know what a copy is, has no runtime and no sockets, and is used by one thread. [`Backlog`] is the
//! store, [`inspect`] looks at one from outside. This page is the format and what is promised about it; the code
//! follows the page.
//!
//! # The directory
//!
//! Mode 0700, one for each mirror, its files 0600:
//!
//! | name | what |
//! |---|---|
//! | `lock` | held locked (`flock`) by the process that uses the directory; given back by the kernel, however the process ends |
//! | `00000000000000000007-1f2e3d4c5b6a7988.segment` | records; number in decimal, salt in hexadecimal |
//! | `checkpoint` | what is acknowledged |
//! | `checkpoint.new` | the next checkpoint while it is written |
//!
//! Anything else is foreign: reported, never touched.
//!
//! # A segment
//!
//! All numbers are little-endian. A file header of 64 bytes, then records one behind the other.
//!
//! | at | bytes | file header |
//! |---|---|---|
//! | 0 | 8 | `mmBKLOG\n`; in a checkpoint `mmBKCHK\n` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | 0 |
//! | 16 | 8 | hash of the mirror's name (FNV-1a, [`name_hash`]) |
//! | 24 | 8 | segment number; 0 in a checkpoint |
//! | 32 | 8 | salt: random; in a checkpoint the mirror's hash |
//! | 40 | 20 | 0 |
//! | 60 | 4 | CRC-32C of the 60 bytes before; at this place in every version |
//!
//! | at | bytes | record header |
//! |---|---|---|
//! | 0 | 4 | the salt's lower half with its lowest bit set: where a search for a record begins to look |
//! | 4 | 4 | length of the payload, at most [`PAYLOAD_MAX`] |
//! | 8 | 8 | place |
//! | 16 | 8 | arrival, milliseconds since 1970 |
//! | 24 | 8 | hash of the tenant |
//! | 32 | 1 | kind; up to [`KIND_MAX`] the caller's, 0xFE checkpoint, 0xFF seal |
//! | 33 | 7 | 0 |
//! | 40 | 4 | CRC-32C of the payload |
//! | 44 | 4 | CRC-32C of the record's offset (8 bytes) and the 44 bytes before, beginning with the salt's upper half |
//!
//! The payload follows, padded with zeros to a multiple of 8. The header's sum covers the payload's, so a record is
//! sound as a whole or not at all. Salt and offset are in the sum because payloads come from clients: one that
//! contains a record cannot be taken for one, wherever damage makes a search begin, since the client does not know
//! the salt; neither can a block of another file or another place.
//!
//! Records of a segment have different places and stand in the order of their appending, which is nearly the order
//! of places; reading merges segments. A place may be in two segments when it was appended again: the newer one that
//! is not done with counts, and acknowledging it acknowledges both.
//!
//! A full segment ends with a seal: a record of kind 0xFF whose payload is the index of the others (base place 8, base
//! arrival 8, count 8, then for each record place 4, offset / 8 4, length 4, arrival 4), the seal's own offset (8) and
//! `mmBKSEAL`. Opening reads seals only; a segment without a sound one is read from end to end. Nothing is written to
//! a segment that another process began.
//!
//! # The checkpoint
//!
//! The same framing. Each record, kind 0xFE, adds to those before: next segment number (8), next place (8), two
//! counts (8 each), ranges of segment numbers that are given up (start and end, 8 each), ranges of bytes that are
//! done with (segment, start, end, 8 each). Byte ranges of neighbours join into one whatever their places are, need
//! nobody to know how many records damage hides, and never speak of records that are appended later, because numbers
//! and offsets are used once. Records are appended to the file until it is long; then the whole is written to
//! `checkpoint.new`, synced, renamed over `checkpoint`, and the directory synced.
//!
//! # What a crash leaves, and what opening does about it
//!
//! The end of the process costs nothing: what `append` said `Ok` to is in the operating system's cache. A loss of
//! power may leave any part of what was not synced: bytes that end early, bytes missing before others, zeros.
//!
//! | found | what happens |
//! |---|---|
//! | no sound record up to the end | the tail is cut: its bytes are done with |
//! | no sound record, but one behind | the search goes on every 8 bytes; the damage is skipped and reported |
//! | a sound header with a wrong payload | that record alone is skipped and reported |
//! | damage in a sealed segment | found when that record is read: [`ReadBatch::damaged`]; the others are not concerned |
//! | a damaged file header | number and salt are in the name: the records are read all the same |
//! | a segment's name, no bytes or no more than a torn header | reported, removed |
//! | a segment that the checkpoint knows and the directory has not | reported, once |
//! | bytes that the disk refuses | the others are used, the file is kept for another start |
//! | a torn end of the checkpoint | ignored: it was not promised |
//! | a damaged or lost checkpoint | what it acknowledged is delivered again |
//! | a checkpoint that knows more bytes than there are | reported; nothing will ever be written there |
//! | a segment that the checkpoint gives up | removed: a crash came before the removal |
//! | another mirror's checkpoint, or a newer version of anything | [`OpenError`]; nothing is changed |
//!
//! Damage is marked as done with in the next checkpoint, so it is told once and its segment is freed like any other.
//!
//! # What is promised
//!
//! For a record whose `append` returned `Ok` and that is neither acknowledged nor expired:
//!
//! | | end of the process | loss of power |
//! |---|---|---|
//! | [`Sync::Always`] | recovered | recovered |
//! | [`Sync::Interval`] | recovered | recovered, if a `sync` afterwards returned `Ok` and [`Backlog::take_doubtful`] did not name it |
//! | [`Sync::Never`] | recovered | nothing: it may be lost, and an old state may come back |
//!
//! Recovered means: once, in order of place, byte for byte. Nothing that was not appended is ever recovered; a record
//! whose `append` failed may be. An acknowledged record may be delivered again after a crash that came before the next
//! [`Backlog::checkpoint`] returned `Ok` (at least once), not after one that came later.
//!
//! Where it ends: after a failed fsync, Linux may go on showing bytes that are not on the disk. Such records are named
//! by [`Backlog::take_doubtful`], and appending them again makes them safe. A process that ends before it did that
//! leaves them to the next one, which cannot tell them from sound ones until power is lost. And while a disk is full
//! to the last byte, finished segments are removed without a checkpoint (nothing else would ever make room); a crash
//! right then makes the next start report them as missing, though nobody misses them.
//!
//! # How it is used
//!
//! ```
//! use backlog::{Backlog, NewRecord, Options, fs::RealFs, name_hash};
//! # let dir = std::env::temp_dir().join(format!("backlog-doc-{}", std::process::id()));
//! let (mut backlog, recovery) = Backlog::open(&dir, Options::new("secondary"), RealFs)?;
//! assert!(recovery.is_clean());
//! let record = NewRecord {
//!     place: recovery.next_place,
//!     arrival_ms: 1_700_000_000_000,
//!     tenant: name_hash("team-a"),
//!     kind: 0,
//!     payload: &[b"head", b"body"],
//! };
//! backlog.append(&[record])?;
//! backlog.sync()?;
//! let batch = backlog.read_from(0, 1 << 20);
//! assert_eq!(batch.records[0].payload, b"headbody");
//! backlog.acknowledge(&[record.place..=record.place]);
//! backlog.checkpoint()?;
//! # drop(backlog);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A turn of the append thread: `append` what has come, [`Backlog::sync`] when it is time, `acknowledge` what is
//! delivered, `checkpoint` now and then; after any of them look at `take_doubtful`. On [`StoreError::Full`],
//! [`Backlog::expire`] with the bytes that it needs, `checkpoint`, and append again.

#![deny(clippy::indexing_slicing)]
#![forbid(unsafe_code)]

mod append;
mod bugs;
mod bytes;
mod checkpoint;
mod durable;
mod encode;
mod error;
mod finish;
mod format;
pub mod fs;
mod index;
pub mod inspect;
mod names;
mod open;
mod ranges;
mod read;
mod recovery;
mod scan;
mod seal;
mod store;
mod survey;
#[cfg(test)]
mod tests;
mod types;

pub use error::{AppendError, OpenError, ReadError, StoreError};
pub use format::{KIND_MAX, PAYLOAD_MAX, VERSION, name_hash};
pub use recovery::{CheckpointState, Damage, ForeignReason, Recovery};
pub use store::Backlog;
pub use types::{Expired, Freed, NewRecord, Options, PlacesBatch, Position, ReadBatch, Record, Stats, Sync};

//! What can go wrong, named by what the caller can do about it.

use std::io;
use std::path::PathBuf;

use crate::Position;

/// Why a backlog does not open. Nothing was deleted or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the directory.
    #[error("{} is in use by another process", dir.display())]
    Locked {
        /// The backlog's directory.
        dir: PathBuf,
    },
    /// Written by a newer version of this program, which may know more about what it holds.
    #[error(
        "{} has format version {version}, this program reads up to {}: run the newer program, or move the file away",
        file.display(),
        crate::VERSION
    )]
    FutureVersion {
        /// The file.
        file: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The directory's checkpoint says that it belongs to another mirror.
    #[error("{} belongs to another mirror: each mirror needs a directory of its own", dir.display())]
    OtherMirror {
        /// The backlog's directory.
        dir: PathBuf,
    },
    /// The directory itself cannot be made, listed or locked.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot list".
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why a backlog in use could not do something. It stays usable; trying again later is right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system has no room (or the user's quota is used up).
    #[error("no space left while {doing}: {source}")]
    NoSpace {
        /// What the store was doing.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// Any other trouble with the disk.
    #[error("disk error while {doing}: {source}")]
    Io {
        /// What the store was doing.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The records would not fit into `max_bytes`. Expire and checkpoint, then append again.
    #[error("the backlog is full: {needed} more bytes do not fit into {max_bytes}")]
    Full {
        /// Bytes that the batch needs.
        needed: u64,
        /// The configured bound.
        max_bytes: u64,
    },
    /// A record that this store can never take: a payload beyond [`crate::PAYLOAD_MAX`] or a kind beyond
    /// [`crate::KIND_MAX`].
    #[error("the record with place {place} is too large or of a reserved kind")]
    Unfit {
        /// The record's place.
        place: u64,
    },
    /// The place is taken by a record appended shortly before.
    #[error("place {place} is taken")]
    PlaceTaken {
        /// The record's place.
        place: u64,
    },
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { doing, source },
            _ => Self::Io { doing, source },
        }
    }

    /// A copy of the error for a second listener.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::NoSpace { doing, source } => Self::NoSpace { doing, source: copy(source) },
            Self::Io { doing, source } => Self::Io { doing, source: copy(source) },
            Self::Full { needed, max_bytes } => Self::Full { needed: *needed, max_bytes: *max_bytes },
            Self::Unfit { place } => Self::Unfit { place: *place },
            Self::PlaceTaken { place } => Self::PlaceTaken { place: *place },
        }
    }
}

/// `io::Error` cannot be cloned; its number or its text can.
fn copy(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// A batch of which only a beginning was appended.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct AppendError {
    /// Where the first records of the batch are; these are appended.
    pub appended: Vec<Position>,
    /// Why the others are not.
    pub source: StoreError,
}

/// Why one record could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Its bytes are damaged or gone. The store has given it up; it will not come back.
    #[error("the record with place {place} is damaged")]
    Damaged {
        /// The record's place.
        place: u64,
    },
    /// The disk did not answer. The record stays in the store.
    #[error("cannot read the record with place {place}: {source}")]
    Io {
        /// The record's place.
        place: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is acknowledged, expired or was never there.
    #[error("no record with place {place}")]
    Gone {
        /// The place asked for.
        place: u64,
    },
}

//! What the store needs of an operating system, and nothing else: the tests put a file system in its place that
//! loses, tears and reorders what was not synced.

mod real;

use std::io::{self, IoSlice};
use std::path::Path;

pub use real::{RealFile, RealFs};

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name, characters that are not UTF-8 replaced.
    pub name: String,
    /// False for directories, links and devices.
    pub is_file: bool,
}

/// Directories and names.
pub trait Fs {
    /// An open file.
    type File: File;
    /// Proof that this process has the directory to itself; given up when dropped.
    type Lock;

    /// Makes a directory that only the owner can enter (0700), with its parents; fine if it exists.
    ///
    /// # Errors
    /// What the operating system says.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;

    /// All names in a directory, in any order.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>>;

    /// Makes a file that only the owner can read (0600), for reading and writing.
    ///
    /// # Errors
    /// What the operating system says; also when the name exists.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Gives a file another name, in place of whatever had it.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock file at `path`, making it if need be; `None` when another process has it.
    ///
    /// # Errors
    /// What the operating system says.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;

    /// Whether some process holds the lock file at `path`; never makes it.
    ///
    /// # Errors
    /// What the operating system says.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;

    /// 64 bits that nobody else can guess.
    fn salt(&self) -> u64;
}

/// An open file. Offsets and lengths are in bytes.
pub trait File {
    /// The file's length.
    ///
    /// # Errors
    /// What the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Writes some of `parts`, one behind the other, from `offset` on. Returns how many bytes were written.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// Reads up to `buffer.len()` bytes from `offset`; 0 is the end of the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file, or lengthens it with zeros.
    ///
    /// # Errors
    /// What the operating system says.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes the bytes durable, and of the metadata what reading them back needs.
    ///
    /// # Errors
    /// What the operating system says. After an error nothing is known of the bytes written since the last sync.
    fn sync(&self) -> io::Result<()>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
}

/// Most slices that one vectored write may have on Linux (`IOV_MAX`).
pub(crate) const SLICES_MAX: usize = 1024;

/// Writes all of `slices` from `offset` on.
pub(crate) fn write_all(file: &impl File, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let some = slices.get(..SLICES_MAX).unwrap_or(slices);
        match file.write_at(some, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset = offset.saturating_add(written as u64);
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `buffer` from `offset` on as far as the file goes; returns how many bytes that were.
pub(crate) fn read_full(file: &impl File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

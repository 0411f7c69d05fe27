//! Files that others change while the process runs: whether one is another than before.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a file was when it was looked at: whether it is another one, or was written since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Seen {
    /// Follows links, so that swapping one (as Kubernetes does) is seen. A file that is gone is seen as nothing.
    pub(crate) fn look(path: &Path) -> Self {
        let Ok(data) = std::fs::metadata(path) else { return Self::default() };
        let modified = (data.mtime(), data.mtime_nsec());
        Self { device: data.dev(), inode: data.ino(), bytes: data.len(), modified }
    }
}

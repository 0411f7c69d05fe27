//! A small file system of its own, so that a disk can be full.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::dir::Dir;

/// A file system in memory, mounted in a folder of its own (which takes root), unmounted on drop.
pub(crate) struct Tmpfs {
    // Removed after the unmounting.
    dir: Dir,
}

impl Tmpfs {
    /// Of this size, as mount takes it (`2m`).
    pub(crate) fn of(size: &str) -> Self {
        let dir = Dir::new("tmpfs");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"]).arg(dir.path());
        let output = mount.output().expect("mount exists");
        assert!(output.status.success(), "cannot mount a tmpfs; these tests need root: {output:?}");
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Uses up every byte that is left.
    pub(crate) fn fill(&self) {
        let mut file =
            File::options().create(true).append(true).open(self.filler()).expect("room for a name");
        let error = loop {
            if let Err(error) = file.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }

    /// Gives back what [`fill`](Self::fill) took.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.dir.path().join("filler")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that a failing test has not stopped yet may still use it.
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

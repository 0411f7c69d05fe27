//! Bugs that the tests can switch on, to show that they would find them. Nothing of this is in a real build.

/// One classic mistake of a store like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "built only into tests"))]
pub(crate) enum Bug {
    /// Checksums are not looked at.
    NoChecksum,
    /// An acknowledgement is made durable before the data it speaks of, or before the newer copy of a record.
    CheckpointBeforeData,
    /// A segment is unlinked before the checkpoint that gives it up is durable.
    UnlinkBeforeCheckpoint,
    /// The new checkpoint is renamed over the old one before its bytes are durable.
    RenameBeforeSync,
    /// A file's name is not made durable.
    NoDirectorySync,
    /// After a failed fsync the segment is used on, and the next fsync believed.
    TrustFailedSync,
    /// A torn write is not cut off before the next one.
    KeepTornWrite,
}

#[cfg(test)]
thread_local! {
    static SEEDED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Whether this thread runs with `bug`.
#[cfg(test)]
pub(crate) fn seeded(bug: Bug) -> bool {
    SEEDED.get() == Some(bug)
}

/// Whether this thread runs with `bug`: never, outside of the tests.
#[cfg(not(test))]
pub(crate) const fn seeded(_bug: Bug) -> bool {
    false
}

/// Runs `test` with `bug` seeded.
#[cfg(test)]
pub(crate) fn with<T>(bug: Option<Bug>, test: impl FnOnce() -> T) -> T {
    SEEDED.set(bug);
    let result = test();
    SEEDED.set(None);
    result
}

//! Read buffers that a worker's connections keep between their requests.
//!
//! A read buffer that a batch of remote write has passed through is 80 KiB, and growing to that takes three reads more
//! for the first request. So connections keep theirs, as long as they are busy and not too many: a thousand would hold
//! 80 MB between requests. Those above the bound give them back with each answer, as quiet ones do.

use std::cell::Cell;

use crate::limits::READ_BUFFERS_KEPT;

/// What a connection's read buffer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Buffer {
    /// As small as it begins.
    #[default]
    Small,
    /// Large, and counted among those that are kept.
    Kept,
    /// Large, and to be given back with the next answer.
    Lent,
}

/// Of one worker.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    kept: Cell<usize>,
}

impl Buffers {
    /// A buffer becomes large.
    pub(super) fn grown(&self) -> Buffer {
        let kept = self.kept.get();
        if kept >= READ_BUFFERS_KEPT {
            return Buffer::Lent;
        }
        self.kept.set(kept + 1);
        Buffer::Kept
    }

    /// A connection has no buffer any more.
    pub(super) fn gone(&self, buffer: Buffer) {
        if buffer == Buffer::Kept {
            self.kept.set(self.kept.get().saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c3_only_so_many_are_kept_and_each_makes_room_when_it_goes() {
        let buffers = Buffers::default();
        let grown: Vec<_> = (0..READ_BUFFERS_KEPT + 2).map(|_| buffers.grown()).collect();
        assert_eq!(grown.iter().filter(|buffer| **buffer == Buffer::Kept).count(), READ_BUFFERS_KEPT);
        assert_eq!(grown.last(), Some(&Buffer::Lent));
        // One that was not kept makes no room.
        buffers.gone(Buffer::Lent);
        assert_eq!(buffers.grown(), Buffer::Lent);
        grown.into_iter().for_each(|buffer| buffers.gone(buffer));
        assert_eq!(buffers.grown(), Buffer::Kept);
    }
}

//! Taking messages: in batches, so that one write and one fsync serve all copies that came meanwhile.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use super::super::message::ToBacklog;

/// Most messages of one batch.
const MESSAGES: usize = 512;
/// No batch takes another copy once its copies hold this much.
const BYTES: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct Inbox {
    receiver: Receiver<ToBacklog>,
    /// Taken out of the channel and not yet acted upon, in their order.
    waiting: VecDeque<ToBacklog>,
    /// The backlog is said to be free.
    free: bool,
}

impl Inbox {
    pub(super) fn new(receiver: Receiver<ToBacklog>) -> Self {
        Self { receiver, waiting: VecDeque::new(), free: false }
    }

    /// Waits for one more message, at most until `due`, and leaves it with those that wait. False once the thread is
    /// to end.
    pub(super) fn hold(&mut self, due: Instant) -> bool {
        if matches!(self.waiting.back(), Some(ToBacklog::Close)) {
            return false;
        }
        match self.receiver.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(ToBacklog::Free) => self.free = true,
            Ok(message) => self.waiting.push_back(message),
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody is left who could send a message.
            Err(RecvTimeoutError::Disconnected) => self.waiting.push_back(ToBacklog::Close),
        }
        !matches!(self.waiting.back(), Some(ToBacklog::Close))
    }

    /// Whether it was said that the backlog is free, since this was asked last.
    pub(super) fn take_free(&mut self) -> bool {
        std::mem::take(&mut self.free)
    }

    /// Lets no answer wait for those that wait here.
    pub(super) fn free_answers(&mut self) {
        if let Some(ToBacklog::Copy(copy)) = self.waiting.back_mut() {
            copy.saved = None;
        }
    }

    /// The next messages in their order; waits for the first, at most until `due`.
    ///
    /// A batch's copies are appended before anything else of it happens. What lets go of everything ends a batch, so
    /// that it does not concern copies that came after it.
    pub(super) fn take(&mut self, due: Instant) -> Vec<ToBacklog> {
        if self.waiting.is_empty() {
            self.hold(due);
        }
        let (mut batch, mut bytes) = (Vec::new(), 0_u64);
        while batch.len() < MESSAGES && bytes < BYTES {
            let Some(message) = self.waiting.pop_front().or_else(|| self.receiver.try_recv().ok()) else {
                break;
            };
            let ends = matches!(message, ToBacklog::Skip | ToBacklog::Close);
            if let ToBacklog::Copy(copy) = &message {
                bytes = bytes.saturating_add(copy.held.bytes());
            }
            batch.push(message);
            if ends {
                break;
            }
        }
        batch
    }
}
